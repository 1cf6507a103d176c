"""One visitor's page: it is heard while it is dressed, and leaves nothing on the disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast

import msgspec
import pytest

from clothseg.classes import USUAL
from clothseg.tryon import Effect, GarmentPhoto
from stream.settings.config import Web
from stream.web.effects_client import EffectsClient, EffectsRejectedError
from stream.web.library import read_library
from stream.web.outfit import temporary_photos
from stream.web.page_protocol import Outfit, PhotoChoice, Ping, UploadPhoto
from stream.web.session import ServerContext, Session
from stream.web.uplink import Uplink
from stream.web.upload import PhotoProcessor

PNG = (Path(__file__).parents[3] / "configs/garments/jeans.png").read_bytes()


class NoUplink:
    def close(self, name: str) -> None: ...


class Slow:
    """A dresser and a studio that take their time: until `enough`."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.enough = asyncio.Event()
        self.worn: list[tuple[Effect, ...]] = []
        self.seen: list[bytes] = []

    async def set_effects(self, camera: str, effects: Sequence[Effect]) -> None:
        self.begun.set()
        await self.enough.wait()
        self.worn.append(tuple(effects))
        self.seen += [effect.image.read_bytes() for effect in effects if isinstance(effect, GarmentPhoto)]
        if len(self.worn) > 1:
            raise EffectsRejectedError("not this one")

    async def process(self, data: bytes, slot: str) -> bytes:
        return data


class Page:
    """The page's end."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        self.says: asyncio.Queue[str | None] = asyncio.Queue()

    async def send_text(self, data: str) -> None:
        self.heard.put_nowait(msgspec.json.decode(data))

    async def send_bytes(self, data: bytes) -> None: ...

    def say(self, item: object) -> None:
        self.says.put_nowait(msgspec.json.encode(item).decode())

    async def messages(self) -> AsyncIterator[str]:
        while (text := await self.says.get()) is not None:
            yield text

    async def hears(self, say: str) -> dict[str, object]:
        while True:
            heard = await asyncio.wait_for(self.heard.get(), 10)
            if heard["type"] == say:
                return heard


def house(slow: Slow, folder: Path) -> ServerContext:
    web = Web()
    return ServerContext(
        web, ("front",), "ipc:///nowhere", cast(Uplink, NoUplink()), read_library(web),
        cast(EffectsClient, slow), cast(PhotoProcessor, slow), folder, USUAL,
    )  # fmt: skip


def test_a_page_is_heard_while_it_is_dressed_and_its_photo_lies_on_the_disk_no_longer(tmp_path: Path) -> None:
    async def visit() -> None:
        slow, page = Slow(), Page()
        session = Session(page, house(slow, tmp_path))
        session._outfit.camera = "front"
        running = asyncio.create_task(session.run(page.messages()))
        page.say(UploadPhoto("bottom", PNG))
        page.say(Outfit(garments={"bottom": PhotoChoice()}))
        await asyncio.wait_for(slow.begun.wait(), 10)
        (kept,) = tmp_path.iterdir()
        assert kept.stat().st_mode & 0o077 == 0
        page.say(Ping(7))
        assert (await page.hears("pong"))["clock_ms"] == 7
        page.say(Outfit(garments={"top": PhotoChoice()}))  # there is none: said after the one before
        slow.enough.set()
        assert "no photo for the top" in str((await page.hears("request_rejected"))["cause"])
        assert slow.seen == [PNG]
        assert not list(tmp_path.iterdir())
        page.say(Outfit(garments={"bottom": PhotoChoice()}))
        assert (await page.hears("request_rejected"))["cause"] == "not this one"
        page.says.put_nowait(None)
        await asyncio.wait_for(running, 10)

    asyncio.run(visit())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("data", [b"GIF89a", b"\xff\xd8\xff" + b"\xff" * 50])
def test_what_is_no_photo_is_refused_at_once(tmp_path: Path, data: bytes) -> None:
    async def visit() -> None:
        page = Page()
        running = asyncio.create_task(Session(page, house(Slow(), tmp_path)).run(page.messages()))
        page.say(UploadPhoto("top", data))
        assert "neither PNG nor JPEG" in str((await page.hears("request_rejected"))["cause"])
        page.says.put_nowait(None)
        await running

    asyncio.run(visit())


def test_photos_lie_on_the_disk_for_a_while_only_even_after_a_fault(tmp_path: Path) -> None:
    def read() -> None:
        with temporary_photos(tmp_path, {"top": PNG}) as paths:
            assert paths["top"].read_bytes() == PNG
            raise ValueError("fault")

    with pytest.raises(ValueError, match="fault"):
        read()
    assert not list(tmp_path.iterdir())
