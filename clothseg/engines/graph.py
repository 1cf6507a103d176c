"""U2Net as a short list of operators over plain arrays: what the exporters write, without torch.

Identities of linear algebra make it cheaper than the network that was trained, and change nothing else:
batch norm and the input's scale go into the convolution they touch, the order of colours into the weights of
the first layer, the fusing convolution into the side outputs it sums (it commutes with bilinear upsampling).
"""

from pathlib import Path
from typing import Literal, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from clothseg.network.architecture import ARCHITECTURES, Architecture, InvertedStage, Stage
from clothseg.network.checkpoint import Metadata, read_metadata

T = TypeVar("T")
Array = NDArray[np.float32]

# Of torch.nn.BatchNorm2d, with which every U2Net was trained.
_EPSILON = 1e-5


class Convolution(NamedTuple):
    """A convolution, weight (out, in, k, k) and bias (out,) float32, then its activation.

    depthwise: each channel is read by itself, weight (out, 1, k, k).
    """

    name: str
    weight: Array
    bias: Array
    dilation: int = 1
    activation: Literal["relu", "relu6", "none"] = "relu"
    stride: int = 1
    depthwise: bool = False


class Operators(Protocol[T]):
    """Operators a runtime needs to run a U2Net; T is its own kind of value, here (B, C, h, w) float32."""

    def enter(self, mean: Array, stem: int) -> T:
        """The pictures (B, h, w, 3) uint8 BGR minus `mean` (3,), stem × stem pixels folded into channels."""

    def convolve(self, x: T, layer: Convolution) -> T:
        """The convolution, padded with zeros: the size divided by the stride, rounded up."""

    def pool(self, x: T) -> T:
        """The strongest of each 2 × 2, a last odd row or column kept."""

    def resize(self, x: T, like: T) -> T:
        """Bilinear, pixel centres at halves, to the height and width of `like`."""

    def join(self, x: T, y: T) -> T:
        """The channels of x, then those of y."""

    def add(self, x: T, y: T) -> T:
        """The sum, element by element."""

    def leave(self, logits: T, stem: int) -> T:
        """Probabilities (B, K, h, w) uint8 of logits (B, K·stem², h/stem, w/stem): `transforms.quantise`."""


class Weights(NamedTuple):
    """The content of a checkpoint: its metadata, and its tensors by their names."""

    path: Path
    metadata: Metadata
    tensors: dict[str, Array]

    @property
    def architecture(self) -> Architecture:
        """The table of stages it was trained with."""
        return ARCHITECTURES[self.metadata.architecture]

    def tensor(self, name: str, *shape: int) -> Array:
        """One tensor, float32. Raises ValueError where it is missing or of another shape."""
        found = self.tensors.get(name)
        if found is None or found.shape != shape:
            raise ValueError(
                f"{self.path}: expected {name} of shape {shape}, got {found.shape if found is not None else 'none'}; "
                f"these are not the weights of a {self.metadata.architecture} with "
                f"{len(self.metadata.classes)} classes: train or import them again"
            )
        return found.astype(np.float32)


def read_weights(path: Path) -> Weights:
    """Read a checkpoint with numpy alone; nothing in it is executed.

    Raises ValueError where it is not safetensors, holds a number that is none, or is of an
    architecture we do not have.
    """
    metadata = read_metadata(path)
    if metadata.architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ValueError(f"{path}: unknown architecture {metadata.architecture!r}; expected one of {known}")
    try:
        tensors = load_file(path)
    except (SafetensorError, TypeError) as error:
        raise ValueError(f"{path}: damaged safetensors file ({error}); get or export it again") from None
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise ValueError(f"{path}: {name} holds NaN or infinity; take a checkpoint from before the loss broke")
    return Weights(path, metadata, tensors)


def build(ops: Operators[T], weights: Weights) -> T:
    """The whole inference, pictures to probabilities, in the operators of one runtime; returns its output."""
    metadata, architecture = weights.metadata, weights.architecture
    stem = architecture.stem
    logits = len(metadata.classes) * stem**2
    mean = 255 * np.array(metadata.mean[::-1], np.float32)
    x, width = ops.enter(mean, architecture.folded), 3 * architecture.folded**2
    skips: list[tuple[T, int]] = []
    for number, stage in enumerate(architecture.encoder, 1):
        at = f"stage{number}", width
        if isinstance(stage, InvertedStage):
            x = _inverted(ops, weights, at, stage, x)
        else:
            x = _block(ops, weights, at, stage, ops.pool(x) if skips else x)
        width = stage.out
        skips.append((x, width))
    outputs = [skips.pop()]
    for stage in architecture.decoder:
        skip, skip_width = skips.pop()
        at = f"stage{len(skips) + 1}d", width + skip_width
        x = _block(ops, weights, at, stage, ops.join(ops.resize(x, skip), skip))
        width = stage.out
        outputs.insert(0, (x, width))
    sides = _sides(weights, [width for _, width in outputs], logits)
    fused = ops.convolve(outputs[0][0], sides[0])
    for (x, _), side in zip(outputs[1:], sides[1:], strict=True):
        fused = ops.add(fused, ops.resize(ops.convolve(x, side), fused))
    return ops.leave(fused, stem)


def _inverted(ops: Operators[T], weights: Weights, at: tuple[str, int], stage: InvertedStage, x: T) -> T:
    """A stage of inverted residuals `at` a name and an input width."""
    name, width = at
    if stage.entry:
        entry = _folded(weights, f"{name}.entry", (stage.entry, width, 3))
        x, width = ops.convolve(x, entry._replace(stride=2, activation="relu6")), stage.entry
    for number, block in enumerate(stage.blocks):
        part, wide, inner = f"{name}.blocks.{number}", width * block.expansion, x
        if block.expansion > 1:
            expand = _folded(weights, f"{part}.expand", (wide, width, 1))
            inner = ops.convolve(inner, expand._replace(activation="relu6"))
        look = _folded(weights, f"{part}.depthwise", (wide, 1, block.kernel))
        inner = ops.convolve(inner, look._replace(stride=block.stride, depthwise=True, activation="relu6"))
        project = _folded(weights, f"{part}.project", (block.out, wide, 1))
        inner = ops.convolve(inner, project._replace(activation="none"))
        x = ops.add(inner, x) if block.stride == 1 and width == block.out else inner
        width = block.out
    return x


def _block(ops: Operators[T], weights: Weights, at: tuple[str, int], stage: Stage, x: T) -> T:
    """A residual U-block (RSU-L, or RSU-4F where dilated) `at` a name and an input width."""
    name, width = at
    top, pooled = stage.height, stage.kind == "pooled"
    dilations = [1] * (top - 1) + [2] if pooled else [2**level for level in range(top)]

    def step(x: T, part: str, inputs: int, outputs: int, dilation: int) -> T:
        return ops.convolve(x, _folded(weights, f"{name}.{part}", (outputs, inputs, 3))._replace(dilation=dilation))

    x = step(x, "rebnconvin", width, stage.out, 1)
    inner, skips = x, []
    for level in range(1, top + 1):
        if pooled and 1 < level < top:
            inner = ops.pool(inner)
        inner = step(inner, f"rebnconv{level}", stage.out if level == 1 else stage.mid, stage.mid, dilations[level - 1])
        skips.append(inner)
    skips.pop()
    for level in range(top - 1, 0, -1):
        skip = skips.pop()
        if pooled and level < top - 1:
            inner = ops.resize(inner, skip)
        outputs = stage.out if level == 1 else stage.mid
        dilation = 1 if pooled else dilations[level - 1]
        inner = step(ops.join(inner, skip), f"rebnconv{level}d", 2 * stage.mid, outputs, dilation)
    return ops.add(inner, x)


def _folded(weights: Weights, name: str, shape: tuple[int, int, int]) -> Convolution:
    """Convolution (out, in, k) and batch norm as one; of the first layer also the input's scale and BGR order."""
    outputs, inputs, kernel = shape
    weight = weights.tensor(f"{name}.conv_s1.weight", outputs, inputs, kernel, kernel).astype(np.float64)
    bias = weights.tensor(f"{name}.conv_s1.bias", outputs)
    gain, shift, mean, variance = (
        weights.tensor(f"{name}.bn_s1.{part}", outputs) for part in ("weight", "bias", "running_mean", "running_var")
    )
    if (variance < 0).any():
        raise ValueError(f"{weights.path}: {name} has a negative variance; train or import the weights again")
    if name in {"stage1.rebnconvin", "stage1.entry"}:
        colours = weight.reshape(outputs, 3, -1, kernel, kernel)
        colours /= 255 * np.array(weights.metadata.std)[:, None, None, None]
        weight = colours[:, ::-1].reshape(weight.shape)
    factor = gain / np.sqrt(variance.astype(np.float64) + _EPSILON)
    return Convolution(
        name,
        (weight * factor[:, None, None, None]).astype(np.float32),
        ((bias - mean) * factor + shift).astype(np.float32),
    )


def _sides(weights: Weights, widths: list[int], logits: int) -> list[Convolution]:
    """The side outputs, each already multiplied by its share of the convolution that fuses them."""
    shares = weights.tensor("outconv.weight", logits, len(widths) * logits, 1, 1)[:, :, 0, 0].astype(np.float64)
    bias: NDArray[np.float64] = weights.tensor("outconv.bias", logits).astype(np.float64)
    sides = []
    for number, (width, share) in enumerate(zip(widths, np.split(shares, len(widths), 1), strict=True), 1):
        weight = weights.tensor(f"side{number}.weight", logits, width, 3, 3)
        bias = bias + share @ weights.tensor(f"side{number}.bias", logits)
        sides.append(np.einsum("oi,icyx->ocyx", share, weight).astype(np.float32))
    nothing = np.zeros(logits, np.float32)
    biases = [bias.astype(np.float32)] + [nothing] * (len(sides) - 1)
    return [
        Convolution(f"side{number}", weight, bias, activation="none")
        for number, (weight, bias) in enumerate(zip(sides, biases, strict=True), 1)
    ]
