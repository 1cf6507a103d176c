"""Labels for pictures no one labelled: those of models, where they are sure and agree with what is known of it.

What is known may be tags of the whole picture (one without the tag `dress` shows no dress) and a peer's person matte.
(Self-training in the manner of Lee 2013 and Xie et al. 2020, with image-level tags as a constraint.)
"""

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
import scipy.io

from clothseg.engines import Engine, open_engine
from clothseg.labels import BACKGROUND, CLASSES, IGNORE, PERSON
from clothseg.network.checkpoint import Metadata, read_metadata
from clothseg.network.transforms import network_size, probabilities_at, to_network
from clothseg.training.eval.webcam import read_clip, sure_person
from clothseg.training.samples import DataSet, Sample, read_picture

_SCALES: Final = (0.8, 1.0, 1.25)  # of the network's area
_CHANGED: Final = 35  # grey levels from which a pixel of a small frame has changed
_CHANGED_SHARE: Final = 0.004  # of the pixels: as many may, from noise
Planes = npt.NDArray[np.float32]


class Labeller:
    """Models that label pictures, their answer the mean over models, sizes and mirror images."""

    def __init__(self, weights: Sequence[Path], confidence: float = 0.6) -> None:
        self._models: list[tuple[Metadata, Engine]] = [
            (read_metadata(path), open_engine(path, "auto", "auto", 0)) for path in weights
        ]
        self._confidence = confidence

    def __call__(
        self, picture: npt.NDArray[np.uint8], allowed: Collection[int], matte: npt.NDArray[np.uint8] | None = None
    ) -> npt.NDArray[np.uint8]:
        """A mask (H, W) uint8 of a picture (H, W, 3) uint8 BGR: `IGNORE` where the models are not sure.

        allowed: the classes the picture can show. matte: a peer's person matte (H, W) uint8, followed where it is
        sure; elsewhere, at the outlines, the models alone decide.
        """
        planes = constrained(self._ensemble(picture), allowed)
        alone = confident(planes, self._confidence)
        if matte is None:
            return alone
        person = sure_person(matte)
        dressed = confident(constrained(planes, set(allowed) - {BACKGROUND}), self._confidence)
        return np.select([person == PERSON, person == BACKGROUND], [dressed, person], alone).astype(np.uint8)

    def _ensemble(self, picture: npt.NDArray[np.uint8]) -> Planes:
        """Probabilities (K, H, W), the mean over models, scales and flips."""
        height, width = picture.shape[:2]
        total = np.zeros((len(CLASSES), height, width), np.float32)
        for (metadata, engine), scale in itertools.product(self._models, _SCALES):
            size = network_size(height, width, round(metadata.area_px * scale), metadata.multiple_px)
            small = to_network(picture, size)
            for view, mirror in ((small, slice(None)), (np.ascontiguousarray(small[:, ::-1]), slice(None, None, -1))):
                planes = engine(view[None])[0][:, :, mirror]
                total += probabilities_at(np.ascontiguousarray(planes), (height, width))
        return total / np.float32(2 * len(_SCALES) * len(self._models))


def constrained(planes: Planes, allowed: Collection[int]) -> Planes:
    """Probabilities (K, H, W) given that only `allowed` classes can be there."""
    if not allowed:
        raise ValueError("no class is allowed; a picture shows at least background or a person")
    mask = np.zeros((len(planes), 1, 1), np.float32)
    mask[sorted(allowed)] = 1
    left = planes * mask
    return np.asarray(left / np.maximum(left.sum(0), 1e-6), np.float32)


def confident(planes: Planes, confidence: float) -> npt.NDArray[np.uint8]:
    """The likeliest class of each pixel (H, W) uint8, `IGNORE` where its probability is under `confidence`."""
    return np.where(planes.max(0) >= confidence, planes.argmax(0), IGNORE).astype(np.uint8)


def tagged_ccp(data: DataSet, names: Sequence[str], table: npt.NDArray[np.uint8]) -> Iterator[tuple[str, set[int]]]:
    """Photos of Clothing Co-Parsing with tags alone, each with the classes its tags allow.

    Background and person are always allowed: a tag may be forgotten, but not a person. Of the tags' classes only
    what is named is there.
    """
    for path in sorted((data.root / "annotations/image-level").glob("*.mat")):
        tags = scipy.io.loadmat(path)["tags"].ravel()
        if tags.size and int(tags.max()) >= len(names):
            raise ValueError(f"{path.stem}: tag {tags.max()} is not one of the {len(names)} labels")
        yield path.stem, {BACKGROUND, PERSON, *(int(table[tag]) for tag in tags)}


def write_samples(samples: Iterable[Sample], out: Path) -> int:
    """Write pictures and masks as a folder that trains as it is; returns how many."""
    count = 0
    for folder in ("images", "masks"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for sample in samples:
        cv2.imwrite(str(out / f"images/{sample.name}.jpg"), sample.picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
        cv2.imwrite(str(out / f"masks/{sample.name}.png"), sample.mask)
        count += 1
    return count


def empty_frames(video: Path, empty_at: int, count: int) -> list[Sample]:
    """Frames of a still camera's clip in which no one is, labelled background: those that look like frame `empty_at`.

    Evenly spread, at most `count`. Raises ValueError where the clip is shorter.
    """
    frames = list(read_clip(video, every=1))
    if empty_at >= len(frames):
        raise ValueError(f"{video}: has {len(frames)} frames, none is number {empty_at}; name one where no one is")
    small = np.stack([to_network(frame.picture, (54, 96)) for frame in frames]).astype(np.int16)
    changed = (np.abs(small - small[empty_at]).max(3) > _CHANGED).mean((1, 2))
    alike = np.flatnonzero(changed <= _CHANGED_SHARE)
    chosen = alike[np.unique(np.linspace(0, len(alike) - 1, count).astype(int))]
    return [Sample(frames[i].name, frames[i].picture, np.zeros(frames[i].mask.shape, np.uint8)) for i in chosen]


def ccp_pictures(data: DataSet, name: str) -> npt.NDArray[np.uint8]:
    """A photo of Clothing Co-Parsing."""
    return read_picture(data.root / f"photos/{name}.jpg")
