"""Puts the person before another background: a colour, an image, a video, or the real one out of focus."""

import math
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from clothseg.matting.matting import Matte
from clothseg.tryon.asset import read_picture
from clothseg.tryon.blend import Image, halve_until, over
from clothseg.tryon.colour import GAMMA, Colour, to_bgr
from clothseg.tryon.effect import BackgroundEffect, OpenEffect, Resources, VideoLookup

_MAX_SIDE_PX: Final = 1920  # of a background image


class BackgroundColour(BackgroundEffect, frozen=True, tag="background_colour"):
    """One colour behind the person."""

    colour: Colour = "#00b140"
    """`#rrggbb`; the default is the green of a chroma key."""

    def open(self, resources: Resources) -> OpenEffect:
        return lambda state, picture, matte, pts_ns: composite_over_colour(state, picture, matte, self)


class BackgroundImage(BackgroundEffect, frozen=True, tag="background_image"):
    """An image behind the person, scaled to cover the picture and cropped around its middle."""

    image: Path
    """A PNG or JPEG file."""

    def open(self, resources: Resources) -> OpenEffect:
        image = read_picture(self.image, _MAX_SIDE_PX)[:, :, :3].copy()
        return lambda state, picture, matte, pts_ns: composite_over_image(state, picture, matte, image)


class BackgroundVideo(BackgroundEffect, frozen=True, tag="background_video"):
    """A video behind the person, scaled to cover the picture, started over at its end."""

    video: Path
    """A file that the stream can read."""

    def open(self, resources: Resources) -> OpenEffect:
        resources.open_video(self.video)  # what cannot be read is rejected now

        def composite(state: Any, picture: Image, matte: Matte, pts_ns: int) -> tuple[VideoLookup, Image]:
            video: VideoLookup = state or resources.open_video(self.video)  # each camera plays it at its own pace
            return video, composite_over_video(picture, matte, video, pts_ns)

        return composite


class BackgroundBlur(BackgroundEffect, frozen=True, tag="background_blur"):
    """The real background out of focus, the person sharp."""

    strength: Annotated[float, msgspec.Meta(ge=0.002, le=0.1)] = 0.02
    """Standard deviation of the blur as a share of the picture's height, 0.002 to 0.1."""

    def open(self, resources: Resources) -> OpenEffect:
        return lambda state, picture, matte, pts_ns: (state, composite_over_blur(picture, matte, self))


class Backdrop(NamedTuple):
    """A camera's backdrop, fitted once to the size of its pictures: (H, W, 3) uint8 BGR."""

    fitted: Image


def composite_over_colour(
    backdrop: Backdrop | None, picture: Image, matte: Matte, settings: BackgroundColour
) -> tuple[Backdrop, Image]:
    """The person of `matte` before one colour."""
    return composite_over_image(backdrop, picture, matte, np.array([[to_bgr(settings.colour)]], np.uint8))


def composite_over_image(
    backdrop: Backdrop | None, picture: Image, matte: Matte, image: NDArray[np.uint8]
) -> tuple[Backdrop, Image]:
    """The person of `matte` before `image` (H, W, 3) uint8 BGR of any size."""
    if backdrop is None or backdrop.fitted.shape != picture.shape:
        backdrop = Backdrop(cover(image, picture.shape[:2]))
    return backdrop, over(matte.foreground, backdrop.fitted, matte.alpha)


def composite_over_video(picture: Image, matte: Matte, clip: VideoLookup, pts_ns: int) -> Image:
    """The person of `matte` before what `clip` shows at `pts_ns`."""
    return over(matte.foreground, cover(clip(pts_ns), picture.shape[:2]), matte.alpha)


def composite_over_blur(picture: Image, matte: Matte, settings: BackgroundBlur) -> Image:
    """The person of `matte` before the blurred background of `picture`.

    The blur is normalised by the background's own share (Knutsson and Westin 1993), so the person leaves no
    halo; in linear light, so that lamps stay bright. It runs at a size where its radius is a few pixels.
    """
    height, width = picture.shape[:2]
    longest_px = math.ceil(_BLUR_PX * max(height, width) / (settings.strength * height))
    small, person = (
        halve_until(picture, longest_px),
        cv2.dilate(halve_until(matte.alpha, longest_px), np.ones((3, 3), np.uint8)),
    )
    light = cv2.LUT(small, _TO_LIGHT)
    share = cv2.multiply(cv2.bitwise_not(person), 1 / 255, dtype=cv2.CV_32F)
    light *= share[..., None]
    mean = np.float32(cv2.mean(light)[:3]) / max(cv2.mean(share)[0], 1 / share.size)
    sigma_px = settings.strength * small.shape[0]
    light, share = (cv2.GaussianBlur(plane, (0, 0), sigma_px) for plane in (light, share))
    # far inside the person no background is in reach: there its mean colour stands in
    light = (light + _REACH * mean) / (share + _REACH)[..., None]
    shown = cv2.convertScaleAbs(cv2.pow(light, 1 / GAMMA), alpha=255)
    blurred = cv2.resize(shown, (width, height), interpolation=cv2.INTER_LINEAR)
    return over(matte.foreground, blurred, matte.alpha)


_BLUR_PX = 1.8
_REACH = np.float32(0.002)
_TO_LIGHT = (np.linspace(0, 1, 256) ** GAMMA).astype(np.float32)


def cover(image: NDArray[np.uint8], size: tuple[int, ...]) -> Image:
    """`image` (H, W, 3) scaled to cover `size` (height, width), what sticks out cropped evenly."""
    height, width = size
    scale = max(height / image.shape[0], width / image.shape[1])
    wide, high = round(width / scale), round(height / scale)
    left, top = (image.shape[1] - wide) // 2, (image.shape[0] - high) // 2
    crop = image[max(top, 0) : top + max(high, 1), max(left, 0) : left + max(wide, 1)]
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(crop, (width, height), interpolation=how), np.uint8)
