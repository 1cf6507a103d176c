"""The usual five classes by index, and maps from the labels of public data sets to classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from clothseg.classes import USUAL

# Classes that the data sets here are mapped to. A model may have others: see `clothseg.classes`.
CLASSES: Final = USUAL.names
BACKGROUND, PERSON, TOP, BOTTOM, DRESS = range(len(CLASSES))
GARMENTS: Final = (TOP, BOTTOM, DRESS)
PALETTE: Final = USUAL.palette

# Not judged and not learned from: pixels no one vouches for. The convention of Cityscapes and Pascal VOC.
IGNORE: Final = 255


# Not a class: a part drawn on top of a garment (a sleeve, a pocket), which stays what lies beneath it.
BENEATH: Final = 254


class LabelMap(msgspec.Struct, frozen=True):
    """Which class each label of a data set belongs to; by name, so that a reordered list cannot shift it."""

    classes: dict[str, str]  # label → a class, or "beneath"
    order: tuple[str, ...] = ()  # labels by index, where the data set itself does not say
    names: tuple[str, ...] = CLASSES  # the classes by index

    def table(self, source_labels: Sequence[str]) -> npt.NDArray[np.uint8]:
        """A look-up table: `table[index in source_labels]` is the index in `names`, or `BENEATH`.

        Shape (len(source_labels),), uint8. Raises ValueError where a source label is not mapped, or a mapped
        label is not in the source: either is a map written for another data set.
        """
        unmapped = sorted(set(source_labels) - set(self.classes))
        unknown = sorted(set(self.classes) - set(source_labels))
        if unmapped:
            raise ValueError(
                f"every source label must be mapped on purpose; not mapped: {', '.join(unmapped)}; "
                "add each to one class of the label map"
            )
        if unknown:
            raise ValueError(
                f"the label map names labels the data set does not have: {', '.join(unknown)}; "
                "correct their spelling or remove them"
            )
        places = {**{name: index for index, name in enumerate(self.names)}, "beneath": BENEATH}
        return np.array([places[self.classes[name]] for name in source_labels], np.uint8)


def load_label_map(path: Path, names: tuple[str, ...] = CLASSES) -> LabelMap:
    """Read a label map: a YAML mapping from class to a list of source labels, each class one of `names`.

    Two more lists may stand beside the classes: `beneath`, labels of parts that stay what lies under them, and
    `order`, all labels by index. Raises ValueError where the file is not such a mapping, or names an unknown
    class or a label twice.
    """
    try:
        lists = msgspec.yaml.decode(path.read_bytes(), type=dict[str, list[str]])
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}: expected a mapping from class to a list of labels: {error}") from None
    order = tuple(lists.pop("order", ()))
    unknown = sorted(set(lists) - {*names, "beneath"})
    if unknown:
        raise ValueError(f"{path}: unknown class {', '.join(unknown)}; expected some of {', '.join(names)}")
    classes: dict[str, str] = {}
    for name, labels in lists.items():
        for label in labels:
            if label in classes:
                raise ValueError(f"{path}: {label!r} is mapped twice, to {classes[label]} and {name}; keep one")
            classes[label] = name
    return LabelMap(classes, order, names)
