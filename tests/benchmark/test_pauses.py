"""A process that stood still without being told, as in a container that was frozen."""

import os
import signal
import subprocess
import sys
import time

import pytest

CHILD = """
import signal, sys, time
from benchmark import pauses
pauses.TICK_SECONDS, pauses.STILL_SECONDS = 0.1, 1.0
pauses.watch()
signal.signal(signal.SIGCONT, signal.SIG_DFL)
print(pauses.pauses(), flush=True)
until = time.monotonic() + float(sys.argv[1])
while time.monotonic() < until:
    {what}
time.sleep(0.5)
print(pauses.pauses(), flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no SIGSTOP on this system")
@pytest.mark.parametrize("what", ["pass", "time.sleep(0.01)"])
@pytest.mark.parametrize("stopped", [True, False])
def test_a_process_that_stood_still_notices(what: str, stopped: bool) -> None:
    command = [sys.executable, "-c", CHILD.format(what=what), "1.5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "0\n"
        if stopped:
            os.kill(child.pid, signal.SIGSTOP)
            time.sleep(3)
            os.kill(child.pid, signal.SIGCONT)
        assert child.stdout.readline() == f"{int(stopped)}\n"
