"""Links carry messages between real sockets, in time, and throw garbage away."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import zmq

from stream.message import Ack, Frame, PictureRequest, SegmentedFrame, SourceLost, WorkerReady
from stream.transport import connections, sockets
from stream.transport.connections import Limit
from stream.transport.endpoints import in_memory
from stream.transport.sockets import (
    DealerSocket,
    PullSocket,
    PushSocket,
    RepSocket,
    RouterSocket,
    TransportError,
    XPubSocket,
    private_endpoints,
    remove_folder,
)
from tests import zmtp
from tests.stream.pictures import frame, segmented
from tools.campaign.command import tcp
from tools.campaign.proxy import Proxy, Side
from tools.make_keys import make_keys

TIMEOUT_MS = 10_000


def port_of(endpoint: str) -> int:
    """The port of a TCP endpoint."""
    return int(endpoint.rpartition(":")[2])


@pytest.fixture(params=["ipc", "tcp"])
def endpoint(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"ipc://{tmp_path / 'socket'}" if request.param == "ipc" else "tcp://127.0.0.1:*"


@pytest.fixture
def closing() -> Iterator[Callable[..., None]]:
    """Close whatever is handed in, last first, when the test is over."""
    ends: list[RouterSocket | DealerSocket | PullSocket | PushSocket] = []
    yield lambda *made: ends.extend(made)
    for end in reversed(ends):
        end.close()


def test_the_router_answers_the_dealer_that_sent(endpoint: str, closing: Callable[..., None]) -> None:
    hub = RouterSocket(endpoint)
    a, b = DealerSocket(hub.endpoint, "a.1"), DealerSocket(hub.endpoint, "b.2")
    closing(hub, a, b)
    a.send(WorkerReady(0))
    assert hub.receive(TIMEOUT_MS) == (b"a.1", WorkerReady(0))
    b.send(WorkerReady(7))
    assert hub.receive(TIMEOUT_MS) == (b"b.2", WorkerReady(7))
    hub.send(b"a.1", frame(3))
    got = a.receive(TIMEOUT_MS)
    assert isinstance(got, Frame)
    assert np.array_equal(got.picture.pixels, frame(3).picture.pixels)
    assert b.receive(0) is None


def test_sending_to_a_peer_that_is_gone_harms_nobody(endpoint: str, closing: Callable[..., None]) -> None:
    hub = RouterSocket(endpoint)
    closing(hub)
    hub.send(b"nobody", PictureRequest("front"))


def test_results_reach_the_inbox_from_everyone(endpoint: str, closing: Callable[..., None]) -> None:
    inbox = PullSocket(endpoint)
    senders = [PushSocket(inbox.endpoint), PushSocket(inbox.endpoint)]
    closing(inbox, *senders)
    for number, sender in enumerate(senders):
        sender.write(segmented(number))
    got = [inbox.receive(TIMEOUT_MS) for _ in senders]
    assert sorted(item.frame.seq for item in got if isinstance(item, SegmentedFrame)) == [0, 1]


def test_what_was_sent_last_still_arrives_after_the_sender_closed(endpoint: str, closing: Callable[..., None]) -> None:
    inbox = PullSocket(endpoint)
    closing(inbox)
    outbox = PushSocket(inbox.endpoint)
    outbox.write(segmented(5))
    closer = threading.Thread(target=outbox.close)
    closer.start()
    assert isinstance(inbox.receive(TIMEOUT_MS), SegmentedFrame)
    closer.join(10)


def test_garbage_is_counted_and_refused(closing: Callable[..., None]) -> None:
    hub = RouterSocket("tcp://127.0.0.1:*")
    peer = DealerSocket(hub.endpoint, "a.1")
    closing(hub, peer)
    with zmq.Context() as context, context.socket(zmq.DEALER) as stranger:
        stranger.connect(hub.endpoint)
        for parts in ([b"x"], [b""], [b"\x80\x04."], [b"{}"] * 9):
            stranger.send_multipart(parts)
            assert hub.receive(TIMEOUT_MS) is None
    assert hub.rejected == 4
    peer.send(WorkerReady(1))
    assert hub.receive(TIMEOUT_MS) == (b"a.1", WorkerReady(1))


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("identity", ["composite", "inference-0.4711", "reader.front.4711"])
def test_a_peer_whose_connection_breaks_in_one_direction_is_heard_again(
    identity: str, side: Side, closing: Callable[..., None]
) -> None:
    hub = RouterSocket("tcp://127.0.0.1:*")
    with Proxy(port_of(hub.endpoint)) as cable:
        peer = DealerSocket(tcp(cable.port), identity)
        closing(hub, peer)
        for again in range(2):
            peer.send(WorkerReady(again))
            assert hub.receive(TIMEOUT_MS) == (identity.encode(), WorkerReady(again))
        hub.send(identity.encode(), PictureRequest("front"))
        assert peer.receive(TIMEOUT_MS) == PictureRequest("front")
        cable.swallow(side)
        broken_s = time.monotonic()
        while hub.receive(20) is None or cable.connections < 2:
            peer.send(WorkerReady(2))
            assert time.monotonic() - broken_s < 3
        while peer.receive(20) != PictureRequest("back"):  # and it hears
            hub.send(identity.encode(), PictureRequest("back"))
            assert time.monotonic() - broken_s < 3


@pytest.mark.parametrize("side", ["client", "server"])
def test_results_come_again_after_their_connection_breaks_in_one_direction(
    side: Side, closing: Callable[..., None]
) -> None:
    inbox = PullSocket("tcp://127.0.0.1:*")
    with Proxy(port_of(inbox.endpoint)) as cable:
        outbox = PushSocket(tcp(cable.port))
        closing(inbox, outbox)
        outbox.write(segmented(0))
        assert isinstance(inbox.receive(TIMEOUT_MS), SegmentedFrame)
        cable.swallow(side)
        broken_s = time.monotonic()
        while inbox.receive(20) is None or cable.connections < 2:
            outbox.write(segmented(1))
            assert time.monotonic() - broken_s < 3


@pytest.mark.parametrize(
    ("end", "speaks"), [(RouterSocket, b"DEALER"), (PullSocket, b"PUSH"), (XPubSocket, b"SUB"), (RepSocket, b"REQ")]
)
def test_a_message_without_an_end_takes_bounded_memory(
    end: type[RouterSocket | PullSocket | XPubSocket | RepSocket], speaks: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts are bounded each, but who never sends the last could send any number of them."""
    monkeypatch.setattr(sockets, "_STAGES", Limit(20_000_000))
    bound = end("tcp://127.0.0.1:*")
    hear = (lambda _: [*bound.subscription_changes()]) if isinstance(bound, XPubSocket) else bound.receive
    process, over = psutil.Process(), threading.Event()
    try:
        with zmtp.connected(speaks, bound.endpoint) as stranger:
            before = process.memory_info().rss

            def send() -> None:
                with contextlib.suppress(OSError):
                    stranger.settimeout(10)
                    many = zmtp.part(bytes(1000)) * 1000
                    for _ in range(500):  # at most: where nobody is cut off, the test is to fail, not the machine
                        stranger.sendall(many)
                over.set()

            threading.Thread(target=send, daemon=True).start()
            deadline_s = time.monotonic() + 30
            while not over.is_set() or not bound.rejected:
                hear(1)
                assert time.monotonic() < deadline_s
            assert bound.rejected == 1
            assert process.memory_info().rss - before < 100_000_000
    finally:
        bound.close()


FLOODED = """
import socket, struct
from stream.transport.sockets import RouterSocket
from tests import zmtp
hub = RouterSocket("tcp://127.0.0.1:*")
for _ in range(6):
    with zmtp.connected(b"DEALER", hub.endpoint) as stranger:
        stranger.settimeout(0.3)
        try:
            stranger.sendall(zmtp.whole(b"x") * 5000 + zmtp.part(bytes(1000)) * 2000)
        except OSError:
            pass
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    for _ in range(2000):
        hub.receive(0)
hub.close()
"""


def test_a_flood_that_breaks_off_ends_nobody() -> None:
    """In a process of its own: libzmq aborts where a connection is held up by a high-water mark, and then breaks."""
    command = [sys.executable, "-c", FLOODED]
    assert subprocess.run(command, check=False, timeout=50, capture_output=True, text=True).stderr == ""


KNOCKED = """
import contextlib, socket, threading, time
from stream.transport.sockets import RouterSocket
for _ in range(15):
    hub = RouterSocket("tcp://127.0.0.1:*")
    host, port = hub.endpoint.removeprefix("tcp://").rsplit(":", 1)
    over = threading.Event()

    def knock():
        while not over.is_set():
            with contextlib.suppress(OSError):
                socket.create_connection((host, int(port))).close()

    strangers = [threading.Thread(target=knock, daemon=True) for _ in range(2)]
    for stranger in strangers:
        stranger.start()
    hub.receive(20)
    hub.close()
    over.set()
"""


def test_strangers_who_come_and_go_as_it_closes_do_not_hold_it_up() -> None:
    """In a process of its own: where closing hangs, it does so in libzmq, and no time limit of a test ends it."""
    command = [sys.executable, "-c", KNOCKED]
    assert subprocess.run(command, check=False, timeout=40, capture_output=True, text=True).stderr == ""


def test_a_watch_that_fails_is_told_and_holds_no_closing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setattr(connections.Connections, "_count", fail)
    hub = RouterSocket("tcp://127.0.0.1:*")

    def hear() -> None:
        while True:
            hub.receive(1)

    with contextlib.closing(hub), pytest.raises(RuntimeError, match="watched no more"):
        hear()


def test_a_process_with_many_open_files_watches_its_connections_too(closing: Callable[..., None]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    try:
        with contextlib.ExitStack() as files:
            for _ in range(1100):
                files.enter_context(open(os.devnull, "rb"))
            results = PullSocket("tcp://127.0.0.1:*")
            worker = PushSocket(results.endpoint)
            closing(results, worker)
            for seq in range(3):  # a watcher that failed is reported at the next message
                worker.write(segmented(seq))
                assert isinstance(results.receive(TIMEOUT_MS), SegmentedFrame)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_connections_are_bounded(monkeypatch: pytest.MonkeyPatch, closing: Callable[..., None]) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)
    hub = RouterSocket("tcp://127.0.0.1:*")
    peer = DealerSocket(hub.endpoint, "a.1")
    closing(hub, peer)
    peer.send(WorkerReady(0))
    assert hub.receive(TIMEOUT_MS) == (b"a.1", WorkerReady(0))
    with contextlib.ExitStack() as strangers:
        for _ in range(10):
            with contextlib.suppress(OSError):  # cut off before it has said what it is
                strangers.enter_context(zmtp.connected(b"DEALER", hub.endpoint))
        while hub.rejected < 8:
            hub.receive(20)
        peer.send(WorkerReady(1))
        assert hub.receive(TIMEOUT_MS) == (b"a.1", WorkerReady(1))


def test_who_is_cut_off_is_not_let_in_again_at_once_to_say_it_all_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Subscriptions are taken within libzmq, in one call that lasts for as long as more come: a gap for others."""
    monkeypatch.setattr(sockets, "_SUBSCRIBERS", Limit(100_000, refuse_s=1.5))
    publication = XPubSocket("tcp://127.0.0.1:*")

    def stays() -> bool:
        try:
            with zmtp.connected(b"SUB", publication.endpoint) as late:
                late.settimeout(0.5)
                late.recv(1)  # nothing, or its end
        except TimeoutError:
            return True
        except OSError:
            return False
        return False

    with contextlib.closing(publication), zmtp.connected(b"SUB", publication.endpoint) as honest:
        honest.sendall(zmtp.whole(b"\x01front"))
        with zmtp.connected(b"SUB", publication.endpoint) as stranger, contextlib.suppress(OSError):
            stranger.settimeout(10)
            for _ in range(500):
                stranger.sendall(zmtp.whole(b"\x01invented") * 1000)
        cut_off_s = time.monotonic()
        assert not stays()
        while not stays():
            [*publication.subscription_changes()]
        assert 0.5 < time.monotonic() - cut_off_s < 10
        [*publication.subscription_changes()]
        publication.publish([b"front", b"a frame"])
        honest.settimeout(10)
        assert honest.recv(100).endswith(b"a frame")


def test_an_endpoint_that_cannot_be_bound_is_named() -> None:
    with pytest.raises(TransportError, match=r"cannot bind ipc:///no/such/folder: "):
        RouterSocket("ipc:///no/such/folder")


@pytest.mark.parametrize("endpoint", ["5556", "tcp://127.0.0.1", "http://127.0.0.1:80"])
def test_an_invalid_endpoint_is_rejected_with_an_example(endpoint: str) -> None:
    with pytest.raises(TransportError, match=r"expected tcp://HOST:PORT or ipc://PATH"):
        RouterSocket(endpoint)


def test_private_endpoints_are_for_this_user_alone() -> None:
    endpoints, folder = private_endpoints(("dispatch", "results"))
    assert set(endpoints) == {"dispatch", "results"}
    if folder is not None:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    remove_folder(folder)
    assert folder is None or not folder.exists()


def test_a_peer_whose_folder_was_removed_before_it_came_is_told(tmp_path: Path, closing: Callable[..., None]) -> None:
    folder = tmp_path / "sockets"
    folder.mkdir()
    hub = RouterSocket(f"ipc://{folder / 'dispatch'}")
    early = DealerSocket(hub.endpoint, "w.1")
    closing(hub, early)
    early.send(WorkerReady(0))
    assert hub.receive(TIMEOUT_MS) is not None
    hub.send(b"w.1", PictureRequest("front"))
    assert early.receive(TIMEOUT_MS) == PictureRequest("front")
    shutil.rmtree(folder)
    late = DealerSocket(hub.endpoint, "w.2")
    closing(late)
    with pytest.raises(TransportError, match="its folder was removed"):
        late.receive(10)
    assert early.receive(0) is None


class TestKeys:
    @pytest.fixture
    def keys(self, tmp_path: Path) -> Path:
        make_keys(tmp_path / "keys", {"camera": ["reader"], "gpu": ["worker"], "view": ["subscriber"]})
        return tmp_path / "keys"

    def test_a_host_is_heard_in_its_role_alone(self, keys: Path, closing: Callable[..., None]) -> None:
        hub = RouterSocket("tcp://127.0.0.1:*", keys / "server")
        gpu, camera = (
            DealerSocket(hub.endpoint, "w.1", keys / "gpu"),
            DealerSocket(hub.endpoint, "r.1", keys / "camera"),
        )
        closing(hub, gpu, camera)
        gpu.send(WorkerReady(0))
        assert hub.receive(TIMEOUT_MS) == (b"w.1", WorkerReady(0))
        gpu.send(Ack("front", 0, 0))
        camera.send(WorkerReady(0))
        while hub.rejected < 2:
            assert hub.receive(50) is None
        camera.send(SourceLost("front", "gone"))
        assert hub.receive(TIMEOUT_MS) == (b"r.1", SourceLost("front", "gone"))

    def test_the_host_that_binds_plays_every_role_of_a_stage(self, keys: Path, closing: Callable[..., None]) -> None:
        hub, inbox = (
            RouterSocket("tcp://127.0.0.1:*", keys / "server"),
            PullSocket("tcp://127.0.0.1:*", keys / "server"),
        )
        peer, outbox = DealerSocket(hub.endpoint, "c", keys / "server"), PushSocket(inbox.endpoint, keys / "server")
        closing(hub, inbox, peer, outbox)
        peer.send(Ack("front", 0, 0))
        assert hub.receive(TIMEOUT_MS) == (b"c", Ack("front", 0, 0))
        outbox.write(segmented(0))
        assert isinstance(inbox.receive(TIMEOUT_MS), SegmentedFrame)

    def test_others_are_not_heard(self, keys: Path, tmp_path: Path, closing: Callable[..., None]) -> None:
        make_keys(tmp_path / "others", {"gpu": ["worker"]})
        (tmp_path / "others" / "gpu" / "server.key").write_bytes((keys / "gpu" / "server.key").read_bytes())
        hub = RouterSocket("tcp://127.0.0.1:*", keys / "server")
        strangers = [
            DealerSocket(hub.endpoint, "s.1", tmp_path / "others" / "gpu"),
            DealerSocket(hub.endpoint, "v.1", keys / "view"),  # a subscriber is none of the stages
            DealerSocket(hub.endpoint, "p.1"),
        ]
        friend = DealerSocket(hub.endpoint, "f.1", keys / "gpu")
        closing(hub, *strangers, friend)
        for refused in strangers:
            with contextlib.suppress(TransportError):  # where it was turned away before it spoke
                refused.send(WorkerReady(0))
        friend.send(WorkerReady(0))
        heard = [hub.receive(TIMEOUT_MS), hub.receive(1500)]
        assert heard == [(b"f.1", WorkerReady(0)), None]

    def test_a_key_that_is_taken_away_or_added_counts_at_once(self, keys: Path, closing: Callable[..., None]) -> None:
        hub = RouterSocket("tcp://127.0.0.1:*", keys / "server")
        gpu = DealerSocket(hub.endpoint, "w.1", keys / "gpu")
        closing(hub, gpu)
        gpu.send(WorkerReady(0))
        assert hub.receive(TIMEOUT_MS) == (b"w.1", WorkerReady(0))
        allowed = keys / "server" / "allowed" / "worker" / "gpu.key"
        allowed.rename(keys / "gpu.key")
        gpu.send(WorkerReady(1))
        while not hub.rejected:
            assert hub.receive(50) is None
        make_keys(keys, {"later": ["worker"]})
        later = DealerSocket(hub.endpoint, "l.1", keys / "later")
        closing(later)
        later.send(WorkerReady(2))
        assert hub.receive(TIMEOUT_MS) == (b"l.1", WorkerReady(2))

    def test_a_secret_that_others_can_read_is_refused(self, keys: Path) -> None:
        (keys / "gpu" / "host.key_secret").chmod(0o640)
        with pytest.raises(TransportError, match="can be read by others: chmod 600"):
            DealerSocket("tcp://127.0.0.1:1", "w.1", keys / "gpu")

    def test_a_rejected_subscriber_gets_an_error_and_does_not_hang(
        self, keys: Path, closing: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sockets, "_SEND_TIMEOUT_MS", 300)
        hub = RouterSocket("tcp://127.0.0.1:*", keys / "server")
        plain = DealerSocket(hub.endpoint, "p.1")
        closing(hub, plain)

        def speak() -> None:
            while hub.receive(1) is None:  # what is sent before it is turned away is lost
                plain.send(WorkerReady(0))

        with pytest.raises(TransportError, match="keys"):
            speak()

    def test_a_folder_without_keys_is_refused_in_one_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(TransportError, match="make_keys"):
            RouterSocket("tcp://127.0.0.1:*", tmp_path)


def test_threads_meet_in_memory_in_any_order_and_what_is_sent_to_the_closed_is_lost() -> None:
    ends = in_memory("")
    assert ends != in_memory("")  # the next run's
    dealer = DealerSocket(ends.dispatch, "worker.0")
    dealer.send(WorkerReady(3))  # before anybody is there
    router = RouterSocket(ends.dispatch)
    assert router.receive(TIMEOUT_MS) == (b"worker.0", WorkerReady(3))
    router.close()
    dealer.send(WorkerReady(4))
    assert dealer.receive(0) is None
    dealer.close()
