import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel

from textboost import adapters
from textboost.conditioning import encode as encode_fully
from textboost.recipe import ALL_LINEAR


def encode(pipe, prompts):
    return encode_fully(pipe, prompts).states


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("targets", "count"),
    [
        (ALL_LINEAR, 663_552),  # textboost.md: 12 * 4 * (4 * 1536 + 2 * 3840)
        (("q_proj", "k_proj", "v_proj"), 221_184),
    ],
)
def test_parameter_count_on_stable_diffusion_1_5(targets, count):
    config = CLIPTextConfig(
        hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12
    )
    with torch.device("meta"):
        encoder = CLIPTextModel(config)
        parameters = adapters.add_lora(encoder, 4, targets, generator())
    assert sum(parameter.numel() for parameter in parameters) == count


def test_a_new_adapter_changes_nothing_and_alone_is_trainable(open_pipe):
    pipe = open_pipe()
    before = encode(pipe, ["a red dog"])
    parameters = adapters.add_lora(pipe.text_encoder, 4, ALL_LINEAR, generator())
    assert torch.equal(encode(pipe, ["a red dog"]), before)
    trainable = [p for p in pipe.text_encoder.parameters() if p.requires_grad]
    assert {id(p) for p in trainable} == {id(p) for p in parameters}
    assert len(parameters) == 2 * 6 * 2  # factors x linear layers x encoder layers


def test_the_first_factor_is_gaussian_of_std_one_over_rank_from_the_generator(open_pipe):
    def first_factors(seed):
        parameters = adapters.add_lora(open_pipe().text_encoder, 4, ALL_LINEAR, generator(seed))
        return torch.cat([p.flatten() for p in parameters if p.shape[0] == 4])

    torch.manual_seed(1)
    factors = first_factors(5)
    torch.manual_seed(2)
    assert torch.equal(first_factors(5), factors)
    assert not torch.equal(first_factors(6), factors)
    assert factors.std().item() == pytest.approx(1 / 4, rel=0.1)


@pytest.fixture
def trained(open_pipe):
    pipe = open_pipe()
    parameters = adapters.add_lora(pipe.text_encoder, 2, ALL_LINEAR, generator())
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_(torch.randn(parameter.shape, generator=generator()))
    return pipe


def test_without_lora_is_the_original_encoder_and_gives_it_back(open_pipe, trained):
    original = encode(open_pipe(), ["a red dog"])
    tuned = encode(trained, ["a red dog"])
    with adapters.without_lora(trained):
        assert torch.equal(encode(trained, ["a red dog"]), original)
    assert torch.equal(encode(trained, ["a red dog"]), tuned)
    assert not torch.equal(tuned, original)


def test_switching_the_adapter_off_and_on_keeps_its_gradient(trained):
    student = encode(trained, ["a red dog"])
    with torch.no_grad(), adapters.without_lora(trained):
        teacher = encode(trained, ["a red dog"])
    (student - teacher).square().sum().backward()
    gradients = [p.grad for n, p in trained.text_encoder.named_parameters() if "lora_" in n]
    assert all(gradient is not None and gradient.any() for gradient in gradients)


def test_saved_lora_loads_with_the_plain_diffusers_call(open_pipe, trained, tmp_path):
    adapters.save_lora(trained, tmp_path)
    keys = load_file(tmp_path / adapters.FILE).keys()
    assert len(keys) == 24  # the factors and nothing else
    assert all(key.startswith("text_encoder.text_model.encoder.layers.") for key in keys)

    fresh, ours = open_pipe(), open_pipe()
    fresh.load_lora_weights(tmp_path)
    adapters.load_lora(ours, tmp_path)
    wanted = encode(trained, ["a red dog"])
    assert torch.equal(encode(fresh, ["a red dog"]), wanted)
    assert torch.equal(encode(ours, ["a red dog"]), wanted)


def test_factors_that_do_not_arrive_are_noticed(open_pipe, trained, tmp_path):
    adapters.save_lora(trained, tmp_path)
    file = tmp_path / adapters.FILE
    state = load_file(file)
    # diffusers passes over a layer that the encoder does not have.
    moved = {key.replace("layers.1.", "layers.7."): value for key, value in state.items()}
    save_file(moved, file)
    with pytest.raises(ValueError, match="did not arrive"):
        adapters.load_lora(open_pipe(), tmp_path)
