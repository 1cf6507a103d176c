"""Crowds made of labelled people: several in a frame, near and far, cut and half hidden, among things that are none.

Copy and paste (Ghiasi et al. 2021, arXiv:2012.07177) with exact masks, and who each pixel belongs to.
"""

from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import cv2
import msgspec
import numpy as np
import numpy.typing as npt
from numpy.random import Generator

from clothseg.labels import BACKGROUND
from clothseg.training.samples import Sample, downscale, read_picture
from clothseg.training.train.augmentation import Size
from clothseg.training.train.figures import Cutout, crop, cut_out_figure, relit, resized
from clothseg.training.train.scenery import draw_place
from clothseg.training.train.things import draw_thing, read_things

Pixels = npt.NDArray[np.uint8]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]

_NO_ONE: Final = 0  # in the plane of identities
_PLACE_PX: Final = 110_000  # size at which a place is kept in memory


class Crowds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings for crowds made of the training pictures' figures. Shares are of made frames unless stated otherwise."""

    share: Share = 0.4  # of all pictures of training
    people: tuple[int, int] = (1, 5)  # in a frame
    height: tuple[float, float] = (0.14, 1.5)  # of a person, of the frame's
    no_one: Share = 0.08  # things alone
    close_up: Share = 0.12  # one person so near that only a part is seen, down to an arm
    seated: Share = 0.2  # a table's edge hides everybody's legs
    things: Share = 0.6  # frames with things among the people
    things_from: Path | None = None  # pictures and masks of things; none: they are all drawn
    garments_from: Path | None = None  # pictures and alpha of garments, laid or hung where no one wears them
    places_from: Path | None = None  # a folder of pictures that show no one
    surroundings: tuple[str, ...] = ()  # photos beside whose figures no one is seen; none named: all of them
    only: tuple[str, ...] = ()  # patterns of names: of things, garments and places no others; none: all of them
    but: tuple[str, ...] = ()  # and of these none, as what is scored on is not trained on


class Crowd(NamedTuple):
    """A made frame: picture (h, w, 3) uint8 BGR, mask (h, w) uint8 of class indices, and whose each pixel is.

    people: (h, w) uint8, 0 no one's, 1 and up one person each, nearer ones later. heights: of each, of the frame's,
    seen or not.
    """

    picture: Pixels
    mask: Pixels
    people: Pixels
    heights: tuple[float, ...]


class CrowdMaker:
    """All that crowds are made of, in memory. Raises ValueError where `samples` show no whole figure."""

    def __init__(self, settings: Crowds, samples: Sequence[Sample], chances: npt.NDArray[np.float64]) -> None:
        self.settings = settings
        cut = [(cut_out_figure(sample), chance) for sample, chance in zip(samples, chances, strict=True)]
        self.figures = [figure for figure, _ in cut if figure is not None]
        if not self.figures:
            raise ValueError("crowds are made of whole labelled people; the training pictures show none")
        weights = np.array([chance for figure, chance in cut if figure is not None])
        self._chances = weights / weights.sum()
        self._surroundings = [s for s in samples if not settings.surroundings or s.name in settings.surroundings]
        if not self._surroundings:
            raise ValueError(f"no picture is named as one of the surroundings {settings.surroundings}; correct them")
        self._things = _read_cutouts(settings.things_from, "masks", settings)
        self._garments = _read_cutouts(settings.garments_from, "alpha", settings)
        self._places = _read_places(settings)

    def make(self, size: Size, rng: Generator) -> Crowd:
        """A frame of (h, w); all chance comes from `rng`."""
        place = draw_place(self._surroundings, self._places, size, rng)
        frame = _Frame(place, np.full(size, BACKGROUND, np.uint8), np.full(size, _NO_ONE, np.uint8))
        kind, settings = rng.random(), self.settings
        if kind < settings.no_one:
            self._scatter(frame, int(rng.integers(1, 5)), rng)
            return Crowd(*frame, heights=())
        if kind < settings.no_one + settings.close_up:
            return Crowd(*frame, heights=(self._close_up(frame, rng),))
        heights = self._heights(rng)
        if rng.random() < settings.things:
            self._scatter(frame, int(rng.integers(1, 3)), rng)
        if rng.random() < settings.seated:
            self._seat(frame, heights, rng)
        else:
            self._stand(frame, heights, rng)
        if rng.random() < 0.5 * settings.things:
            self._scatter(frame, 1, rng)  # in front of a person, perhaps
        return Crowd(*frame, heights=tuple(heights))

    def _figure(self, rng: Generator) -> Cutout:
        return self.figures[int(rng.choice(len(self.figures), p=self._chances))]

    def _heights(self, rng: Generator) -> list[float]:
        """Of everybody, the farthest first: evenly spread over octaves; half the time all are about as far."""
        low, high = np.log(self.settings.height)
        count = int(rng.integers(self.settings.people[0], self.settings.people[1] + 1))
        if rng.random() < 0.5:
            middle = rng.uniform(low, high)
            return sorted(np.exp(np.clip(middle + rng.uniform(-0.2, 0.2, count), low, high)).tolist())
        return sorted(np.exp(rng.uniform(low, high, count)).tolist())

    def _stand(self, frame: "_Frame", heights: Sequence[float], rng: Generator) -> None:
        """People on a floor that rises to a horizon: who is far is small and stands higher."""
        h, w = frame.mask.shape
        horizon, eye = rng.uniform(0.1, 0.5), rng.uniform(0.7, 1.1)
        for number, height in enumerate(heights, start=1):
            figure = self._figure(rng)
            foot = min(horizon + eye * height + rng.uniform(-0.03, 0.03), 1.5)
            # Of who is larger than the frame the head is seen more often than the feet.
            if height > 0.8 and rng.random() < 0.6:
                foot = rng.uniform(0.02, 0.25) + height
            if not figure.grounded:
                foot = max(foot, 1.02)
            worn = relit(resized(figure, max(round(height * h), 6), rng), frame.picture, rng)
            if figure.grounded and foot < 1 and rng.random() < 0.5:
                _shade_floor(frame.picture, (rng.uniform(0, 1), foot), worn.mask.shape, rng)
            left = round(rng.uniform(-0.05, 1.05) * w - worn.mask.shape[1] / 2)
            paste(frame, worn, (round(foot * h) - worn.mask.shape[0], left), number)

    def _seat(self, frame: "_Frame", heights: Sequence[float], rng: Generator) -> None:
        """People behind a table whose edge hides their legs, or more."""
        h, w = frame.mask.shape
        edge = rng.uniform(0.45, 0.95)
        for number, height in enumerate(heights, start=1):
            seen = rng.uniform(0.35, 0.6)
            figure = self._figure(rng)
            upper = crop(figure, slice(0, max(int(seen * figure.mask.shape[0]), 4)))
            worn = relit(resized(upper, max(round(seen * height * h), 6), rng), frame.picture, rng)
            left = round(rng.uniform(0, 1) * w - worn.mask.shape[1] / 2)
            paste(frame, worn, (round((edge + 0.01) * h) - worn.mask.shape[0], left), number)
        paste(frame, _table((h - round(edge * h), w), self._cloth(rng), rng), (round(edge * h), 0), _NO_ONE)
        if rng.random() < self.settings.things:
            self._scatter(frame, int(rng.integers(1, 4)), rng, foot=(edge, edge + 0.3), height=(0.05, 0.3))

    def _close_up(self, frame: "_Frame", rng: Generator) -> float:
        """One person so near that the frame shows a part: about a point of the figure, wherever it is."""
        h, w = frame.mask.shape
        figure = self._figure(rng)
        height = float(rng.uniform(1.6, 4.0))
        near = relit(resized(figure, round(height * h), rng), frame.picture, rng)
        rows, columns = np.nonzero(near.mask[: round(0.75 * len(near.mask))])
        at = int(rng.integers(len(rows)))
        top = round(h * rng.uniform(0.2, 0.8)) - int(rows[at])
        if not figure.grounded:
            top = max(top, h - near.mask.shape[0])
        paste(frame, near, (top, round(w * rng.uniform(0.1, 0.9)) - int(columns[at])), 1)
        if rng.random() < self.settings.things:
            self._scatter(frame, int(rng.integers(1, 3)), rng, height=(0.2, 0.7))
        return height

    def _scatter(
        self,
        frame: "_Frame",
        count: int,
        rng: Generator,
        foot: tuple[float, float] = (0.3, 1.1),
        height: tuple[float, float] = (0.08, 0.9),
    ) -> None:
        """Things that are no people, somewhere."""
        h, w = frame.mask.shape
        for _ in range(count):
            tall = float(np.exp(rng.uniform(*np.log(height))))
            found = resized(self._thing(rng), max(round(tall * h), 4), rng)
            found = relit(found, frame.picture, rng)
            left = round(rng.uniform(0, 1) * w - found.mask.shape[1] / 2)
            paste(frame, found, (round(rng.uniform(*foot) * h) - found.mask.shape[0], left), _NO_ONE)

    def _thing(self, rng: Generator) -> Cutout:
        kind = rng.random()
        if self._things and kind < 0.25:
            return self._things[int(rng.integers(len(self._things)))]
        if self._garments and kind < 0.5:
            return self._garments[int(rng.integers(len(self._garments)))]
        return draw_thing(self._cloth(rng), rng)

    def _cloth(self, rng: Generator) -> Pixels:
        """A pattern (h, w, 3): from the middle of a garment, or of a place."""
        sources = self._garments or self.figures
        picture = sources[int(rng.integers(len(sources)))].picture
        h, w = picture.shape[:2]
        return picture[h // 3 : h // 3 + max(h // 3, 1), w // 3 : w // 3 + max(w // 3, 1)]


class _Frame(NamedTuple):
    """The canvas of a crowd, painted in place: see `Crowd`."""

    picture: Pixels
    mask: Pixels
    people: Pixels


def paste(frame: _Frame, cutout: Cutout, corner: tuple[int, int], number: int) -> None:
    """Paint a cutout with its upper left corner at (row, column), in place; `number` is whose its pixels are.

    A pixel belongs to what owns half of it or more.
    """
    height, width = cutout.mask.shape
    (top, left), (h, w) = corner, frame.mask.shape
    rows, columns = slice(max(top, 0), min(top + height, h)), slice(max(left, 0), min(left + width, w))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    source = np.s_[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    there, alpha = np.s_[rows, columns], cutout.alpha[source]
    share = cv2.cvtColor(np.ascontiguousarray(alpha), cv2.COLOR_GRAY2BGR)
    shown = cv2.multiply(np.ascontiguousarray(cutout.picture[source]), share, scale=1 / 255)
    behind = cv2.multiply(np.ascontiguousarray(frame.picture[there]), cv2.bitwise_not(share), scale=1 / 255)
    frame.picture[there] = cv2.add(shown, behind)
    owned = alpha > 127
    if number != _NO_ONE:
        owned &= cutout.mask[source] != BACKGROUND
    frame.mask[there][owned] = cutout.mask[source][owned]
    frame.people[there][owned] = number


def _table(size: Size, cloth: Pixels, rng: Generator) -> Cutout:
    """A table's top and front (h, w), plain or covered, from its edge down to the frame's lower end."""
    h, w = max(size[0], 1), size[1]
    if rng.random() < 0.4:
        picture = cv2.resize(cloth, (w, h), interpolation=cv2.INTER_LINEAR)
    else:
        colour = rng.uniform(15, 240, 3)
        picture = np.clip(colour * np.linspace(1.1, 0.7, h)[:, None, None] + np.zeros((h, w, 1)), 0, 255)
    front = int(h * rng.uniform(0.1, 0.9))
    shaded = np.asarray(picture, np.float32)
    shaded[front:] *= rng.uniform(0.5, 0.9)
    return Cutout(shaded.astype(np.uint8), np.full((h, w), 255, np.uint8), np.full((h, w), BACKGROUND, np.uint8))


def _shade_floor(picture: Pixels, foot: tuple[float, float], figure: Size, rng: Generator) -> None:
    """Paint a soft shadow on the floor under a figure's feet, in place."""
    h, w = picture.shape[:2]
    x, y, wide = round(foot[0] * w), round(foot[1] * h), max(figure[1] // 2, 2)
    box = np.s_[max(y - wide // 2, 0) : y + wide // 2 + 1, max(x - wide, 0) : x + wide + 1]
    if not picture[box].size:
        return
    shade = np.full(picture[box].shape[:2], 1, np.float32)
    centre = (x - max(x - wide, 0), y - max(y - wide // 2, 0))
    cv2.ellipse(shade, centre, (wide, max(wide // 4, 1)), 0, 0, 360, float(rng.uniform(0.4, 0.9)), -1)
    shade = cv2.blur(shade, (max(wide // 3, 1),) * 2)
    picture[box] = (picture[box] * shade[..., None]).astype(np.uint8)


def _read_cutouts(folder: Path | None, masks: str, settings: Crowds) -> list[Cutout]:
    if folder is None:
        return []
    return [found for name, found in read_things(folder, masks) if _used(name, settings)]


def _read_places(settings: Crowds) -> list[Pixels]:
    """The pictures of places, and those of things whole, which show no one either."""
    folders = [settings.places_from, settings.things_from and settings.things_from / "images"]
    paths = [path for folder in folders if folder for path in sorted(folder.iterdir()) if _used(path.stem, settings)]
    pictures = (read_picture(path) for path in paths)
    return [downscale(Sample("", picture, picture[..., 0]), _PLACE_PX).picture for picture in pictures]


def _used(name: str, settings: Crowds) -> bool:
    def matches(patterns: tuple[str, ...]) -> bool:
        return any(fnmatch(name, pattern) for pattern in patterns)

    return (not settings.only or matches(settings.only)) and not matches(settings.but)
