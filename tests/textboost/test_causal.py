"""v2's adapters and TextBoost++'s: where they act, and where they do not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import textboost
from tests.methods.support import generate, photo, same, state
from tests.methods.tiny_xl import build_tiny_xl, open_tiny_xl
from tests.tiny import open_tiny_pipeline
from textboost import causal, tokens, training
from textboost.conditioning import encode
from textboost.loop import noise_scheduler

DOG = textboost.Concept((photo(),), "dog", "red")
V2 = textboost.Recipe(
    steps=5,
    batch_size=4,
    learning_rate=5e-2,
    token_learning_rate=5e-2,
    adapter="causal",
    rank=1,
    augmentation="weak",
    augmentation_tokens=False,
    knowledge_preservation=False,
    snr_sampling=False,
)
PLUS_PLUS = replace(V2, adapter="causal+cross-attention")
PROMPT = "a photo of the <subject> dog, large"
NEW_TOKEN_AT = 5  # start of text, then four words
END_AT = 5 + 2 + 1 + 1 + 1  # two vectors, "dog", ",", "large"


def train(pipe, recipe=V2, **options):
    return textboost.train(pipe, [DOG], recipe=recipe, resolution=32, **options)


@pytest.fixture(scope="module")
def open_xl(tiny_backbone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("xl")
    built = build_tiny_xl(open_tiny_pipeline(tiny_backbone), tiny_backbone / "tokenizer", folder)
    return lambda: open_tiny_xl(built)


def without_adapters(pipe, trained):
    """The pipeline with the trained token but no adapters."""
    tokens.add_token(pipe, "<subject>", tokens.token_rows(trained, "<subject>"))
    return pipe


def test_text_before_the_new_token_is_the_pretrained_one_bit_for_bit(open_pipe):
    pipe = open_pipe()
    train(pipe)
    plain = without_adapters(open_pipe(), pipe)
    prompts = [PROMPT, "a photo of the dog", "", "<subject> dog"]
    adapted, original = encode(pipe, prompts).states, encode(plain, prompts).states
    assert torch.equal(adapted[0, :NEW_TOKEN_AT], original[0, :NEW_TOKEN_AT])
    assert torch.equal(adapted[1:3], original[1:3])
    assert torch.equal(adapted[3, 0], original[3, 0])
    changed = (adapted[0, NEW_TOKEN_AT:] != original[0, NEW_TOKEN_AT:]).any(dim=-1)
    assert changed.all()  # padding too: it attends to what has changed
    assert (adapted[3, 1:] != original[3, 1:]).any(dim=-1).all()


@pytest.mark.parametrize("padding", ["<|endoftext|>", "."])
def test_adapters_act_from_the_new_token_to_the_first_end_of_text(open_pipe, padding):
    pipe = open_pipe()
    pipe.tokenizer.pad_token = padding  # SD 1 pads with the end of text, SD 2 with "!"
    train(pipe)
    reach = causal.Reach(tokens.token_ids(pipe, ["<subject>"])[0], pipe.tokenizer.eos_token_id)
    ids = pipe.tokenizer(
        [PROMPT.replace("<subject>", "<subject> <subject>_1"), "a dog", ""],
        padding="max_length",
        return_tensors="pt",
    ).input_ids
    reach.read(ids)
    where = [row.squeeze(-1).nonzero().flatten().tolist() for row in reach.mask]
    assert where == [list(range(NEW_TOKEN_AT, END_AT + 1)), [], []]


def test_the_first_of_several_new_tokens_counts():
    reach = causal.Reach([7, 8], end_of_text=9)
    reach.read(torch.tensor([[1, 2, 8, 3, 7, 9, 9], [1, 7, 9, 7, 9, 9, 9]]))
    assert reach.mask.int().squeeze(-1).tolist() == [[0, 0, 1, 1, 1, 1, 0], [0, 1, 1, 0, 0, 0, 0]]


def test_a_layer_adds_the_product_of_its_factors(open_pipe):
    pipe = open_pipe()
    train(pipe)
    layer = pipe.text_encoder.get_submodule("encoder.layers.1.mlp.fc2")
    seen = []
    hook = layer.register_forward_hook(lambda _, given, out: seen.extend([given[0], out]))
    encode(pipe, [PROMPT])
    hook.remove()
    x, out = (value[0].double() for value in seen)
    adapter = layer.causal_adapter
    for position in (NEW_TOKEN_AT - 1, NEW_TOKEN_AT, END_AT, END_AT + 1):
        expected = layer.weight.double() @ x[position] + layer.bias.double()
        if NEW_TOKEN_AT <= position <= END_AT:
            inner = sum(
                a * b for a, b in zip(x[position], adapter.down.double()[:, 0], strict=True)
            )
            expected = expected + inner * adapter.up.double()[0]
        assert torch.allclose(out[position], expected, atol=1e-5)
    assert adapter.up.abs().max() > 1e-3


@pytest.mark.parametrize("recipe", [V2, PLUS_PLUS], ids=["v2", "++"])
def test_before_training_nothing_changes_and_all_is_repeatable(open_pipe, recipe):
    pipe, other = open_pipe(), open_pipe()
    train(pipe, replace(recipe, steps=0))
    train(other, replace(recipe, steps=0))
    prompt = "a photo of the <subject> dog"
    plain = without_adapters(open_pipe(), pipe)
    assert np.array_equal(generate(pipe, prompt), generate(plain, prompt))
    factors = causal.adapters(pipe)
    assert same(state(pipe.text_encoder), state(other.text_encoder))
    assert all(one.up.abs().max() == 0 for one in factors.values())
    down = torch.cat([one.down.flatten() for one in factors.values()])
    assert down.std().item() == pytest.approx(1.0, abs=0.25)


def test_plus_plus_adapts_every_cross_attention_but_not_the_last_layer(open_pipe):
    pipe = open_pipe()
    train(pipe, PLUS_PLUS)
    names = list(causal.adapters(pipe))
    cross = [name for name, _ in pipe.unet.named_modules() if name.endswith("attn2")]
    assert len(cross) == 4
    assert names == ["text_encoder.encoder.layers.0.mlp.fc2", *(f"unet.{name}" for name in cross)]


def attended(pipe, make):
    """What the first cross-attention's keys and values read, and the text given to it."""
    attention = next(m for n, m in pipe.unet.named_modules() if n.endswith("attn2"))
    read, given = [], []
    hooks = [
        attention.to_k.register_forward_hook(lambda _, x, __: read.append(x[0])),
        attention.to_v.register_forward_hook(lambda _, x, __: read.append(x[0])),
        pipe.unet.register_forward_pre_hook(
            lambda _, args, kwargs: given.append(
                args[2] if len(args) > 2 else kwargs["encoder_hidden_states"]
            ),
            with_kwargs=True,
        ),
    ]
    make()
    for hook in hooks:
        hook.remove()
    assert torch.equal(read[0], read[1])
    return attention.causal_adapter, given[0], read[0]


@pytest.mark.parametrize("guidance", [1.0, 7.5])
def test_the_unet_reads_adapted_text_from_the_new_token_on(open_pipe, guidance):
    pipe = open_pipe()
    train(pipe, PLUS_PLUS)
    options = {"num_inference_steps": 1, "guidance_scale": guidance, "output_type": "np"}
    prompts = [PROMPT, "a photo of the dog"]
    adapter, text, read = attended(
        pipe,
        lambda: pipe(prompts, negative_prompt=["red", "small"], num_images_per_prompt=2, **options),
    )
    # Negative prompts first, each twice; then the prompts, each twice.
    acts = torch.zeros(text.shape[:2], dtype=torch.bool)
    assert len(text) == (8 if guidance > 1 else 4)
    acts[-4:-2, NEW_TOKEN_AT : END_AT + 1] = True
    assert torch.equal(read[~acts], text[~acts])
    expected = text + text @ adapter.down @ adapter.up
    assert torch.allclose(read[acts], expected[acts], atol=1e-5)
    assert (read[acts] - text[acts]).abs().max() > 1e-3


def test_negative_prompts_may_name_the_new_token(open_pipe):
    pipe = open_pipe()
    train(pipe, PLUS_PLUS)
    _, text, read = attended(
        pipe, lambda: pipe("a dog", negative_prompt="<subject>", num_inference_steps=1)
    )
    assert not torch.equal(read[0], text[0])
    assert torch.equal(read[1], text[1])


def test_text_that_was_not_read_as_text_is_refused(open_pipe):
    pipe = open_pipe()
    train(pipe, PLUS_PLUS)
    positive, negative = pipe.encode_prompt(PROMPT, "cpu", 1, True)
    with pytest.raises(ValueError, match="give the pipeline its prompts as text"):
        pipe(prompt_embeds=positive, negative_prompt_embeds=negative, num_inference_steps=1)
    encode(pipe, [PROMPT] * 3)
    noise = torch.zeros(1, 4, 16, 16)
    with pytest.raises(ValueError, match="states of 1x32 tokens, but read 3x32"):
        pipe.unet(noise, 10, encoder_hidden_states=positive)


@pytest.mark.parametrize("recipe", [V2, PLUS_PLUS], ids=["v2", "++"])
def test_checkpointing_and_accumulation_train_the_same(open_pipe, recipe):
    def adapters(compute):
        pipe = open_pipe()
        train(pipe, recipe, compute=compute)
        weights = [p for one in causal.adapters(pipe).values() for p in one.parameters()]
        return torch.cat([weight.flatten() for weight in weights])

    plain = adapters(textboost.Compute())
    again = adapters(textboost.Compute(gradient_checkpointing=True))
    parts = adapters(textboost.Compute(accumulation=3))
    assert torch.allclose(again, plain, atol=1e-5)
    assert torch.allclose(parts, plain, atol=1e-4)


def test_every_adapters_gradient_is_the_loss_own_by_finite_differences(open_pipe):
    pipe = open_pipe()
    train(pipe, PLUS_PLUS)
    generator = torch.Generator().manual_seed(3)
    noise = torch.randn(2, 4, 16, 16, generator=generator)
    timesteps = torch.tensor([300, 700])
    noisy = noise_scheduler(pipe).add_noise(torch.zeros_like(noise), noise, timesteps)

    def loss():
        states = encode(pipe, [PROMPT, "the <subject> dog"]).states
        return (pipe.unet(noisy, timesteps, states).sample - noise).square().mean()

    pipe.unet.double(), pipe.text_encoder.double()
    noise, noisy = noise.double(), noisy.double()
    for name, adapter in causal.adapters(pipe).items():
        weight = adapter.down.requires_grad_(True)
        (slope,) = torch.autograd.grad(loss(), weight)
        weight.requires_grad_(False)
        direction = torch.randn(weight.shape, generator=generator).double()
        with torch.no_grad():
            weight += 1e-4 * direction
            above = loss()
            weight -= 2e-4 * direction
            below = loss()
            weight += 1e-4 * direction
        measured = ((above - below) / 2e-4).item()
        assert abs(measured) > 1e-6, name
        assert measured == pytest.approx((slope * direction).sum().item(), rel=1e-3), name


@pytest.mark.parametrize("recipe", [V2, PLUS_PLUS], ids=["v2", "++"])
def test_what_was_saved_is_loaded(open_pipe, tmp_path, recipe):
    pipe, fresh, untouched = open_pipe(), open_pipe(), open_pipe()
    train(pipe, recipe)
    textboost.save(pipe, tmp_path, recipe)
    assert {path.name for path in tmp_path.iterdir()} == {
        "causal_adapters.safetensors",
        "learned_embeds.safetensors",
        "textboost.json",
    }
    assert textboost.load(fresh, tmp_path) == ["<subject>"]
    assert np.array_equal(generate(fresh, PROMPT), generate(pipe, PROMPT))
    assert np.array_equal(generate(fresh, "a red dog"), generate(untouched, "a red dog"))
    assert not np.array_equal(generate(fresh, PROMPT), generate(untouched, PROMPT))
    with pytest.raises(ValueError, match="has causal adapters already"):
        causal.load(fresh, tmp_path, recipe.adapter, ["<subject>"])


def test_half_precision_pipelines_load_half_precision_adapters(open_pipe, tmp_path):
    pipe, half = open_pipe(), open_pipe().to(torch.bfloat16)
    train(pipe, PLUS_PLUS)
    textboost.save(pipe, tmp_path, PLUS_PLUS)
    textboost.load(half, tmp_path)
    assert {p.dtype for p in half.unet.parameters()} == {torch.bfloat16}
    assert np.abs(generate(half, PROMPT) - generate(pipe, PROMPT)).mean() < 0.05


def test_a_file_for_another_backbone_is_refused(open_pipe, open_xl, tmp_path):
    pipe = open_xl()
    train(pipe)
    assert len(causal.adapters(pipe)) == 3  # of two layers in each text encoder, one unread
    textboost.save(pipe, tmp_path, V2)
    other = open_pipe()
    tokens.add_token(other, "<subject>", tokens.initial_rows(other, "red dog"))
    with pytest.raises(ValueError, match="made for another backbone"):
        causal.load(other, tmp_path, "causal", ["<subject>"])


def test_an_sdxl_pipeline_trains_and_loads_v2(open_xl, tmp_path):
    pipe, fresh = open_xl(), open_xl()
    train(pipe)
    textboost.save(pipe, tmp_path, V2)
    textboost.load(fresh, tmp_path)
    assert np.array_equal(generate(fresh, PROMPT), generate(pipe, PROMPT))


def test_what_makes_no_sense_is_refused(open_pipe, open_xl):
    with pytest.raises(ValueError, match="defined for one text encoder"):
        train(open_xl(), PLUS_PLUS)
    with pytest.raises(ValueError, match='for adapter "lora"'):
        train(open_pipe(), replace(V2, knowledge_preservation=True), captions=["a house"])
    with pytest.raises(ValueError, match='adapter "kausal": expected causal or'):
        causal.attach(open_pipe(), "kausal", 1, [], torch.Generator())


def test_sdxls_pooled_output_is_read_at_the_end_of_the_text(open_xl):
    """As published, with 2 for the end of text, it would be read at the new token: trap of SDXL."""
    pipe = open_xl()
    for module in pipe.text_encoder_2.modules():
        if hasattr(module, "eos_token_id"):
            module.eos_token_id = 2
    token = tokens.add_token(pipe, "<subject>", tokens.initial_rows(pipe, "dog", 1))
    assert token.ids[1][0] > pipe.tokenizer_2.eos_token_id
    pooled = encode(pipe, ["a photo of <subject>", "<subject> in the snow"]).pooled
    assert not torch.allclose(pooled[0], pooled[1], atol=1e-4)


@pytest.mark.parametrize("recipe", [textboost.Recipe(), textboost.Recipe(adapter="causal", rank=1)])
def test_every_adapter_that_sdxl_trains_is_read(open_xl, recipe):
    """The first encoder's last layer reaches nothing: an adapter there would only be counted."""
    pipe = open_xl()
    adapter, _ = training.begin(
        pipe,
        recipe,
        placeholders={"<subject>": "dog"},
        augmentation_tokens={},
        generator=torch.Generator().manual_seed(0),
    )
    with torch.no_grad():
        for weight in adapter:
            weight.add_(0.1)
    read = encode(pipe, ["a photo of <subject> in the snow"])
    (read.states.square().sum() + read.pooled.square().sum()).backward()
    assert len(adapter) > 4
    assert all(weight.grad is not None and weight.grad.any() for weight in adapter)
