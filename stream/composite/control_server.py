"""Answers the control socket in a thread of its own, and leaves the changes where composite takes them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from queue import Empty, Full, Queue, SimpleQueue

from msgspec import structs

from clothseg.classes import ClassMap
from stream.composite import control
from stream.composite.control import (
    Accepted,
    CameraList,
    CameraState,
    ControlError,
    GetStatus,
    ListCameras,
    LookSettings,
    Rejected,
    Reply,
    Request,
    SetCutout,
    SetEffects,
    SetPanels,
    StatusReply,
    StopRun,
)
from stream.composite.effects import expect_cut_out, expect_garments, open_camera_effects
from stream.composite.looks import LookChange, LookChanges
from stream.message import CompositedFrame, EndOfStream, Outage, Output
from stream.process.pipe import Reporter, StopRequested, describe_error
from stream.settings.config import Run
from stream.stage import StreamError
from stream.transport.sockets import Envelope, RepSocket

_POLL_MS = 50
_SOON_MS = 5  # while something is opened, whose asker waits
_MAX_PENDING = 64


class ControlServer:
    """A sink that tracks every camera's state and answers control requests in a thread of its own.

    Pictures and videos that effects name are opened here, in a thread of their own: neither the stream nor another
    request (`stop` above all) waits for them, and a file that cannot be used is rejected before anything changes.
    """

    def __init__(self, settings: Run, endpoint: str, changes: LookChanges, reporter: Reporter) -> None:
        control.expect_free(endpoint)
        self._socket = RepSocket(endpoint)
        self.endpoint = self._socket.endpoint
        self._changes = changes
        self._reporter = reporter
        self._states = _CameraStates(settings)
        self._closed = threading.Event()
        self._to_open: Queue[tuple[Envelope, SetEffects]] = Queue(_MAX_PENDING)
        self._opened: SimpleQueue[tuple[Envelope, Reply]] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)
        self._thread.start()
        threading.Thread(target=self._open, name="opening", daemon=True).start()

    def write(self, item: Output) -> None:
        """Record a camera's state."""
        self._states.record(item)

    def wants(self, camera: str) -> bool:
        """Return False: it needs no frames, only events."""
        return False

    def close(self) -> None:
        """Answer nothing any more; what is still being opened is not waited for."""
        self._closed.set()
        self._thread.join()

    def _serve(self) -> None:
        pending = 0
        try:
            while not self._closed.is_set():
                received = self._socket.receive(_SOON_MS if pending else _POLL_MS)
                if received is not None:
                    pending += self._on_request(*received)
                while not self._opened.empty():
                    envelope, reply = self._opened.get()
                    self._socket.reply(envelope, control.encode(reply))
                    pending -= 1
        finally:
            self._socket.close()

    def _on_request(self, envelope: Envelope, data: bytes) -> bool:
        """Answer a request at once, or hand it on, because files must be opened for it: True."""
        try:
            request = control.read_request(data)
            if isinstance(request, SetEffects):
                self._to_open.put_nowait((envelope, request))
                return True
            reply = self._reply(request)
        except Full:
            reply = Rejected("too many requests: wait until the earlier ones are answered")
        except StreamError as error:
            reply = Rejected(" ".join(str(error).split()))
        self._socket.reply(envelope, control.encode(reply))
        return False

    def _open(self) -> None:
        """Execute slow requests, one after the other."""
        while not self._closed.is_set():
            try:
                envelope, request = self._to_open.get(timeout=_POLL_MS / 1000)
            except Empty:
                continue
            self._opened.put((envelope, self._reply(request)))

    def _reply(self, request: Request) -> Reply:
        try:
            return self._execute(request)
        except StreamError as error:
            return Rejected(" ".join(str(error).split()))
        except Exception as error:  # noqa: BLE001 (whatever a request does, the stream goes on)
            return Rejected(f"this request cannot be carried out ({describe_error(error)})")

    def _execute(self, request: Request) -> Reply:
        match request:
            case ListCameras():
                return CameraList(self._states.active_cameras())
            case GetStatus():
                return self._states.status()
            case StopRun():
                self._reporter.report(StopRequested())
                return Accepted()
            case SetEffects() | SetCutout() | SetPanels():
                self._states.require_active(request.camera)
                change = open_change(request, self._states.classes)
                self._states.require_active(request.camera)  # it may have ended meanwhile, and its place been taken
                self._changes.put(change)
                self._states.record_change(request)
                return Accepted()


def open_change(request: SetEffects | SetCutout | SetPanels, classes: ClassMap | None) -> LookChange:
    """Return the change a request asks for, its files read; ConfigError where one cannot be.

    Classes that the model does not have are rejected too, once `classes` is known.
    """
    match request:
        case SetEffects():
            if classes is not None:
                expect_garments(classes, request.effects)
            return LookChange(request.camera, effects=open_camera_effects(request.effects))
        case SetCutout():
            if classes is not None:
                expect_cut_out(classes, request.cutout)
            return LookChange(request.camera, cutout=request.cutout)
        case SetPanels():
            return LookChange(request.camera, panels=request.panels)


class _CameraStates:
    """States of all cameras, written by the pipeline's thread and read by the socket's."""

    def __init__(self, settings: Run) -> None:
        self._lock = threading.Lock()
        self._default_look = LookSettings(effects=settings.effects, cutout=settings.cutout, panels=settings.view.panels)
        self._cameras = {name: CameraState(camera=name, look=self._default_look) for name in settings.cameras}
        self._configured = frozenset(settings.cameras)
        self.classes: ClassMap | None = None
        """Those of the newest frame; None before the first."""

    def record(self, item: Output) -> None:
        """Record a frame or an event; a visitor's camera is removed when it ends."""
        camera = item.frame.camera if isinstance(item, CompositedFrame) else item.camera
        if isinstance(item, CompositedFrame):
            self.classes = item.classes
        with self._lock:
            known = self._cameras.get(camera) or CameraState(camera=camera, look=self._default_look)
            if isinstance(item, EndOfStream) and camera not in self._configured:
                self._cameras.pop(camera, None)
            else:
                self._cameras[camera] = after(known, item, self._default_look)

    def active_cameras(self) -> tuple[str, ...]:
        """The cameras that can be asked something of."""
        with self._lock:
            return tuple(name for name, state in self._cameras.items() if state.state != "ended")

    def require_active(self, camera: str | None) -> None:
        """Raise ControlError for an unknown camera."""
        if camera is not None and camera not in self.active_cameras():
            raise ControlError(f"camera: expected one of {_list(self.active_cameras())}, got {camera}")

    def record_change(self, request: SetEffects | SetCutout | SetPanels) -> None:
        """Record the look from now on."""
        changed = {key: getattr(request, key) for key in structs.asdict(request) if key != "camera"}
        with self._lock:
            if request.camera is None:
                self._default_look = structs.replace(self._default_look, **changed)
            for name, state in self._cameras.items():
                if request.camera in (None, name):
                    self._cameras[name] = structs.replace(state, look=structs.replace(state.look, **changed))

    def status(self) -> StatusReply:
        with self._lock:
            return StatusReply(tuple(self._cameras.values()), self._default_look)


def after(state: CameraState, item: Output, others: LookSettings) -> CameraState:
    """Return a camera's state after `item`; one that has ended returns to the default look."""
    match item:
        case CompositedFrame(frame=frame):
            return structs.replace(state, frames=state.frames + 1, last_seq=frame.seq)
        case Outage():
            return structs.replace(state, state="no_signal", cause=item.cause)
        case EndOfStream():
            return structs.replace(state, state="ended", cause=item.error, look=others)
        case _:
            return structs.replace(state, state="running", epoch=item.epoch, cause=None)


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or "no camera, for none is running"
