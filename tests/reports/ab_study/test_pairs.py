"""Which pairs a blind study gets: balanced, at random, and only what can be compared."""

from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from benchmark.errors import UserError
from reports.ab_study.pairs import Place, choose, draw
from reports.study import merge
from tests.reports.made_up import cell, make_run


def grid(subjects, seeds, labels="abc"):
    places = [Place(f"s{s}", 0, "p", seed) for s in range(subjects) for seed in range(seeds)]
    return {place: {label: Path(label) for label in labels} for place in places}


def test_every_two_methods_and_every_subject_get_as_many_pairs():
    drawn = draw(grid(5, 10), "abc", 60, 0)
    assert Counter(pair for _, pair in drawn) == dict.fromkeys(combinations("abc", 2), 20)
    by_subject = Counter((place.subject, pair) for place, pair in drawn)
    assert set(by_subject.values()) == {4}
    assert len(set(drawn)) == 60  # no pair is asked twice


def test_pairs_are_drawn_anew_by_the_seed_alone_and_stand_in_no_order():
    pictures = grid(5, 10)
    assert draw(pictures, "abc", 30, 7) == draw(dict(reversed(pictures.items())), "cba", 30, 7)
    assert draw(pictures, "abc", 30, 7) != draw(pictures, "abc", 30, 8)
    order = [pair for _, pair in draw(pictures, "abc", 60, 0)]
    assert order != sorted(order)
    assert order[:3] != order[3:6] or order[3:6] != order[6:9]


def test_a_picture_that_one_method_lacks_makes_no_pair_and_there_are_no_more_than_there_are():
    pictures = grid(2, 2, "ab")
    del pictures[Place("s0", 0, "p", 0)]["b"]
    drawn = draw(pictures, "ab", 60, 0)
    assert len(drawn) == 3
    assert Place("s0", 0, "p", 0) not in [place for place, _ in drawn]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    cells = [
        cell(m, s) for s in ("dog_a", "cat_c") for m in ("base", "textboost", "dreambooth", "copy")
    ]
    lost = {("dreambooth", "cat_c")}
    return merge([make_run(tmp_path_factory.mktemp("runs") / "a", cells, failed=lost)])


def test_controls_are_shown_when_they_are_named_and_pictures_belong_to_their_methods(study):
    chosen = choose(study, (), 60, 0)
    assert {pair.methods for pair in chosen} == {("dreambooth", "textboost")}
    assert len(chosen) == 4  # dreambooth failed on cat_c
    keys = {(c["method"], c["subject"]): c["key"] for c in study.cell_info()}
    for pair in chosen:
        assert pair.prompt in ("a dog in the jungle", "a dog on the beach")
        for method, file in zip(pair.methods, pair.files, strict=True):
            place = pair.place
            assert file == study.image(keys[method, "dog_a"], place.prompt_id, place.seed)
    named = choose(study, ("base", "copy"), 60, 0)
    assert len(named) == 8


@pytest.mark.parametrize(
    ("methods", "said"),
    [
        (("textbost",), "unknown method 'textbost'; did you mean 'textboost'?"),
        (("textboost",), "compares two methods or more, here is textboost"),
    ],
)
def test_what_cannot_be_compared_is_refused(study, methods, said):
    with pytest.raises(UserError) as refused:
        choose(study, methods, 60, 0)
    assert said in str(refused.value)


def test_a_picture_that_is_not_the_scored_one_is_asked_about_by_nobody(tmp_path):
    run = make_run(tmp_path / "a", [cell("textboost", "dog_a"), cell("dreambooth", "dog_a")])
    study = merge([run])
    assert choose(study, (), 60, 0)
    edited, other = sorted(run.path.glob("cells/*/images/*.png"))[:2]
    edited.write_bytes(other.read_bytes())
    with pytest.raises(UserError, match=rf"{edited.name} is not the picture that was scored"):
        choose(study, (), 60, 0)


def test_methods_without_a_picture_in_common_are_refused(tmp_path):
    cells = [cell("textboost", "dog_a"), cell("dreambooth", "cat_c")]
    with pytest.raises(UserError, match="no two of these methods have a picture of the same"):
        choose(merge([make_run(tmp_path / "a", cells)]), (), 60, 0)
    pending = {("textboost", "dog_a"), ("dreambooth", "cat_c")}
    unfinished = merge([make_run(tmp_path / "b", cells, pending=pending)])
    with pytest.raises(UserError, match="two methods or more, here is none"):
        choose(unfinished, (), 60, 0)


def test_a_control_with_two_presets_is_shown_only_when_it_is_named(tmp_path):
    cells = [cell(m, "dog_a") for m in ("base", "textboost", "dreambooth")]
    cells.append(cell("base", "dog_a", preset="other"))
    study = merge([make_run(tmp_path / "a", cells)])
    assert {c.methods for c in choose(study, (), 60, 0)} == {("dreambooth", "textboost")}
    named = {m for c in choose(study, ("base",), 60, 0) for m in c.methods}
    assert named == {"base (paper)", "base (other)"}
