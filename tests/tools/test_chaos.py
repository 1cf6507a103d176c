"""The campaign's own parts: what is judged, what is made wrong, and how connections are broken."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools import chaos
from tools.campaign import bombs, encoding, kills, mutation, page, plan, soak, trend, viewer
from tools.campaign.family import Held
from tools.campaign.plan import Plan
from tools.campaign.proxy import Proxy, Side
from tools.campaign.result import Result, Surroundings, spread
from tools.campaign.soak import Sample

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"


class TestPlan:
    def test_ten_minutes_are_the_whole_plan_and_more_is_no_more(self) -> None:
        assert plan.scaled(10) == plan.scaled(60) == Plan()

    @given(st.floats(0.01, 10))
    def test_a_shorter_campaign_does_less_of_everything_and_nothing_never(self, minutes: float) -> None:
        some = plan.scaled(minutes)
        for name in (
            "outages",
            "kills",
            "hangs_s",
            "links",
            "messages",
            "messages_s",
            "visitor_s",
            "subscriptions",
            "frames",
        ):
            assert 0 < getattr(some, name) <= getattr(Plan(), name)


class TestTrend:
    def test_points_on_a_line_have_its_slope_for_certain(self) -> None:
        line = trend.fit([0, 1, 2, 3], [5, 7, 9, 11])
        assert line.slope == pytest.approx(2)
        assert line.error == pytest.approx(0, abs=1e-9)
        assert line.least == pytest.approx(2)

    def test_noise_about_nothing_is_no_growth(self) -> None:
        noise = np.random.default_rng(3).normal(0, 1, 500)
        line = trend.fit(np.linspace(0, 1, 500).tolist(), noise.tolist())
        assert line.least < 0.5
        assert 0.1 < line.error < 0.3  # 1 / (sqrt(500) · 0.289)

    @pytest.mark.parametrize(("x", "y"), [([1, 2], [1, 2]), ([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [1, 2])])
    def test_what_no_line_goes_through_is_refused(self, x: list[float], y: list[float]) -> None:
        with pytest.raises(ValueError, match="expected"):
            trend.fit(x, y)


class TestSoak:
    def samples(self, growth_mb_h: float, minutes: float) -> list[Sample]:
        chance = random.Random(1)
        return [
            Sample(float(s), Held(700 + growth_mb_h * s / 3600 + chance.gauss(0, 0.2), 80, 40))
            for s in range(int(60 * minutes))
        ]

    def test_memory_that_grows_is_found(self) -> None:
        result = soak.judged(self.samples(20, 60), 100, [], 3600)
        assert result.reached is False
        assert "megabytes grow" in result.failures[0]
        assert "50.0 min after 10.0 min" in result.measured
        assert "too short" not in result.measured

    def test_memory_that_stays_is_held_and_a_short_run_says_that_it_is_short(self) -> None:
        result = soak.judged(self.samples(0, 9), 100, [], 540)
        assert result.reached
        assert "too short to tell" in result.measured

    def test_growth_while_it_warms_up_does_not_count(self) -> None:
        warm = [Sample(float(s), Held(min(s, 200), 80, 40)) for s in range(600)]
        assert soak.judged(warm, 1, [], 600).reached

    def test_a_campaign_without_time_for_it_measures_nothing(self) -> None:
        assert soak.judged([], 0, [], 1).reached is None


class TestPage:
    held = Result(
        part="a", fault="a | b", reach="2 s", trials=1000, held=1000, measured="fine", seconds=3, memory_mb=4.4
    )
    failed = Result(part="b", fault="c", reach="2 s", trials=3, held=2, seconds=3, failures=("outage 1\n(seed 7)",))
    missing = Result(part="b", fault="d", reach="2 s", missing="no server")

    def test_a_row_for_each_result_and_a_line_for_each_failure(self) -> None:
        lines = page.table([self.held, self.failed, self.missing]).splitlines()
        assert lines[2] == "| `a` | a \\| b | 2 s | 1 000 of 1 000 | fine | 3 | +4 MB | held |"
        assert lines[3] == "| `b` | c | 2 s | 2 of 3 |  | 3 |  | **not held** |"
        assert lines[4] == "| `b` | d | 2 s |  | no server | 0 |  | not measured |"
        assert lines[-1] == "* `b`: outage 1 (seed 7)"

    def test_the_table_takes_the_place_of_the_last_one_and_nothing_else(self) -> None:
        text = f"before\n{page.BEGIN}\nold\n{page.END}\nafter"
        assert page.placed(text, "new") == f"before\n{page.BEGIN}\nnew\n{page.END}\nafter"
        with pytest.raises(ValueError, match="expected a page with"):
            page.placed("nothing", "new")

    def test_the_page_that_ships_has_a_place_for_it(self) -> None:
        assert "new" in page.placed(PAGE.read_text(encoding="utf-8"), "new")

    def test_every_test_that_the_page_names_is_there(self) -> None:
        named = re.findall(r"`(test_\w+\.py)::(\w+)`", PAGE.read_text(encoding="utf-8"))
        there = {
            (path.name, name)
            for path in (ROOT / "tests").rglob("test_*.py")
            for name in re.findall(r"^\s*(?:async )?(?:def )?(\w+)(?:\(| = )", path.read_text(encoding="utf-8"), re.M)
        }
        assert len(named) > 50
        assert not set(named) - there

    def test_spread_names_median_and_worst(self) -> None:
        assert spread([0.3, 2.0, 0.1]) == "median 0.30 s, worst 2.00 s"
        assert spread([]) == "none was measured"


class TestMutation:
    whole = ([b'{"v":1,"type":"Done","body":{"seq":7}}'], [b'{"v":1}', b"pixels"])

    @given(st.integers())
    def test_the_same_seed_makes_the_same_message_of_bounded_parts(self, seed: int) -> None:
        one = mutation.mutated(self.whole, random.Random(seed))
        assert one == mutation.mutated(self.whole, random.Random(seed))
        assert all(len(part) <= 2_000_000 for part in one)

    def test_nearly_every_message_is_wrong_and_most_are_different(self) -> None:
        chance = random.Random(5)
        made = [mutation.mutated(self.whole, chance) for _ in range(1000)]
        assert sum(parts in self.whole for parts in made) < 100
        assert len({tuple(parts) for parts in made}) > 600

    @pytest.mark.parametrize("way", mutation.WAYS)
    def test_every_way_takes_any_message(self, way: mutation.Mutate) -> None:
        for parts in ([], [b""], [b"", b"\xff" * 9], *self.whole):
            for seed in range(20):
                assert isinstance(way(list(parts), self.whole, random.Random(seed)), list)

    def test_a_liar_forges_no_end_of_the_camera_that_there_is(self) -> None:
        liar = encoding.Liar("front", random.Random(2))
        said = [liar.lie()[0] for _ in range(500)]
        about = [head for head in said if b'"front"' in head]
        assert about
        assert not [head for head in about if b"Ended" in head or b"EndOfStream" in head or b"Lost" in head]


class TestBombs:
    def test_a_png_opens_at_the_size_it_says(self) -> None:
        opened = cv2.imdecode(np.frombuffer(bombs.png(300, 70, 16), np.uint8), cv2.IMREAD_UNCHANGED)
        assert opened.shape == (70, 300, 4)
        assert opened.dtype == np.uint16

    def test_a_jpeg_of_many_scans_opens(self) -> None:
        opened = cv2.imdecode(np.frombuffer(bombs.jpeg_of_scans(64, 30), np.uint8), cv2.IMREAD_COLOR)
        assert opened.shape == (64, 64, 3)

    def test_a_fill_byte_is_passed_over_by_the_decoder(self) -> None:
        opened = cv2.imdecode(np.frombuffer(bombs.jpeg(64, 48, fill_bytes=1), np.uint8), cv2.IMREAD_COLOR)
        assert opened.shape == (48, 64, 3)


@contextlib.contextmanager
def echo() -> Iterator[tuple[int, list[socket.socket]]]:
    """A server that says back what it hears; its port, and its connections."""
    listener, accepted = socket.create_server(("127.0.0.1", 0)), []
    over = threading.Event()

    def answer(link: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := link.recv(100):
                link.sendall(data)

    def serve() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):
                link, _ = listener.accept()
                accepted.append(link)
                threading.Thread(target=answer, args=(link,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1], accepted
    finally:
        over.set()
        listener.close()
        for link in accepted:
            link.close()


class TestProxy:
    @pytest.fixture
    def proxy(self) -> Iterator[Proxy]:
        with echo() as (port, _), Proxy(port) as proxy:
            yield proxy

    def connected(self, proxy: Proxy) -> socket.socket:
        link = socket.create_connection(("127.0.0.1", proxy.port), 10)
        link.sendall(b"hello")
        assert link.recv(5) == b"hello"
        return link

    def test_what_is_cut_is_reset_and_may_come_again(self, proxy: Proxy) -> None:
        with self.connected(proxy) as link:
            proxy.cut()
            with pytest.raises(ConnectionResetError):
                link.recv(5)
        self.connected(proxy).close()

    def test_while_it_refuses_nobody_is_let_in(self, proxy: Proxy) -> None:
        proxy.refusing = True
        with pytest.raises(ConnectionResetError), socket.create_connection(("127.0.0.1", proxy.port), 10) as link:
            link.recv(5)
        proxy.refusing = False
        self.connected(proxy).close()

    def test_what_is_held_comes_late_and_whole(self, proxy: Proxy) -> None:
        with self.connected(proxy) as link:
            proxy.hold(True)
            link.sendall(b"later")
            link.settimeout(0.2)
            with pytest.raises(TimeoutError):
                link.recv(5)
            proxy.hold(False)
            link.settimeout(10)
            assert link.recv(5) == b"later"

    @pytest.mark.parametrize("side", ["client", "server"])
    def test_what_is_swallowed_never_comes_and_the_next_connection_is_whole(self, proxy: Proxy, side: Side) -> None:
        with self.connected(proxy) as link:
            assert proxy.swallow(side) == 1
            link.sendall(b"gone")
            link.settimeout(0.2)
            with pytest.raises(TimeoutError):
                link.recv(5)
            self.connected(proxy).close()

    def test_a_connection_broken_at_one_end_stays_open_at_the_other(self, proxy: Proxy) -> None:
        with self.connected(proxy) as link:
            assert proxy.break_at("server") == 1
            link.sendall(b"into nothing")
            link.settimeout(0.2)
            with pytest.raises(TimeoutError):
                link.recv(5)
        with self.connected(proxy) as link:
            proxy.break_at("client")
            with pytest.raises(ConnectionResetError):
                link.recv(5)


class TestViewer:
    def test_gaps_reach_until_now(self) -> None:
        watching = viewer.Viewer("tcp://127.0.0.1:9", ["front"])
        watching._hear([b"", b'{"camera": "front", "seq": 3, "epoch": 0, "captured_ns": 5}'])
        assert watching.longest_gap_s("front", watching.frames("front")[0].arrived_s - 7) == pytest.approx(7)
        assert watching.wait_for_seq("front", 3, 0)
        assert not watching.wait_for_seq("front", 4, 0)


class TestKills:
    def recorded(self, *digests: bytes, code: int = 0) -> kills.Recorded:
        pictures = [kills.Picture(index / 30, digest) for index, digest in enumerate(digests)]
        return kills.Recorded(code, "", pictures, 2)

    def test_the_same_recording_is_right(self) -> None:
        assert kills.compared(self.recorded(b"a", b"b"), self.recorded(b"a", b"b"), 2) == []

    def test_a_pixel_a_frame_and_an_exit_code_are_told(self) -> None:
        whole = self.recorded(b"a", b"b")
        assert "the first is 1" in kills.compared(whole, self.recorded(b"a", b"x"), 2)[0]
        assert "1 frames were recorded, expected 2" in kills.compared(whole, self.recorded(b"a"), 2)
        assert "exit code 1" in kills.compared(whole, self.recorded(b"a", b"b", code=1), 2)[0]


class TestCommand:
    def test_a_part_that_cannot_be_carried_through_has_not_held(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        def broken(_plan: Plan, _around: Surroundings) -> list[Result]:
            raise RuntimeError("no frame came")

        monkeypatch.setattr(chaos, "PARTS", {"outages": broken})
        (result,) = chaos.run(Plan(), ["outages"], Surroundings(7, tmp_path, lambda _: None))
        assert result.reached is False
        assert "no frame came" in result.failures[0]
        assert "seed 7" in result.failures[0]
