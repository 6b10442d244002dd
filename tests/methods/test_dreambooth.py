import pytest
from safetensors.torch import load_file, save_file

from methods import get_method
from methods.interface import Companion
from tests.methods.support import photo, same, settings, state, task

NAME = "dreambooth"
METHOD = get_method(NAME)


def chosen(**changes):
    return settings(NAME, **{"steps": 1, **changes})


def refuse(*_):
    raise AssertionError("no prior images are needed")


def test_the_prompt_has_the_identifier_and_the_class_noun():
    given = METHOD.Settings()
    assert METHOD.prompt("a {subject} on snow", task(), given) == "a sks dog on snow"


def test_prior_images_are_asked_for_before_training_by_the_class_prompt():
    asked = []
    METHOD.prepare(None, task(prior_images=lambda *what: asked.append(what)), chosen())
    assert asked == [("a photo of dog", 3)]


def test_without_prior_preservation_there_are_no_prior_images(open_pipe):
    told, given = task(prior_images=refuse), chosen(prior_preservation=False)
    METHOD.prepare(None, told, given)
    assert len(METHOD.train(open_pipe(), told, given).losses) == 1


def test_the_class_term_counts_by_its_weight(open_pipe):
    def loss(**changes):
        return METHOD.train(open_pipe(), task(), chosen(**changes)).losses[0]

    none, one, three = (loss(prior_weight=weight) for weight in (0.0, 1.0, 3.0))
    assert none > 0.5  # the photos' own term
    assert one - none > 0.5
    assert three - none == pytest.approx(3 * (one - none), rel=1e-4)


def test_a_photo_that_is_not_square_is_cropped_anew_each_time(open_pipe, monkeypatch):
    encoded = []
    pipe = open_pipe()
    pipe.vae.encoder.register_forward_pre_hook(lambda _, batch: encoded.append(len(batch[0])))
    given = chosen(steps=4, prior_preservation=False)
    METHOD.train(pipe, task(photos=(photo(60, 40),)), given)
    assert encoded == [2, 2, 2, 2]
    encoded.clear()
    METHOD.train(pipe, task(), given)
    assert encoded == [1]


def test_the_text_encoder_trains_along_and_is_saved_on_request(open_pipe, tmp_path):
    pipe, fresh = open_pipe(), open_pipe()
    original = state(fresh.text_encoder)
    given = chosen(train_text_encoder=True)
    METHOD.train(pipe, task(), given)
    tuned = state(pipe.text_encoder)
    assert not any(
        (tuned[key] == original[key]).all() for key in tuned if key.endswith("proj.weight")
    )
    METHOD.save(pipe, task(), given, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["text_encoder", "unet"]
    METHOD.load(fresh, task(), given, tmp_path)
    assert same(state(fresh.text_encoder), tuned)
    assert same(state(fresh.unet), state(pipe.unet))


def test_loading_keeps_the_pipelines_own_network(open_pipe, tmp_path):
    pipe, fresh = open_pipe(), open_pipe()
    METHOD.train(pipe, task(), chosen())
    METHOD.save(pipe, task(), chosen(), tmp_path)
    unet = fresh.unet
    METHOD.load(fresh, task(), chosen(), tmp_path)
    assert fresh.unet is unet


def test_a_checkpoint_does_not_say_where_the_backbone_lay(open_pipe, tmp_path):
    pipe = open_pipe()
    METHOD.save(pipe, task(), chosen(train_text_encoder=True), tmp_path)
    assert (tmp_path / "unet" / "config.json").is_file()
    for file in tmp_path.rglob("config.json"):
        assert str(pipe.unet.config._name_or_path) not in file.read_text()


def test_a_file_that_lacks_a_weight_is_refused(open_pipe, tmp_path):
    METHOD.save(open_pipe(), task(), chosen(), tmp_path)
    file = tmp_path / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    del weights["conv_out.weight"]
    save_file(weights, file)
    with pytest.raises(ValueError, match="unet: the weights are not those of the network"):
        METHOD.load(open_pipe(), task(), chosen(), tmp_path)


@pytest.mark.parametrize("name", ["dreambooth", "dreambooth-lora"])
def test_one_concept_at_a_time(open_pipe, name):
    other = Companion("cat_a", "cat", "", (photo(),))
    with pytest.raises(ValueError, match="dreambooth learns one concept at a time"):
        get_method(name).train(open_pipe(), task(companions=(other,)), settings(name, steps=1))
