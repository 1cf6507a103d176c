"""A wider network that starts as the function a narrower one has learned.

New channels start at random and are read with weight zero by what was there before, so the outputs stay
exactly as they were while gradients reach every new weight (in the spirit of Net2Net, Chen et al. 2016).
"""

import torch
from torch import Tensor

from clothseg.network.architecture import Architecture, Stage
from clothseg.network.u2net import U2Net, load_original


def _joined_inputs(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """The widths that are concatenated before a convolution, for each convolution that reads more than one."""
    depth, stages = len(architecture.encoder), _blocks(architecture)
    encoder, decoder = stages[:depth], stages[depth:]
    blocks = {f"stage{number}": stage for number, stage in enumerate(encoder, 1)}
    joined: dict[str, tuple[int, ...]] = {}
    deeper = encoder[-1].out
    for number, stage in zip(range(len(decoder), 0, -1), decoder, strict=True):
        blocks[f"stage{number}d"] = stage
        joined[f"stage{number}d.rebnconvin.conv_s1.weight"] = (deeper, encoder[number - 1].out)
        deeper = stage.out
    for name, stage in blocks.items():
        for level in range(1, stage.height):
            joined[f"{name}.rebnconv{level}d.conv_s1.weight"] = (stage.mid, stage.mid)
    return joined


def _positions(narrow: tuple[int, ...], wide: tuple[int, ...]) -> Tensor:
    """Return the positions of the narrow inputs among the wide ones."""
    parts, start = [], 0
    for old, new in zip(narrow, wide, strict=True):
        parts.append(torch.arange(start, start + old))
        start += new
    return torch.cat(parts)


def _blocks(architecture: Architecture) -> list[Stage]:
    """Its stages, which must all be residual U-blocks."""
    blocks = [stage for stage in architecture.encoder + architecture.decoder if isinstance(stage, Stage)]
    if len(blocks) < len(architecture.encoder + architecture.decoder):
        raise ValueError("only residual U-blocks are widened; start from weights of the same architecture")
    return blocks


def widen(network: U2Net, architecture: Architecture, state: dict[str, Tensor], narrow: Architecture) -> None:
    """Load a state of the architecture `narrow` into a network of `architecture`, as wide or wider everywhere.

    Raises ValueError where a stage of the network is narrower, the stems differ, or what differs are not U-blocks.
    """
    if architecture == narrow:
        load_original(network, state)
        return
    stages = list(zip(_blocks(architecture), _blocks(narrow), strict=True))
    if architecture.stem != narrow.stem or any(a.mid < b.mid or a.out < b.out for a, b in stages):
        raise ValueError("the network to start from must be as wide or narrower in every stage, with one stem")
    wide_joined, narrow_joined = _joined_inputs(architecture), _joined_inputs(narrow)
    own = network.state_dict()
    for name, old in state.items():
        new = own[name]
        if old.ndim == 0 or old.shape == new.shape:
            new.copy_(old)
        elif old.ndim == 1:
            new[: len(old)] = old
        else:
            inputs = _positions(narrow_joined.get(name, (old.shape[1],)), wide_joined.get(name, (new.shape[1],)))
            new[: len(old)] = 0
            new[: len(old)].index_copy_(1, inputs, old)
