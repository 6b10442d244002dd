"""TextBoost++: v2, and an adapter of the text in front of every cross-attention of the UNet.

"Boosting Text Encoder for Personalized Text-to-Image Generation", arXiv 2409.08248v2 (TMLR, May
2026). The adapters H + m * A(H) are of rank 1 and without bias; keys and values, which stay
frozen, read the same adapted text. As in the authors' code the text encoder's last layer has no
adapter then (145,408 parameters on SD 2.1-base, the table's 0.15M).

Memory is that of v2: the UNet's activations are kept for the backward pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from methods.textboost_v2 import TextBoostV2, TextBoostV2Settings


@dataclass(frozen=True)
class TextBoostPlusPlusSettings(TextBoostV2Settings):
    """Defaults: v2's but for the paper's shorter training."""

    steps: int = 80
    adapter: str = "causal+cross-attention"


class TextBoostPlusPlus(TextBoostV2):
    """Rank-1 adapters in text encoder and cross-attention that act from the new token on."""

    name: ClassVar[str] = "textboost++"
    summary: ClassVar[str] = "adapts text encoder and cross-attention from the new token on"
    changes: ClassVar[str] = (
        "adapters behind the text encoder's MLPs and before the UNet's cross-attention, rows of "
        "new tokens"
    )
    Settings: ClassVar[type] = TextBoostPlusPlusSettings
    # SDXL is not among them: the paper defines the adapters for one text encoder.
    presets: ClassVar[dict[str, dict[str, object]]] = {
        "paper": {},
        "toy": {**TextBoostV2.presets["toy"], "steps": 80, "learning_rate": 1e-3},
    }
