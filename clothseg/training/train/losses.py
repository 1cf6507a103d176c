"""The loss: cross-entropy on every output at its own size, and a soft Dice on the finest."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from clothseg.labels import IGNORE


def labels_at(labels: Tensor, size: Sequence[int]) -> Tensor:
    """Labels (B, H, W) int64 at another size, nearest neighbour: an average of classes is another class."""
    if labels.shape[1:] == tuple(size):
        return labels
    return F.interpolate(labels[:, None].float(), size=tuple(size), mode="nearest-exact")[:, 0].long()


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over the judged pixels of logits (B, K, h, w) against labels (B, h, w); 0 where none is judged."""
    judged = (labels != IGNORE).sum().clamp(min=1)
    return F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="sum") / judged


def soft_dice(logits: Tensor, labels: Tensor) -> Tensor:
    """One minus Dice of probabilities, mean over the classes in the batch (Milletari et al. 2016)."""
    judged = (labels != IGNORE)[:, None]
    truth = F.one_hot(labels.where(judged[:, 0], 0), logits.shape[1]).permute(0, 3, 1, 2) * judged
    probabilities = logits.softmax(1) * judged
    overlap = (probabilities * truth).sum((0, 2, 3))
    total = probabilities.sum((0, 2, 3)) + truth.sum((0, 2, 3))
    present = truth.sum((0, 2, 3)) > 0
    dice = 2 * overlap / total.clamp(min=1)
    return 1 - (dice * present).sum() / present.sum().clamp(min=1)


def supervised(outputs: Sequence[Tensor], labels: Tensor) -> Tensor:
    """Deep supervision: the first, finest output in full, the others at half weight, each at its own size."""
    finest = labels_at(labels, outputs[0].shape[2:])
    loss = cross_entropy(outputs[0], finest) + 0.5 * soft_dice(outputs[0], finest)
    sides = [cross_entropy(side, labels_at(labels, side.shape[2:])) for side in outputs[1:]]
    return loss + 0.5 * torch.stack(sides).sum() if sides else loss
