import dataclasses
import re

import pytest

from methods import get_method, method_names, model_card
from methods.interface import Companion
from tests.methods.support import photo, settings, task

TRAINED = [name for name in method_names() if get_method(name).trains]


def write(pipe, folder, name="dreambooth-lora", told=None, **changes):
    given = dataclasses.replace(get_method(name).Settings(), **changes)
    model_card.write(get_method(name), pipe, told or task(), given, folder)
    assert [path.name for path in folder.iterdir()] == [model_card.FILE]
    return (folder / model_card.FILE).read_text(encoding="utf-8")


def code(card):
    (block,) = re.findall(r"^```python\n(.*?)^```$", card, re.DOTALL | re.MULTILINE)
    return block


@pytest.mark.parametrize("name", TRAINED)
def test_every_trained_method_has_a_card(open_pipe, tmp_path, name):
    card = write(open_pipe(), tmp_path / "checkpoint", name)
    method = get_method(name)
    prompt = method.prompt("a photo of a {subject}", task(), method.Settings())
    assert card.startswith(f"# `{name}` of `dog`\n")
    assert f"- Method: `{name}`, " in card
    assert "- Subject: `dog`\n" in card
    assert f"- Prompt: `{prompt}`\n" in card
    compile(code(card), "card", "exec")
    assert all(len(line) <= 100 for line in card.splitlines())
    # What a reader cannot get from a stock installation is said to be missing from it.
    assert "import methods" not in card
    assert ("import textboost" in card) == (name in ("textboost-v2", "textboost++"))


def test_the_card_of_a_lora_is_three_lines_of_code(open_pipe, tmp_path):
    card = write(open_pipe(), tmp_path)
    assert [line for line in code(card).splitlines() if line] == [
        "from diffusers import DiffusionPipeline",
        "pipe = DiffusionPipeline.from_pretrained(backbone)",
        "pipe.load_lora_weights(folder)",
    ]


def test_all_concepts_are_named(open_pipe, tmp_path):
    told = task(companions=(Companion("cat_a", "cat", "", (photo(),)),))
    card = write(open_pipe(), tmp_path, "textual-inversion", told)
    assert "- Subject: `dog` and `cat`\n" in card
    assert "- Prompt: `a photo of a <subject> and <subject-2>`\n" in card
    assert 'f"{folder}/learned_embeds.safetensors", f"{folder}/learned_embeds_2.' in code(card)


@pytest.mark.parametrize(
    "noun",
    [
        "dog`s",
        "`dog`",
        "dog\n\n# Loading",
        "dog\n```python\nimport os\n```\n",
        "<b>dog</b> *a* [b](c)",
    ],
)
def test_text_from_data_stays_text(open_pipe, tmp_path, noun):
    card = write(open_pipe(), tmp_path, told=task(class_noun=noun))
    plain = write(open_pipe(), tmp_path, told=task())
    assert len(card.splitlines()) == len(plain.splitlines())
    assert code(card) == code(plain)
    subject = next(line for line in card.splitlines() if line.startswith("- Subject: "))
    # One code span from end to end: a fence longer than any run of backticks inside.
    fence, inside = re.fullmatch(r"- Subject: (`+)(.*?)\1", subject).groups()
    assert inside.strip() == " ".join(noun.split())
    assert fence not in inside


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("red dog", "`red dog`"),
        ("a `b` c", "``a `b` c``"),
        ("`a`", "`` `a` ``"),
        ("a``", "``` a`` ```"),
        (" a\n b\t", "`a b`"),
        ("", "`  `"),
    ],
)
def test_verbatim(text, shown):
    assert model_card.verbatim(text) == shown


def test_plain():
    assert model_card.plain("v1: *all* <three>\n[x](y)") == r"v1: \*all\* \<three\> \[x\](y)"


def test_a_method_must_say_how_its_checkpoint_is_loaded(open_pipe, tmp_path):
    with pytest.raises(NotImplementedError, match="base does not say how its checkpoint is loaded"):
        model_card.write(get_method("base"), open_pipe(), task(), None, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_card_does_not_say_where_the_backbone_lay(open_pipe, tmp_path):
    pipe = open_pipe()
    for name in TRAINED:
        card = write(pipe, tmp_path / name, name)
        assert str(pipe.config._name_or_path) not in card
        assert str(tmp_path) not in card


def test_dreambooths_card_names_the_class_of_each_network(open_pipe, tmp_path):
    given = settings("dreambooth", train_text_encoder=True)
    model_card.write(get_method("dreambooth"), open_pipe(), task(), given, tmp_path)
    lines = code((tmp_path / model_card.FILE).read_text()).splitlines()
    assert lines[-4:] == [
        "from diffusers import UNet2DConditionModel",
        'pipe.unet = UNet2DConditionModel.from_pretrained(f"{folder}/unet")',
        "from transformers import CLIPTextModel",
        'pipe.text_encoder = CLIPTextModel.from_pretrained(f"{folder}/text_encoder")',
    ]
