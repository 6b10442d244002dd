"""What the doctor finds, on this machine and on ones that lack something."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmark import doctor
from benchmark.backbones import open_backbone
from benchmark.cli import main
from benchmark.config import load_config
from benchmark.doctor import NOTE, OK, PROBLEM, Finding
from benchmark.doctor_run import ready
from benchmark.errors import DamagedPhotoError, UserError
from tests.installed import install

PLUGIN = """
from methods.interface import Method
from PIL import Image
print("imported")
KIND, EMITS, score = "image", {"redness": "higher"}, print
class Good(Method):
    name = "good"
    summary = changes = "nothing"
    trains = False
def open_model():
    raise RuntimeError("a doctor calls no backbone")
"""
OFFERED = """
[tbbench.methods]
good = offered_good:Good
gone = offered_gone:Gone
other = offered_good:Good
textboost = offered_good:Good

[tbbench.metrics]
redness = offered_good
empty = offered_empty
stop = offered_stop
killed = offered_killed

[tbbench.backbones]
model = offered_good:open_model
text = offered_empty:__name__
"""


def run(*words: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["tbbench", "doctor", *words])
    with pytest.raises(SystemExit) as exit_:
        main()
    return int(exit_.value.code or 0)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "HUB", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
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
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("TRANSFORMERS_OFFLINE", "1")
    assert "offline mode" in doctor.hub().found
    assert "unset TRANSFORMERS_OFFLINE to download" in doctor.hub().fix


@pytest.mark.parametrize(("endpoint", "why"), [("http://127.0.0.1:9", "refused"), ("x", "unknown")])
def test_the_mirror_that_is_set_is_the_one_that_is_asked(
    endpoint: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "HUB", "http://[no address")
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    assert why in doctor.hub().found


def test_a_gpu_is_told_with_its_memory_or_why_torch_does_not_see_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    card = SimpleNamespace(name="NVIDIA H200", total_memory=150e9)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: card)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert doctor.devices() == Finding(OK, "device", "NVIDIA H200, 150 GB")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for built_for, fix in ((None, "built without CUDA"), ("13.0", "as new as CUDA 13.0")):
        monkeypatch.setattr(torch.version, "cuda", built_for)
        assert doctor.devices().level == NOTE
        assert fix in doctor.devices().fix
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert doctor.devices().fix.startswith("unset CUDA_VISIBLE_DEVICES, which is ''")


def test_weights_of_the_installation_that_are_missing_are_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [one.level for one in doctor.embedded_weights()] == [OK]
    monkeypatch.setattr("benchmark.encoder_sources.data_root", lambda: tmp_path)
    (found,) = doctor.embedded_weights()
    assert found.level == PROBLEM
    assert "toy-clip" in found.found
    assert "reinstall" in found.fix


def test_weights_in_the_hubs_cache_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cached(name: str, repo: str, revision: str) -> Path | None:
        if name == "sdxl":
            raise UserError("half of it")
        return tmp_path if name == "sd15" else None

    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda repo, file: None)
    assert (doctor.hub_weights().level, doctor.hub_weights().found[:5]) == (NOTE, "0 of ")
    monkeypatch.setattr("benchmark.backbones.hub.cached", cached)
    monkeypatch.setattr(
        "huggingface_hub.try_to_load_from_cache",
        lambda repo, file: str(tmp_path) if repo == "timm/vit_small_patch16_224.dino" else None,
    )
    assert doctor.hub_weights().level == OK
    assert doctor.hub_weights().found.endswith("in the cache: sd15, dino-vits16")


def test_without_plug_ins_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "offers", lambda kind: [])
    assert list(doctor.plugins()) == [Finding(OK, "plug-ins", "none installed")]


@pytest.mark.slow
def test_plug_ins_are_told_with_whether_they_load_and_break_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    modules = {
        "offered_good": PLUGIN,
        "offered_gone": "import no_such_package",
        "offered_empty": "",
        "offered_stop": "raise SystemExit",
        "offered_killed": "import os\nos.abort()",
    }
    install(tmp_path / "offered", "offered", modules, OFFERED, monkeypatch)
    monkeypatch.setattr(doctor, "look", doctor.plugins)
    assert run("--json", monkeypatch=monkeypatch) == 0
    shown = capfd.readouterr()
    assert "imported" not in shown.out + shown.err
    found = {one["what"]: one for one in json.loads(shown.out)}
    good = {"method 'good'", "metric 'redness'", "backbone 'model'"}
    assert {what for what, one in found.items() if one["level"] == OK} == {
        f"plug-in {what}" for what in good
    }
    assert found["plug-in method 'good'"]["found"] == "offered_good:Good of offered 1.0, loads"
    for what, said in {
        "method 'gone'": "of offered 1.0: method 'gone' does not load: ModuleNotFoundError: No mod",
        "method 'other'": 'expected a Method named "other"',
        "method 'textboost'": "is one of ours, and offered_good:Good of offered 1.0 takes its name",
        "metric 'empty'": "its module has no KIND, EMITS, score",
        "metric 'stop'": "ends Python, with exit code 0",
        "metric 'killed'": "offered_killed of offered 1.0: ",
        "backbone 'text'": "expected a function that gives a Backbone",
    }.items():
        assert said in found[f"plug-in {what}"]["found"]
        assert found[f"plug-in {what}"]["level"] == NOTE
    assert found["plug-in method 'gone'"]["fix"].endswith("pip install --upgrade offered")
    assert found["plug-in method 'textboost'"]["fix"].startswith("uninstall offered")
    assert [what for what, one in found.items() if one["level"] != OK and not one["fix"]] == []
    assert not {name for name in modules if name in sys.modules}


def test_a_plug_in_that_never_ends_loading_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = {"offered_slow": "import time\ntime.sleep(60)"}
    offered = "[tbbench.metrics]\nslow = offered_slow\n"
    install(tmp_path / "offered", "offered", modules, offered, monkeypatch)
    monkeypatch.setattr(doctor, "PLUGIN_SECONDS", 0.5)
    (found,) = doctor.plugins()
    assert "did not load within" in found.found


def test_whatever_is_not_well_has_a_fix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "LITTLE_DISK", 1e18)
    monkeypatch.setenv("DREAMBENCH_ROOT", str(tmp_path / "nowhere"))
    monkeypatch.setenv("TBBENCH_VQASCORE_PYTHON", str(tmp_path / "nowhere"))
    monkeypatch.setattr(doctor, "find_spec", lambda package: None)
    monkeypatch.setattr(doctor, "requires", lambda name: ["no-such-package>=1"])
    found = [one for one in doctor.look() if one.level != OK]
    assert len(found) >= 7
    assert [one.what for one in found if not one.fix] == []


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
    lines = shown.splitlines()
    (wrong,) = (number for number, line in enumerate(lines) if line.startswith("problem"))
    assert lines[wrong + 1].startswith("         ")  # the fix
    assert "plan:" not in shown


def test_everything_that_a_run_lacks_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("benchmark.executors.local._cuda_devices", lambda: 0)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("DREAMBENCH_ROOT", str(tmp_path / "nowhere"))
    open_backbone.cache_clear()
    assert run("dreambench-sd15", "--json", monkeypatch=monkeypatch) == 1
    found = json.loads(capsys.readouterr().out)
    wrong = [(one["what"], one["level"]) for one in found if one["level"] != OK]
    weights = [("weights", PROBLEM)] * 5
    assert [one for one in wrong if one[0] != "disk for runs"] == [
        ("device", NOTE),
        ("photos", PROBLEM),
        *weights,
    ]
    assert "sd15 wants a GPU" in str(found)
    space = next(one for one in found if one["what"] == "disk for runs")
    assert space["level"] == OK or "dreambench-sd15 --dry-run` says" in space["fix"]
    assert "`tbbench data fetch dreambench`" in str(found)
    assert "`tbbench doctor RUN` fetches" in str(found)
    assert [one["what"] for one in found if one["level"] != OK and not one["fix"]] == []


@pytest.mark.parametrize(("broken", "level"), [(["a"], NOTE), (["a", "b"], PROBLEM)])
def test_damaged_photos_are_a_problem_where_no_subject_is_whole(
    broken: list[str], level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def subject(dataset: object, name: str) -> None:
        if name in broken:
            raise DamagedPhotoError(f"{name} is damaged; get it again")

    monkeypatch.setattr("benchmark.together.subject_together", subject)
    monkeypatch.setattr("benchmark.plan.subjects_of_run", lambda *_: ["a", "b"])
    (found,) = (one for one in ready(load_config("quickstart")) if one.what.startswith("photos"))
    assert found.level == level
    assert found.found == "a is damaged"


def test_a_full_disk_is_told_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.disk.free_bytes", lambda path: 1000)
    *_, last = ready(load_config("quickstart"))
    assert (last.level, last.what) == (PROBLEM, "run quickstart")
    assert "predicted to need" in last.found


def test_a_terminal_shows_that_it_is_at_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(doctor, "look", lambda: iter([Finding(OK, "x", "y")]))
    assert run(monkeypatch=monkeypatch) == 0
    assert "weights may take long" in capsys.readouterr().out


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
