import numpy as np
import pytest
from PIL import Image

from methods import ImageRequest, get_method
from methods.interface import fill
from tests.methods.support import photo, task
from textboost.photos import square

TEMPLATE = "a {subject} in the jungle"


def requests(*seeds):
    return [ImageRequest("a dog in the jungle", TEMPLATE, seed) for seed in seeds]


def ask(name, told, *seeds, generate=None):
    method = get_method(name)
    return method.images(None, requests(*seeds), told, method.Settings(), generate)


@pytest.mark.parametrize("name", ["base", "copy", "oracle"])
def test_controls_train_nothing_and_name_the_class(name):
    method = get_method(name)
    assert not method.trains
    assert method.prompt(TEMPLATE, task(), method.Settings()) == "a dog in the jungle"
    with pytest.raises(NotImplementedError, match=f"{name} has nothing to train"):
        method.train(None, task(), method.Settings())


def test_base_leaves_generation_to_the_backbone():
    made = [object(), object()]
    assert ask("base", task(), 0, 1, generate=lambda pipe, asked: made) is made


def test_copy_returns_the_photo_for_everything():
    told = task(photos=(photo(60, 40),))
    images = ask("copy", told, 0, 1, 5)
    assert len(images) == 3
    for image in images:
        assert np.array_equal(np.asarray(image), np.asarray(square(photo(60, 40), 32)))


def test_copy_goes_round_several_photos_by_seed():
    photos = (photo(seed=1), photo(seed=2))
    images = ask("copy", task(photos=photos), 0, 1, 2)
    wanted = [square(photos[n], 32) for n in (0, 1, 0)]
    assert all(
        np.array_equal(np.asarray(one), np.asarray(two))
        for one, two in zip(images, wanted, strict=True)
    )


def test_oracle_hands_template_and_seed_to_the_data_set():
    asked = []

    def draw(template, seed):
        asked.append((template, seed))
        return Image.new("RGB", (32, 32), (seed, 0, 0))

    images = ask("oracle", task(draw=draw), 4, 2)
    assert asked == [(TEMPLATE, 4), (TEMPLATE, 2)]
    assert [image.getpixel((0, 0))[0] for image in images] == [4, 2]
    assert get_method("oracle").toy_only


def test_oracle_cannot_draw_real_photos():
    with pytest.raises(ValueError, match="use toyworld"):
        ask("oracle", task(draw=None), 0)


def test_a_template_without_a_subject_is_refused():
    with pytest.raises(ValueError, match='template "a dog" has no'):
        fill("a dog", "sks dog")
