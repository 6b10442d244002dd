import os
import subprocess
import sys
import time

import psutil

from benchmark import host_memory
from benchmark.devices import Cpu
from benchmark.measure import Stage

SIZE = 64 << 20
CHILD = """
import subprocess, sys
if sys.argv[1] == "grandchild":
    inner = subprocess.Popen([sys.executable, "-c", sys.argv[2], "child", "", sys.argv[3]])
    inner.wait()
else:
    block = bytearray(b"x") * int(sys.argv[3])
    print("ready", flush=True)
    sys.stdin.read()
"""


def start(kind: str) -> subprocess.Popen[str]:
    """A process that holds `SIZE` bytes until its input ends, itself or by a child of its own."""
    command = [sys.executable, "-c", CHILD, kind, CHILD, str(SIZE)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.communicate("", timeout=60)


def looked(stage: Stage, more: int) -> None:
    wanted = stage._sampler.looks + more
    deadline = time.monotonic() + 60
    while stage._sampler.looks < wanted:
        assert time.monotonic() < deadline, "the thread does not look"
        time.sleep(0.005)


def children_bytes(*kinds: str) -> float:
    with Stage("score", Cpu()) as stage:
        processes = [start(kind) for kind in kinds]
        looked(stage, 3)
        for process in processes:
            end(process)
    (peak,) = [c.value for c in stage.costs if c.measure == "peak_children_rss_bytes"]
    return peak


def test_the_memory_of_processes_below_is_measured_apart() -> None:
    one, two, none = (
        children_bytes("child"),
        children_bytes("child", "grandchild"),
        children_bytes(),
    )
    # Other tests may have left processes below this one.
    assert SIZE < one - none < 2 * SIZE
    assert 2 * SIZE < two - none < 3 * SIZE


def test_descendants_are_psutils() -> None:
    process = start("grandchild")
    try:
        expected = {child.pid for child in psutil.Process().children(recursive=True)}
        assert set(host_memory.descendants()) == expected
        assert process.pid in expected
        assert len(expected) >= 2
    finally:
        end(process)


def test_a_process_counts_from_the_second_look() -> None:
    """Between fork and exec a child has its parent's memory: it must not count as the child's."""
    memory = host_memory.ChildrenMemory()
    process = start("child")
    try:
        there, bytes_at_first = memory.look()
        assert process.pid in there
        assert bytes_at_first == 0
        assert memory.look()[1] > SIZE
    finally:
        end(process)
    assert process.pid not in memory.look()[0]


def test_a_process_that_is_gone_has_no_memory() -> None:
    process = start("child")
    end(process)
    ours = psutil.Process().memory_info().rss
    assert abs(host_memory.resident([os.getpid(), process.pid]) - ours) < 0.05 * ours
