"""Turn a public U2Net `.pth` into our safetensors: `python tools/import_checkpoint.py u2netp.pth OUT.safetensors`.

It loads tensors alone, never code. A salient-object network has two classes, `--classes background person`; its one
logit becomes two. Of levindabhi/cloth-segmentation: `--stages u2net --classes background top bottom dress`.
"""

import argparse
import pickle
import sys
from pathlib import Path

import torch
from torch import Tensor

from clothseg.network.architecture import ARCHITECTURES
from clothseg.network.checkpoint import Metadata, save
from clothseg.network.u2net import U2Net, load_original


def plain_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.pth` by name, without `module.`; ValueError where it holds anything else."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, TypeError, LookupError) as error:
        raise ValueError(
            f"{path}: not a file of tensors alone ({type(error).__name__}); ask for a state dict"
        ) from None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{path}: expected a state dict, names to tensors; save model.state_dict()")
    return {str(name).removeprefix("module."): value for name, value in state.items()}


def two_logits(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A sigmoid's one logit z as a softmax over (0, z): the same probability of the foreground."""
    return {
        name: torch.cat([torch.zeros_like(value), value]) if name.startswith("side") else _paired(name, value)
        for name, value in state.items()
    }


def _paired(name: str, value: Tensor) -> Tensor:
    if name == "outconv.bias":
        return torch.cat([torch.zeros_like(value), value])
    if name != "outconv.weight":
        return value
    # It reads six side outputs, each now a pair whose first is always zero.
    inputs = torch.stack([torch.zeros_like(value), value], 2).flatten(1, 2)
    return torch.cat([torch.zeros_like(inputs), inputs])


def main() -> None:
    """Convert."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--stages", default="u2netp", choices=("u2netp", "u2net"))
    parser.add_argument("--classes", nargs="+", default=["background", "person"])
    parser.add_argument("--area-px", type=int, default=320 * 320)
    parser.add_argument("--licence", default="Apache-2.0")
    parser.add_argument("--data", default="", help="what it was trained on, in words")
    options = parser.parse_args()
    try:
        convert(options)
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    print(f"wrote {options.out}")


def convert(options: argparse.Namespace) -> None:
    """Read, check against the architecture, and write."""
    state = plain_state(options.source)
    if len(options.classes) == 2 and state["outconv.bias"].numel() == 1:
        state = two_logits(state)
    network = U2Net(ARCHITECTURES[options.stages], len(options.classes))
    load_original(network, state)
    about = Metadata(
        tuple(options.classes), options.stages, 1, area_px=options.area_px, licence=options.licence, data=options.data
    )
    save(options.out, about, network.state_dict())


if __name__ == "__main__":
    main()
