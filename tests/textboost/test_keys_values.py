import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.tiny import open_tiny_pipeline
from textboost.keys_values import layers_of, load, save, start_of_text_held


@pytest.fixture
def pipe(tiny_backbone):
    return open_tiny_pipeline(tiny_backbone)


def test_the_layers_are_those_that_read_the_text(pipe):
    layers = layers_of(pipe)
    down = "down_blocks.1.attentions.0.transformer_blocks.0.attn2"
    assert len(layers) == 8
    assert {f"{down}.to_k.weight", f"{down}.to_v.weight"} <= layers.keys()
    assert layers.keys() <= pipe.unet.state_dict().keys()
    assert all(layer.bias is None for layer in layers.values())


def test_no_gradient_passes_through_the_first_position(pipe):
    layer = next(iter(layers_of(pipe).values()))
    layer.weight.data.copy_(torch.eye(16))
    text = torch.arange(2 * 3 * 16, dtype=torch.float32).reshape(2, 3, 16).requires_grad_()
    with start_of_text_held(pipe):
        output = layer(text)
        output.sum().backward()
    assert torch.equal(output, text)
    # d sum / d W[i, j] is the sum of text[..., j] over pictures and positions 1 and 2 alone:
    # for j = 0 it is 16 + 32 + 64 + 80 = 192, each further j adds 4.
    assert torch.equal(layer.weight.grad, (192.0 + 4 * torch.arange(16)).repeat(16, 1))
    assert torch.equal(text.grad[:, 0], torch.zeros(2, 16))
    assert torch.equal(text.grad[:, 1:], torch.ones(2, 2, 16))


def test_afterwards_gradients_pass_again(pipe):
    with pytest.raises(RuntimeError, match="stop"), start_of_text_held(pipe):
        raise RuntimeError("stop")
    for layer in layers_of(pipe).values():
        assert not layer._forward_hooks


def test_the_files_weights_are_the_unets_own(pipe, tiny_backbone, tmp_path):
    for layer in layers_of(pipe).values():
        layer.weight.data.normal_()
    save(pipe, tmp_path / "new" / "weights.safetensors")
    saved = load_file(tmp_path / "new" / "weights.safetensors")
    stock, ours = open_tiny_pipeline(tiny_backbone), open_tiny_pipeline(tiny_backbone)
    found = stock.unet.load_state_dict(saved, strict=False)
    assert found.unexpected_keys == []
    load(ours, tmp_path / "new" / "weights.safetensors")
    for key, value in pipe.unet.state_dict().items():
        assert torch.equal(stock.unet.state_dict()[key], value)
        assert torch.equal(ours.unet.state_dict()[key], value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w, key: w.update({"conv_in.weight": torch.zeros(3)}), r"expected nothing, found"),
        (lambda w, key: w.pop(key), r"expected \[16, 16\], found nothing"),
        (lambda w, key: w.update({key: torch.zeros(4, 4)}), r"expected \[16, 16\], found \[4, 4\]"),
    ],
)
def test_a_file_with_other_weights_is_refused(pipe, tmp_path, change, message):
    path = tmp_path / "weights.safetensors"
    save(pipe, path)
    weights = load_file(path)
    change(weights, min(weights))
    save_file(weights, path)
    before = {key: value.clone() for key, value in pipe.unet.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        load(pipe, path)
    assert all(torch.equal(value, before[key]) for key, value in pipe.unet.state_dict().items())


def test_a_weight_that_does_not_arrive_is_noticed(pipe, tmp_path, monkeypatch):
    """Trap 17: a loader that silently does nothing."""
    save(pipe, tmp_path / "weights.safetensors")
    next(iter(layers_of(pipe).values())).weight.data.zero_()
    monkeypatch.setattr(pipe.unet, "load_state_dict", lambda *_, **__: None)
    with pytest.raises(ValueError, match="did not arrive in the UNet"):
        load(pipe, tmp_path / "weights.safetensors")
