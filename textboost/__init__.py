"""TextBoost as a library: one-shot personalization by training the text encoder alone.

    import textboost

    concept = textboost.Concept(photos=(photo,), class_noun="dog", descriptor="corgi")
    textboost.train(pipe, [concept], captions=captions)
    textboost.save(pipe, folder)
    textboost.load(another_pipe, folder)

Works on any Stable Diffusion or SDXL pipeline of diffusers. `Recipe` chooses the version: v1 of
the paper (arXiv 2409.08248v1, the default), its public release, v2's causal adapters or
TextBoost++. The parts stand alone:

- `textboost.tokens`: new vocabulary entries, trained as rows, saved as textual inversion files
- `textboost.augmentation`: changes to the photo, each named in the prompt by a token
- `textboost.adapters`: LoRA, saved in diffusers' format
- `textboost.causal`: v2's adapters, which leave the text before the new token as it was
- `textboost.losses`: the knowledge-preservation loss
- `textboost.timesteps`: the timestep distribution weighted by the signal-to-noise ratio
- `textboost.loop`: the training loop, for any method
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textboost.compute import Compute, TrainResult
from textboost.recipe import Recipe

if TYPE_CHECKING:
    from textboost.training import Concept, load, save, train

__all__ = ["Compute", "Concept", "Recipe", "TrainResult", "load", "save", "train"]


def __getattr__(name: str) -> Any:
    """What needs torch is imported when it is first asked for."""
    if name in ("Concept", "load", "save", "train"):
        from importlib import import_module

        return getattr(import_module("textboost.training"), name)
    raise AttributeError(f"module 'textboost' has no attribute {name!r}")
