"""The control socket's language: typed requests and replies as JSON, and `Controller`, which asks (docs/control.md)."""

from __future__ import annotations

import os
import socket
import stat
from types import TracebackType
from typing import Annotated, Any, Literal

import msgspec
import platformdirs

from clothseg.tryon import Effect
from clothseg.tryon.cutout import Cutout
from stream.settings import config, parse
from stream.settings.config import CameraName, ConfigError, Panel
from stream.stage import StreamError
from stream.transport import untrusted_json
from stream.transport.sockets import MAX_REQUEST_BYTES, ReqSocket
from stream.transport.untrusted_json import UntrustedJsonError

__all__ = [
    "Accepted",
    "CameraList",
    "CameraState",
    "ControlError",
    "Controller",
    "GetStatus",
    "ListCameras",
    "LookSettings",
    "Rejected",
    "Reply",
    "Request",
    "SetCutout",
    "SetEffects",
    "SetPanels",
    "StatusReply",
    "StopRun",
    "endpoint_of",
    "expect_free",
    "read_request",
]

MAX_EFFECTS = 16
MAX_REPLY_BYTES = 16_777_216
"""The status names what is shown of every camera."""


class ControlError(StreamError):
    """A request that was rejected or not answered; the text is one sentence."""


class SetEffects(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="request", tag="set_effects"
):
    """Show these effects from now on, instead of those before; an empty list shows the raw picture."""

    effects: Annotated[tuple[Effect, ...], msgspec.Meta(max_length=MAX_EFFECTS)]
    camera: CameraName | None = None
    """One camera; none named, every camera, also those to come. Likewise below."""


class SetCutout(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="request", tag="set_cutout"
):
    """Cut this out from now on, in every output."""

    cutout: Cutout
    camera: CameraName | None = None


class SetPanels(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="request", tag="set_panels"
):
    """Show these panels side by side in the composite from now on."""

    panels: Annotated[tuple[Panel, ...], msgspec.Meta(min_length=1, max_length=4)]
    camera: CameraName | None = None


class ListCameras(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="request", tag="list_cameras"
):
    """Ask for the names of the cameras."""


class GetStatus(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="request", tag="status"
):
    """Ask how every camera stands and what is shown of it."""


class StopRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="request", tag="stop"):
    """End the run, in good order."""


Request = SetEffects | SetCutout | SetPanels | ListCameras | GetStatus | StopRun


class LookSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A camera's look as settings."""

    effects: tuple[Effect, ...]
    cutout: Cutout
    panels: tuple[Panel, ...]


class CameraState(msgspec.Struct, frozen=True, kw_only=True):
    """State of a camera: `frames` counts its composited frames, `last_seq` is the newest of them.

    `cause` says why there is no signal or why it ended.
    """

    camera: str
    state: Literal["awaited", "running", "no_signal", "ended"] = "awaited"
    epoch: int = 0
    frames: int = 0
    last_seq: int | None = None
    cause: str | None = None
    look: LookSettings


class Accepted(msgspec.Struct, frozen=True, tag_field="reply", tag="accepted"):
    """It takes effect with the next frame."""


class Rejected(msgspec.Struct, frozen=True, tag_field="reply", tag="rejected"):
    """Reply: nothing changed; `error` says what was expected, in one sentence."""

    error: str


class CameraList(msgspec.Struct, frozen=True, tag_field="reply", tag="cameras"):
    """The names of the cameras that run or are awaited."""

    cameras: tuple[str, ...]


class StatusReply(msgspec.Struct, frozen=True, tag_field="reply", tag="status"):
    """Every camera, and what is shown of those to come."""

    cameras: tuple[CameraState, ...]
    default_look: LookSettings


Reply = Accepted | Rejected | CameraList | StatusReply


def read_request(data: bytes) -> Request:
    """Decode a request; ControlError says which key is wrong, what was expected and what came."""
    if len(data) > MAX_REQUEST_BYTES:
        raise ControlError(f"expected a request of at most {MAX_REQUEST_BYTES} bytes, got {len(data)}")
    try:
        plain = untrusted_json.decode(data, Any, max_bytes=MAX_REQUEST_BYTES)
    except UntrustedJsonError as error:
        raise ControlError(f"expected a request in JSON, got something else ({error})") from error
    if not isinstance(plain, dict):
        raise ControlError('expected a request such as {"request": "status"}, got ' + type(plain).__name__)
    try:
        request: Request = parse.convert(plain, Request)
    except ConfigError as error:
        raise ControlError(str(error)) from error
    return request


def encode(message: Request | Reply) -> bytes:
    """A request or a reply as JSON."""
    return msgspec.json.encode(message, enc_hook=str)


def endpoint_of(settings: config.Control) -> str:
    """Return the control endpoint of a run: by default a socket in a folder of this user's alone.

    Raises ControlError where that folder is not this user's alone.
    """
    if settings.bind is not None:
        return settings.bind
    folder = platformdirs.user_runtime_path("clothseg")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise ControlError(
            f"control.bind: cannot make the folder {folder} ({error.strerror}): name a socket"
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ControlError(f"control.bind: expected {folder} to be a folder of yours alone (mode 0700): remove it")
    return f"ipc://{folder / 'control'}"


def expect_free(endpoint: str) -> None:
    """Raise ControlError where another run is bound to this `ipc://` endpoint: ZeroMQ would take it from that run."""
    if not endpoint.startswith("ipc://"):
        return
    with socket.socket(socket.AF_UNIX) as asker:
        asker.settimeout(1)
        try:
            asker.connect(endpoint.removeprefix("ipc://"))
        except OSError:
            return  # no other run, or binding will say what is wrong
    raise ControlError(f"control.bind: another run is asked at {endpoint}: name another socket")


class Controller:
    """Asks a running stream, over its control socket.

    with Controller() as controller:
        controller.ask(SetCutout(cutout="top", camera="front"))
    """

    def __init__(self, endpoint: str | None = None, *, timeout_ms: int = 5000) -> None:
        self._endpoint = endpoint or endpoint_of(config.Control())
        self._timeout_ms = timeout_ms
        self._socket = ReqSocket(self._endpoint)

    def request(self, request: Request) -> Accepted | CameraList | StatusReply:
        """Send a request, return the reply; ControlError where it was rejected or no reply came in time."""
        data = self._socket.request(encode(request), self._timeout_ms)
        if data is None:
            raise ControlError(
                f"no reply on {self._endpoint} within {self._timeout_ms} ms: "
                "is a stream running with control: {bind: " + self._endpoint + "}?"
            )
        try:
            reply: Reply = untrusted_json.decode(data, Reply, max_bytes=MAX_REPLY_BYTES, dec_hook=parse.decode_path)
        except UntrustedJsonError as error:
            raise ControlError(f"{self._endpoint} is not a control socket ({error})") from error
        if isinstance(reply, Rejected):
            raise ControlError(reply.error)
        return reply

    def close(self) -> None:
        """Ask nothing any more."""
        self._socket.close()

    def __enter__(self) -> Controller:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
