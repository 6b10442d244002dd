"""The page of a blind study knows no method, and its key knows them all."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from benchmark.ab_answers import read_key
from benchmark.commands.report import BlindStudy
from benchmark.errors import UserError
from benchmark.pictures import write_picture
from reports.ab_study.page import write_study
from reports.study import merge
from tests.reports.made_up import cell, make_run

HOSTILE = '</script><img src=x onerror=alert(1)>"\u202e'


def asked(question="fidelity", methods=(), pairs=60, seed=0):
    return BlindStudy(question, methods, pairs, seed)


@pytest.fixture
def study(tmp_path):
    cells = [cell(m, "dog_a", class_noun=HOSTILE) for m in ("textboost", "dreambooth")]
    run = make_run(tmp_path / "secret-run-of-textboost", cells)
    # Pictures as a run writes them, with notes inside that tell how they were made.
    for made in cells:
        for prompt in made.prompts:
            for seed in made.seeds:
                path = run.image(made.key, prompt, seed)
                with Image.open(path) as image:
                    write_picture(path, image, made.key, {"method": made.method})
        run.folder(made.key).finish(made)
    return merge([run])


def data(page):
    text = page.read_text(encoding="utf-8")
    (found,) = re.findall(r'<script type="application/json" id="study">(.*?)</script>', text, re.S)
    return json.loads(found)


def content(source):
    return base64.b64decode(source.partition(",")[2])


def test_the_page_has_every_picture_of_the_key_and_nothing_that_tells_the_method(study, tmp_path):
    written = write_study(study, asked(), tmp_path / "out")
    assert written.pairs == 4
    key, shown = read_key(written.key), data(written.page)
    assert shown["study"] == key.study
    infos = {cell["method"]: cell["key"] for cell in study.cell_info()}
    for pair in shown["pairs"]:
        known = key.pairs[pair["id"]]
        assert [picture["id"] for picture in pair["pictures"]] == list(known.pictures)
        for picture in pair["pictures"]:
            method = known.pictures[picture["id"]]
            file = study.image(infos[method], known.prompt_id, known.seed)
            with Image.open(file) as made, Image.open(io.BytesIO(content(picture["src"]))) as seen:
                assert np.array_equal(np.asarray(made.convert("RGB")), np.asarray(seen))
                assert seen.info == {}
    text = written.page.read_text(encoding="utf-8")
    decoded = b"".join(content(source) for source in re.findall(r'data:image[^"]+', text))
    for secret in ("textboost", "dreambooth", "dog_a", *infos.values()):
        assert secret not in text
        assert secret.encode() not in decoded
    ids = [picture["id"] for pair in shown["pairs"] for picture in pair["pictures"]]
    assert len(set(ids)) == 8


def test_texts_of_a_run_are_data_and_the_page_may_ask_for_nothing(study, tmp_path):
    page = write_study(study, asked("alignment"), tmp_path).page
    text = page.read_text(encoding="utf-8")
    assert HOSTILE in data(page)["pairs"][0]["prompt"]
    assert "<img src=x" not in text
    assert text.count("</script>") == 2
    markup = re.sub(r"<script.*?</script>", "", text, flags=re.S)
    assert not re.search(r"\son[a-z]+=", markup)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]
    assert "default-src &#39;none&#39;" in policy
    assert "unsafe" not in policy
    assert data(page)["photos"] == []


def test_large_pictures_are_made_small(study, tmp_path):
    cell_info = study.cell_info()[0]
    noise = np.random.default_rng(0).integers(0, 255, (700, 900, 3), np.uint8)
    for prompt in cell_info["prompts"]:
        for seed in cell_info["seeds"]:
            Image.fromarray(noise).save(study.image(cell_info["key"], prompt, seed))
    run = study.parts[0].run
    run.folder(cell_info["key"]).finish(run.planned[0])
    shown = data(write_study(study, asked(), tmp_path).page)
    pictures = [p for pair in shown["pairs"] for p in pair["pictures"] if not p["small"]]
    assert len(pictures) == 4
    with Image.open(io.BytesIO(content(pictures[0]["src"]))) as image:
        assert (image.format, image.size) == ("JPEG", (512, 398))


def test_the_same_request_gives_the_same_study_and_another_seed_keeps_its_key(study, tmp_path):
    first = write_study(study, asked(pairs=2), tmp_path)
    page, key = first.page.read_bytes(), first.key.read_bytes()
    again = write_study(study, asked(pairs=2), tmp_path)
    assert (again.page.read_bytes(), again.key.read_bytes()) == (page, key)
    for other in (asked(pairs=2, seed=1), asked("alignment", pairs=2)):
        assert write_study(study, other, tmp_path).key != first.key
    assert first.key.read_bytes() == key


def test_a_subject_without_photos_can_be_judged_by_its_prompts_alone(study, tmp_path):
    for photo in (study.path / "photos" / "dog_a").iterdir():
        photo.unlink()
    with pytest.raises(UserError, match=r"no photo of dog_a in .*ask --ab-question alignment"):
        write_study(study, asked(), tmp_path)
    assert write_study(study, asked("alignment"), tmp_path).pairs == 4
