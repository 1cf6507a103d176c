"""The command as a user runs it: real files, real processes, real servers, and what happens when they are killed."""

from __future__ import annotations

import re
import resource
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
import zmq

from stream.client import Subscriber
from stream.message import Pixels
from tests.conftest import MakeClip
from tests.rtsp import RtspServer
from tests.running import PATIENCE_S, ROOT, Running, run

pytestmark = pytest.mark.timeout(120)

FILE = "configs/file.yaml"
TAKEN = ("--set", "outputs=[{kind: 'null'}]")
"""An output that takes every frame: a live camera that none has a use for rests."""
EXACT = ("--set", "model.precision=fp32", "--set", "model.threads=1", "--engine", "openvino")
STARTED = "openvino"  # what a worker says when its network is loaded


def synthetic(frames: int = 24, query: str = "") -> str:
    return f"synthetic:?frames={frames}{query}"


def pictures(path: Path) -> list[Pixels]:
    with av.open(str(path)) as container:
        return [np.asarray(frame.to_ndarray(format="bgr24"), np.uint8) for frame in container.decode(video=0)]


def times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0) if frame.time is not None]


def delivered(words: str) -> tuple[int, int]:
    """Delivered and captured, as the ledger told them at the end."""
    counts = re.findall(r"delivered (\d+) of (\d+)", words)
    return int(counts[-1][0]), int(counts[-1][1])


class TestFile:
    def test_one_process_and_three_workers_make_the_same_pixels(self, tmp_path: Path) -> None:
        source = ("--source", synthetic(24))
        inline, spread = tmp_path / "inline.mp4", tmp_path / "spread.mp4"
        assert run(FILE, *source, *EXACT, "--inline", "--record", str(inline))[0] == 0
        assert run(FILE, *source, *EXACT, "--workers", "3", "--record", str(spread))[0] == 0
        one, other = pictures(inline), pictures(spread)
        assert len(one) == len(other) == 24
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
        assert np.ptp(np.stack([picture.mean() for picture in one])) > 0  # and they move

    def test_a_cut_out_has_the_frames_times_and_alpha_of_its_source(self, tmp_path: Path, make_clip: MakeClip) -> None:
        shown_ms = (0, 40, 120, 130, 400)  # a variable frame rate
        clip, made = make_clip("clip.mp4", times_ms=shown_ms), tmp_path / "made.webm"
        code, words = run(FILE, "--source", str(clip), "--record", str(made))
        assert code == 0, words
        assert delivered(words) == (5, 5)
        assert times(made) == pytest.approx([t / 1000 for t in shown_ms], abs=0.0011)

    def test_a_photo_and_a_folder_of_images_go_through(self, tmp_path: Path) -> None:
        import cv2

        folder = tmp_path / "photos"
        folder.mkdir()
        for name, size in (("a.png", (33, 17, 3)), ("b.jpg", (40, 64, 3))):
            cv2.imwrite(str(folder / name), np.full(size, 90, np.uint8))
        assert delivered(run(FILE, "--inline", "--source", str(folder))[1]) == (2, 2)
        assert delivered(run(FILE, "--inline", "--source", str(folder / "a.png"))[1]) == (1, 1)

    def test_a_killed_worker_costs_no_frame_and_no_order(self, tmp_path: Path) -> None:
        made = tmp_path / "made.mp4"
        with Running(FILE, "--source", synthetic(40), *EXACT, "--workers", "2", "--record", str(made)) as running:
            running.wait_for(STARTED, times=2)
            running.stage("worker-0").kill()
            running.wait_for("restarting it")
            assert running.exit_code() == 0, running.words
            assert delivered(running.words) == (40, 40)
        assert times(made) == sorted(times(made))
        assert len(times(made)) == 40

    def test_a_frame_that_no_worker_survives_fails_the_run_and_is_named(self) -> None:
        settings = ("--set", "model.frame_deadline_ms=3000")
        with Running(FILE, "--source", synthetic(), *settings) as running:
            started = 0
            while running.says(STARTED, times=(started := started + 1)):
                running.stage("worker-0").send_signal(signal.SIGSTOP)  # it hangs over its first frame
            assert running.exit_code() == 1
            assert re.search(r"failed: frame \d+ of file ended every worker", running.words)

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_a_stop_closes_the_files_and_says_that_it_is_unfinished(
        self, tmp_path: Path, number: int, code: int
    ) -> None:
        made = tmp_path / "made.mp4"
        with Running(FILE, "--source", synthetic(3000), "--record", str(made)) as running:
            running.wait_for_frames("file")
            left = running.stages()
            running.send(number)
            assert running.exit_code(5) == code, running.words
            assert 0 < delivered(running.words)[0] < 3000
            assert not [process for process in left if process.is_running()]
        assert len(pictures(made)) == delivered(running.words)[0]

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
    def test_a_signal_to_all_processes_stops_like_one_to_the_supervisor(
        self, tmp_path: Path, number: int, code: int
    ) -> None:
        made = tmp_path / "made.mp4"

        def not_under_nohup() -> None:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)

        with Running(FILE, "--source", synthetic(3000), "--record", str(made), prepare=not_under_nohup) as running:
            running.wait_for_frames("file")
            running.send_to_all(number)
            assert running.exit_code(5) == code, running.words
        assert len(pictures(made)) == delivered(running.words)[0] > 0

    @pytest.mark.parametrize("stage", ["composite", "dispatch"])
    def test_the_death_of_a_stage_that_cannot_be_replaced_ends_all_with_its_cause(
        self, tmp_path: Path, stage: str
    ) -> None:
        made = tmp_path / "made.mp4"
        slow = ("--set", "cameras.file.rate_hz=2")  # so that a few frames are more than two seconds
        with Running(FILE, "--source", synthetic(3000), *slow, "--record", str(made)) as running:
            running.wait_for_frames("file", 12)
            left = running.stages()
            running.stage(stage).kill()
            assert running.exit_code(6) == 1
            assert running.words.count(f"failed: {stage} ended with SIGKILL") == 1
            assert not [process for process in left if process.is_running()]
        assert len(pictures(made)) > 0  # all but the last two seconds plays

    def test_stages_do_not_outlive_a_killed_supervisor(self) -> None:
        with Running(FILE, "--source", synthetic(3000)) as running:
            running.wait_for_frames("file")
            left = running.stages()
            running.send(signal.SIGKILL)
            running.exit_code()
            _, alive = psutil.wait_procs(left, timeout=10)
            for process in alive:
                process.kill()
            assert not alive

    def test_a_full_disk_ends_that_output_and_the_others_go_on(self, tmp_path: Path) -> None:
        def small_files() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

        made = tmp_path / "made.mp4"
        code, words = run(FILE, "--source", synthetic(60), "--record", str(made), prepare=small_files)
        assert code == 1
        assert words.count(f"recording {made} stopped:") == 1
        assert delivered(words) == (60, 60)


class TestRefusedAtStart:
    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            (("--set", "model.wokers=2"), "model.wokers: unknown key, did you mean workers?"),
            (("--set", "cameras.file.mode=lve"), "cameras.file.mode"),
            (("--record", "/proc/nothing/a.mp4"), "cannot record to /proc/nothing/a.mp4"),
            (("--record", "out/a.xyz"), "a.xyz"),
            (("--set", "model.weights=README.md"), "model.weights"),
            (("--set", "model.weights=nowhere.safetensors"), "nowhere.safetensors"),
            (("--stage", "inference"), "transport.dispatch"),
            (("--source", "a=x.mp4", "--source", "b=y.mp4", "--record", "/tmp/one.mp4"), "{camera}"),
        ],
    )
    def test_wrong_settings_in_one_sentence(self, arguments: tuple[str, ...], complaint: str) -> None:
        code, words = run(FILE, *arguments)
        assert code == 2
        assert complaint in words
        assert len(words.strip().splitlines()) == 1

    def test_an_input_that_is_no_video(self) -> None:
        code, words = run(FILE, "--inline", "--source", str(ROOT / "pyproject.toml"))
        assert code == 1
        assert words.count("pyproject.toml") == 1

    def test_a_network_that_never_starts_stops_the_run_with_the_cause(self) -> None:
        code, words = run(FILE, "--source", synthetic(), "--engine", "openvino", "--set", "model.precision=fp16")
        assert code == 1
        assert re.search(r"failed: .*fp16", words)


class TestLive:
    def test_a_camera_comes_back_and_the_other_is_undisturbed(
        self, tmp_path: Path, start_rtsp: Callable[..., RtspServer]
    ) -> None:
        front, side = start_rtsp(), start_rtsp()
        sources = ("--source", f"front={front.url}", "--source", f"side={side.url}")
        with Running("configs/rtsp.yaml", *sources, "--record", str(tmp_path / "{camera}.mp4")) as running:
            running.wait_for_frames("front")
            running.wait_for_frames("side")
            lives = running.words.count("front: live")
            front.kill()
            running.wait_for("no signal: front")
            front.start()
            running.wait_for("front: live", times=lives + 2)
            running.send(signal.SIGINT)
            assert running.exit_code(5) == 0, running.words
        assert int(re.findall(r"front: stopped.*reconnects (\d+)", running.words)[-1]) >= 1
        assert re.search(r"side: stopped.*reconnects 0", running.words)
        assert "no signal: side" not in running.words
        for camera in ("front", "side"):
            shown = times(tmp_path / f"{camera}.mp4")
            assert shown == sorted(set(shown))

    def test_a_server_that_freezes_is_noticed(self, start_rtsp: Callable[..., RtspServer]) -> None:
        server = start_rtsp()
        with Running("configs/rtsp.yaml", "--source", server.url, *TAKEN) as running:
            running.wait_for("front: live")
            server.freeze()
            running.wait_for("no signal: front")
            server.thaw()
            running.wait_for("front: live", times=2)
            running.send(signal.SIGINT)
            assert running.exit_code(5) == 0

    def test_a_camera_idles_without_demand_and_resumes_with_it(self, tmp_path: Path) -> None:
        endpoint = f"ipc://{tmp_path / 'published'}"
        live = ("--set", "cameras.file.mode=live", "--set", f"outputs=[{{kind: publisher, bind: '{endpoint}'}}]")
        with Running(FILE, "--source", "synthetic:", *live) as running:
            running.wait_for("file: unwatched")
            with Subscriber(endpoint, kinds=["alpha"], timeout_s=40) as subscriber:
                assert subscriber.receive(40_000) is not None
                running.wait_for_frames("file")  # while somebody looks: it may rest again before the next line is told
            running.send(signal.SIGINT)
            assert running.exit_code(5) == 0, running.words
        assert re.search(r"dropped .*unwatched", running.words)

    def test_an_output_that_is_asked_for_and_in_the_config_is_there_once(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            endpoint = f"tcp://127.0.0.1:{free.getsockname()[1]}"  # ipc can be bound twice, and the first is deaf then
        outputs = ("--set", f"outputs=[{{kind: publisher, bind: '{endpoint}'}}]", "--publish", endpoint)
        with Running(FILE, "--source", "synthetic:", "--set", "cameras.file.mode=live", *outputs) as running:
            with Subscriber(endpoint, kinds=["alpha"], timeout_s=40) as subscriber:
                assert subscriber.receive(40_000) is not None, running.words
            running.send(signal.SIGINT)
            assert running.exit_code(5) == 0, running.words

    def test_frames_that_would_come_too_late_go_ahead_of_their_masks_in_order(self, tmp_path: Path) -> None:
        endpoint = f"ipc://{tmp_path / 'published'}"
        live = ("--set", "cameras.file.mode=live", "--set", f"outputs=[{{kind: publisher, bind: '{endpoint}'}}]")
        never_in_time = ("--set", "pace.latency_ms=10", "--set", "pace.still_levels=0")
        with Running(FILE, "--source", "synthetic:", *live, *never_in_time) as running:
            with Subscriber(endpoint, kinds=["alpha"], timeout_s=60) as subscriber:
                frames = iter(subscriber)
                while not running.says("frames do not wait for their masks"):
                    next(frames)
                shown = [next(frames) for _ in range(40)]
            # What they do not wait for takes no time from them.
            assert running.stage("worker-0").nice() > running.stage("composite").nice()
            running.send(signal.SIGINT)
            assert running.exit_code(5) == 0, running.words
        assert [frame.seq for frame in shown] == sorted({frame.seq for frame in shown})
        waited = [frame for frame in shown if frame.mask_age_ns == 0]
        masks = {frame.pts_ns - frame.mask_age_ns for frame in shown}
        assert len(waited) <= len(shown) // 10  # masks may come before a frame that composite is not at yet
        assert len(masks) >= 4

    def test_a_secret_in_an_address_is_never_logged(self) -> None:
        with Running("configs/rtsp.yaml", "--source", "rtsp://me:s3cr3t@127.0.0.1:9/x?token=s3cr3t") as running:
            running.wait_for("no signal: front")
            running.wait_for("front: no signal")  # its line of the status
            running.send(signal.SIGINT)
            assert running.exit_code(5) == 0
        assert "s3cr3t" not in running.words

    def test_a_missing_camera_is_reported_once_however_often_it_is_retried(self) -> None:
        camera = ("--source", "camera:99")
        with Running("configs/webcam.yaml", *camera, *TAKEN) as running:
            running.wait_for("webcam: no signal", times=3)  # lines two seconds apart, tries at most one
            running.send(signal.SIGINT)
            assert running.exit_code(5) == 0
        assert running.words.count("no signal: webcam") == 1

    def test_a_killed_worker_costs_at_most_the_frames_it_held(self) -> None:
        with Running(FILE, "--source", "synthetic:", "--set", "cameras.file.mode=live", *TAKEN) as running:
            running.wait_for_frames("file")
            running.stage("worker-0").kill()
            running.wait_for(STARTED, times=2)
            running.wait_for_frames("file", 40)
            running.send(signal.SIGINT)
            assert running.exit_code(5) == 0, running.words
        lost = re.findall(r"(\d+) worker_lost", running.words)
        assert all(int(count) <= 2 for count in lost)

    def test_a_killed_reader_is_started_again(self, start_rtsp: Callable[..., RtspServer]) -> None:
        with Running("configs/rtsp.yaml", "--source", start_rtsp().url, *TAKEN) as running:
            running.wait_for("front: live")
            running.stage("front").kill()
            running.wait_for("no signal: front ended with SIGKILL")
            running.wait_for("front: live", times=3)
            running.send(signal.SIGINT)
            assert running.exit_code(5) == 0, running.words


class TestHosts:
    def test_stages_started_one_by_one_meet_over_tcp_and_garbage_harms_nobody(self, tmp_path: Path) -> None:
        dispatch, results = (f"tcp://127.0.0.1:{port}" for port in _free_ports(2))
        meeting = ("--set", f"transport.dispatch={dispatch}", "--set", f"transport.results={results}")
        made = tmp_path / "made.mp4"
        common = (FILE, "--source", synthetic(20), *meeting, "--set", "transport.frames=jpeg")
        with (
            Running(*common, "--stage", "composite", "--record", str(made)) as composite,
            Running(*common, "--stage", "capture") as capture,
        ):
            _send_garbage(dispatch, zmq.DEALER)
            _send_garbage(results, zmq.PUSH)
            with Running(*common, "--stage", "inference") as inference:
                assert capture.exit_code() == 0, capture.words
                assert composite.exit_code() == 0, composite.words
                inference.send(signal.SIGTERM)
                assert inference.exit_code() == 0, inference.words
            assert delivered(capture.words) == (20, 20)
            assert "malformed messages rejected" in capture.words
        assert len(times(made)) == 20


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def _send_garbage(endpoint: str, kind: int) -> None:
    with _connected(endpoint) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\n\r\n" + bytes(1000))
    with zmq.Context() as context, context.socket(kind) as sender:
        sender.setsockopt(zmq.LINGER, 5000)
        sender.connect(endpoint)
        for parts in (
            [b"garbage"],
            [b"", b"\x80\x04."],
            [b'{"v":1,"type":"Frame","body":{}}'],
            [b"{" * 5000],
            [b""] * 20,
        ):
            sender.send_multipart(parts)


def _connected(endpoint: str) -> socket.socket:
    """A plain connection, as soon as somebody listens there."""
    host, port = endpoint.removeprefix("tcp://").split(":")
    until_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            return socket.create_connection((host, int(port)))
        except ConnectionRefusedError:
            assert time.monotonic() < until_s, f"nobody listens at {endpoint}"
            psutil.Process().cpu_percent(0.05)
