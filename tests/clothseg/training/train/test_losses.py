"""Losses are least where the answer is right, and silent where no one vouches for it."""

from collections.abc import Callable

import pytest
import torch

from clothseg.labels import IGNORE
from clothseg.training.train.losses import cross_entropy, labels_at, soft_dice, supervised


def certain(labels: torch.Tensor, sharpness: float = 20) -> torch.Tensor:
    """Logits (B, 5, H, W) that say exactly these labels."""
    shown = labels.where(labels != IGNORE, 0)
    return torch.nn.functional.one_hot(shown, 5).permute(0, 3, 1, 2).float() * sharpness


LABELS = torch.tensor([[[0, 1, 2, 3], [4, 2, 2, 3]]])


@pytest.mark.parametrize("loss", [cross_entropy, soft_dice])
def test_the_right_answer_costs_nothing_and_a_wrong_one_does(
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> None:
    assert loss(certain(LABELS), LABELS) == pytest.approx(0, abs=1e-3)
    assert loss(certain(LABELS.flip(2)), LABELS) > 0.3


@pytest.mark.parametrize("loss", [cross_entropy, soft_dice])
def test_pixels_not_judged_cost_nothing_and_pull_nowhere(
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> None:
    masked = LABELS.clone()
    masked[0, 0] = IGNORE
    logits = torch.randn(1, 5, 2, 4, requires_grad=True)
    loss(logits, masked).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad[:, :, 0].abs().max() == 0
    assert logits.grad[:, :, 1].abs().max() > 0


def test_a_batch_in_which_nothing_is_judged_is_no_error() -> None:
    nothing = torch.full((1, 2, 4), IGNORE)
    assert cross_entropy(torch.randn(1, 5, 2, 4), nothing) == 0
    assert torch.isfinite(soft_dice(torch.randn(1, 5, 2, 4), nothing))


def test_labels_shrink_without_new_classes() -> None:
    labels = torch.tensor([[[0, 0, 4, 4], [0, 0, 4, 4]]])
    assert labels_at(labels, (1, 2)).tolist() == [[[0, 4]]]


def test_gradients_of_the_dice_are_those_of_its_formula() -> None:
    logits = torch.randn(1, 5, 2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: soft_dice(x, LABELS), (logits,))


def test_every_side_output_is_supervised_at_its_own_size() -> None:
    fused, side = certain(LABELS), torch.zeros(1, 5, 1, 2, requires_grad=True)
    supervised([fused, side], LABELS).backward()  # type: ignore[no-untyped-call]
    assert side.grad is not None
    assert side.grad.abs().max() > 0
