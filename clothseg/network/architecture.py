"""The tables of stages our networks are built from, as data that is read without torch."""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec


class Stage(msgspec.Struct, frozen=True):
    """One residual U-block: its height in levels, its inner and its outer width in channels.

    A pooled block halves the size at each level (RSU-L); a dilated one keeps it and widens its view (RSU-4F).
    """

    height: int
    mid: int
    out: int
    kind: Literal["pooled", "dilated"] = "pooled"


class InvertedBlock(msgspec.Struct, frozen=True):
    """An inverted residual: `expansion` times as wide inside, a depthwise convolution reads `kernel` × `kernel`."""

    kernel: int
    stride: int
    expansion: int
    out: int


class InvertedStage(msgspec.Struct, frozen=True):
    """A stage of inverted residuals that halves the size by itself (Sandler et al. 2018, arXiv:1801.04381).

    `entry`: width of the strided convolution by which the first stage reads the picture; 0 in the others.
    """

    blocks: tuple[InvertedBlock, ...]
    entry: int = 0

    @property
    def out(self) -> int:
        """Its width in channels."""
        return self.blocks[-1].out


class Architecture(msgspec.Struct, frozen=True):
    """The table a U2Net is built from: six stages down, five up (deepest first), and the stem's factor.

    `stem` s folds s × s pixels into channels before the trunk and unfolds the logits after it: the same trunk
    at 1/s² of the cost (space-to-depth; Shi et al. 2016, arXiv:1609.05158). An inverted first stage halves the
    picture itself, so nothing is folded before it.
    """

    encoder: tuple[Stage | InvertedStage, ...]
    decoder: tuple[Stage, ...]
    stem: int = 1

    @property
    def folded(self) -> int:
        """Number of pixels, along each side, that are folded into channels before the first stage."""
        return self.stem if isinstance(self.encoder[0], Stage) else 1


def _table(encoder: Sequence[tuple[int, int]], decoder: Sequence[tuple[int, int]], stem: int) -> Architecture:
    """An architecture from (mid, out) per stage; heights and kinds are the original's."""
    down = [Stage(h, *w) for h, w in zip((7, 6, 5, 4), encoder[:4], strict=True)]
    down += [Stage(4, *w, "dilated") for w in encoder[4:]]
    up = [Stage(4, *decoder[0], "dilated")]
    up += [Stage(h, *w) for h, w in zip((4, 5, 6, 7), decoder[1:], strict=True)]
    return Architecture(tuple(down), tuple(up), stem)


_U2NET: Final = (
    ((32, 64), (32, 128), (64, 256), (128, 512), (256, 512), (256, 512)),
    ((256, 512), (128, 256), (64, 128), (32, 64), (16, 64)),
)
_U2NETP: Final = (((16, 64),) * 6, ((16, 64),) * 5)
# Deep stages see 1/64 of the pixels and less, so width there is nearly free.
_WIDE: Final = (
    ((16, 64), (24, 64), (32, 96), (48, 128), (64, 192), (64, 192)),
    ((64, 128), (48, 96), (32, 64), (24, 64), (16, 64)),
)
_WIDER: Final = (
    ((16, 64), (24, 64), (48, 128), (64, 192), (96, 256), (96, 256)),
    ((96, 192), (64, 128), (48, 64), (24, 64), (16, 64)),
)


def _row(count: int, block: InvertedBlock) -> tuple[InvertedBlock, ...]:
    """A line of EfficientNet's table: so many blocks, of which the first alone has the stride."""
    return (block,) + (msgspec.structs.replace(block, stride=1),) * (count - 1)


# EfficientNet-Lite0's features at strides 2 … 32, for which weights learned from ImageNet are to be had; the last stage
# and the way up are U2Net's own.
_LITE0: Final = (
    InvertedStage(_row(1, InvertedBlock(3, 1, 1, 16)), entry=32),
    InvertedStage(_row(2, InvertedBlock(3, 2, 6, 24))),
    InvertedStage(_row(2, InvertedBlock(5, 2, 6, 40))),
    InvertedStage(_row(3, InvertedBlock(3, 2, 6, 80)) + _row(3, InvertedBlock(5, 1, 6, 112))),
    InvertedStage(_row(4, InvertedBlock(5, 2, 6, 192)) + _row(1, InvertedBlock(3, 1, 6, 320))),
    Stage(4, 48, 128, "dilated"),
)
_LITE0_UP: Final = (
    Stage(4, 64, 128, "dilated"),
    Stage(4, 48, 96),
    Stage(5, 32, 64),
    Stage(6, 24, 48),
    Stage(7, 16, 32),
)

ARCHITECTURES: Final[dict[str, Architecture]] = {
    "u2net": _table(*_U2NET, stem=1),
    "u2netp": _table(*_U2NETP, stem=1),
    "u2netp-stem2": _table(*_U2NETP, stem=2),
    "wide-stem2": _table(*_WIDE, stem=2),
    "wider-stem2": _table(*_WIDER, stem=2),
    "lite0-stem2": Architecture(_LITE0, _LITE0_UP, stem=2),
}
