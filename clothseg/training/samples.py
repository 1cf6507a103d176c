"""Labelled pictures, read from the layouts of public data sets and kept decoded in memory."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import cv2
import msgspec
import numpy as np
import numpy.typing as npt
import scipy.io

from clothseg.labels import BACKGROUND, CLASSES, IGNORE, LabelMap, load_label_map
from clothseg.transforms import mask_to_network, network_size, to_network


class Sample(msgspec.Struct, frozen=True):
    """One picture (H, W, 3) uint8 BGR and its mask (H, W) uint8 of class indices, `IGNORE` where unknown."""

    name: str
    picture: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.uint8]


class DataSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where labelled pictures lie, how they are laid out, and how often they are drawn."""

    layout: str
    root: Path
    labels: Path | None = None  # a label map; none where the masks hold class indices already
    split: Path | None = None  # names, one a line, relative to root; none: all
    weight: float = 1.0  # how often one of its pictures is drawn, against those of other sets
    dress_weight: float = 1.0  # the same again for a picture that shows a dress


def read_picture(path: Path) -> npt.NDArray[np.uint8]:
    """Decode a picture (H, W, 3) uint8 BGR; ValueError where it is empty or cannot be decoded."""
    content = np.frombuffer(path.read_bytes(), np.uint8)
    picture = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if picture is None:
        raise ValueError(f"{path}: not a picture that can be decoded ({content.size} bytes); remove or replace it")
    return np.asarray(picture, np.uint8)


def read_index_mask(path: Path) -> npt.NDArray[np.uint8]:
    """Decode a mask of indices (H, W) uint8, palette or grey PNG; ValueError where it is not one."""
    content = np.frombuffer(path.read_bytes(), np.uint8)
    mask = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if content.size else None
    if mask is None or mask.ndim != 2 or mask.dtype != np.uint8:
        raise ValueError(f"{path}: expected an 8-bit PNG with one channel of indices; save the mask as one")
    return np.asarray(mask, np.uint8)


def read_ccp(data: DataSet) -> Iterator[Sample]:
    """Clothing Co-Parsing: `photos/`, `annotations/pixel-level/*.mat`, `label_list.mat` (Yang et al. 2014)."""
    names = [str(cell[0]) for cell in scipy.io.loadmat(data.root / "label_list.mat")["label_list"][0]]
    table = _label_map(data).table(names)
    for name in _names(data, data.root / "annotations/pixel-level", ".mat"):
        labels = scipy.io.loadmat(data.root / f"annotations/pixel-level/{name}.mat")["groundtruth"]
        yield _checked(name, read_picture(data.root / f"photos/{name}.jpg"), _mapped(name, labels, table))


def read_folder(data: DataSet) -> Iterator[Sample]:
    """`images/NAME.jpg|png` and `masks/NAME.png` with class indices, 255 where not judged."""
    table = np.arange(len(CLASSES), dtype=np.uint8)
    for name in _names(data, data.root / "masks", ".png"):
        picture = next((data.root / "images").glob(f"{name}.*"), None)
        if picture is None:
            raise ValueError(f"{data.root / 'images'}: no picture for the mask {name}.png; add it or remove the mask")
        mask = read_index_mask(data.root / f"masks/{name}.png")
        yield _checked(name, read_picture(picture), _mapped(name, mask, table))


LAYOUTS: Final[dict[str, Callable[[DataSet], Iterator[Sample]]]] = {"ccp": read_ccp, "folder": read_folder}


def read_data_set(path: Path) -> DataSet:
    """A data set described in YAML; ValueError where the file says something else."""
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=DataSet, dec_hook=decode_path)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}: {error}; a data set has layout, root, and where needed split and labels") from None


def decode_path(kind: type, value: object) -> object:
    """For msgspec, which leaves paths in YAML to its caller."""
    if kind is not Path or not isinstance(value, str):
        raise NotImplementedError(f"no way to read {kind.__name__}")
    return Path(value)


def read(data: DataSet) -> Iterator[Sample]:
    """The samples of a data set, in the order of its split. Raises ValueError for what cannot be trained on."""
    if data.layout not in LAYOUTS:
        raise ValueError(f"unknown layout {data.layout!r}; expected one of {', '.join(LAYOUTS)}")
    return LAYOUTS[data.layout](data)


def shrink(sample: Sample, area_px: int) -> Sample:
    """The sample at about `area_px` pixels, never enlarged; the mask by nearest neighbour."""
    height, width = sample.mask.shape
    if height * width <= area_px:
        return sample
    size = network_size(height, width, area_px, 1)
    return Sample(sample.name, to_network(sample.picture, size), mask_to_network(sample.mask, size))


def _label_map(data: DataSet) -> LabelMap:
    if data.labels is None:
        raise ValueError(f"{data.root}: layout {data.layout} needs a label map; set `labels`")
    return load_label_map(data.labels)


def _names(data: DataSet, folder: Path, suffix: str) -> list[str]:
    if data.split is None:
        names = sorted(path.stem for path in folder.glob(f"*{suffix}"))
    else:
        names = (data.root / data.split).read_text().split()
    if not names:
        raise ValueError(f"{data.root}: no labelled picture in {data.split or folder}; expected at least one")
    return names


def _mapped(name: str, labels: npt.NDArray[np.uint8], table: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    known = np.full(256, BACKGROUND, np.uint8)
    known[: len(table)] = table
    known[IGNORE] = IGNORE
    unknown = np.setdiff1d(labels, [*range(len(table)), IGNORE])
    if unknown.size:
        raise ValueError(f"{name}: the mask holds index {unknown[0]}, expected 0..{len(table) - 1} or {IGNORE}")
    return known[labels]


def _checked(name: str, picture: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8]) -> Sample:
    if picture.shape[:2] != mask.shape:
        raise ValueError(
            f"{name}: the picture is {picture.shape[1]}×{picture.shape[0]}, its mask "
            f"{mask.shape[1]}×{mask.shape[0]}; both must be of one size"
        )
    return Sample(name, picture, mask)
