"""Fairness: a model's measures by skin tone, by light, and by how dark clothes are.

Skin tone is the individual typology angle of the pixels that are labelled skin, in the six groups of Chardon 1991 and
Del Bino 2013. In a photo it depends on the light too, so a group is of photos, not of people.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import scipy.io

from clothseg.labels import GARMENTS, load_label_map
from clothseg.training.eval.bootstrap import Interval, intervals, measures
from clothseg.training.eval.metrics import confusion
from clothseg.training.eval.predictors import Predictor
from clothseg.training.samples import DataSet, Sample, read

Mask = npt.NDArray[np.bool_]

SKIN_TONES: Final = (
    ("very light", 55),
    ("light", 41),
    ("intermediate", 28),
    ("tan", 10),
    ("brown", -30),
    ("dark", -91),
)
"""Name and the angle in degrees above which a tone is called so."""
_MIN_PX: Final = 200  # labelled skin from which its tone is measured


class Group(NamedTuple):
    """The photos that have something in common, how many, and the measures on them with their intervals."""

    kind: str
    name: str
    photos: int
    iou: dict[str, float | None]
    spread: dict[str, Interval]


def typology_angle(picture: npt.NDArray[np.uint8], skin: Mask) -> float | None:
    """The individual typology angle of skin in a picture (H, W, 3) uint8 BGR, in degrees; none where little is seen.

    arctan((L* − 50) / b*) of the medians: 90 for the lightest, −90 for the darkest.
    """
    if np.count_nonzero(skin) < _MIN_PX:
        return None
    lab = cv2.cvtColor(picture[skin][None].astype(np.float32) / 255, cv2.COLOR_BGR2LAB)[0]
    lightness, _, yellow = np.median(lab, axis=0)
    return float(np.degrees(np.arctan2(lightness - 50, max(yellow, 1e-6))))


def skin_tone(angle: float) -> str:
    """The group an angle in degrees belongs to."""
    return next(name for name, above in SKIN_TONES if angle > above)


def light(picture: npt.NDArray[np.uint8]) -> str:
    """Return how bright a picture (H, W, 3) uint8 BGR is on the whole."""
    return _third(picture, np.ones(picture.shape[:2], np.bool_), 40, 65, "scene")


def cloth(sample: Sample) -> str | None:
    """Return how dark the clothes in a picture are; None where there are none."""
    worn = np.isin(sample.mask, GARMENTS)
    return _third(sample.picture, worn, 25, 55, "clothes") if worn.any() else None


def _third(picture: npt.NDArray[np.uint8], where: Mask, low: float, high: float, noun: str) -> str:
    pixels = picture[where][None].astype(np.float32) / 255
    lightness = float(np.median(cv2.cvtColor(pixels, cv2.COLOR_BGR2LAB)[..., 0]))
    return f"{'dark' if lightness < low else 'bright' if lightness > high else 'middling'} {noun}"


def labelled_skin(data: DataSet) -> Callable[[str], Mask]:
    """For a photo of Clothing Co-Parsing by name, where it is labelled skin. Raises ValueError for another layout."""
    if data.layout != "ccp" or data.labels is None:
        raise ValueError(
            f"skin is labelled in Clothing Co-Parsing alone, got layout {data.layout}; name such a data set"
        )
    names = [str(cell[0]) for cell in scipy.io.loadmat(data.root / "label_list.mat")["label_list"][0]]
    load_label_map(data.labels).table(names)  # raises where the list of labels is another
    index = names.index("skin")

    def skin(name: str) -> Mask:
        path = data.root / f"annotations/pixel-level/{name}.mat"
        return np.asarray(scipy.io.loadmat(path)["groundtruth"] == index)

    return skin


def by_group(data: DataSet, predict: Predictor, tick: Callable[[], None]) -> list[Group]:
    """The measures on the photos of a data set, all together and group by group."""
    skin = labelled_skin(data)
    tables: dict[tuple[str, str], list[npt.NDArray[np.int64]]] = {}
    for sample in read(data):
        table = confusion(sample.mask, predict(sample).parts)
        for key in _groups(sample, skin(sample.name)):
            tables.setdefault(key, []).append(table)
        tick()
    order = [name for name, _ in SKIN_TONES]
    keys = sorted(tables, key=lambda key: (_KINDS.index(key[0]), order.index(key[1]) if key[1] in order else 0, key[1]))
    return [_group(key, tables[key]) for key in keys]


_KINDS: Final = ("all", "skin", "light", "clothes")


def _groups(sample: Sample, skin: Mask) -> Iterator[tuple[str, str]]:
    yield "all", "all photos"
    angle = typology_angle(sample.picture, skin)
    if angle is not None:
        yield "skin", skin_tone(angle)
    yield "light", light(sample.picture)
    worn = cloth(sample)
    if worn is not None:
        yield "clothes", worn


def _group(key: tuple[str, str], tables: Sequence[npt.NDArray[np.int64]]) -> Group:
    stacked = np.stack(tables)
    return Group(*key, len(tables), measures(stacked.sum(axis=0)), intervals(stacked))
