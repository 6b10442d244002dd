"""Finding methods, and the version of their code."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

import methods
from methods import code_version, get_method, method_names, versions
from tests.installed import install

PLUGIN = '''
"""A control that paints everything black."""
from PIL import Image
from methods.interface import Method, fill

class Black(Method):
    name = "black"
    summary = "all black"
    trains = False

    def prompt(self, template, task, settings):
        return fill(template, task.class_noun)

    def images(self, pipe, requests, task, settings, generate):
        return [Image.new("RGB", (task.resolution,) * 2) for _ in requests]
'''


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """An installed package, as its metadata would announce it."""
    file = tmp_path / "black_plugin.py"
    file.write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    entry = EntryPoint("black", "black_plugin:Black", methods.ENTRY_POINT_GROUP)
    monkeypatch.setattr(methods, "entry_points", lambda group: [entry])
    yield file
    sys.modules.pop("black_plugin", None)


def test_methods_are_the_files_of_the_folder():
    own = {"base", "copy", "dreambooth", "oracle", "textboost", "textual-inversion"}
    assert own <= set(method_names())
    assert method_names() == sorted(method_names())


def test_every_listed_method_can_be_had_and_carries_its_name():
    for name in method_names():
        method = get_method(name)
        assert method.name == name
        assert method.summary
        assert {"paper", "toy"} <= method.presets.keys()


def test_listing_and_versioning_import_no_torch():
    code = (
        "import sys, methods\n"
        "names = methods.method_names()\n"
        "assert all(methods.code_version(name) for name in names)\n"
        "assert not {'torch', 'diffusers', 'transformers'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_settings_can_be_read_without_diffusers():
    code = (
        "import sys, methods\n"
        "for name in methods.method_names():\n"
        "    method = methods.get_method(name)\n"
        "    method.Settings(**method.presets['toy'])\n"
        "assert not {'diffusers', 'transformers', 'peft'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("ask", [get_method, code_version])
def test_an_unknown_name_is_answered_with_the_nearest(ask):
    with pytest.raises(ValueError, match='unknown method "text-boost": did you mean "textboost"'):
        ask("text-boost")
    with pytest.raises(ValueError, match="known: base, copy"):
        ask("qqqq")


def test_a_plug_in_is_listed_loaded_and_versioned(plugin):
    assert "black" in method_names()
    assert get_method("black").name == "black"
    before = code_version("black")
    plugin.write_text(PLUGIN.replace('"RGB"', '"L"'))
    assert code_version("black") != before


@pytest.mark.parametrize("place", ["sources", "site-packages"])
def test_all_that_a_plug_in_brings_is_part_of_its_version(tmp_path, monkeypatch, place):
    """Another module of its distribution, words in a file, its version; not who else is there."""
    folder = tmp_path / place
    modules = {
        "two_words": "from two_shared.words import WORDS\n",
        "two_plugin": "import two_words\n" + PLUGIN,
        "two_unused": "A = 1\n",
    }
    install(folder, "two", modules, "[tbbench.methods]\nblack = two_plugin:Black\n", monkeypatch)
    for name in ("two_shared", "two_shared.words"):
        monkeypatch.setitem(sys.modules, name, None)  # forgotten with the test
        monkeypatch.delitem(sys.modules, name)
    (folder / "two_shared").mkdir()
    (folder / "two_shared" / "__init__.py").write_text("")
    (folder / "two_shared" / "words.py").write_text("WORDS = 1\n")
    (folder / "two_shared" / "words.txt").write_text("red")
    alone = "colours.json"
    (folder / alone).write_text("red")
    about = folder / "two-1.0.dist-info"
    if place == "site-packages":  # where metadata alone tells whose a file is
        (about / "top_level.txt").write_text("two_plugin\ntwo_words\ntwo_shared\ntwo_unused\n")
        alone = "colours.bin"
        (folder / alone).write_text("red")
        (about / "RECORD").write_text(f"{alone},,\ntwo_shared/words.txt,,\ntwo_plugin.py,,\n")
    seen = [code_version("black")]
    if place == "site-packages":
        (folder / "colours.json").write_text("somebody else's")
    (folder / "two_unused.py").write_text("A = 2\n")
    (folder / "somebody_else.py").write_text("A = 2\n")
    for written in ("debug.log", "weights.safetensors", ".cache.json", "__pycache__/x.json"):
        (folder / "two_shared" / written).parent.mkdir(exist_ok=True)
        (folder / "two_shared" / written).write_text("while it works")
    assert code_version("black") == seen[0]
    for file, old, new in (
        ("two_shared/words.py", "1", "2"),
        ("two_shared/words.txt", "red", "blue"),
        (alone, "red", "blue"),
        ("two-1.0.dist-info/METADATA", "Version: 1.0", "Version: 1.1"),
    ):
        edit(folder / file, old, new)
        seen.append(code_version("black"))
    assert len(set(seen)) == 5


def test_a_plug_in_that_is_no_method_is_refused(plugin):
    plugin.write_text("Black = 3")
    with pytest.raises(ValueError, match='black_plugin:Black: expected a Method named "black"'):
        get_method("black")


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A copy of both packages' code in which files can be edited."""
    monkeypatch.syspath_prepend(tmp_path)
    for package in ("methods", "textboost"):
        (tmp_path / package).mkdir()
        for file in versions._source(package).parent.glob("*.py"):
            (tmp_path / package / file.name).write_text(file.read_text())
    found = versions._source
    root = versions._source("methods").parents[1]

    def copied(module):
        path = found(module)
        return path and tmp_path / path.relative_to(root)

    monkeypatch.setattr(versions, "_source", copied)
    return tmp_path


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_comments_and_docstrings_do_not_change_the_version(sources):
    before = code_version("dreambooth")
    file = sources / "methods" / "dreambooth.py"
    edit(file, '"""DreamBooth: tie', '"""DreamBooth, in other words: tie')
    edit(file, "# Trained:", "# What is trained:")
    edit(file, '"""Have the prior pictures made."""', '"""Make the prior pictures."""')
    assert code_version("dreambooth") == before


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        ("methods/dreambooth.py", "learning_rate: float = 5e-6", "learning_rate: float = 6e-6",
         {"dreambooth"}),
        ("textboost/loop.py", '"weight_decay": 1e-2', '"weight_decay": 1e-3',
         {"dreambooth", "textboost", "textual-inversion"}),
        # Through another module: methods.textboost -> textboost.training -> textboost.losses.
        ("textboost/losses.py", "1.0 - cosine", "2.0 - cosine", {"textboost"}),
        ("textboost/tokens.py", "vectors: int = 0", "vectors: int = 1",
         {"textboost", "textual-inversion"}),
        ("textboost/photos.py", "room // 2", "room // 3",
         {"copy", "dreambooth", "textboost", "textual-inversion"}),
    ],
)  # fmt: skip
def test_a_change_of_code_changes_the_version_of_those_who_use_it(sources, file, old, new, changed):
    names = ["base", "copy", "dreambooth", "oracle", "textboost", "textual-inversion"]
    before = {name: code_version(name) for name in names}
    edit(sources / file, old, new)
    assert {name for name in names if code_version(name) != before[name]} == changed
