import sys

import pytest
import torch

from tests.methods.support import photo
from textboost import loop
from textboost.compute import Compute
from textboost.conditioning import Conditioning, encode
from textboost.loop import Batch, Latents, adamw, denoising_error, noise_scheduler, run, training
from textboost.photos import pixels


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def pipe(open_pipe):
    return open_pipe()


def start(pipe, compute=None, *, steps=1, parameter=None, optimizer=None, seed=0, **options):
    """Run the loop on fixed latents of two pictures, training the UNet's first bias."""
    latents = torch.randn(2, 4, 16, 16, generator=generator(7))
    weights = options.pop("weights", None)
    with training(pipe):
        parameter = pipe.unet.conv_in.bias.requires_grad_(True)
        return run(
            pipe,
            compute or Compute(),
            steps=steps,
            optimizer=optimizer or torch.optim.SGD([parameter], lr=0.0),
            batch=lambda: Batch(latents, ["a dog", "a red dog"], weights),
            encode=lambda prompts: encode(pipe, prompts),
            generator=generator(seed),
            **options,
        )


@pytest.mark.parametrize(
    ("device", "waits"), [("cpu", []), ("cuda:1", ["cuda:1"]), ("mps", ["mps"])]
)
def test_a_step_ends_when_the_device_is_done(monkeypatch, device, waits):
    waited = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda which: waited.append(str(which)))
    monkeypatch.setattr(torch.mps, "synchronize", lambda: waited.append("mps"))
    assert loop._now(torch.device(device)) > 0
    assert waited == waits


class Zeros(torch.nn.Module):
    """A UNet that predicts nothing: its error is the target's mean square."""

    dtype = torch.float32

    def forward(self, noisy, timesteps, states):
        return type("Output", (), {"sample": torch.zeros_like(noisy)})


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_the_target_follows_the_schedulers_prediction_type(pipe, kind):
    pipe.scheduler.register_to_config(prediction_type=kind)
    scheduler = noise_scheduler(pipe)
    pipe.unet = Zeros()
    latents, noise = torch.randn(2, 2, 4, 8, 8, generator=generator())
    timesteps = torch.tensor([10, 900])
    errors = denoising_error(
        pipe, scheduler, latents, noise, timesteps, Conditioning(torch.zeros(2, 3, 16))
    )
    alpha = scheduler.alphas_cumprod[timesteps].reshape(2, 1, 1, 1)
    velocity = alpha.sqrt() * noise - (1 - alpha).sqrt() * latents
    target = noise if kind == "epsilon" else velocity
    torch.testing.assert_close(errors, target.square().mean(dim=(1, 2, 3)))


def test_the_schedule_is_the_backbones_and_other_targets_are_refused(pipe):
    scheduler = noise_scheduler(pipe)
    assert torch.equal(scheduler.alphas_cumprod, pipe.scheduler.alphas_cumprod)
    assert scheduler.config.beta_end == 0.012
    pipe.scheduler.register_to_config(prediction_type="sample")
    with pytest.raises(ValueError, match='predicts "sample": expected epsilon or v_prediction'):
        noise_scheduler(pipe)


def test_latents_are_samples_of_the_vaes_posterior(pipe):
    photos = [photo(32, 32, 1), photo(32, 32, 2)]
    sampled = Latents(pipe, generator(3)).sample([(None, photo) for photo in photos])
    with torch.no_grad():
        posterior = pipe.vae.encode(pixels(photos)).latent_dist
    noise = torch.randn(2, 4, 16, 16, generator=generator(3))
    torch.testing.assert_close(sampled, (posterior.mean + posterior.std * noise) * 0.5)


def test_a_photo_with_a_key_is_encoded_once_and_sampled_anew(pipe):
    encoded = []
    pipe.vae.encoder.register_forward_pre_hook(lambda _, batch: encoded.append(len(batch[0])))
    latents = Latents(pipe, generator())
    one, two = photo(32, 32, 1), photo(32, 32, 2)
    first = latents.sample([(("photo", 0), one), (("photo", 0), one), (("photo", 1), two)])
    assert encoded == [2]
    second = latents.sample([(("photo", 1), two), (("photo", 0), one)])
    assert encoded == [2]
    assert not torch.equal(second[0], first[2])
    # The posterior of a random VAE is wide; between two photos the means still differ.
    again = Latents(pipe, generator()).sample([(None, one), (None, one), (None, two)])
    torch.testing.assert_close(again, first)
    latents.sample([(None, one)])
    latents.sample([(None, one)])
    assert encoded == [2, 3, 1, 1]


def test_the_loss_is_the_weighted_sum_of_the_pictures_errors(pipe):
    def loss(*weights):
        return start(pipe, weights=torch.tensor(weights)).losses[0]

    first, second = loss(1.0, 0.0), loss(0.0, 1.0)
    assert loss(0.5, 2.0) == pytest.approx(0.5 * first + 2.0 * second, rel=1e-5)
    assert start(pipe).losses[0] == pytest.approx((first + second) / 2, rel=1e-5)


def test_an_extra_loss_is_added(pipe):
    plain = start(pipe).losses[0]
    assert start(pipe, extra_loss=lambda: torch.tensor(3.0)).losses[0] == pytest.approx(plain + 3)


def test_timesteps_follow_the_weights(pipe):
    seen = []
    pipe.unet.register_forward_pre_hook(lambda _, given: seen.append(given[1].tolist()))
    start(pipe, timestep_weights=lambda alphas: torch.eye(len(alphas), dtype=torch.double)[321])
    assert seen == [[321, 321]]


def test_the_gradient_is_cut_to_the_norm(pipe):
    bias = pipe.unet.conv_in.bias
    before = bias.detach().clone()
    descent = torch.optim.SGD([bias], lr=1.0)
    start(pipe, optimizer=descent)
    assert (bias - before).norm().item() > 2e-3
    before = bias.detach().clone()
    start(pipe, optimizer=descent, clipped=[bias], max_norm=1e-3)
    assert (bias - before).norm().item() == pytest.approx(1e-3, rel=1e-3)


def test_the_optimizer_is_the_published_one():
    one, two = torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.ones(1))
    groups = adamw([([one], 1e-3), ([two], 5e-5)], Compute()).param_groups
    assert [(group["params"], group["lr"]) for group in groups] == [([one], 1e-3), ([two], 5e-5)]
    for group in groups:
        assert (group["betas"], group["weight_decay"], group["eps"]) == ((0.9, 0.999), 1e-2, 1e-8)


def bias_after_steps(open_pipe, **options):
    """The UNet's first bias after three steps of AdamW under these options of `Compute`."""
    pipe = open_pipe()
    bias = pipe.unet.conv_in.bias
    compute = Compute(**options)
    start(pipe, compute, steps=3, optimizer=adamw([([bias], 1e-2)], compute))
    return bias.detach().clone()


@pytest.mark.parametrize(
    "options",
    [
        {"gradient_checkpointing": True},
        {"attention": "math"},
        {"optimizer": "foreach"},
        {"accumulation": 2},
        {"accumulation": 5},
    ],
    ids=str,
)
def test_how_it_is_computed_changes_rounding_alone(open_pipe, options):
    plain = bias_after_steps(open_pipe)
    torch.testing.assert_close(bias_after_steps(open_pipe, **options), plain, atol=2e-4, rtol=0)
    assert (plain - open_pipe().unet.conv_in.bias).abs().max() > 1e-2


def test_options_reach_what_they_name(pipe, monkeypatch):
    seen = []

    def look(module, given):
        kept = torch.backends.cuda.flash_sdp_enabled(), torch.backends.cuda.math_sdp_enabled()
        seen.append((len(given[0]), module.is_gradient_checkpointing, kept))

    pipe.unet.register_forward_pre_hook(look)
    options = {"gradient_checkpointing": True, "accumulation": 2, "attention": "math"}
    start(pipe, Compute(**options))
    assert seen == [(1, True, (False, True))] * 2
    start(pipe)
    assert seen[-1][:2] == (2, False)
    assert seen[-1][2] != (False, True)
    parameter = torch.nn.Parameter(torch.ones(1))
    for kind in ("fused", "foreach"):
        (group,) = adamw([([parameter], 1e-3)], Compute(optimizer=kind)).param_groups
        assert group[kind]


def test_eight_bits_need_their_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", None)
    with pytest.raises(ValueError, match='optimizer "8bit" needs bitsandbytes'):
        adamw([([torch.nn.Parameter(torch.ones(1))], 1e-3)], Compute(optimizer="8bit"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "fp8"}, 'precision "fp8": expected fp32, fp16, bf16'),
        ({"attention": "flash"}, 'attention "flash": expected sdpa, math'),
        ({"optimizer": "sgd"}, 'optimizer "sgd": expected fused, foreach, 8bit'),
        ({"accumulation": 0}, "accumulation 0: expected 1 or more"),
    ],
)
def test_options_that_are_none_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Compute(**options)


def test_a_loss_that_is_not_finite_ends_training(pipe):
    with pytest.raises(ArithmeticError, match="step 1: the loss is nan"):
        start(pipe, extra_loss=lambda: torch.tensor(torch.nan), steps=5)


def test_the_pipeline_is_tidied_up_after_a_failure(pipe):
    pipe.to(torch.bfloat16)

    def fail():
        with training(pipe, pipe.unet):
            assert pipe.unet.dtype == torch.float32
            assert pipe.text_encoder.dtype == torch.bfloat16
            assert not any(p.requires_grad for p in pipe.unet.parameters())
            pipe.unet.requires_grad_(True)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert pipe.unet.dtype == torch.bfloat16
    assert not any(p.requires_grad for p in pipe.unet.parameters())
