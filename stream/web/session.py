"""One visitor: what the page says is done, what it watches is shown, and when it is gone all of it is freed."""

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
from stream.transport.protocol import Stream
from stream.transport.untrusted_json import UntrustedJsonError
from stream.web import talk
from stream.web.allowance import Allowance
from stream.web.call import CallError, open_call
from stream.web.dresser import Dresser
from stream.web.guest import Guest
from stream.web.look import BACKGROUND, LookError
from stream.web.outfit import Outfit
from stream.web.photo import PhotoError
from stream.web.presenter import Presenter
from stream.web.spectator import follow
from stream.web.uplink import Uplink
from stream.web.upload import Studio
from stream.web.wardrobe import Wardrobe

_WORDS_HZ = 60  # "shown" is said for every picture
_PHOTOS_HZ = 0.2
_PHOTOS_AT_ONCE = 8


class House(NamedTuple):
    """What all visitors share: the cameras of the house, where results are published, what can be worn.

    classes: those of the model that segments them.
    """

    settings: Web
    cameras: tuple[str, ...]
    results: str
    uplink: Uplink
    wardrobe: Wardrobe
    dresser: Dresser
    studio: Studio
    folder: Path | None
    """The run's own folder; None where it has none."""
    classes: ClassMap

    def hello(self) -> talk.Hello:
        """What a page is told first."""
        shelves = (self.wardrobe.garments, self.wardrobe.textures, self.wardrobe.backgrounds)
        garments, textures, backgrounds = (tuple(piece.item for piece in shelf.values()) for shelf in shelves)
        # What cannot be put on anybody is not offered.
        garments = tuple(item for item in garments if item.part in self.places)
        return talk.Hello(
            self.cameras,
            garments,
            textures,
            backgrounds,
            tuple(talk.Class(one.name, one.role, one.region, one.colour[::-1]) for one in self.classes.classes),
            self.settings.size_px,
            self.settings.rate_hz,
        )

    @property
    def places(self) -> tuple[str, ...]:
        """Where something of the visitor's own may be used: the background, and each garment."""
        return (BACKGROUND, *(self.classes.names[index] for index in self.classes.garments))

    def expect_places(self, names: Collection[str]) -> None:
        """Raise LookError where nothing can be put on one of `names`."""
        if unknown := {*names} - {*self.places}:
            raise LookError(f"there is no {', '.join(sorted(unknown))} to put anything on: reload the page")


class Socket(Protocol):
    """The page's end."""

    async def send_text(self, data: str) -> None: ...

    async def send_bytes(self, data: bytes) -> None: ...


class Session:
    """A page that is open. Nothing of it is left when `run` returns."""

    def __init__(self, socket: Socket, house: House) -> None:
        self._socket = socket
        self._house = house
        width, height = house.settings.size_px
        self._guest = Guest(house.uplink, width * height, self._guest_changed)
        self._presenter = Presenter(socket.send_bytes)
        self._joined = False
        self._watched: str | None = None
        self._following: asyncio.Task[None] | None = None
        self._outfit = Outfit(house.wardrobe, house.dresser, house.studio, house.folder, self._refuse)
        self._words = Allowance(_WORDS_HZ + house.settings.rate_hz, 2 * _WORDS_HZ)
        self._pictures = Allowance(1.5 * house.settings.rate_hz, house.settings.rate_hz)
        self._photos = Allowance(_PHOTOS_HZ, _PHOTOS_AT_ONCE)
        self._errands: set[asyncio.Task[None]] = set()

    async def run(self, messages: AsyncIterator[str | bytes]) -> None:
        """Serve the page until its messages end."""
        await self._say(self._house.hello())
        work = (self._listen(messages), self._presenter.run(), self._guest.run(), self._outfit.run())
        tasks = [asyncio.create_task(one) for one in work]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (*tasks, *self._errands):
                task.cancel()
            await asyncio.gather(*tasks, *self._errands, return_exceptions=True)
            await self._leave()

    async def _listen(self, messages: AsyncIterator[str | bytes]) -> None:
        async for message in messages:
            now_s = time.monotonic()
            if isinstance(message, bytes):
                if self._joined and self._pictures.spend(now_s):
                    self._guest.arrive(message)
            elif not self._words.spend(now_s):
                await self._refuse("too much is asked at once: wait a moment")
            else:
                await self._hear(message)

    async def _hear(self, text: str) -> None:
        try:
            await self._obey(talk.decode(text))
        except UntrustedJsonError:
            await self._refuse("the page and its server do not understand each other: reload the page")
        except (LookError, CallError, PhotoError) as error:
            await self._refuse(str(error))

    async def _obey(self, said: talk.FromPage) -> None:
        match said:
            case talk.Shown():
                self._presenter.shown()
            case talk.Ping(clock_ms):
                await self._say(talk.Pong(clock_ms, time.monotonic() * 1000))
            case talk.Show():
                self._presenter.show = said
            case talk.Wear(worn=worn):
                self._house.expect_places(worn)
                self._outfit.wear(said)
            case talk.Photo(slot, data):
                self._house.expect_places([slot])
                if not self._photos.spend(time.monotonic()):
                    raise PhotoError("too many photos are sent at once: wait a moment")
                self._outfit.take(slot, data)
            case talk.Snapshot(kind):
                await self._snapshot(kind)
            case talk.Watch(camera):
                await self._leave()
                if camera not in self._house.cameras:
                    raise LookError(f"there is no camera {camera}: reload the page")
                self._watch(camera)
            case talk.Join():
                await self._leave()
                self._joined = True
            case talk.Offer(sdp):
                await self._leave()
                self._presenter.call, answer = await open_call(sdp, self._guest.arrive)
                self._joined = True
                await self._say(talk.Answer(answer))
            case talk.Leave():
                await self._leave()

    # What is watched.

    def _watch(self, camera: str) -> None:
        self._watched = self._outfit.camera = camera
        self._outfit.renew()
        self._following = asyncio.create_task(
            follow(self._house.results, camera, self._presenter.frames, self._stream_changed)
        )

    def _stream_changed(self, stream: Stream) -> None:
        silent = stream.state == "no_signal"
        if stream.state == "running" and self._watched == self._guest.name:
            self._outfit.renew()
        # Why is for those who run the stream: it names addresses that are no visitor's business.
        self._errand(self._say(talk.State(stream.state, self._watched, "its source is silent" if silent else None)))

    def _guest_changed(self, cause: talk.Standing | None) -> None:
        """The visitor's own camera comes, goes, or finds no room."""
        self._unwatch()
        if self._guest.name is not None:
            self._watch(self._guest.name)
        elif cause is not None:
            self._errand(self._say(talk.State(cause)))

    def _unwatch(self) -> None:
        if self._following is not None:
            self._following.cancel()
        self._watched = self._outfit.camera = self._following = None

    async def _leave(self) -> None:
        """Give up what is watched, and the visitor's own camera."""
        self._joined = False
        self._guest.leave()
        self._unwatch()
        call = self._presenter.call
        self._presenter.forget()
        if call is not None:
            await call.close()

    async def _snapshot(self, kind: str) -> None:
        png = await self._presenter.snapshot(kind)
        if png is None:
            raise LookError("there is no picture yet: start a camera first")
        await self._socket.send_bytes(png)

    # Saying things.

    async def _say(self, item: talk.ToPage) -> None:
        await self._socket.send_text(talk.encode(item))

    async def _refuse(self, cause: str) -> None:
        await self._say(talk.Refused(cause))

    def _errand(self, work: Coroutine[None, None, None]) -> None:
        """Do something that nobody waits for, as long as the page is there."""

        async def run() -> None:
            with suppress(*GONE):
                await work

        task = asyncio.create_task(run())
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)
