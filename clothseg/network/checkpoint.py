"""Weights on disk: safetensors whose header says all that inference needs to know."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_WEIGHTS: Final = Path(__file__).parents[1] / "weights" / "lite0-stem2.safetensors"

# Of RGB in 0..1: what the original was trained with.
IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)

# The format's own bound (100 MB) is far above any header of ours.
_LARGEST_HEADER_BYTES: Final = 16 * 1024 * 1024


class Metadata(msgspec.Struct, frozen=True, omit_defaults=False):
    """What a checkpoint says of itself. In the file each value is a string, JSON inside where not a name.

    Unknown keys in a file are ignored: a newer version may say more.
    """

    classes: tuple[str, ...]
    stages: str
    stem: int
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    area_px: int = 76800  # pixels at the network's input, whatever the aspect
    multiple_px: int = 16  # both sides of the input are multiples of this
    metrics: dict[str, dict[str, float]] = msgspec.field(default_factory=dict)  # list → measure → value
    licence: str = ""
    data: str = ""  # what it was trained on
    data_hash: str = ""
    revision: str = ""  # git revision of the code that trained it
    config: str = ""  # the training configuration, YAML

    @property
    def architecture(self) -> str:
        """The key in `architecture.ARCHITECTURES`."""
        return self.stages if self.stem == 1 else f"{self.stages}-stem{self.stem}"


_TEXT: Final = frozenset({"stages", "licence", "data", "data_hash", "revision", "config"})


def read_metadata(path: Path) -> Metadata:
    """Read what a checkpoint says of itself, without torch and without reading the weights.

    Raises FileNotFoundError, or ValueError where the file is not a checkpoint of ours.
    """
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= _LARGEST_HEADER_BYTES:
            raise ValueError(f"{path}: not a safetensors file; convert other formats with tools/import_checkpoint.py")
        header = file.read(length)
    try:
        strings = msgspec.json.decode(header, type=dict[str, Any]).get("__metadata__", {})
        values = {k: v if k in _TEXT else msgspec.json.decode(v) for k, v in strings.items() if k in _FIELDS}
        return msgspec.convert(values, Metadata)
    except (msgspec.MsgspecError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path}: its header does not describe a model of ours ({error}); "
            "convert it with tools/import_checkpoint.py"
        ) from None


def load(path: Path) -> tuple[Metadata, dict[str, Tensor]]:
    """Read a checkpoint: what it says of itself, and its state dict in float32."""
    import torch
    from safetensors.torch import load_file

    metadata = read_metadata(path)
    state = {k: v.to(torch.float32) if v.is_floating_point() else v for k, v in load_file(path).items()}
    return metadata, state


def save(path: Path, metadata: Metadata, state: dict[str, Tensor], dtype: Any = None) -> None:
    """Write a checkpoint whole or not at all: a full disk or a kill leaves the previous file as it was.

    `dtype`: float16 unless given. The file is synced to disk before it takes its name.
    """
    import torch
    from safetensors.torch import save as to_bytes

    dtype = dtype or torch.float16
    tensors = {
        k: (v.detach().to(dtype) if v.is_floating_point() else v.detach()).contiguous() for k, v in state.items()
    }
    values = msgspec.to_builtins(metadata)
    strings = {k: v if k in _TEXT else msgspec.json.encode(v).decode() for k, v in values.items()}
    write_atomically(path, to_bytes(tensors, strings))


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a name of its own, sync it, and rename it into place; on failure nothing is left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


_FIELDS: Final = frozenset(Metadata.__struct_fields__)
