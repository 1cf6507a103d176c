"""The typed settings of a run, frozen and strict; `stream.settings.parse` reads them.

Every setting stands here or beside what it configures (`Smoothing`, `Matting`), once, with its default.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from clothseg import shipped
from clothseg.matting.matting import Matting
from clothseg.temporal.smoothing import Smoothing
from clothseg.tryon import BackgroundColour, Effect
from clothseg.tryon.cutout import Cutout
from stream.message import Mode
from stream.settings.pace import Pace
from stream.stage import StreamError
from stream.transport.codec import Encoding

PositiveInt = Annotated[int, msgspec.Meta(ge=1)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0)]
CameraName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")]


class ConfigError(StreamError):
    """A setting is wrong; the text names its path, what was expected and what came."""


class Camera(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
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
    """A live source silent for longer is closed and reopened."""
    retry_ms: Milliseconds = 1000
    """Longest pause between two attempts to open a live source."""


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The network and what runs it."""

    weights: Path | None = None
    """A model file, `.safetensors`, `.onnx` or `.xml`, see docs/models.md; by default the weights that ship."""
    engine: Literal["auto", "openvino", "onnxruntime", "torch"] = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16", "int8"] = "auto"
    workers: PositiveInt = 1
    threads: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Threads of each worker; 0 shares the cores among the workers."""
    frame_deadline_ms: Milliseconds = 10_000
    """A worker silent over a frame for longer is taken for hung and replaced; its first frame compiles the network."""


Panel = Literal["composite", "parts", "raw"]


class View(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The `composite` picture: panels side by side."""

    panels: tuple[Panel, ...] = ("composite",)


class _Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind"):
    """Settings of one output; the key `kind` says which."""


class Recording(_Output, frozen=True, kw_only=True, tag="recording"):
    """A file to record into: `.mp4` and `.mov` for players, `.webm` for the web, `.mkv` or `.png` without loss."""

    path: Path
    """`{camera}` stands for the camera's name; needed where there are several."""
    shows: Literal["composite", "cutout", "stacked", "parts"] | None = None
    """By default the cut-out where the codec knows transparency, else the composite. `stacked` is the
    cut-out over its mask, for players that know no transparency; `parts` the class index of every pixel."""
    codec: Literal["h264", "h265", "vp9", "prores", "ffv1", "png"] | None = None
    """By default the first its ending knows: `.mp4` h264, `.mov` prores, `.webm` vp9, `.mkv` ffv1, `.png` png."""
    sound: Literal["source", "none"] = "source"
    """`source` copies the audio of a file."""
    segment_s: Annotated[float, msgspec.Meta(ge=1)] | None = None
    """Begin a new file (`name-2.mp4` …) after so many seconds."""


class Publisher(_Output, frozen=True, kw_only=True, tag="publisher"):
    """A ZeroMQ publisher for `stream.client.Subscriber`, see docs/protocol.md."""

    bind: str = "tcp://127.0.0.1:5556"
    """Endpoint; the default is for this host only, `tcp://*:5556` is for every network it is in."""
    encoding: Encoding = "raw"
    """How what is asked for without naming an encoding travels: `raw`, `jpeg`, `png` or `lz4`."""
    keys: Path | None = None
    """Folder with CURVE keys (`tools/make_keys.py`): encrypts, and lets only holders of a key subscribe."""


class Push(_Output, frozen=True, kw_only=True, tag="push"):
    """H.264 sent to a server, which hands it on: RTSP, RTMP, or MPEG-TS over UDP."""

    url: str
    """`rtsp://`, `rtsps://`, `rtmp://`, `rtmps://`, `srt://` or `udp://`; `{camera}` stands for the camera's name."""
    shows: Literal["composite", "stacked"] = "composite"
    """`stacked` is the cut-out over its mask: these ways know no transparency."""
    bitrate_kbit: Annotated[int, msgspec.Meta(ge=100, le=100_000)] = 4000


class Mjpeg(_Output, frozen=True, kw_only=True, tag="mjpeg"):
    """The composite as MJPEG over HTTP, for anything that can show a picture."""

    bind: str = "127.0.0.1:8080"
    """Host and port; anyone who reaches them may watch."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of `bind`; ConfigError where it is none."""
        return parse_host_and_port("mjpeg.bind", self.bind)


class VirtualCamera(_Output, frozen=True, kw_only=True, tag="virtual_camera"):
    """The composite as a webcam of this host, for video calls."""

    camera: CameraName | None = None
    """Which camera is shown; needed where there are several."""
    device: str | None = None
    """As `/dev/video10`; by default the first virtual device there is."""
    rate_hz: Annotated[float, msgspec.Meta(gt=0, le=240)] = 30
    """Frames a second that it claims to have."""


class Window(_Output, frozen=True, kw_only=True, tag="window"):
    """A preview window with the composite; `q` or Escape ends the run."""


class Null(_Output, frozen=True, kw_only=True, tag="null"):
    """Takes everything and keeps nothing: for measuring."""


OutputSettings = Recording | Publisher | Push | Mjpeg | VirtualCamera | Window | Null


class Web(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The page for live fitting, see docs/web.md."""

    bind: str = "127.0.0.1:8000"
    """Host and port to serve at; a host other than loopback needs `token`."""
    token: Path | None = None
    """File with the secret that visitors must know, of at least 16 characters."""
    certificate: Path | None = None
    """PEM file with the TLS certificate; without one, browsers lend their camera to pages of this host only."""
    key: Path | None = None
    """PEM file with the certificate's private key."""
    visitors: Annotated[int, msgspec.Meta(ge=0, le=64)] = 4
    """Visitors whose own camera may be on at once; 0: the page shows the run's cameras only."""
    size_px: tuple[PositiveInt, PositiveInt] = (640, 480)
    """Width and height asked of a visitor's camera (turned on a phone); larger pictures are rejected."""
    rate_hz: Annotated[float, msgspec.Meta(gt=0, le=60)] = 30
    """Frames a second asked of a visitor's camera."""
    garments: Path = msgspec.field(default_factory=lambda: shipped.configs() / "garments")
    """Folder with garments to try on, see docs/web.md; by default those that ship."""
    textures: Path = msgspec.field(default_factory=lambda: shipped.configs() / "textures")
    backgrounds: Path = msgspec.field(default_factory=lambda: shipped.configs() / "backgrounds")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of `bind`; ConfigError where it is none."""
        return parse_host_and_port("web.bind", self.bind)


class Transport(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Endpoints between the stages."""

    dispatch: str | None = None
    """Endpoint bound by capture, e.g. `tcp://10.0.0.1:5550`; by default a private `ipc://` folder."""
    results: str | None = None
    """Endpoint bound by composite."""
    frames: Literal["raw", "jpeg"] = "raw"
    """How frames travel to the workers: `jpeg` for slow networks (raw 720p30 is 660 Mbit/s)."""
    keys: Path | None = None
    """Folder with CURVE keys (`tools/make_keys.py`): encrypts and authenticates links between hosts."""


class Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A socket over which effects, cut-out and view are changed while it runs, see docs/control.md."""

    bind: str | None = None
    """Endpoint; anyone who reaches it may request anything. By default `ipc://` in a folder of yours alone;
    `tcp://` without `keys` is reached by every user of this host."""
    keys: Path | None = None
    """Folder with CURVE keys (`tools/make_keys.py`): encrypts, and accepts only holders of a `controller` key."""


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All settings of a run."""

    cameras: dict[CameraName, Camera] = {}
    model: Model = Model()
    smoothing: Smoothing | Literal["off"] = Smoothing()
    matting: Matting | Literal["off"] = Matting()
    pace: Pace | Literal["off"] = Pace()
    """How much of a live camera is segmented; `off`: every frame for which there is time."""
    effects: tuple[Effect, ...] = (BackgroundColour(),)
    """What the composite shows behind people and on their garments, see docs/tryon.md; none: the raw picture."""
    cutout: Cutout = "person"
    """What is cut out, in every output: `person`, `clothing` (all garments) or one class of the model: `top` …"""
    view: View = View()
    outputs: tuple[OutputSettings, ...] = ()
    control: Control | None = None
    """None: nothing can be changed while it runs; `control: {}` for the default endpoint."""
    transport: Transport = Transport()
    web: Web | None = None
    """The page in the browser; by default there is none."""


def parse_host_and_port(key: str, address: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`; ConfigError, which names the key, where it is none."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise ConfigError(f"{key}: expected HOST:PORT, as in 127.0.0.1:8000, got {address!r}")
    return host.strip("[]"), int(port)
