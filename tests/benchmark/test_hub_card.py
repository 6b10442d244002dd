import string
from dataclasses import replace

import pandas as pd
import pytest
from huggingface_hub import ModelCard
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.errors import UserError
from benchmark.hub_card import Model, base_model, card, front_matter, instance_prompt, scores
from benchmark.store import Run
from methods import get_method, model_card
from tests.methods.support import task
from tests.reports.made_up import cell, config

OWN = """\
# `textboost` of `dog`

- Prompt: `a photo of a <subject> dog`

```python
pipe.load_lora_weights(folder)
pipe.load_textual_inversion([f"{folder}/learned_embeds.safetensors"])
```
"""
ROWS = [
    ("fidelity", "toy-clip", "unseen", 0.5),
    ("fidelity", "toy-clip", "unseen", 0.7),
    ("fidelity", "toy-clip", "seen", 0.9),
    ("fidelity-ceiling", "toy-clip", "unseen", 0.8),
    ("alignment", "toy-clip", None, 0.25),
    ("alignment", "toy-clip", None, float("nan")),
    ("diversity", "toy-clip", None, 0.125),
    ("vendi", "toy-clip", None, float("inf")),
    ("of-a-package", "x", None, 3.0),
]


def results(rows=ROWS):
    frame = pd.DataFrame(rows, columns=["metric", "encoder", "reference", "value"])
    return frame.astype({"value": "float64"})


def costs(rows=(("trainable_parameters", 33100.0, "exact"), ("steps", 7.0, "predicted"))):
    return pd.DataFrame(list(rows), columns=["measure", "value", "kind"])


def model(rows=ROWS, own=OWN, license=None, note="local folder", **changes):
    made = cell("textboost", changes.pop("subject", "dog_a"), **changes)
    run = Run(".", config(["dog_a"], ["textboost"]), {}, {"backbone_note": note}, (made,))
    return Model(run, made, results(rows), costs(), own, license)


def told(text):
    """The front matter as the hub's library reads it, and the body below it."""
    read = ModelCard(text)
    return read.data, read.text


def test_the_front_matter_is_what_the_hub_reads():
    data, body = told(card(model(backbone="sd15")))
    assert data.base_model == "stable-diffusion-v1-5/stable-diffusion-v1-5"
    assert data.library_name == "diffusers"
    assert data.pipeline_tag == "text-to-image"
    assert data.instance_prompt == "a photo of a <subject> dog"
    assert {"textboost", "textboost-bench", "lora", "textual_inversion", "toyworld"} <= set(
        data.tags
    )
    assert data.license is None
    assert body.startswith("\n# `textboost` of `dog`\n")
    assert "Not stated by whoever made this card" in body
    assert 'backbone = "stable-diffusion-v1-5/stable-diffusion-v1-5"' in body


def test_scores_are_means_and_what_was_not_measured_is_not_there():
    found = {(s.metric, s.reference): s for s in scores(results())}
    assert {key: (s.mean, s.values, s.better) for key, s in found.items()} == {
        ("alignment", None): (0.25, 1, "higher"),
        ("diversity", None): (0.125, 1, "higher"),
        ("fidelity", "seen"): (0.9, 1, "higher"),
        ("fidelity", "unseen"): (pytest.approx(0.6), 2, "higher"),
        ("of-a-package", None): (3.0, 1, None),
    }


def test_the_model_index_names_data_metric_and_caveat():
    data, body = told(card(model()))
    assert data.model_name == "textboost-toy-dog_a-seed0"
    by_name = {result.metric_name: result for result in data.eval_results}
    one = by_name["fidelity unseen (toy-clip)"]
    assert one.metric_value == pytest.approx(0.6)
    assert (one.task_type, one.metric_type) == ("text-to-image", "fidelity")
    assert (one.dataset_type, one.dataset_config, one.dataset_split) == ("toyworld", "dog_a", "n1")
    assert one.metric_args == {
        **{"encoder": "toy-clip", "reference": "unseen", "better": "higher"},
        "values": 2,
    }
    for result in data.eval_results:
        assert "not comparable" in result.dataset_name
        assert "not comparable" in result.dataset_args["caveat"]
    assert "not comparable with any paper's" in body
    # A metric that misleads says so, and only where it was measured.
    assert "diversity cannot tell variety from error" in body
    assert "recall over the few photos" not in body
    assert "of-a-package (x)" in by_name
    assert "better" not in by_name["of-a-package (x)"].metric_args


def test_real_photos_have_no_caveat_but_that_of_the_backbone():
    real, body = told(card(model(dataset="dreambench", backbone="sd15")))
    assert {result.dataset_name for result in real.eval_results} == {"DreamBench"}
    assert not [r for r in real.eval_results if "caveat" in r.dataset_args]
    assert "Nataniel Ruiz" in body
    assert "CC BY 4.0" in body
    noise, _ = told(card(model(dataset="dreambench", backbone="blank-sd15")))
    assert "pictures are noise" in noise.eval_results[0].dataset_name
    assert noise.base_model is None
    own, body = told(card(model(dataset="photos-rex-0123456789ab", backbone="sd15")))
    assert own.eval_results[0].dataset_type == "photos"
    assert "photos-rex" not in body


@pytest.mark.parametrize("rows", [[], [("fidelity-ceiling", "toy-clip", "unseen", 0.8)]])
def test_without_scores_there_is_no_model_index(rows):
    text = card(model(rows=rows))
    assert "model-index" not in text
    assert "No metric was measured." in text


@pytest.mark.parametrize(
    ("backbone", "note", "repo"),
    [
        ("sdxl", "SDXL 1.0 base: ...", "stabilityai/stable-diffusion-xl-base-1.0"),
        ("owner/name@v2", "hub model owner/name@0123456789ab (what v2 was ...)", "owner/name"),
        # A relative folder reads like a repository's name.
        ("models/sd15", "local folder", None),
        ("models/sd15", "hub model other/sd15@0123456789ab", None),
        ("/home/somebody/sd", "local folder", None),
        ("toy", "toy world", None),
        ("blank-sdxl", "noise", None),
    ],
)
def test_the_base_model_is_a_repository_or_nothing(backbone, note, repo):
    one = model(backbone=backbone, note=note)
    assert base_model(one.run, one.cell) == repo
    text = card(one)
    assert told(text)[0].base_model == repo
    assert ("base_model" in text.partition("\n---\n")[0]) == (repo is not None)
    assert "somebody" not in text


def test_the_licence_is_known_given_or_left_out():
    assert told(card(model()))[0].license == "apache-2.0"
    assert told(card(model(backbone="sd15")))[0].license is None
    assert told(card(model(dataset="dreambench")))[0].license is None
    given = card(model(backbone="sd15", license="openrail"))
    assert told(given)[0].license == "openrail"
    assert "openrail. The terms of the backbone's weights" in given
    with pytest.raises(UserError, match="--license 'My own'"):
        card(model(license="My own"))


@pytest.mark.parametrize("noun", ["dog", "a `quoted` dog", "`", "two\nlines: of #yaml"])
def test_the_prompt_is_the_one_that_the_checkpoints_card_names(noun, tmp_path):
    class Pipe:
        text_encoder_2 = None

    method, of = get_method("textboost"), task(class_noun=noun)
    model_card.write(method, Pipe(), of, method.Settings(), tmp_path)
    text = (tmp_path / model_card.FILE).read_text("utf-8")
    prompt = " ".join(method.prompt(model_card.TEMPLATE, of, method.Settings()).split())
    assert instance_prompt(text) == prompt
    assert told(card(model(own=text)))[0].instance_prompt == prompt


def test_a_checkpoint_without_a_card_is_told_so():
    data, body = told(card(model(own="")))
    assert "does not say how its checkpoint is loaded" in body
    assert body.startswith("\n# `textboost` of `dog`\n")
    assert "instance_prompt" not in data.to_dict()


def test_only_what_was_counted_is_told_of_the_training():
    _, body = told(card(model()))
    assert "| trained parameters | 33,100 |" in body
    assert "steps done" not in body
    assert "| settings.steps | 120 |" in body
    assert "| textboost-bench |" not in body  # nobody knows
    assert "| textboost-bench | 0.1.0 |" in card(replace(model(), made_by="0.1.0"))


NASTY = st.text(st.characters() | st.sampled_from("`\n\r-:#'\"{}[]|<>&*!%@\\\x85\u2028\ufeff"))


@settings(max_examples=60, deadline=None)
@given(text=NASTY, half=st.sampled_from(["", "\ud800", "\n---\n", "\n\n# heading", "|"]))
def test_no_name_breaks_the_front_matter_or_a_table(text, half):
    name = text + half
    stored = name.encode("utf-8", "replace").decode()  # a table holds no half of a pair
    made = model(
        [(stored, stored, stored, 1.0)],
        subject=name,
        split=name,
        preset=name,
        class_noun=name,
        settings={name: name},
        protocol_name=name,
    )
    written = card(made).encode().decode()
    data, body = told(written)
    assert data.to_dict() == front_matter(made, scores(made.results)).to_dict()
    assert [line for line in body.splitlines() if line.startswith("#")] == [
        "# `textboost` of `dog`",
        *(f"## {part}" for part in ("From the Hub", "Training", "Results", "Photos", "Licence")),
    ]
    assert all(c in string.printable or c.isprintable() for c in written)
    for line in body.splitlines():
        if line.startswith("| settings"):
            assert line.replace("\\\\", "").replace("\\|", "").count("|") == 3
