"""The knowledge-preservation loss (TextBoost v1): general prompts must keep their meaning."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cosine_similarity


def knowledge_preservation(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean of 1 - cos(student, teacher) over prompts and positions; a scalar in 0..2.

    student, teacher: the tuned and the original encoder's outputs, [prompts, context, width].
    Every position counts, padding included. No gradient flows into the teacher.
    """
    cosine = cosine_similarity(student.float(), teacher.detach().float(), dim=-1)
    return (1.0 - cosine).mean()
