"""Weights on disk: safetensors whose header holds all that inference needs."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from clothseg.classes import ClassEntry, ClassMap, class_map

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_WEIGHTS: Final = Path(__file__).parents[1] / "weights" / "lite0-stem2.safetensors"

# Of RGB in 0..1: what the original was trained with.
IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)

# The format's own bound (100 MB) is far above any header of our networks.
_LARGEST_HEADER_BYTES: Final = 16 * 1024 * 1024


class Metadata(msgspec.Struct, frozen=True, omit_defaults=False):
    """Metadata of a model file, whoever made it: all that a stream needs to run it (docs/models.md).

    In the file each value is a string, JSON inside where not a name. Unknown keys are ignored: a newer version may have
    more. Raises ValueError where the role of a class is unknown.
    """

    classes: tuple[str | ClassEntry, ...] = ()  # by plane, or those that `labels` name; a usual one by its name alone
    stages: str = ""  # of our networks: the table in `architecture`, with the stem
    stem: int = 1
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD  # as `mean` in the order of `channels`
    area_px: int = 76800  # pixels at the network's input, whatever the aspect
    multiple_px: int = 16  # both sides of the input are multiples of this
    labels: dict[str, str] = {}  # what each plane is called by who made it → one of `classes`; in the planes' order
    activation: Literal["softmax", "sigmoid", "none"] = "softmax"  # from the planes to probabilities; none: they are
    channels: Literal["rgb", "bgr"] = "rgb"  # in which order colours enter
    metrics: dict[str, dict[str, float]] = msgspec.field(default_factory=dict)  # list → measure → value
    licence: str = ""
    data: str = ""  # what it was trained on
    data_hash: str = ""
    revision: str = ""  # git revision of the code that trained it
    config: str = ""  # the training configuration, YAML

    def __post_init__(self) -> None:
        if self.area_px < 1 or self.multiple_px < 1 or min(self.std) <= 0:
            raise ValueError("expected an area, a multiple and standard deviations above 0")
        empty = [name for name, planes in zip(self.class_map.names, self.planes, strict=True) if not planes]
        unknown = sorted({*self.labels.values()} - {*self.class_map.names})
        if empty or unknown:
            raise ValueError(f"expected labels for each class and for no other; wrong: {', '.join(empty + unknown)}")

    @property
    def class_map(self) -> ClassMap:
        """The classes in the order of the pipeline, which may be another than that of the output's planes."""
        return class_map(self.classes or tuple(dict.fromkeys(self.labels.values())))

    @property
    def planes(self) -> tuple[tuple[int, ...], ...]:
        """For each class of `class_map` the planes of the output that it is the sum of."""
        listed = [entry if isinstance(entry, str) else entry.name for entry in self.classes]
        of_plane = list(self.labels.values()) or listed
        return tuple(tuple(k for k, of in enumerate(of_plane) if of == name) for name in self.class_map.names)

    @property
    def architecture(self) -> str:
        """The key in `architecture.ARCHITECTURES`."""
        return self.stages if self.stem == 1 else f"{self.stages}-stem{self.stem}"


_TEXT: Final = frozenset({"stages", "activation", "channels", "licence", "data", "data_hash", "revision", "config"})


def to_strings(metadata: Metadata) -> dict[str, str]:
    """Metadata as model files hold it."""
    values = msgspec.to_builtins(metadata)
    return {k: v if k in _TEXT else msgspec.json.encode(v).decode() for k, v in values.items()}


def from_strings(strings: Mapping[str, str]) -> Metadata:
    """Parse what `to_strings` made; raises msgspec.MsgspecError or ValueError for anything else."""
    values = {k: v if k in _TEXT else msgspec.json.decode(v) for k, v in strings.items() if k in _FIELDS}
    return msgspec.convert(values, Metadata)


def read_metadata(path: Path) -> Metadata:
    """Read a checkpoint's metadata, without torch and without reading the weights.

    Raises FileNotFoundError, or ValueError where the file is not a supported checkpoint.
    """
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= _LARGEST_HEADER_BYTES:
            raise ValueError(f"{path}: not a safetensors file; convert other formats with tools/import_checkpoint.py")
        header = file.read(length)
    try:
        return from_strings(msgspec.json.decode(header, type=dict[str, Any]).get("__metadata__", {}))
    except (msgspec.MsgspecError, ValueError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path}: its header does not describe a supported model ({error}); "
            "convert it with tools/import_checkpoint.py"
        ) from None


def load(path: Path) -> tuple[Metadata, dict[str, Tensor]]:
    """Read a checkpoint: its metadata, and its state dict in float32."""
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
    write_atomically(path, to_bytes(tensors, to_strings(metadata)))


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
