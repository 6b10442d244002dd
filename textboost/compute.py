"""How a training is computed, as opposed to what it learns. Free of torch, for planners."""

from __future__ import annotations

from dataclasses import dataclass, field

PRECISIONS = ("fp32", "fp16", "bf16")
ATTENTION = ("sdpa", "math")
OPTIMIZERS = ("fused", "foreach", "8bit")


@dataclass(frozen=True)
class Compute:
    """Options of every training; they change memory, speed and rounding, not the method.

    device: "cpu", "cuda", "cuda:N" or "mps". precision: "fp32", or "fp16" (with a gradient
    scaler) or "bf16" for the forward pass and all frozen weights; trained weights are always
    float32. attention: "sdpa", the fastest kernel that torch finds, or "math", the plain one,
    which keeps every attention map for the backward pass. optimizer: AdamW "fused", "foreach" (a
    further copy of the gradients while it steps) or "8bit" (bitsandbytes).
    gradient_checkpointing: the UNet's activations are computed again in the backward pass instead
    of kept. accumulation: in how many parts a step's batch goes through the networks.
    Raises ValueError for a value that is none of these.
    """

    device: str = "cpu"
    precision: str = "fp32"
    attention: str = "sdpa"
    optimizer: str = "fused"
    gradient_checkpointing: bool = False
    accumulation: int = 1

    def __post_init__(self) -> None:
        for name, known in (
            ("precision", PRECISIONS),
            ("attention", ATTENTION),
            ("optimizer", OPTIMIZERS),
        ):
            value = getattr(self, name)
            if value not in known:
                raise ValueError(f'{name} "{value}": expected {", ".join(known)}')
        if self.accumulation < 1:
            raise ValueError(f"accumulation {self.accumulation}: expected 1 or more")


@dataclass(frozen=True)
class TrainResult:
    """What training cost and how it went: one loss and one duration (seconds) per step.

    skipped: steps that changed nothing because fp16 gradients overflowed. step_pictures: how many
    pictures each step showed, those of prior preservation included.
    """

    trainable_parameters: int
    losses: list[float]
    step_seconds: list[float]
    skipped: int = 0
    step_pictures: list[int] = field(default_factory=list)

    @property
    def pictures(self) -> int:
        """Pictures shown by all steps together."""
        return sum(self.step_pictures)
