"""A process that runs two sleeping jobs, for tests that kill it."""

import signal
import sys

from benchmark.config import Execution
from benchmark.executors import Job
from benchmark.executors.chosen import choose_executor
from tests.benchmark.executors.work import act


class Quiet:
    def started(self, job): ...

    def progressed(self, job, stage, done, total):
        print(f"{job.key} works", flush=True)

    def ended(self, job, exit_code): ...

    def waiting(self, jobs): ...


if __name__ == "__main__":
    # Whatever ran the tests in the background may have had Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    jobs = [Job(key, "sleep", sys.argv[1], {}, 1, 1, 1) for key in "ab"]
    executor = "ray" if "ray" in sys.argv[2:] else "local"
    chosen = choose_executor(Execution(executor=executor, device="cpu", workers=2))
    try:
        chosen.run_jobs(jobs, ["cpu", "cpu"], Quiet(), work=act, preload=())
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        chosen.close()
        sys.exit(130)
