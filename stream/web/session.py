"""One visitor: handle the page's messages, send what it watches, and free everything when it is gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from clothseg.classes import ClassMap
from stream.media.http_server import GONE
from stream.settings.config import Web
from stream.transport.protocol import StreamInfo
from stream.transport.untrusted_json import UntrustedJsonError
from stream.web import page_protocol
from stream.web.call import CallError, open_call
from stream.web.camera_follower import follow_camera
from stream.web.effects_client import EffectsClient
from stream.web.library import Library
from stream.web.outfit import OutfitUpdater
from stream.web.outfit_effects import BACKGROUND, OutfitError
from stream.web.photo import PhotoError
from stream.web.presenter import Presenter
from stream.web.rate_limiter import RateLimiter
from stream.web.uplink import Uplink
from stream.web.upload import PhotoProcessor
from stream.web.visitor_camera import VisitorCamera

_MESSAGES_HZ = 60  # FrameShown comes for every picture
_PHOTOS_HZ = 0.2
_PHOTOS_AT_ONCE = 8


class ServerContext(NamedTuple):
    """Shared by all visitors: the configured cameras, the publisher's endpoint, the library.

    classes: those of the model that segments them.
    """

    settings: Web
    cameras: tuple[str, ...]
    results: str
    uplink: Uplink
    library: Library
    effects_client: EffectsClient
    studio: PhotoProcessor
    folder: Path | None
    """The run's own folder; None where it has none."""
    classes: ClassMap

    def hello(self) -> page_protocol.Hello:
        """Make the first message to a page."""
        kinds = (self.library.garments, self.library.textures, self.library.backgrounds)
        garments, textures, backgrounds = (tuple(asset.item for asset in assets.values()) for assets in kinds)
        # What cannot be put on anybody is not offered.
        garments = tuple(item for item in garments if item.part in self.photo_uses)
        return page_protocol.Hello(
            self.cameras,
            garments,
            textures,
            backgrounds,
            tuple(
                page_protocol.Class(one.name, one.role, one.region, one.colour[::-1]) for one in self.classes.classes
            ),
            self.settings.size_px,
            self.settings.rate_hz,
        )

    @property
    def photo_uses(self) -> tuple[str, ...]:
        """Uses of a visitor's own photos: the background, and each garment."""
        return (BACKGROUND, *(self.classes.names[index] for index in self.classes.garments))

    def require_garments(self, names: Collection[str]) -> None:
        """Raise OutfitError where nothing can be put on one of `names`."""
        if unknown := {*names} - {*self.photo_uses}:
            raise OutfitError(f"there is no {', '.join(sorted(unknown))} to put anything on: reload the page")


class PageSocket(Protocol):
    """The page's end."""

    async def send_text(self, data: str) -> None: ...

    async def send_bytes(self, data: bytes) -> None: ...


class Session:
    """A page that is open. Nothing of it is left when `run` returns."""

    def __init__(self, socket: PageSocket, context: ServerContext) -> None:
        self._socket = socket
        self._context = context
        width, height = context.settings.size_px
        self._camera = VisitorCamera(context.uplink, width * height, self._on_camera_changed)
        self._presenter = Presenter(socket.send_bytes)
        self._sending = False
        self._watched: str | None = None
        self._follow_task: asyncio.Task[None] | None = None
        self._outfit = OutfitUpdater(
            context.library, context.effects_client, context.studio, context.folder, self._reject
        )
        self._message_limiter = RateLimiter(_MESSAGES_HZ + context.settings.rate_hz, 2 * _MESSAGES_HZ)
        self._picture_limiter = RateLimiter(1.5 * context.settings.rate_hz, context.settings.rate_hz)
        self._photos = RateLimiter(_PHOTOS_HZ, _PHOTOS_AT_ONCE)
        self._background_tasks: set[asyncio.Task[None]] = set()

    async def run(self, messages: AsyncIterator[str | bytes]) -> None:
        """Serve the page until its messages end."""
        await self._send(self._context.hello())
        work = (self._receive_messages(messages), self._presenter.run(), self._camera.run(), self._outfit.run())
        tasks = [asyncio.create_task(one) for one in work]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            try:
                await _end({*tasks, *self._background_tasks})
            finally:  # whatever interrupts this, nothing may be left
                await self._stop_watching()

    async def _receive_messages(self, messages: AsyncIterator[str | bytes]) -> None:
        async for message in messages:
            now_s = time.monotonic()
            if isinstance(message, bytes):
                if self._sending and self._picture_limiter.allow(now_s):
                    self._camera.receive(message)
            elif not self._message_limiter.allow(now_s):
                await self._reject("too many requests: wait a moment")
            else:
                await self._on_text(message)

    async def _on_text(self, text: str) -> None:
        try:
            await self._on_message(page_protocol.decode(text))
        except UntrustedJsonError:
            await self._reject("page and server versions differ: reload the page")
        except (OutfitError, CallError, PhotoError) as error:
            await self._reject(str(error))

    async def _on_message(self, message: page_protocol.FromPage) -> None:
        match message:
            case page_protocol.FrameShown():
                self._presenter.acknowledge()
            case page_protocol.Ping(clock_ms):
                await self._send(page_protocol.Pong(clock_ms, time.monotonic() * 1000))
            case page_protocol.ViewOptions():
                self._presenter.view_options = message
            case page_protocol.Outfit(garments=worn):
                self._context.require_garments(worn)
                self._outfit.set_outfit(message)
            case page_protocol.UploadPhoto(use, data):
                self._context.require_garments([use])
                if not self._photos.allow(time.monotonic()):
                    raise PhotoError("too many photos are sent at once: wait a moment")
                self._outfit.add_photo(use, data)
            case page_protocol.Snapshot(kind):
                await self._snapshot(kind)
            case page_protocol.WatchCamera(camera):
                await self._stop_watching()
                if camera not in self._context.cameras:
                    raise OutfitError(f"there is no camera {camera}: reload the page")
                self._watch(camera)
            case page_protocol.SendCamera():
                await self._stop_watching()
                self._sending = True
            case page_protocol.SdpOffer(sdp):
                await self._stop_watching()
                self._presenter.call, answer = await open_call(sdp, self._camera.receive)
                self._sending = True
                await self._send(page_protocol.SdpAnswer(answer))
            case page_protocol.StopWatching():
                await self._stop_watching()

    # What is watched.

    def _watch(self, camera: str) -> None:
        self._watched = self._outfit.camera = camera
        self._outfit.reapply()
        self._follow_task = asyncio.create_task(
            follow_camera(self._context.results, camera, self._presenter.frames, self._on_stream_changed)
        )

    def _on_stream_changed(self, stream: StreamInfo) -> None:
        silent = stream.state == "no_signal"
        if stream.state == "running" and self._watched == self._camera.name:
            self._outfit.reapply()
        # Why is for those who run the stream: it names addresses that are no visitor's business.
        self._run_in_background(
            self._send(
                page_protocol.StreamStateChanged(
                    stream.state, self._watched, "its source is silent" if silent else None
                )
            )
        )

    def _on_camera_changed(self, cause: page_protocol.StreamState | None) -> None:
        """The visitor's own camera comes, goes, or is over the limit."""
        self._unwatch()
        if self._camera.name is not None:
            self._watch(self._camera.name)
        elif cause is not None:
            self._run_in_background(self._send(page_protocol.StreamStateChanged(cause)))

    def _unwatch(self) -> None:
        if self._follow_task is not None:
            self._follow_task.cancel()
        self._watched = self._outfit.camera = self._follow_task = None

    async def _stop_watching(self) -> None:
        """Give up what is watched, and the visitor's own camera."""
        self._sending = False
        self._camera.stop()
        self._unwatch()
        call = self._presenter.call
        self._presenter.reset()
        if call is not None:
            await call.close()

    async def _snapshot(self, kind: str) -> None:
        png = await self._presenter.snapshot(kind)
        if png is None:
            raise OutfitError("no picture yet: start a camera first")
        await self._socket.send_bytes(png)

    # Messages to the page.

    async def _send(self, item: page_protocol.ToPage) -> None:
        await self._socket.send_text(page_protocol.encode(item))

    async def _reject(self, cause: str) -> None:
        await self._send(page_protocol.RequestRejected(cause))

    def _run_in_background(self, work: Coroutine[None, None, None]) -> None:
        """Run work that nothing awaits, for as long as the page is there."""

        async def run() -> None:
            with suppress(*GONE):
                await work

        task = asyncio.create_task(run())
        self._background_tasks.add(task)
        task.add_done_callback(self._background_tasks.discard)


async def _end(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait for their end; their failures no longer matter when the page is gone."""
    for task in tasks:
        task.cancel()
    ended, _ = await asyncio.wait(tasks)  # not `gather`, which hides a cancellation from the caller that cancelled
    for task in ended:
        if not task.cancelled():
            task.exception()
