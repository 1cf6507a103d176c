"""Batches that look like what a camera sees: geometry, backgrounds, light, noise, compression, all on the batch."""

from collections.abc import Sequence

import cv2
import kornia
import msgspec
import numpy as np
import numpy.typing as npt
import torch
from numpy.random import Generator
from torch import Tensor

from clothseg.classes import USUAL
from clothseg.labels import BACKGROUND, IGNORE
from clothseg.training.samples import Sample

Size = tuple[int, int]


class Augmentation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ranges of the augmentation. Shares are of all pictures, 0..1."""

    half_body: float = 0.3  # share framed from head to hip, as a webcam does, where the frame is a square
    zoom: tuple[float, float] = (0.8, 1.25)  # of the figure against the frame
    rotation_deg: float = 8.0
    stretch: float = 0.08  # of one side against the other
    new_background: float = 0.2  # share whose whole background is replaced
    flat_lay: float = 0.02  # share that shows the garments alone, without who wears them
    empty: float = 0.04  # share that shows a place without anyone
    dyed: float = 0.0  # share of garments that take another colour, or stripes of two
    exposure: float = 0.4  # stops, either way
    white_balance: float = 0.08  # of each channel's gain, either way
    saturation: tuple[float, float] = (0.6, 1.3)
    noise: float = 0.03  # largest standard deviation, of 1
    noisy: float = 0.4  # share
    blurred: float = 0.2  # share, by motion or focus
    compressed: float = 0.2  # share, JPEG


def make_batch(
    samples: Sequence[Sample],
    backgrounds: Sequence[Sample],
    size: Size,
    settings: Augmentation,
    rng: Generator,
    *,
    framed: Sequence[Sample] = (),
    garments: range = USUAL.garments,
) -> tuple[Tensor, Tensor]:
    """Varied pictures (B, h, w, 3) uint8 BGR and their masks (B, h, w) int64; all chance comes from `rng`.

    `framed` come last: samples of (h, w) already, as made crowds are, whose figures and places stay where they are.
    `garments`: the classes that are one.
    """
    pictures, masks = _stack(samples)
    matrices = np.stack([_framing(sample, size, settings, rng) for sample in samples])
    moved, labels = _move(pictures, masks, matrices, size)
    moved, labels = _replace_background(moved, labels, backgrounds, settings, rng, garments=garments)
    moved = _dye(moved, labels, settings, rng, garments)
    if framed:
        moved = torch.cat([moved, _stack(framed)[0]])
        labels = torch.cat([labels, torch.from_numpy(np.stack([sample.mask for sample in framed])).long()])
    moved = _light(moved, settings, rng)
    moved = _sensor(moved, settings, rng)
    batch = (moved * 255 + 0.5).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    return _compress(batch, settings, rng), labels


def _stack(samples: Sequence[Sample]) -> tuple[Tensor, Tensor]:
    """Pictures (B, 3, H, W) in 0..1 and masks (B, 1, H, W) on a canvas that holds the largest of them.

    Masks are raised by one: 0 is outside the picture, and stays so when the picture is moved.
    """
    height = max(s.mask.shape[0] for s in samples)
    width = max(s.mask.shape[1] for s in samples)
    pictures = np.zeros((len(samples), height, width, 3), np.uint8)
    masks = np.zeros((len(samples), 1, height, width), np.uint8)
    for i, sample in enumerate(samples):
        h, w = sample.mask.shape
        pictures[i, :h, :w] = sample.picture
        masks[i, 0, :h, :w] = np.where(sample.mask == IGNORE, IGNORE, sample.mask + 1)
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255, torch.from_numpy(masks).float()


def foreground_mask(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return where a mask (H, W) shows a person or a garment."""
    return np.asarray((mask != BACKGROUND) & (mask != IGNORE))


def foreground_box(mask: npt.NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """The box (left, top, right, bottom) around all that is not background; the whole picture if nothing is."""
    figure = foreground_mask(mask)
    rows, columns = np.flatnonzero(figure.any(1)), np.flatnonzero(figure.any(0))
    if not rows.size:
        return 0, 0, mask.shape[1], mask.shape[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _framing(sample: Sample, size: Size, settings: Augmentation, rng: Generator) -> npt.NDArray[np.float64]:
    """The affine map (2, 3) from the sample's pixels to those of the frame."""
    h, w = size
    height, width = sample.mask.shape
    left, top, right, bottom = foreground_box(sample.mask)
    zoom = rng.uniform(*settings.zoom)
    upright = bottom - top > 1.6 * (right - left)
    if upright and rng.random() < settings.half_body * w / h:
        shown = rng.uniform(0.42, 0.65) * (bottom - top)
        scale = h * rng.uniform(0.75, 0.97) / shown
        centre = ((left + right) / 2, top + shown)
        target = (w * rng.uniform(0.35, 0.65), h * 1.0)
    else:
        # A wide picture fills the frame and keeps its figure; an upright one is shown whole.
        scale = (h / height if width > height else min(h / height, w / width)) * zoom
        centre = ((left + right) / 2 if width > height else width / 2, height / 2)
        slack = rng.uniform(-0.5, 0.5, 2) * np.array([max(0.1 * w, w - scale * width), 0.12 * h])
        target = (w / 2 + slack[0], h / 2 + slack[1])
    angle = np.deg2rad(rng.uniform(-settings.rotation_deg, settings.rotation_deg))
    stretch = 1 + rng.uniform(-settings.stretch, settings.stretch)
    flip = rng.choice((-1.0, 1.0))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = scale * turn @ np.diag([flip * stretch, 1 / stretch])
    offset = np.array(target) - linear @ np.array(centre)
    return np.column_stack([linear, offset])


def _move(pictures: Tensor, masks: Tensor, matrices: npt.NDArray[np.float64], size: Size) -> tuple[Tensor, Tensor]:
    """Pictures by bilinear, masks by nearest neighbour, through the same maps; masks become (B, h, w) int64."""
    maps = torch.from_numpy(matrices).float()
    moved = kornia.geometry.warp_affine(pictures, maps, size, "bilinear", "border", align_corners=False)
    labels = kornia.geometry.warp_affine(masks, maps, size, "nearest", "zeros", align_corners=False)
    return moved, labels[:, 0].round().long()


def _replace_background(
    pictures: Tensor,
    labels: Tensor,
    backgrounds: Sequence[Sample],
    settings: Augmentation,
    rng: Generator,
    *,
    garments: range,
) -> tuple[Tensor, Tensor]:
    """Fill what lies outside the picture, and for some pictures the whole background, with another place."""
    h, w = labels.shape[1:]
    for i in range(len(pictures)):
        chance = rng.random()
        if chance < settings.empty:
            labels[i] = 0
        elif chance < settings.empty + settings.flat_lay:
            labels[i] = labels[i].where((labels[i] > garments.start) & (labels[i] != IGNORE), 0)
        elif chance < settings.empty + settings.flat_lay + settings.new_background:
            labels[i] = labels[i].where(labels[i] != BACKGROUND + 1, 0)
        outside = labels[i] == 0
        if outside.any():
            place = torch.from_numpy(empty_place(backgrounds[int(rng.integers(len(backgrounds)))], (h, w), rng))
            # A soft seam: a hard one would be an edge to learn from that no camera shows.
            seam = kornia.filters.box_blur(outside[None, None].float(), (3, 3))[0]
            pictures[i] = torch.lerp(pictures[i], place.permute(2, 0, 1).float() / 255, seam)
    inside = labels - 1
    return pictures, torch.where(labels == 0, BACKGROUND, torch.where(labels == IGNORE, IGNORE, inside))


def empty_place(sample: Sample, size: Size, rng: Generator) -> npt.NDArray[np.uint8]:
    """A picture (h, w, 3) of a place without people: the wider strip beside the figure, stretched to the frame."""
    h, w = size
    left, _, right, _ = foreground_box(sample.mask)
    width = sample.mask.shape[1]
    if (left, right) == (0, width) and not foreground_mask(sample.mask).any():
        strip = sample.picture  # no one is in it
    else:
        strip = sample.picture[:, :left] if left > width - right else sample.picture[:, right:]
    if strip.shape[1] < 16:
        colour = rng.integers(0, 256, (1, 1, 3), np.uint8)
        return np.broadcast_to(colour, (h, w, 3)).copy()
    top = int(rng.integers(0, max(1, strip.shape[0] // 2)))
    place = cv2.resize(strip[top : top + strip.shape[0] // 2], (w, h), interpolation=cv2.INTER_LINEAR)
    return np.asarray(place, np.uint8)


def _dye(pictures: Tensor, labels: Tensor, settings: Augmentation, rng: Generator, garments: range) -> Tensor:
    """Some garments in another colour, their folds kept: a garment is to be known by its cut, not by its cloth."""
    for picture, label in zip(pictures, labels, strict=True):
        for garment in garments:
            if rng.random() >= settings.dyed or not (label == garment).any():
                continue
            region = label == garment
            # A soft seam, as labels are off by a pixel here and there: a hard one would teach their errors as edges.
            seam = kornia.filters.box_blur(region[None, None].float(), (3, 3))[0]
            folds = (picture - picture[:, region].mean(1)[:, None, None]) * float(rng.uniform(0.6, 1.6))
            picture.lerp_((_cloth(label.shape, rng) + folds).clamp(0, 1), seam)
    return pictures


def _cloth(size: torch.Size, rng: Generator) -> Tensor:
    """A plain cloth (3, 1, 1) or a striped one (3, h, w), in 0..1."""
    colours = torch.from_numpy(rng.uniform(0.03, 0.95, (2, 3, 1, 1))).float()
    angle, period_px, striped = rng.uniform(0, np.pi), rng.uniform(4, 24), rng.random() < 0.3
    if not striped:
        return colours[0]
    y, x = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    wave = torch.sin((x * np.cos(angle) + y * np.sin(angle)) * (2 * np.pi / period_px))
    return torch.lerp(colours[0], colours[1], (wave * 2 + 0.5).clamp(0, 1))


def _light(pictures: Tensor, settings: Augmentation, rng: Generator) -> Tensor:
    """Exposure, white balance, contrast and saturation of each picture."""
    count = len(pictures)
    gain = 2 ** rng.uniform(-settings.exposure, settings.exposure, (count, 1, 1, 1))
    gain = gain * (1 + rng.uniform(-settings.white_balance, settings.white_balance, (count, 3, 1, 1)))
    gamma = 2 ** rng.uniform(-0.3, 0.3, (count, 1, 1, 1))
    saturation = torch.from_numpy(rng.uniform(*settings.saturation, (count, 1, 1, 1))).float()
    lit = (pictures.clamp(min=1e-3) ** torch.from_numpy(gamma).float()) * torch.from_numpy(gain).float()
    return torch.lerp(lit.mean(1, keepdim=True), lit, saturation).clamp(0, 1)


def _sensor(pictures: Tensor, settings: Augmentation, rng: Generator) -> Tensor:
    """Motion blur, focus and noise."""
    for i in range(len(pictures)):
        if rng.random() < settings.blurred:
            if rng.random() < 0.5:
                angle, sway = rng.uniform(0, 180), rng.uniform(-1, 1)
                pictures[i : i + 1] = kornia.filters.motion_blur(pictures[i : i + 1], 5, angle, sway)
            else:
                sigma = float(rng.uniform(0.4, 1.4))
                pictures[i : i + 1] = kornia.filters.gaussian_blur2d(pictures[i : i + 1], (5, 5), (sigma, sigma))
        if rng.random() < settings.noisy:
            grain = rng.standard_normal(pictures.shape[1:], np.float32) * rng.uniform(0, settings.noise)
            pictures[i] += torch.from_numpy(grain.astype(np.float32))
    return pictures.clamp(0, 1)


def _compress(batch: Tensor, settings: Augmentation, rng: Generator) -> Tensor:
    """JPEG, on bytes: what a camera's link does."""
    for i in range(len(batch)):
        if rng.random() < settings.compressed:
            quality = int(rng.integers(30, 90))
            _, content = cv2.imencode(".jpg", batch[i].numpy(), [cv2.IMWRITE_JPEG_QUALITY, quality])
            batch[i] = torch.from_numpy(np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR)))
    return batch
