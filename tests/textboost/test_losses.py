import pytest
import torch

from textboost.losses import knowledge_preservation


def test_mean_over_prompts_and_positions_of_one_minus_cosine():
    student = torch.tensor([[[1.0, 0.0], [3.0, 4.0]], [[0.0, 2.0], [-1.0, 0.0]]])
    teacher = torch.tensor([[[5.0, 0.0], [1.0, 0.0]], [[3.0, 0.0], [1.0, 0.0]]])
    # cosines by hand: 1, 3/5, 0, -1
    expected = (0.0 + 0.4 + 1.0 + 2.0) / 4
    assert knowledge_preservation(student, teacher).item() == pytest.approx(expected)


def test_the_teacher_learns_nothing():
    student = torch.randn(2, 3, 4, requires_grad=True)
    teacher = torch.randn(2, 3, 4, requires_grad=True)
    knowledge_preservation(student, teacher).backward()
    assert student.grad is not None
    assert teacher.grad is None
