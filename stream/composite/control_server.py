"""Answers the control socket in a thread of its own, and leaves the changes where composite takes them."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from msgspec import structs

from stream.composite import control
from stream.composite.control import (
    Cameras,
    CameraState,
    ControlError,
    Done,
    ListCameras,
    Refused,
    Reply,
    Request,
    SetCutout,
    SetEffects,
    SetPanels,
    Shown,
    Status,
    StatusRequest,
    Stop,
)
from stream.composite.effects import open_dressing
from stream.composite.looks import Change, Changes
from stream.message import CompositedFrame, EndOfStream, Outage, Output
from stream.process.pipe import Reporter, StopWanted, sentence
from stream.settings.config import Run
from stream.stage import StreamError
from stream.transport.sockets import Desk

_POLL_MS = 50


class Switchboard:
    """A sink that watches what is given out, so that it can tell, and takes requests meanwhile.

    Pictures and videos that effects name are opened here, so that the stream does not wait for them and a
    file that cannot be used is refused before anything changes.
    """

    def __init__(self, settings: Run, endpoint: str, changes: Changes, reporter: Reporter) -> None:
        self._desk = Desk(endpoint)
        self.endpoint = self._desk.endpoint
        self._changes = changes
        self._reporter = reporter
        self._standing = _Standing(settings)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)
        self._thread.start()

    def write(self, item: Output) -> None:
        """Note how a camera stands."""
        self._standing.note(item)

    def wants(self, camera: str) -> bool:
        """Never: it tells how a camera stands, and needs no frame for that."""
        return False

    def close(self) -> None:
        """Answer nothing any more."""
        self._closed.set()
        self._thread.join()

    def _serve(self) -> None:
        try:
            while not self._closed.is_set():
                request = self._desk.receive(_POLL_MS)
                if request is not None:
                    self._desk.answer(control.encode(self._reply(request)))
        finally:
            self._desk.close()

    def _reply(self, data: bytes) -> Reply:
        try:
            return self._carry_out(control.read_request(data))
        except StreamError as error:
            return Refused(" ".join(str(error).split()))
        except Exception as error:  # noqa: BLE001 (whatever a request does, the stream goes on)
            return Refused(f"this request cannot be carried out ({sentence(error)})")

    def _carry_out(self, request: Request) -> Reply:
        match request:
            case ListCameras():
                return Cameras(self._standing.present())
            case StatusRequest():
                return self._standing.status()
            case Stop():
                self._reporter.report(StopWanted())
                return Done()
            case SetEffects() | SetCutout() | SetPanels():
                self._standing.expect(request.camera)
                self._changes.put(opened(request))
                self._standing.change(request)
                return Done()


def opened(request: SetEffects | SetCutout | SetPanels) -> Change:
    """The change a request asks for, its files read; raises ConfigError where one cannot be."""
    match request:
        case SetEffects():
            return Change(request.camera, effects=open_dressing(request.effects))
        case SetCutout():
            return Change(request.camera, cutout=request.cutout)
        case SetPanels():
            return Change(request.camera, panels=request.panels)


class _Standing:
    """What is known of every camera, told by the pipeline's thread and asked by the socket's."""

    def __init__(self, settings: Run) -> None:
        self._lock = threading.Lock()
        self._others = Shown(effects=settings.effects, cutout=settings.cutout, panels=settings.view.panels)
        self._cameras = {name: CameraState(camera=name, shown=self._others) for name in settings.cameras}
        self._lasting = frozenset(settings.cameras)

    def note(self, item: Output) -> None:
        """Note a frame or a piece of news; a visitor's camera is forgotten with its end."""
        camera = item.frame.camera if isinstance(item, CompositedFrame) else item.camera
        with self._lock:
            known = self._cameras.get(camera) or CameraState(camera=camera, shown=self._others)
            if isinstance(item, EndOfStream) and camera not in self._lasting:
                self._cameras.pop(camera, None)
            else:
                self._cameras[camera] = followed(known, item, self._others)

    def present(self) -> tuple[str, ...]:
        """The cameras that can be asked something of."""
        with self._lock:
            return tuple(name for name, state in self._cameras.items() if state.state != "ended")

    def expect(self, camera: str | None) -> None:
        """Refuse a camera that is not there."""
        if camera is not None and camera not in self.present():
            raise ControlError(f"camera: expected one of {_list(self.present())}, got {camera}")

    def change(self, request: SetEffects | SetCutout | SetPanels) -> None:
        """Note what is shown from now on."""
        changed = {key: getattr(request, key) for key in structs.asdict(request) if key != "camera"}
        with self._lock:
            if request.camera is None:
                self._others = structs.replace(self._others, **changed)
            for name, state in self._cameras.items():
                if request.camera in (None, name):
                    self._cameras[name] = structs.replace(state, shown=structs.replace(state.shown, **changed))

    def status(self) -> Status:
        with self._lock:
            return Status(tuple(self._cameras.values()), self._others)


def followed(state: CameraState, item: Output, others: Shown) -> CameraState:
    """How a camera stands after `item`; one that has ended shows what `others` do, should it come again."""
    match item:
        case CompositedFrame(frame=frame):
            return structs.replace(state, frames=state.frames + 1, last_seq=frame.seq)
        case Outage():
            return structs.replace(state, state="no_signal", cause=item.cause)
        case EndOfStream():
            return structs.replace(state, state="ended", cause=item.error, shown=others)
        case _:
            return structs.replace(state, state="running", epoch=item.epoch, cause=None)


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or "no camera, for none is running"
