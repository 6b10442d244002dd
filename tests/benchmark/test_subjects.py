import subprocess
import sys

import pytest

from benchmark.errors import UserError
from benchmark.subjects import Photo, Prompt, Subject, open_dataset


def test_prompt_text_keeps_the_class_noun_and_nothing_else() -> None:
    prompt = Prompt("in-the-jungle", "a {subject} in the jungle")
    assert prompt.text("stuffed animal") == "a stuffed animal in the jungle"


def test_prompt_text_leaves_other_braces_alone() -> None:
    assert Prompt("braces", "a {subject} with {0}").text("dog") == "a dog with {0}"


def make_subject() -> Subject:
    def nothing() -> None:
        raise AssertionError("no photo is opened here")

    photos = tuple(Photo(f"0{i}.jpg", str(i) * 64, nothing) for i in range(2))
    return Subject("dog8", "dog", True, "border collie", photos)


def test_initialiser_is_descriptor_and_class_noun() -> None:
    assert make_subject().initialiser == "border collie dog"


def test_photo_is_found_by_name() -> None:
    subject = make_subject()
    assert subject.photo("01.jpg") is subject.photos[1]


def test_unknown_photo_names_subject_and_choices() -> None:
    with pytest.raises(UserError, match=r"unknown photo '07.jpg' of dog8; .*known: 00.jpg, 01.jpg"):
        make_subject().photo("07.jpg")


def test_open_dataset_finds_dreambench() -> None:
    assert open_dataset("dreambench").name == "dreambench"


def test_open_dataset_suggests_the_nearest_name() -> None:
    with pytest.raises(UserError, match=r"unknown dataset 'dreambnch'; did you mean 'dreambench'"):
        open_dataset("dreambnch")


def test_a_hopeless_name_gets_no_suggestion() -> None:
    with pytest.raises(UserError) as caught:
        open_dataset("zzz")
    assert str(caught.value) == "unknown dataset 'zzz'; known: dreambench, toyworld"


def test_importing_subjects_and_dreambench_is_light() -> None:
    heavy = "{'torch', 'diffusers', 'transformers', 'pandas', 'matplotlib', 'numpy'}"
    code = (
        f"import sys, benchmark.subjects, benchmark.dreambench; print({heavy} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
