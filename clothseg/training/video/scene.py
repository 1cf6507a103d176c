"""Scenes of animated clips: who moves how fast, what crosses, what the sensor adds."""

from typing import Annotated, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The scene of a clip."""

    size_px: tuple[int, int] = (640, 480)
    """Width and height."""
    duration_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 4.0
    rate_hz: Annotated[float, msgspec.Meta(gt=0, le=120)] = 30.0
    speed_px: Annotated[float, msgspec.Meta(ge=0, le=40)] = 5.0
    """Highest speed of the walk, in px a frame at 30 frames a second; 0 stands still."""
    bend: Annotated[float, msgspec.Meta(ge=0, le=0.1)] = 0.02
    """How far the body bends, as a share of its height."""
    body: Annotated[float, msgspec.Meta(gt=0, le=3)] = 0.92
    """Height of the person as a share of the picture's; above 1 the legs are out of view."""
    arm_hz: Annotated[float, msgspec.Meta(ge=0, le=3)] = 0.0
    """Swings a second of an arm across the clothes; 0 for none."""
    crossings_hz: Annotated[float, msgspec.Meta(ge=0, le=2)] = 0.0
    """How often an object passes in front, a second; 0 for none."""
    noise: Annotated[float, msgspec.Meta(ge=0, le=32)] = 3.0
    """Standard deviation of sensor noise, in grey levels of 255."""
    exposure: Annotated[float, msgspec.Meta(ge=0, le=0.5)] = 0.05
    """How far exposure drifts either way, as a share."""
    lost: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    """Share of frames lost, in runs of up to six."""


SCENES: Final[dict[str, Scene]] = {
    "calm": Scene(speed_px=0.5, body=1.6, bend=0.005),
    "slow": Scene(speed_px=1.0),
    "walk": Scene(speed_px=5.0, crossings_hz=0.25),
    "fast": Scene(speed_px=20.0, bend=0.03),
    "wave": Scene(speed_px=1.0, body=1.5, arm_hz=0.8),
    "noisy": Scene(speed_px=3.0, noise=14.0, exposure=0.2, body=1.4),
    "stutter": Scene(speed_px=5.0, lost=0.5),
    "large": Scene(size_px=(1280, 720), speed_px=3.0, duration_s=2.0),
    "minute": Scene(speed_px=3.0, body=1.3, duration_s=60.0, arm_hz=0.2, crossings_hz=0.1, noise=6.0),
}
"""Scenes by name, each made to ask one question of a mask in motion."""


class LabelledPhoto(NamedTuple):
    """A labelled photo: picture (H, W, 3) uint8 BGR and labels (H, W) uint8, class index."""

    picture: NDArray[np.uint8]
    labels: NDArray[np.uint8]
