"""Links carry messages between real sockets, in time, and throw garbage away."""

from __future__ import annotations

import contextlib
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import zmq
import zmq.auth

from stream.message import Frame, Next, Ready, SegmentedFrame
from stream.transport import sockets
from stream.transport.sockets import Hub, Inbox, LinkError, Outbox, Peer, private_endpoints, remove_folder
from tests.stream.pictures import frame, segmented

TIMEOUT_MS = 10_000


@pytest.fixture(params=["ipc", "tcp"])
def endpoint(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"ipc://{tmp_path / 'socket'}" if request.param == "ipc" else "tcp://127.0.0.1:*"


@pytest.fixture
def closing() -> Iterator[Callable[..., None]]:
    """Close whatever is handed in, last first, when the test is over."""
    ends: list[Hub | Peer | Inbox | Outbox] = []
    yield lambda *made: ends.extend(made)
    for end in reversed(ends):
        end.close()


def test_the_hub_answers_the_peer_that_spoke(endpoint: str, closing: Callable[..., None]) -> None:
    hub = Hub(endpoint)
    a, b = Peer(hub.endpoint, "a.1"), Peer(hub.endpoint, "b.2")
    closing(hub, a, b)
    a.send(Ready(0))
    assert hub.receive(TIMEOUT_MS) == (b"a.1", Ready(0))
    b.send(Ready(7))
    assert hub.receive(TIMEOUT_MS) == (b"b.2", Ready(7))
    hub.send(b"a.1", frame(3))
    got = a.receive(TIMEOUT_MS)
    assert isinstance(got, Frame)
    assert np.array_equal(got.picture.pixels, frame(3).picture.pixels)
    assert b.receive(0) is None


def test_sending_to_a_peer_that_is_gone_harms_nobody(endpoint: str, closing: Callable[..., None]) -> None:
    hub = Hub(endpoint)
    closing(hub)
    hub.send(b"nobody", Next("front"))


def test_results_reach_the_inbox_from_everyone(endpoint: str, closing: Callable[..., None]) -> None:
    inbox = Inbox(endpoint)
    senders = [Outbox(inbox.endpoint), Outbox(inbox.endpoint)]
    closing(inbox, *senders)
    for number, sender in enumerate(senders):
        sender.write(segmented(number))
    got = [inbox.receive(TIMEOUT_MS) for _ in senders]
    assert sorted(item.frame.seq for item in got if isinstance(item, SegmentedFrame)) == [0, 1]


def test_what_was_sent_last_still_arrives_after_the_sender_closed(endpoint: str, closing: Callable[..., None]) -> None:
    inbox = Inbox(endpoint)
    closing(inbox)
    outbox = Outbox(inbox.endpoint)
    outbox.write(segmented(5))
    closer = threading.Thread(target=outbox.close)
    closer.start()
    assert isinstance(inbox.receive(TIMEOUT_MS), SegmentedFrame)
    closer.join(10)


def test_garbage_is_counted_and_refused(closing: Callable[..., None]) -> None:
    hub = Hub("tcp://127.0.0.1:*")
    peer = Peer(hub.endpoint, "a.1")
    closing(hub, peer)
    with zmq.Context() as context, context.socket(zmq.DEALER) as stranger:
        stranger.connect(hub.endpoint)
        for parts in ([b"x"], [b""], [b"\x80\x04."], [b"{}"] * 9):
            stranger.send_multipart(parts)
            assert hub.receive(TIMEOUT_MS) is None
    assert hub.refused == 4
    peer.send(Ready(1))
    assert hub.receive(TIMEOUT_MS) == (b"a.1", Ready(1))


def test_an_endpoint_that_cannot_be_bound_is_named() -> None:
    with pytest.raises(LinkError, match=r"cannot bind ipc:///no/such/folder: "):
        Hub("ipc:///no/such/folder")


@pytest.mark.parametrize("endpoint", ["5556", "tcp://127.0.0.1", "http://127.0.0.1:80"])
def test_what_is_no_endpoint_is_told_what_one_looks_like(endpoint: str) -> None:
    with pytest.raises(LinkError, match=r"expected tcp://HOST:PORT or ipc://PATH"):
        Hub(endpoint)


def test_private_endpoints_are_for_this_user_alone() -> None:
    endpoints, folder = private_endpoints(("dispatch", "results"))
    assert set(endpoints) == {"dispatch", "results"}
    if folder is not None:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    remove_folder(folder)
    assert folder is None or not folder.exists()


class TestKeys:
    @pytest.fixture
    def keys(self, tmp_path: Path) -> Path:
        from tools.make_keys import make_keys

        make_keys(tmp_path / "keys")
        return tmp_path / "keys"

    def test_a_holder_of_the_keys_is_heard(self, keys: Path, closing: Callable[..., None]) -> None:
        hub = Hub("tcp://127.0.0.1:*", keys)
        peer = Peer(hub.endpoint, "a.1", keys)
        closing(hub, peer)
        peer.send(Ready(0))
        assert hub.receive(TIMEOUT_MS) == (b"a.1", Ready(0))

    def test_others_are_not(self, keys: Path, tmp_path: Path, closing: Callable[..., None]) -> None:
        from tools.make_keys import make_keys

        make_keys(tmp_path / "others")
        (tmp_path / "others" / "server.key").write_bytes((keys / "server.key").read_bytes())
        hub = Hub("tcp://127.0.0.1:*", keys)
        stranger, plain = Peer(hub.endpoint, "s.1", tmp_path / "others"), Peer(hub.endpoint, "p.1")
        friend = Peer(hub.endpoint, "f.1", keys)
        closing(hub, stranger, plain, friend)
        for refused in (stranger, plain):
            with contextlib.suppress(LinkError):  # where it was turned away before it spoke
                refused.send(Ready(0))
        friend.send(Ready(0))
        heard = [hub.receive(TIMEOUT_MS), hub.receive(1500)]
        assert heard == [(b"f.1", Ready(0)), None]

    def test_who_is_turned_away_is_told_and_does_not_wait_for_ever(
        self, keys: Path, closing: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sockets, "_PATIENCE_MS", 300)
        hub = Hub("tcp://127.0.0.1:*", keys)
        plain = Peer(hub.endpoint, "p.1")
        closing(hub, plain)

        def speak() -> None:
            while hub.receive(1) is None:  # what is sent before it is turned away is lost
                plain.send(Ready(0))

        with pytest.raises(LinkError, match="keys"):
            speak()

    def test_a_folder_without_keys_is_refused_in_one_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(LinkError, match="make_keys"):
            Hub("tcp://127.0.0.1:*", tmp_path)
