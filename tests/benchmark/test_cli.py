import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from benchmark.cli import main
from benchmark.config import RunConfig, toml_text

HEAVY = {"torch", "diffusers", "transformers", "pandas", "numpy", "pydantic", "matplotlib", "PIL"}


def tbbench(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    code = "from benchmark.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=cwd, capture_output=True, text=True
    )


def imported(*arguments: str) -> set[str]:
    code = (
        "import sys\nfrom benchmark.cli import main\n"
        "try: main()\nfinally: print(*{m.split('.')[0] for m in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0
    return set(done.stderr.split())


def test_help_imports_nothing_heavy_and_shows_how_to_start() -> None:
    assert imported("--help") & HEAVY == set()
    assert "tbbench run quickstart" in tbbench("--help").stdout


@pytest.mark.parametrize("command", [["run"], ["report"], ["methods"], ["data", "fetch"]])
def test_every_command_has_an_example(command: list[str]) -> None:
    assert f"tbbench {' '.join(command)}" in tbbench(*command, "--help").stdout.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "quickstrat"], "unknown run 'quickstrat'; did you mean 'quickstart'?"),
        (["plan", "dreambench-sd1"], "did you mean 'dreambench-sd15'?"),
        (["run", "quickstart", "--set", "training.stepz=3"], "did you mean 'training.steps'?"),
        (["run", "quickstart", "--device", "gpu"], "execution.device: expected auto, cpu"),
        (["run", "quickstart", "--retry", "all"], "--retry 'all': expected interrupted, failed"),
        (["run", "quickstart", "--cell-timeout", "0"], "execution.cell_timeout: expected a number"),
        (["run", "quickstart", "--cell-timeout", "nan"], "execution.cell_timeout: expected a"),
        (["report", "nowhere"], "nowhere holds no run"),
        (["run", "quickstart", "--out", "/dev/null/run"], "/dev/null/run: Not a directory"),
        (["data", "check", "dreambnch"], "did you mean 'dreambench'?"),
        (["data", "check", "toyworld"], "the toy world is drawn and needs no photos"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    done = tbbench(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_is_one_line_and_exit_code_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    def told(*_: object) -> None:
        try:
            interrupted()
        except KeyboardInterrupt:
            print("stopped with 1 of 2 cells done", file=sys.stderr)
            raise typer.Exit(130) from None

    monkeypatch.setattr(sys, "argv", ["tbbench", "protocols"])
    for stop, said in (
        (interrupted, "tbbench: stopped\n"),
        (told, "stopped with 1 of 2 cells done\n"),
    ):
        monkeypatch.setattr("benchmark.commands.listing.open_console", stop)
        with pytest.raises(SystemExit) as ended:
            main()
        assert (ended.value.code, capsys.readouterr().err) == (130, said)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            OSError(errno.EROFS, "Read-only file system", "runs/a/.describe.lock"),
            "runs/a/.describe.lock: Read-only file system; make it writable and readable for you, "
            "or give another folder (--out)",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "runs/a/report/index.html"),
            "runs/a/report/index.html: No space left on device; free some space; the same command "
            "goes on where it stopped",
        ),
        (
            OSError(errno.EFBIG, "File too large"),
            "[Errno 27] File too large; no file may get so large here: see `ulimit -f` and the "
            "file system",
        ),
        (OSError("torn\nin two"), "torn\\nin two"),
    ],
)
def test_what_the_system_refuses_is_one_line_with_what_to_do(
    error: OSError,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refused(*_: object) -> None:
        raise error

    monkeypatch.setattr(sys, "argv", ["tbbench", "protocols"])
    monkeypatch.setattr("benchmark.commands.listing.open_console", refused)
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, capsys.readouterr().err) == (2, f"tbbench: {line}\n")


def test_methods_are_listed_with_their_presets() -> None:
    output = tbbench("methods").stdout
    rows = [line.split() for line in output.splitlines()]
    start = next(n for n, row in enumerate(rows) if row[:1] == ["textual-inversion"])
    assert next(row for row in rows[start:] if row[:1] == ["paper"])[1] == "768"
    assert any(row[:2] == ["paper", "859,520,964"] for row in rows)


def test_unknown_options_are_refused() -> None:
    assert tbbench("run", "quickstart", "--worker", "2").returncode == 2


@pytest.mark.slow
def test_without_photos_it_says_how_to_get_them(
    tmp_path: Path, small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMBENCH_ROOT", str(tmp_path / "nowhere"))
    config: RunConfig = small(dataset="dreambench", subjects=["dog6"])
    (tmp_path / "mine.toml").write_text(toml_text(config))
    done = tbbench("run", "mine.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert "tbbench data fetch dreambench" in done.stderr


def test_a_shell_completes_commands() -> None:
    asked = {"_TBBENCH_COMPLETE": "complete_bash", "COMP_WORDS": "tbbench pl", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", "from benchmark.cli import app; app(prog_name='tbbench')"],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["plan"]
