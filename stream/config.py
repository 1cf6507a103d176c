"""Typed settings of a run: YAML in, frozen structs out; an unknown or mistyped key fails with its path.

Every setting stands here or beside what it configures (`Smoothing`, `Matting`), once, with its default.
"""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit, urlunsplit

import msgspec
import yaml

from clothseg.matting import Matting
from clothseg.smoothing import Smoothing
from stream.message import Mode
from stream.stage import StreamError

PositiveInt = Annotated[int, msgspec.Meta(ge=1)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0)]
CameraName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


class ConfigError(StreamError):
    """A setting is wrong; the text names its path, what was expected and what came."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all groups of settings share: frozen, and no key that is not in the table."""


class Camera(Settings):
    """One input, opened by `stream.sources.open_source`."""

    source: str
    """`camera:0`, `/dev/video0`, a URL, a video file, a photo, a folder of images, or `synthetic:`."""
    mode: Mode | None = None
    """`live` or `file`; by default what the source is. A file played `live` is paced by its timestamps."""
    mirror: bool = False
    """Flip left and right, as a mirror does."""
    size_px: tuple[PositiveInt, PositiveInt] | None = None
    """Width and height asked of a camera device (or made by `synthetic:`)."""
    rate_hz: Annotated[float, msgspec.Meta(gt=0, le=1000)] | None = None
    """Frames a second asked of a camera device, or given to photos (default 25) and `synthetic:` (30)."""
    pixel_format: str | None = None
    """Pixel format asked of a camera device, as FFmpeg names it: `mjpeg`, `yuyv422`, `nv12` …"""
    rtsp_transport: Literal["tcp", "udp"] = "tcp"
    stall_ms: Milliseconds = 2500
    """A live source silent for longer is given up and opened anew."""
    retry_ms: Milliseconds = 1000
    """Longest pause between two attempts to open a live source."""


class Model(Settings):
    """The network and what runs it."""

    weights: Path | None = None
    """A `.safetensors` file; by default the weights that ship."""
    engine: Literal["auto", "openvino", "onnxruntime", "torch"] = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16", "int8"] = "auto"
    workers: PositiveInt = 1
    threads: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Threads of each worker; 0 shares the cores among the workers."""
    frame_deadline_ms: Milliseconds = 5000
    """A worker that holds a frame for longer is taken for hung and replaced."""


class View(Settings):
    """What the `composite` picture shows: panels side by side."""

    panels: tuple[Literal["composite", "parts", "raw"], ...] = ("composite",)


class Recording(Settings, tag_field="kind", tag="recording"):
    """A file to record into. What goes in follows from the ending: `.mp4` the composite, `.webm` the cut-out."""

    path: Path
    """`{camera}` stands for the camera's name; needed where there are several."""


class Publisher(Settings, tag_field="kind", tag="publisher"):
    """A ZeroMQ publisher for `stream.client.Subscriber`."""

    bind: str = "tcp://127.0.0.1:5556"


class Window(Settings, tag_field="kind", tag="window"):
    """A preview window with the composite; `q` or Escape ends the run."""


class Null(Settings, tag_field="kind", tag="null"):
    """Takes everything and keeps nothing: for measuring."""


OutputSettings = Recording | Publisher | Window | Null


class Transport(Settings):
    """Where the stages meet."""

    dispatch: str | None = None
    """Endpoint bound by capture, e.g. `tcp://10.0.0.1:5550`; by default a private `ipc://` folder."""
    results: str | None = None
    """Endpoint bound by composite."""
    frames: Literal["raw", "jpeg"] = "raw"
    """How frames travel to the workers: `jpeg` for slow networks (raw 720p30 is 660 Mbit/s)."""
    keys: Path | None = None
    """Folder with CURVE keys (`tools/make_keys.py`): encrypts and authenticates links between hosts."""


class Run(Settings):
    """Everything a run is told."""

    cameras: dict[CameraName, Camera] = {}
    model: Model = Model()
    smoothing: Smoothing | Literal["off"] = Smoothing()
    matting: Matting | Literal["off"] = Matting()
    view: View = View()
    outputs: tuple[OutputSettings, ...] = ()
    transport: Transport = Transport()
