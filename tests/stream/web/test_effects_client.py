"""Asking composite from many tasks, some of which no longer wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from clothseg.tryon import BackgroundColour
from stream.composite import control
from stream.composite.control import Accepted, Rejected, SetEffects
from stream.transport.sockets import RepSocket
from stream.web.effects_client import EffectsClient, EffectsRejectedError


class Composite:
    """Answers each request after a word from the test, and keeps whom it was for."""

    def __init__(self, endpoint: str) -> None:
        self.asked: list[str | None] = []
        self.go_on = threading.Semaphore(0)
        self.heard = threading.Semaphore(0)
        self._desk = RepSocket(endpoint)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._closed.is_set():
            if (heard := self._desk.receive(20)) is not None:
                request = control.read_request(heard[1])
                assert isinstance(request, SetEffects)
                self.asked.append(request.camera)
                self.heard.release()
                self.go_on.acquire()
                refused = request.camera == "bad"
                self._desk.reply(heard[0], control.encode(Rejected("/secret/path") if refused else Accepted()))
        self._desk.close()

    def close(self) -> None:
        self._closed.set()
        self.go_on.release(99)
        self._thread.join()


@pytest.fixture
def endpoint(tmp_path: Path) -> str:
    return f"ipc://{tmp_path / 'control'}"


@pytest.fixture
def composite(endpoint: str) -> Iterator[Composite]:
    composite = Composite(endpoint)
    yield composite
    composite.close()


def test_who_no_longer_waits_disturbs_no_other(endpoint: str, composite: Composite) -> None:
    told: list[str] = []
    dresser = EffectsClient(endpoint, told.append)

    async def visit() -> None:
        for number in range(20):
            leaving = asyncio.create_task(dresser.set_effects(f"leaves-{number}", [BackgroundColour()]))
            await asyncio.to_thread(composite.heard.acquire)
            leaving.cancel()
            following = asyncio.create_task(dresser.set_effects("bad", [BackgroundColour()]))
            await asyncio.gather(leaving, return_exceptions=True)
            composite.go_on.release(2)
            with pytest.raises(EffectsRejectedError):  # its own reply, not that of the one before
                await following
            await asyncio.to_thread(composite.heard.acquire)

    asyncio.run(visit())
    dresser.close()
    assert len(composite.asked) == 40
    assert told == ["a visitor could not be dressed: /secret/path"] * 20


def test_a_visitor_is_told_nothing_of_the_insides(tmp_path: Path) -> None:
    told: list[str] = []
    dresser = EffectsClient(f"ipc://{tmp_path / 'nobody'}", told.append, timeout_ms=50)
    with pytest.raises(EffectsRejectedError) as refused:
        asyncio.run(dresser.set_effects("front", []))
    dresser.close()
    assert str(tmp_path) not in str(refused.value)
    assert str(tmp_path) in told[0]
