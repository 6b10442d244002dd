"""What the doctor finds, on this machine and on ones that lack something."""

import json
import sys
from pathlib import Path

import pytest

from benchmark import doctor
from benchmark.cli import main
from benchmark.doctor import NOTE, OK, PROBLEM, Finding


def run(*words: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["tbbench", "doctor", *words])
    with pytest.raises(SystemExit) as exit_:
        main()
    return int(exit_.value.code or 0)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "HUB", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path / "cache"))


def test_this_machine_has_no_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch=monkeypatch) == 0
    shown = capsys.readouterr().out
    assert "packages:" in shown
    assert str(Path(str(doctor.cache_root()))) in shown.replace("\n", "")


def test_an_apple_gpu_must_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert doctor.devices().found.startswith("CPU alone")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert "--device mps" in doctor.devices().fix


def test_the_same_for_machines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--json", monkeypatch=monkeypatch) == 0
    found = json.loads(capsys.readouterr().out)
    levels = {finding["what"]: finding["level"] for finding in found}
    assert levels["python"] == levels["packages"] == OK
    assert levels["model hub"] == NOTE


def test_a_package_of_another_version_is_named_with_its_fix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = ["numpy>=99", "no-such-package>=1", "scipy>=1", "lpips>=99; extra == 'lpips'"]
    monkeypatch.setattr(doctor, "requires", lambda name: asked)
    wrong = {finding.what: finding for finding in doctor.packages()}
    assert set(wrong) == {"numpy", "no-such-package"}
    assert wrong["numpy"].fix == "pip install 'numpy>=99'"
    assert wrong["no-such-package"].found == "not installed, needs >=1"
    assert {finding.level for finding in wrong.values()} == {PROBLEM}


def test_a_cache_that_cannot_be_written_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path / "file"))
    found = doctor.cache_folder()
    assert found.level == PROBLEM
    assert "TBBENCH_CACHE" in found.fix


def test_little_disk_and_missing_photos_are_notes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "LITTLE_DISK", 1e18)
    assert doctor.disk("runs", tmp_path / "not" / "yet").level == NOTE
    monkeypatch.setenv("DREAMBENCH_ROOT", str(tmp_path / "nowhere"))
    found = doctor.photos()
    assert found.level == NOTE
    assert "tbbench data fetch dreambench" in found.found


def test_offline_mode_is_said_and_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: pytest.fail("asked"))
    assert "offline mode" in doctor.hub().found


def test_a_run_that_is_ready(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("quickstart", monkeypatch=monkeypatch) == 0
    assert "42 cells, toy on toyworld" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ('scoring.metrics=["vqascore"]', "TBBENCH_VQASCORE_PYTHON"),
        ('scoring.image_encoders=["timm:vit_small@/nowhere"]', "/nowhere"),
        ('execution.device="cuda:77"', "cuda:77"),
    ],
)
def test_what_a_run_lacks_is_a_problem(
    setting: str, reason: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TBBENCH_VQASCORE_PYTHON", raising=False)
    assert run("quickstart", "--set", setting, monkeypatch=monkeypatch) == 1
    shown = capsys.readouterr().out
    assert "problem" in shown
    assert reason in shown


def test_a_name_that_does_not_exist_is_the_users_mistake(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("quikstart", monkeypatch=monkeypatch) == 2
    assert "quickstart" in capsys.readouterr().err


def test_findings_may_hold_brackets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "look", lambda: iter([Finding(OK, "x", "[red]a[/]", "pip [e]")]))
    assert run(monkeypatch=monkeypatch) == 0
    shown = capsys.readouterr().out
    assert "[red]a[/]" in shown
    assert "pip [e]" in shown
