"""Stock diffusers loads every checkpoint, by the lines of its model card and nothing else."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from methods import get_method, method_names, model_card
from methods.interface import Companion
from tests.methods.support import generate, photo, same, settings, state, task
from tests.methods.tiny_xl import build_tiny_xl, open_tiny_xl
from tests.tiny import open_tiny_pipeline

TEMPLATE = "a photo of the {subject}"
# Words of TextBoost's other new tokens are asked for where there are any.
OTHER_PROMPTS = dict.fromkeys(("textboost", "xl v1"), f"<zoom-in> {TEMPLATE}, <grayscale>")
TOLERANCE = 1e-3
TRAINED = [name for name in method_names() if get_method(name).trains]
OURS = ["methods", "benchmark", "reports", "textboost"]
# These two are no model that diffusers knows; the library that makes it one is.
WITH_LIBRARY = ("textboost-v2", "textboost++")
TWO = {"companions": (Companion("cat_a", "cat", "", (photo(seed=3),)),)}
STEPS = {"steps": 3}

# (case, method, changes to the settings, changes to the task, which backbone)
CASES = [
    *((name, name, STEPS, {}, "tiny") for name in TRAINED),
    ("one vector", "textual-inversion", {**STEPS, "vectors": 1}, {}, "tiny"),
    ("two concepts", "textual-inversion", STEPS, TWO, "tiny"),
    ("v1 of two concepts", "textboost", STEPS, TWO, "tiny"),
    ("v1 unnamed", "textboost", {**STEPS, "augmentation_tokens": False}, {}, "tiny"),
    ("whole encoder", "dreambooth", {**STEPS, "train_text_encoder": True}, {}, "tiny"),
    ("both adapted", "dreambooth-lora", {**STEPS, "train_text_encoder": True}, {}, "tiny"),
    ("xl words", "textual-inversion", STEPS, {}, "xl"),
    ("xl encoders", "dreambooth", {**STEPS, "train_text_encoder": True}, {}, "xl"),
    ("xl adapted", "dreambooth-lora", {**STEPS, "train_text_encoder": True}, {}, "xl"),
    ("xl v1", "textboost", STEPS, {}, "xl"),
]

# What a stranger runs: for each job the card's code, then a plain call of the pipeline.
STRANGER = '''
import importlib, json, re, sys
from pathlib import Path

class Blocked:
    """Finds nothing of these names, wherever they are installed."""
    names = set()

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"{name} is not there", name=name)

sys.meta_path.insert(0, Blocked())
for job in json.loads(Path(sys.argv[1]).read_text()):
    Blocked.names = set(job["blocked"])
    for name in Blocked.names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        raise SystemExit(f"{name} can be imported")
    card = (Path(job["folder"]) / "model_card.md").read_text()
    (code,) = re.findall(r"^```python\\n(.*?)^```$", card, re.DOTALL | re.MULTILINE)
    found = {"backbone": job["backbone"], "folder": job["folder"]}
    exec(compile(code, job["case"], "exec"), found)

    import numpy, torch
    pipe = found["pipe"]
    assert type(pipe).__module__.startswith("diffusers."), type(pipe)
    generator = torch.Generator().manual_seed(0)
    options = {"num_inference_steps": 3, "generator": generator, "output_type": "np"}
    numpy.save(job["image"], pipe(job["prompt"], **options).images)
    assert not Blocked.names & {name.partition(".")[0] for name in sys.modules}
'''


@pytest.fixture(scope="module")
def backbones(open_pipe, tiny_backbone, tmp_path_factory):
    """Each backbone's folder and what opens it."""
    folder = tmp_path_factory.mktemp("xl") / "tiny-xl"
    xl = build_tiny_xl(open_pipe(), tiny_backbone / "tokenizer", folder)
    return {"tiny": (tiny_backbone, open_tiny_pipeline), "xl": (xl, open_tiny_xl)}


@pytest.fixture(scope="module")
def images(backbones, tmp_path_factory):
    """case -> the image made where it was trained, the stranger's, the untouched backbone's."""
    root = tmp_path_factory.mktemp("stock")
    jobs, made = [], {}
    for number, (case, name, changed, told, backbone) in enumerate(CASES):
        method, given, cell = get_method(name), settings(name, **changed), task(**told)
        path, opened = backbones[backbone]
        pipe, folder = opened(path), root / f"checkpoint-{number}"
        method.train(pipe, cell, given)
        method.save(pipe, cell, given, folder)
        model_card.write(method, pipe, cell, given, folder)
        prompt = method.prompt(OTHER_PROMPTS.get(case, TEMPLATE), cell, given)
        made[case] = generate(pipe, prompt), generate(opened(path), prompt)
        jobs.append(
            {
                "case": case,
                "blocked": OURS[:-1] if name in WITH_LIBRARY else OURS,
                "backbone": str(path),
                "folder": str(folder),
                "prompt": prompt,
                "image": str(root / f"{number}.npy"),
            }
        )
    # Those that use the library come last: what has been imported cannot be blocked any more.
    jobs.sort(key=lambda job: -len(job["blocked"]))
    run_stranger(root, jobs)
    return {
        job["case"]: (made[job["case"]][0], np.load(job["image"]), made[job["case"]][1])
        for job in jobs
    }


def run_stranger(root, jobs):
    """A fresh process that starts elsewhere, isolated from this folder and PYTHONPATH."""
    (root / "jobs.json").write_text(json.dumps(jobs))
    done = subprocess.run(
        [sys.executable, "-I", "-c", STRANGER, str(root / "jobs.json")],
        cwd=root,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-1000:])


@pytest.mark.parametrize("case", [case for case, *_ in CASES])
def test_a_stranger_makes_the_same_image(images, case):
    here, there, untouched = images[case]
    assert there.shape == here.shape == (1, 32, 32, 3)
    assert np.abs(there - here).mean() <= TOLERANCE
    assert np.abs(here - untouched).mean() > 5 * TOLERANCE


@pytest.mark.parametrize("name", OURS)
def test_a_card_that_needs_our_packages_is_found_out(tmp_path, name):
    (tmp_path / "model_card.md").write_text(f"```python\nimport {name}\n```\n")
    job = {"case": "ours", "blocked": OURS, "backbone": "", "folder": str(tmp_path)}
    with pytest.raises(RuntimeError, match=f"ModuleNotFoundError: {name} is not there"):
        run_stranger(tmp_path, [job])


@pytest.mark.parametrize("name", TRAINED)
def test_training_leaves_the_backbone_as_it_was_for_the_next_subject(
    open_pipe, tiny_backbone, name
):
    """Trap 12: the last subject is still loaded."""

    def checksums():
        files = sorted(path for path in tiny_backbone.rglob("*") if path.is_file())
        return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def contents(pipe):
        parts = {part: state(getattr(pipe, part)) for part in ("unet", "vae", "text_encoder")}
        return parts, pipe.tokenizer.get_vocab(), dict(pipe.scheduler.config)

    files, first = checksums(), contents(open_pipe())
    pipe = open_pipe()
    get_method(name).train(pipe, task(), settings(name, **STEPS))
    assert checksums() == files
    networks, *rest = contents(open_pipe())
    assert rest == list(first[1:])
    assert all(same(network, first[0][part]) for part, network in networks.items())
    # The pipeline that was trained is not that any more.
    trained = contents(pipe)
    changed = [not same(network, first[0][part]) for part, network in trained[0].items()]
    assert any(changed) or trained[1] != first[1]
