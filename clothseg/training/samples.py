"""Labelled pictures, read from the layouts of public data sets and kept decoded in memory."""

import csv
import glob
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

import cv2
import msgspec
import numpy as np
import numpy.typing as npt
import scipy.io

from clothseg import shipped
from clothseg.labels import BENEATH, CLASSES, IGNORE, LabelMap, load_label_map
from clothseg.network.transforms import mask_to_network, network_size, to_network
from clothseg.training.corrections import Correction, corrected, read_corrections
from clothseg.training.skirts import skirts_are_bottoms


class Sample(msgspec.Struct, frozen=True):
    """One picture (H, W, 3) uint8 BGR and its mask (H, W) uint8 of class indices, `IGNORE` where unknown."""

    name: str
    picture: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.uint8]


class DataSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A data set: its folder, its layout, and how often its pictures are drawn."""

    layout: str
    root: Path
    labels: Path | None = None  # a label map; none where the masks hold class indices already
    classes: tuple[str, ...] = CLASSES  # by index; a training run sets its own
    split: Path | None = None  # names, one a line, relative to root; none: all
    images: str = "images"  # of layout folder: where the pictures lie
    masks: str = "masks"  # of layout folder: where the index PNGs lie
    weight: float = 1.0  # how often one of its pictures is drawn, against those of other sets
    dress_weight: float = 1.0  # the same again for a picture that shows a dress
    skirts: Literal["as-labelled", "bottoms"] = "as-labelled"  # bottoms: also those that the labels call a dress
    corrections: Path | None = None  # what is labelled wrongly, picture by picture


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
    """A folder of pictures and one of index PNGs by the same names, as ATR, LIP and many others lie on disk.

    With a label map the indices are those of its `order`; without, those of `classes`. 255 is not judged.
    """
    if data.labels is None:
        table = np.arange(len(data.classes), dtype=np.uint8)
    else:
        labels = _label_map(data)
        table = labels.table(labels.order)
    for name in _names(data, data.root / data.masks, ".png"):
        picture = next((data.root / data.images).glob(f"{glob.escape(name)}.*"), None)
        if picture is None:
            raise ValueError(
                f"{data.root / data.images}: no picture for the mask {name}.png; add it or remove the mask"
            )
        mask = read_index_mask(data.root / data.masks / f"{name}.png")
        yield _checked(name, read_picture(picture), _mapped(name, mask, table))


def read_run_lengths(data: DataSet) -> Iterator[Sample]:
    """iMaterialist and Fashionpedia: `train.csv` of run-length coded instances, pictures in `train/`.

    Columns ImageId, EncodedPixels, Height, Width, ClassId (`6` or `13_4_5`, attributes after the class), label
    names in `label_descriptions.json`. What no instance covers may be skin or wall, so it is not judged. Where
    two instances overlap, the later wins.
    """
    described = msgspec.json.decode((data.root / "label_descriptions.json").read_bytes())["categories"]
    names = [entry["name"] for entry in sorted(described, key=lambda entry: entry["id"])]
    table = _label_map(data).table(names)
    with (data.root / "train.csv").open(newline="") as file:
        for image, rows in itertools.groupby(csv.DictReader(file), key=lambda row: row["ImageId"]):
            path = data.root / "train" / image
            instances = list(rows)
            picture = read_picture(path.with_suffix(".jpg") if not path.suffix else path)
            mask = np.full((int(instances[0]["Height"]), int(instances[0]["Width"])), IGNORE, np.uint8)
            _checked(path.stem, picture, mask)
            for row in instances:
                index = int(row["ClassId"].split("_")[0])
                if not 0 <= index < len(table):
                    raise ValueError(f"{image}: class {index} is not one of the {len(table)} described")
                if table[index] != BENEATH:
                    mask[decode_run_lengths(row["EncodedPixels"], mask.shape)] = table[index]
            yield Sample(path.stem, picture, mask)


def decode_run_lengths(code: str, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """A mask (H, W) from `start length start length …`, counted from 1 down the columns, as on Kaggle.

    Raises ValueError where a run leaves the mask or the code is not pairs of numbers.
    """
    numbers = [int(word) for word in code.split()]
    if len(numbers) % 2:
        raise ValueError("run lengths come in pairs of start and length; the code has an odd count")
    flat = np.zeros(size[0] * size[1], np.bool_)
    for start, length in zip(numbers[::2], numbers[1::2], strict=True):
        if start < 1 or length < 0 or start - 1 + length > flat.size:
            raise ValueError(f"a run of {length} from {start} leaves a mask of {size[1]}×{size[0]}")
        flat[start - 1 : start - 1 + length] = True
    return flat.reshape(size[1], size[0]).T


LAYOUTS: Final[dict[str, Callable[[DataSet], Iterator[Sample]]]] = {
    "ccp": read_ccp,
    "folder": read_folder,
    "run-lengths": read_run_lengths,
}


def read_data_set(path: Path) -> DataSet:
    """Read a data set described in YAML; ValueError for anything else."""
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=DataSet, dec_hook=decode_path)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}: {error}; a data set has layout, root, and where needed split and labels") from None


def decode_path(kind: type, value: object) -> object:
    """A path in YAML, which msgspec leaves to its caller: yours, or what ships under that name.

    ValueError, which it tells with the place, for no text.
    """
    if kind is not Path or not isinstance(value, str):
        raise ValueError(f"expected a {kind.__name__} as text, got {value!r}")
    return shipped.find(Path(value))


def read(data: DataSet) -> Iterator[Sample]:
    """The samples of a data set, in the order of its split. Raises ValueError for what cannot be trained on."""
    if data.layout not in LAYOUTS:
        raise ValueError(f"unknown layout {data.layout!r}; expected one of {', '.join(LAYOUTS)}")
    samples = LAYOUTS[data.layout](data)
    if data.corrections is not None:
        samples = _corrected(samples, read_corrections(data.corrections))
    if data.skirts == "as-labelled":
        return samples
    if data.classes != CLASSES:
        raise ValueError(f"{data.root}: skirts are told from dresses among {', '.join(CLASSES)} alone")
    return (msgspec.structs.replace(sample, mask=skirts_are_bottoms(sample.mask)) for sample in samples)


def as_labelled(data: DataSet) -> DataSet:
    """The data set with its labels as they are."""
    return msgspec.structs.replace(data, skirts="as-labelled", corrections=None)


def _corrected(samples: Iterator[Sample], corrections: Sequence[Correction]) -> Iterator[Sample]:
    for sample in samples:
        yield msgspec.structs.replace(sample, mask=corrected(sample.name, sample.mask, corrections))


def downscale(sample: Sample, area_px: int) -> Sample:
    """The sample at about `area_px` pixels, never enlarged; the mask by nearest neighbour."""
    height, width = sample.mask.shape
    if height * width <= area_px:
        return sample
    size = network_size(height, width, area_px, 1)
    return Sample(sample.name, to_network(sample.picture, size), mask_to_network(sample.mask, size))


def _label_map(data: DataSet) -> LabelMap:
    if data.labels is None:
        raise ValueError(f"{data.root}: layout {data.layout} needs a label map; set `labels`")
    return load_label_map(data.labels, data.classes)


def _names(data: DataSet, folder: Path, suffix: str) -> list[str]:
    if data.split is None:
        names = sorted(path.stem for path in folder.glob(f"*{suffix}"))
    else:
        names = (data.root / data.split).read_text().split()
    if not names:
        raise ValueError(f"{data.root}: no labelled picture in {data.split or folder}; expected at least one")
    return names


def _mapped(name: str, labels: npt.NDArray[np.uint8], table: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    places = np.full(256, BENEATH, np.uint8)
    places[: len(table)] = table
    places[IGNORE] = IGNORE
    mapped = places[labels]
    if (mapped == BENEATH).any():
        wrong = labels[mapped == BENEATH].flat[0]
        raise ValueError(
            f"{name}: the mask holds index {wrong}, expected 0..{len(table) - 1}, or {IGNORE} for not judged"
        )
    return mapped


def _checked(name: str, picture: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8]) -> Sample:
    if picture.shape[:2] != mask.shape:
        raise ValueError(
            f"{name}: the picture is {picture.shape[1]}×{picture.shape[0]}, its mask "
            f"{mask.shape[1]}×{mask.shape[0]}; both must be of one size"
        )
    return Sample(name, picture, mask)
