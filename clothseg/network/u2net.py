"""U2Net and its residual U-blocks, built from a table of stages (Qin et al. 2020, arXiv:2005.09007).

Parameter names are those of the original code, so public checkpoints load by name.
"""

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clothseg.network.architecture import ARCHITECTURES, Architecture, InvertedBlock, InvertedStage, Stage

__all__ = ["ARCHITECTURES", "Architecture", "PictureToProbabilities", "Stage", "U2Net", "load_original"]


def _resize(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)


class ConvNorm(nn.Module):
    """Convolution and batch norm, no activation: (B, in, h, w) to (B, out, h / stride, w / stride), rounded up."""

    def __init__(
        self, widths: tuple[int, int], kernel: int, stride: int = 1, dilation: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv_s1 = nn.Conv2d(*widths, kernel, stride, dilation * (kernel // 2), dilation, groups)
        self.bn_s1 = nn.BatchNorm2d(widths[1])

    def forward(self, x: Tensor) -> Tensor:
        """Apply both."""
        return cast(Tensor, self.bn_s1(self.conv_s1(x)))


class ConvBlock(ConvNorm):
    """3×3 convolution, batch norm, ReLU: (B, in, h, w) to (B, out, h, w). REBNCONV of the original."""

    def __init__(self, in_channels: int, out_channels: int, dilation: int = 1) -> None:
        super().__init__((in_channels, out_channels), 3, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        return F.relu(super().forward(x))


class ResidualUBlock(nn.Module):
    """A small U-net whose output is added to its input: (B, in, h, w) to (B, out, h, w)."""

    def __init__(self, in_channels: int, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        top, mid = stage.height, stage.mid
        pooled = stage.kind == "pooled"
        # rebnconv1 … rebnconvL go down, rebnconv{L-1}d … rebnconv1d come up again.
        dilations = [1] * (top - 1) + [2] if pooled else [2**level for level in range(top)]
        self.rebnconvin = ConvBlock(in_channels, stage.out)
        for level in range(1, top + 1):
            width = stage.out if level == 1 else mid
            self.add_module(f"rebnconv{level}", ConvBlock(width, mid, dilations[level - 1]))
        for level in range(top - 1, 0, -1):
            width = stage.out if level == 1 else mid
            dilation = 1 if pooled else dilations[level - 1]
            self.add_module(f"rebnconv{level}d", ConvBlock(2 * mid, width, dilation))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        top, pooled = self.stage.height, self.stage.kind == "pooled"
        x = self.rebnconvin(x)
        inner = x
        skips: list[Tensor] = []
        for level in range(1, top):
            inner = self.get_submodule(f"rebnconv{level}")(inner)
            skips.append(inner)
            # The lowest two levels share a size: the last one looks further by dilation instead.
            if pooled and level < top - 1:
                inner = F.max_pool2d(inner, 2, stride=2, ceil_mode=True)
        inner = self.get_submodule(f"rebnconv{top}")(inner)
        for level in range(top - 1, 0, -1):
            skip = skips[level - 1]
            if pooled and level < top - 1:
                inner = _resize(inner, skip)
            inner = self.get_submodule(f"rebnconv{level}d")(torch.cat((inner, skip), 1))
        return torch.add(inner, x)


class InvertedResidual(nn.Module):
    """Widen, look around in each channel, narrow: (B, in, h, w) to (B, out, h / stride, w / stride), rounded up."""

    def __init__(self, in_channels: int, block: InvertedBlock) -> None:
        super().__init__()
        inner = in_channels * block.expansion
        self.expand = ConvNorm((in_channels, inner), 1) if block.expansion > 1 else None
        self.depthwise = ConvNorm((inner, inner), block.kernel, block.stride, groups=inner)
        self.project = ConvNorm((inner, block.out), 1)
        self.adds = block.stride == 1 and in_channels == block.out

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        inner = x if self.expand is None else F.relu6(self.expand(x))
        inner = self.project(F.relu6(self.depthwise(inner)))
        return cast(Tensor, inner + x if self.adds else inner)


class InvertedResiduals(nn.Module):
    """A stage of EfficientNet-Lite (Tan and Le 2019, arXiv:1905.11946).

    (B, in, h, w) to (B, out, h / 2, w / 2), rounded up.
    """

    def __init__(self, in_channels: int, stage: InvertedStage) -> None:
        super().__init__()
        self.entry = ConvNorm((in_channels, stage.entry), 3, 2) if stage.entry else None
        widths = [stage.entry or in_channels, *(block.out for block in stage.blocks)]
        self.blocks = nn.Sequential(*(InvertedResidual(*at) for at in zip(widths[:-1], stage.blocks, strict=True)))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the stage."""
        return cast(Tensor, self.blocks(x if self.entry is None else F.relu6(self.entry(x))))


class U2Net(nn.Module):
    """U2Net over any table of stages: RGB, normalised, (B, 3, h, w) to logits (B, classes, h, w)."""

    def __init__(self, architecture: Architecture, classes: int) -> None:
        super().__init__()
        self.stem, self.folded = architecture.stem, architecture.folded
        logits = classes * self.stem**2
        encoder, decoder = architecture.encoder, architecture.decoder
        width = 3 * self.folded**2
        for number, stage in enumerate(encoder, 1):
            block = ResidualUBlock(width, stage) if isinstance(stage, Stage) else InvertedResiduals(width, stage)
            self.add_module(f"stage{number}", block)
            width = stage.out
        for number, stage in zip(range(len(decoder), 0, -1), decoder, strict=True):
            self.add_module(f"stage{number}d", ResidualUBlock(width + encoder[number - 1].out, stage))
            width = stage.out
        self.depth = len(encoder)
        sides = [stage.out for stage in reversed(decoder)] + [encoder[-1].out]
        for number, side in enumerate(sides, 1):
            self.add_module(f"side{number}", nn.Conv2d(side, logits, 3, padding=1))
        self.outconv = nn.Conv2d(len(sides) * logits, logits, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Fused logits (B, classes, h, w), then those of side outputs 1 … 6, each at its own size."""
        sides = self._sides(x, 1)
        fused = self.outconv(torch.cat([sides[0], *(_resize(side, sides[0]) for side in sides[1:])], 1))
        return tuple(self._unfold(logits) for logits in (fused, *sides))

    def coarse(self, x: Tensor, finest: int) -> tuple[Tensor, ...]:
        """Logits of side outputs `finest` … 6 alone, without the work of the finer ones: for training."""
        return tuple(self._unfold(side) for side in self._sides(x, finest))

    def _sides(self, x: Tensor, finest: int) -> list[Tensor]:
        if self.folded > 1:
            x = F.pixel_unshuffle(x, self.folded)
        skips: list[Tensor] = []
        for number in range(1, self.depth + 1):
            stage = self.get_submodule(f"stage{number}")
            if number > 1 and isinstance(stage, ResidualUBlock):  # the others halve the size themselves
                x = F.max_pool2d(x, 2, stride=2, ceil_mode=True)
            x = stage(x)
            skips.append(x)
        outputs = [x]
        for number in range(self.depth - 1, finest - 1, -1):
            skip = skips[number - 1]
            x = self.get_submodule(f"stage{number}d")(torch.cat((_resize(x, skip), skip), 1))
            outputs.insert(0, x)
        return [self.get_submodule(f"side{number}")(x) for number, x in enumerate(outputs, finest)]

    def _unfold(self, logits: Tensor) -> Tensor:
        return F.pixel_shuffle(logits, self.stem) if self.stem > 1 else logits


class PictureToProbabilities(nn.Module):
    """The whole of an inference in one graph, as it is exported: transforms, network, transforms."""

    def __init__(self, network: U2Net, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        self.mean, self.std = tuple(mean), tuple(std)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (B, h, w, 3) uint8 BGR to probabilities (B, K, h, w) uint8, 0..255."""
        from clothseg.network.transforms import normalise, quantise

        dtype = next(self.network.parameters()).dtype
        logits = cast(Tensor, self.network(normalise(pictures, self.mean, self.std).to(dtype))[0])
        return quantise(logits.float())


def load_original(network: nn.Module, state: dict[str, Tensor]) -> None:
    """Load a state dict by the original's names, also one saved from DataParallel (`module.` prefix).

    Raises ValueError naming the first parameters that are missing, unknown or of another shape.
    """
    plain = {name.removeprefix("module."): value for name, value in state.items()}
    # Old checkpoints lack batch norm's counter of batches, and inference never reads it.
    own = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    wrong = [
        f"{name}: expected {tuple(own[name].shape) if name in own else 'no such parameter'}, "
        f"got {tuple(plain[name].shape) if name in plain else 'nothing'}"
        for name in sorted(own.keys() | {k for k in plain if not k.endswith("num_batches_tracked")})
        if name not in own or name not in plain or own[name].shape != plain[name].shape
    ]
    if wrong:
        raise ValueError(
            f"{len(wrong)} parameters of the checkpoint do not fit this architecture "
            f"({'; '.join(wrong[:3])}); name the architecture it was trained with"
        )
    network.load_state_dict(plain, strict=False)
