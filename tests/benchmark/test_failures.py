import errno
import signal
from pathlib import Path

import pytest

from benchmark.errors import DamagedPhotoError, UserError
from benchmark.executors import LOST, TIMED_OUT
from benchmark.failures import (
    NotFiniteLossError,
    NotFinitePictureError,
    death,
    kind_of,
    log_tail,
    one_line,
    reason,
    redacted,
    to_be_tried,
    tried_again_by,
)

TOKEN = "hf_" + "aBcDeFgH12345678"


def memory_of_the_cpu() -> BaseException:
    """torch's own error of a CPU that cannot allocate."""
    import torch

    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    return caught.value


def memory_of_numpy() -> BaseException:
    import numpy as np

    with pytest.raises(MemoryError) as caught:
        np.empty(1 << 60, np.uint8)
    return caught.value


def full_in_safetensors() -> BaseException:
    """As the library words it on a full disk: it has no number for the error."""
    from safetensors import SafetensorError

    text = "Error while serializing: I/O error: No space left on device (os error 28)"
    return SafetensorError(text)


def full_in_python() -> BaseException:
    with pytest.raises(OSError, match="No space left") as caught, open("/dev/full", "wb") as file:
        file.write(b"x" * 100_000)
    return caught.value


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (memory_of_the_cpu, "OutOfMemory"),
        (memory_of_numpy, "OutOfMemory"),
        (full_in_python, "DiskFull"),
        (full_in_safetensors, "DiskFull"),
    ],
)
def test_the_systems_own_errors_are_known_whoever_raises_them(make, kind: str) -> None:
    error = make()
    assert kind_of(error) == kind
    wrapped = ValueError("the checkpoint was not written")
    wrapped.__cause__ = error
    assert kind_of(wrapped) == kind


def test_kinds_of_errors() -> None:
    import torch

    assert kind_of(torch.OutOfMemoryError("CUDA out of memory. Tried 3 GiB")) == "OutOfMemory"
    assert kind_of(RuntimeError("CUDA error: out of memory")) == "OutOfMemory"
    assert kind_of(OSError(errno.ENOMEM, "Cannot allocate memory")) == "OutOfMemory"
    assert kind_of(OSError(errno.EDQUOT, "x")) == "DiskFull"
    assert kind_of(ArithmeticError("step 7: the loss is nan; lower the rate")) == "NotFiniteLoss"
    assert kind_of(NotFiniteLossError("x")) == "NotFiniteLoss"
    assert kind_of(NotFinitePictureError("x")) == "NotFinitePicture"
    assert kind_of(DamagedPhotoError("x")) == "DamagedPhoto"
    # No more than that: other errors keep their names.
    assert kind_of(UserError("x")) == "UserError"
    assert kind_of(RuntimeError("shapes do not fit")) == "RuntimeError"
    assert kind_of(ArithmeticError("x")) == "ArithmeticError"
    assert kind_of(OSError(errno.EACCES, "x")) == "PermissionError"
    error = ValueError("x")
    error.__cause__ = error
    assert kind_of(error) == "ValueError"


def test_kinds_of_deaths() -> None:
    assert death(-signal.SIGSEGV)[0] == "SIGSEGV"
    kind, message = death(-signal.SIGKILL)
    assert kind == "SIGKILL"
    assert "ran out of memory" in message
    assert death(-63) == ("SIG63", "the worker was killed by SIG63; see log.txt")
    assert death(3) == ("WorkerExit", "the worker ended with exit code 3; see log.txt")
    assert death(LOST)[0] == "WorkerLost"
    assert to_be_tried({"status": "failed", "kind_of_failure": "WorkerLost"}, "interrupted")
    kind, message = death(TIMED_OUT, 1.5)
    assert kind == "Timeout"
    assert "after 1.5 s" in message


@pytest.mark.parametrize(
    ("status", "kind", "tried"),
    [
        ("done", None, ()),
        ("pending", None, ("interrupted", "failed", "none")),
        *(
            ("failed", kind, ("interrupted", "failed"))
            for kind in ("SIGKILL", "SIG63", "Timeout", "OutOfMemory", "DiskFull", "WorkerExit")
        ),
        *(("failed", kind, ("failed",)) for kind in ("ValueError", "NotFiniteLoss", None)),
    ],
)
def test_which_cells_are_tried_again(status: str, kind: str | None, tried: tuple[str, ...]) -> None:
    state = {"status": status, "kind_of_failure": kind}
    assert tuple(r for r in ("interrupted", "failed", "none") if to_be_tried(state, r)) == tried


def test_the_summary_names_the_command_that_tries_again() -> None:
    assert tried_again_by(2, 2, "interrupted") == "the same command tries them again"
    assert tried_again_by(2, 1, "failed") == "the same command tries them again"
    assert tried_again_by(2, 0, "none") == ("the same command with --retry failed tries them again")
    assert tried_again_by(2, 2, "none") == (
        "the same command with --retry interrupted tries them again"
    )
    assert tried_again_by(3, 1, "interrupted") == (
        "the same command tries 1 of them again, --retry failed all"
    )


def test_a_reason_is_stage_kind_and_message() -> None:
    state = {"stage": "train", "kind_of_failure": "ValueError", "message": "no"}
    assert reason(state) == "train: ValueError: no"
    assert reason(state | {"stage": None}) == "ValueError: no"


def test_secrets_are_taken_out() -> None:
    held = {"HF_TOKEN": "s3cret-value", "MY_TOKEN": "s3cret-value-longer", "A_TOKEN": "1"}
    text = f"got {TOKEN}, s3cret-value-longer/s3cret-value; https://me:pa55w0rd@host/x 1 a"
    assert redacted(text, held) == "got hf_***, ***/***; https://me:***@host/x 1 a"
    assert redacted("Authorization: Bearer abcdefghijk", {}) == "Authorization: Bearer ***"
    assert redacted("half_life https://host/a@b", {}) == "half_life https://host/a@b"


def test_a_message_is_one_line_that_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "abcdefgh-1234")
    assert one_line(f"a\n b\udc80 {TOKEN} abcdefgh-1234") == "a b? hf_*** ***"
    assert len(one_line("x" * 5000)) == 1000


def test_the_tail_is_of_the_last_attempt_alone(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    assert log_tail(log) == ""
    first = "-- 2026-01-02 03:04:05 process 7\nfirst\n"
    log.write_text(first)
    assert log_tail(log, begin=len(first)) == ""
    second = "-- 2026-01-02 03:04:06 process 8\n" + f"{TOKEN}\n"
    log.write_bytes((first + second).encode() + b"\xff")
    assert log_tail(log) == "-- 2026-01-02 03:04:06 process 8\nhf_***\n\ufffd"
    log.write_text(first + second + "".join(f"line {n}\n" for n in range(100)))
    assert log_tail(log).splitlines() == [f"line {n}" for n in range(70, 100)]
    log.write_text(first + "Fatal Python error: Aborted\n" + "stack\n" * 40 + "x" * 9000)
    tail = log_tail(log).splitlines()
    assert tail[:2] == ["Fatal Python error: Aborted", "stack"]
    assert len(tail) == 31
    assert tail[-1] == "x" * 499 + "…"
    log.write_text(first + ("é" * 400 + "\n") * 300)
    text = log_tail(log)
    assert 7000 < len(text.encode()) <= 8000
    assert set(text) == {"é", "\n"}
