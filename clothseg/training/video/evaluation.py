"""Scores a clip: the network's masks frame by frame, the same smoothed and matted, and masks made elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from clothseg.classes import USUAL
from clothseg.labels import BACKGROUND, CLASSES, GARMENTS
from clothseg.matting.matting import Matte, Matting, class_shares, matte, previous_matte, upsample
from clothseg.temporal.smoothing import Smoothing, smooth
from clothseg.temporal.state import SmoothingState
from clothseg.training.samples import read_index_mask
from clothseg.training.video.clips import ClipFrame, mask_shares, near
from clothseg.training.video.metrics import Scorer, Scores, warp

Pixels = NDArray[np.uint8]
MaskMaker = Callable[[Pixels, Pixels, int], Pixels]
"""Makes masks, shares (K, H, W) uint8, of probabilities (K, h, w), their picture and its time in ns."""

_NO_TRUTH: Final = ("iou", "dtssd", "boundary_f", "lag_frames", "ghost")


class KeptFrame(NamedTuple):
    """A frame kept for a person to look at: the picture and each maker's masks, shares (K, H, W)."""

    picture: Pixels
    masks: dict[str, Pixels]


class ClipScores(NamedTuple):
    """A scored clip: by maker and class, the scores; `curves` over the frames; and the frames to look at."""

    scores: dict[str, dict[str, Scores]]
    curves: dict[str, dict[str, list[tuple[float | None, ...]]]]
    kept_frames: list[KeptFrame]


def raw_masks() -> MaskMaker:
    """The network's own masks, enlarged: no smoothing, no matting."""
    return lambda probabilities, picture, _: class_shares(upsample(probabilities, picture, USUAL), len(probabilities))


def stream_masks(smoothing: Smoothing | None, matting: Matting | None) -> MaskMaker:
    """Masks as the stream makes them; None leaves a step out."""
    state: SmoothingState | None = None
    before: tuple[Matte, int] | None = None

    def make(probabilities: Pixels, picture: Pixels, pts_ns: int) -> Pixels:
        nonlocal state, before
        if smoothing is not None:
            state, probabilities = smooth(state, probabilities, picture, pts_ns, smoothing, garments=len(GARMENTS))
        previous = None if before is None else previous_matte(*before, state, pts_ns)
        if matting is None:
            lifted = upsample(probabilities, picture, USUAL)
        else:
            lifted = matte(probabilities, picture, USUAL, matting, previous)
        before = lifted, pts_ns
        return class_shares(lifted, len(probabilities))

    return make


def masks_from_folder(folder: Path) -> MaskMaker:
    """Masks made elsewhere: one PNG a frame in the order of their names, class indices or a person's matte."""
    paths = iter(sorted(folder.glob("*.png")))

    def make(_: Pixels, __: Pixels, ___: int) -> Pixels:
        path = next(paths, None)
        if path is None:
            raise ValueError(f"{folder}: fewer masks than the clip has frames; one PNG a frame is needed")
        return mask_shares(read_index_mask(path))

    return make


def score(
    frames: Iterable[ClipFrame],
    probabilities: Callable[[Pixels], Pixels],
    makers: Mapping[str, MaskMaker],
    box_px: int | None,
    keep: Callable[[int], bool],
) -> ClipScores:
    """Score every maker on a clip; `box_px` leaves out what is further from truth's people.

    `probabilities` is the network; `keep` says which frames to keep to look at, by index. A truth without
    any garment judges nothing but the person. Raises ValueError for a clip without frames.
    """
    scorers = {name: Scorer() for name in makers}
    kept: list[KeptFrame] = []
    dressed, judged, last, first_ns, index = False, False, None, 0, -1
    for index, frame in enumerate(frames):
        first_ns = frame.pts_ns if last is None else first_ns
        warped = None if last is None else warp(last.picture, frame.picture, frame.motion)
        if frame.truth is not None:
            judged, dressed = True, dressed or bool(frame.truth[list(GARMENTS)].any())
        planes = probabilities(frame.picture)
        masks = {}
        for name, make in makers.items():
            start = time.thread_time()
            made = make(planes, frame.picture, frame.pts_ns)
            milliseconds = (time.thread_time() - start) * 1000
            masks[name] = made if box_px is None or frame.truth is None else _within(made, near(frame.truth, box_px))
            scorers[name].add(masks[name], frame.truth, warped, milliseconds)
        if keep(index):
            kept.append(KeptFrame(frame.picture, masks))
        last = frame
    if last is None:
        raise ValueError("expected a clip with at least one frame, got none")
    # The last frame is shown as long as the others.
    duration_s = (last.pts_ns - first_ns) / 1e9 * (index + 1) / max(index, 1)
    known = {CLASSES[k] for k in range(1, len(CLASSES)) if judged and (dressed or k not in GARMENTS)}
    scores = {
        name: {
            label: found if label in known else structs.replace(found, **dict.fromkeys(_NO_TRUTH))
            for label, found in scorer.scores(duration_s).items()
        }
        for name, scorer in scorers.items()
    }
    return ClipScores(scores, {name: scorer.curves for name, scorer in scorers.items()}, kept)


def _within(masks: Pixels, inside: NDArray[np.bool_]) -> Pixels:
    """Masks (K, H, W) with nothing but background outside."""
    kept = np.where(inside, masks, np.uint8(0))
    kept[BACKGROUND, ~inside] = 255
    return kept


def mean_scores(clips: Sequence[dict[str, Scores]]) -> dict[str, Scores]:
    """The mean over clips of each score by class; clips in which it cannot be known are left out."""

    def mean(label: str, field: str) -> float | None:
        values = [value for clip in clips if (value := getattr(clip[label], field)) is not None]
        return float(np.mean(values)) if values else None

    fields = [field.name for field in structs.fields(Scores)]
    return {label: Scores(**{field: mean(label, field) for field in fields}) for label in CLASSES[1:]}


def mean_ratios(
    clips: Sequence[tuple[dict[str, Scores], dict[str, Scores]]], labels: Sequence[str], field: str
) -> float | None:
    """Mean over clips and classes of second ÷ first of a score where both are known and the first is not 0."""
    ratios = []
    for first, second in clips:
        for label in labels:
            before, after = getattr(first[label], field), getattr(second[label], field)
            if before and after is not None:
                ratios.append(after / before)
    return float(np.mean(ratios)) if ratios else None


def mean_gains(
    clips: Sequence[tuple[dict[str, Scores], dict[str, Scores]]], labels: Sequence[str], field: str
) -> float | None:
    """Mean over clips and classes of second − first of a score where both are known."""
    gains = []
    for first, second in clips:
        for label in labels:
            before, after = getattr(first[label], field), getattr(second[label], field)
            if before is not None and after is not None:
                gains.append(after - before)
    return float(np.mean(gains)) if gains else None
