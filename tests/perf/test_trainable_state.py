"""Memory for gradients and optimizer: new rows alone, against the usual whole embedding table."""

import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import CLIPTokenizer

from benchmark.backbones.architectures import ARCHITECTURES, build_network
from benchmark.backbones.clip_vocabulary import tokenizer_files
from methods.textboost import TextBoostSettings
from methods.textual_inversion import TextualInversionSettings
from textboost import tokens
from textboost.augmentation import SETS
from textboost.compute import Compute
from textboost.loop import adamw
from textboost.training import begin

MIB = 2**20
RATES = {"lr": 1e-3, "betas": (0.9, 0.999), "weight_decay": 1e-2}


def text_side() -> SimpleNamespace:
    """The text half of Stable Diffusion 1.5: true sizes, random weights."""
    architecture = ARCHITECTURES["sd15"]
    with tempfile.TemporaryDirectory() as folder:
        for file, content in tokenizer_files(architecture.tokenizers["tokenizer"]).items():
            (Path(folder) / file).write_text(content, encoding="utf-8")
        tokenizer = CLIPTokenizer.from_pretrained(folder)
    encoder = build_network(architecture.networks["text_encoder"]).requires_grad_(False)
    return SimpleNamespace(tokenizer=tokenizer, text_encoder=encoder)


def state_bytes(pipe: SimpleNamespace, optimizer: torch.optim.Optimizer, prompt: str) -> int:
    """Bytes of gradients and optimizer state after one step on a prompt."""
    ids = pipe.tokenizer(prompt, return_tensors="pt").input_ids
    pipe.text_encoder(ids)[0].square().sum().backward()
    optimizer.step()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    held = [p.grad for p in parameters if p.grad is not None]
    held += [v for p in parameters for v in optimizer.state[p].values()]
    return sum(tensor.nbytes for tensor in held)


@pytest.fixture(scope="module")
def whole_table() -> int:
    """The usual implementation: the table is the parameter, old rows are put back afterwards."""
    pipe = text_side()
    rows = tokens.initial_rows(pipe, "dog")
    tokens.add_token(pipe, "<subject>", rows)
    table = pipe.text_encoder.get_input_embeddings().weight.requires_grad_(True)
    return state_bytes(pipe, torch.optim.AdamW([table], **RATES), "a photo of a <subject>")


def test_the_whole_table_costs_what_it_is_said_to(whole_table):
    assert whole_table / MIB == pytest.approx(434, rel=0.01)


def test_textual_inversion_holds_less_than_a_500th(whole_table):
    pipe = text_side()
    given = TextualInversionSettings()
    token = tokens.add_token(pipe, given.placeholder, tokens.initial_rows(pipe, "dog", 1))
    rows = [table.rows for table in tokens.install(pipe, [token])]
    optimizer = adamw([(rows, given.learning_rate)], Compute())
    held = state_bytes(pipe, optimizer, f"a photo of a {given.placeholder}")
    assert held <= whole_table / 500


def test_textboosts_tokens_hold_less_than_a_500th(whole_table):
    """Placeholder and augmentation tokens; LoRA costs the same in both implementations."""
    pipe = text_side()
    given = TextBoostSettings()
    lora, tables = begin(
        pipe,
        given,
        placeholders={given.placeholder: "corgi dog"},
        augmentation_tokens=SETS[given.augmentation].tokens,
        generator=torch.Generator(),
    )
    rows = [table.rows for table in tables]
    optimizer = adamw([(rows, given.token_learning_rate)], Compute())
    held = state_bytes(pipe, optimizer, f"a photo of a {given.placeholder} dog, <grid>")
    assert held <= whole_table / 500
    with_lora = adamw([(rows, 1e-3), (lora, given.learning_rate)], Compute())
    assert state_bytes(pipe, with_lora, f"a {given.placeholder}") <= whole_table / 50
