from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stream.message import NewPicture, PictureRequest, SourceEnded, SourceOpened
from stream.transport.sockets import DealerSocket, RouterSocket
from stream.web import stamp
from stream.web.page_protocol import StreamState
from stream.web.photo import to_jpeg
from stream.web.stamp import CLOCK_MS, Stamp
from stream.web.uplink import Uplink, VisitorLimitError
from stream.web.visitor_camera import VisitorCamera

PICTURE = np.full((96, 128, 3), 90, np.uint8)


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[tuple[RouterSocket, Uplink]]:
    endpoint = f"ipc://{tmp_path / 'dispatch'}"
    hub, peer = RouterSocket(endpoint), DealerSocket(endpoint, "web")
    yield hub, Uplink(peer, visitors=2, rate_hz=30)
    peer.close()
    hub.close()


def heard(hub: RouterSocket) -> object:
    received = hub.receive(2000)
    assert received is not None
    return received[1]


def pictured(clock_ms: int) -> bytes:
    return to_jpeg(stamp.add_stamp(PICTURE, Stamp(clock_ms)))


async def settled(visitor: VisitorCamera, *pictures: bytes) -> None:
    """Have a visitor take in pictures one after the other."""
    running = asyncio.create_task(visitor.run())
    for picture in pictures:
        visitor.receive(picture)
        await visitor.idle()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_a_visitor_is_a_live_camera_that_sends_a_picture_on_request(ends: tuple[RouterSocket, Uplink]) -> None:
    hub, uplink = ends
    got: list[object] = []

    async def visit() -> None:
        hearing = asyncio.create_task(uplink.run())
        visitor = VisitorCamera(uplink, PICTURE.shape[0] * PICTURE.shape[1], lambda cause: None)
        running = asyncio.create_task(visitor.run())
        for clock_ms in (1000, 1033, 1066):
            visitor.receive(pictured(clock_ms))
            await visitor.idle()
        received = await asyncio.to_thread(hub.receive, 2000)
        assert received is not None
        peer, opened = received
        assert isinstance(opened, SourceOpened)
        hub.send(peer, PictureRequest(opened.camera))
        got.extend([opened, await asyncio.to_thread(heard, hub)])
        running.cancel()
        hearing.cancel()
        await asyncio.gather(running, hearing, return_exceptions=True)
        got.append(await asyncio.to_thread(heard, hub))

    asyncio.run(visit())
    opened, offer, ended = got
    assert isinstance(opened, SourceOpened)
    assert opened.mode == "live"
    assert isinstance(offer, NewPicture)
    assert (offer.superseded, offer.picture.pts_ns) == (2, 1_066_000_000)
    assert offer.picture.pixels.shape == PICTURE.shape
    assert ended == SourceEnded(opened.camera)


def test_names_cannot_be_guessed_and_there_is_room_for_so_many(ends: tuple[RouterSocket, Uplink]) -> None:
    _, uplink = ends
    first, second = uplink.open(), uplink.open()
    assert first != second
    assert len(first) == len("visitor-") + 32
    with pytest.raises(VisitorLimitError):
        uplink.open()
    uplink.close(first)
    uplink.open()


def test_timestamps_go_on_where_the_pages_clock_starts_over(ends: tuple[RouterSocket, Uplink]) -> None:
    hub, uplink = ends
    visitor = VisitorCamera(uplink, 128 * 96, lambda cause: None)
    asyncio.run(settled(visitor, pictured(CLOCK_MS - 10), pictured(20)))
    assert visitor.rejected == 0
    assert isinstance(heard(hub), SourceOpened)
    assert visitor.pts_ns == (CLOCK_MS + 20) * 1_000_000


def test_old_doubled_and_foreign_pictures_are_refused(ends: tuple[RouterSocket, Uplink]) -> None:
    _, uplink = ends
    changes: list[StreamState | None] = []
    visitor = VisitorCamera(uplink, 128 * 96, changes.append)
    foreign = (b"nonsense", to_jpeg(PICTURE), to_jpeg(np.zeros((2000, 2000, 3), np.uint8)))
    asyncio.run(settled(visitor, *(pictured(clock_ms) for clock_ms in (1000, 1000, 900, 1033)), *foreign))
    assert visitor.rejected == 5
    assert changes == [None]
