"""The benchmark measures the real command and every stage, and says what was reached without inventing anything."""

import itertools
import json
import sys
import time
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest

from tools import bench
from tools.benchmark import clip, peers, rtsp
from tools.benchmark.end_to_end import EndToEnd, Percentiles
from tools.benchmark.engines import EngineTime
from tools.benchmark.page import page, rows
from tools.benchmark.peers import Peers
from tools.benchmark.report import Lengths, Machine, Report
from tools.benchmark.stages import Stage


def run_of(fps: float, *, cpu_ms: float = 50.0, age_ms: float = 40.0, dropped: int = 0) -> EndToEnd:
    return EndToEnd(
        fps=fps,
        latency_ms=Percentiles(age_ms, age_ms + 20),
        cpu_ms_per_frame=cpu_ms,
        peak_rss_mb=900.0,
        frames=100,
        dropped=dropped,
        measured_s=8.0,
        first_frame_s=1.2,
        stages_cpu_ms={"composite": cpu_ms},
        latency_ms_by_fifth=[age_ms] * 5,
        rss_mb_by_fifth=[900.0] * 5,
        masks_hz=fps / 2,
        mask_age_ms=Percentiles(0.0, 33.0),
    )


def report_of(
    main: EndToEnd, runs: dict[str, EndToEnd], against: Peers | None = None, soak: EndToEnd | None = None
) -> Report:
    stage = Stage(Percentiles(1.0, 2.0), 1.0, 1.0)
    names = ("decode", "wire: one hop", "resize", "network", "matting", "encode: H.264 of the composite")
    return Report(
        machine=Machine("a processor", 2, False, True, 8.0, "Linux", "3.11", 0.0),
        lengths=Lengths(2, 3, None, None, 12, 2, 0),
        end_to_end=main,
        runs=runs,
        stages=dict.fromkeys(names, stage),
        engines=[],
        peers=against,
        soak=soak,
    )


def reached(report: Report) -> dict[str, bool | None]:
    return {row.what.split(",")[0].split(":")[0]: row.reached for row in rows(report)}


@pytest.mark.timeout(120)
def test_the_command_measures_the_real_pipeline(tmp_path: Path) -> None:
    bench.main(["--quick", "--json", str(tmp_path / "bench.json"), "--markdown", str(tmp_path / "page.md")])
    written = json.loads((tmp_path / "bench.json").read_text())
    main = written["end_to_end"]
    assert 0 < main["fps"] < 32  # the clip plays at 30
    assert 0 < main["latency_ms"]["p50"] <= main["latency_ms"]["p95"]
    assert main["cpu_ms_per_frame"] > 1
    assert main["peak_rss_mb"] > 100
    assert main["times_rembg"] is None  # --quick asks no peer
    assert {"capture", "dispatch", "inference", "composite"} <= main["stages_cpu_ms"].keys()
    assert written["stages"]["resize"]["pictures"] < 0.5 < written["stages"]["matting"]["pictures"]
    assert main["masks_hz"] > 0
    assert written["stages"]["network"]["cpu_ms"] > written["stages"]["cut-out"]["cpu_ms"]
    assert "left out by --quick" in (tmp_path / "page.md").read_text()


def test_what_is_reached_is_judged_by_the_numbers() -> None:
    side = {"int8": run_of(21), "fp32": run_of(11), "1080p": run_of(20), "still": run_of(30, cpu_ms=30)}
    side |= {"rtsp": run_of(30, age_ms=45)}
    side |= {"overload": run_of(10, age_ms=150), "waiting x 1": run_of(10), "waiting x 2": run_of(17.5)}
    assert reached(report_of(run_of(30), side)) == {
        "sustained": True,
        "capture → cut-out at a subscriber": True,
        "against rembg (u2netp)": None,
        "CPU a frame without network and codecs": True,
        "the same from RTSP": True,
        "overload": True,
        "without AMX": False,  # the last of the two, fp32
        "1080p": True,
        "2 workers": False,
        "still scene": False,
        "memory": True,
        "command → first cut-out": True,
    }


def test_one_dropped_picture_is_not_sustained() -> None:
    assert reached(report_of(run_of(30, dropped=1), {}))["sustained"] is False


def test_memory_that_grows_is_not_flat() -> None:
    """The long run decides, where there was one: early on memory grows until all is read and warm."""
    early = msgspec.structs.replace(run_of(30), rss_mb_by_fifth=[500.0, 600, 700, 800, 900])
    late = msgspec.structs.replace(run_of(30), rss_mb_by_fifth=[600.0, 890, 900, 900, 910])
    assert reached(report_of(early, {}))["memory"] is False
    assert reached(report_of(early, {}, soak=late))["memory"] is True


def test_without_peers_nothing_is_said_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "_PYTHON", tmp_path / "python")
    against = peers.measure([np.zeros((48, 64, 3), np.uint8)] * 2, rounds=1)
    assert against.times_rembg is None
    assert against.ours_ms.p50 > 0
    engine = EngineTime(engine="openvino", precision="int8", threads=2, ms=Percentiles(1, 1), cpu_ms=1)
    report = msgspec.structs.replace(report_of(run_of(30), {}, against), engines=[engine])
    assert "--make-peers" in page(report, "bench")


def test_a_clip_has_the_size_rate_and_length_asked_for(tmp_path: Path) -> None:
    clip.write_clip(tmp_path / "clip.mp4", (320, 180), 60, 3.0)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        frames = list(container.decode(video=0))
    assert (frames[0].width, frames[0].height, len(frames)) == (320, 180, 180)
    assert {round(1000 * float(b.time - a.time)) for a, b in itertools.pairwise(frames)} == {17}


def test_a_still_scene_differs_by_noise_only() -> None:
    still, moving = (list(clip.pictures((320, 180), scene)) for scene in ("still", "moving"))
    first, later = (np.asarray(picture, np.int16) for picture in (still[0], still[20]))
    assert 0.5 < np.abs(first - later).mean() < 4
    assert np.abs(np.asarray(moving[0], np.int16) - moving[40]).mean() > 4


def test_a_clip_is_served_in_real_time_as_a_camera_would(tmp_path: Path) -> None:
    clip.write_clip(tmp_path / "clip.mp4", (320, 180), 30, 3.0)
    with rtsp.served(tmp_path / "clip.mp4") as address, av.open(address, options={"rtsp_transport": "tcp"}) as camera:
        began_s = time.monotonic()
        frames = list(itertools.islice(camera.decode(video=0), 60))
        assert time.monotonic() - began_s > 1
    assert (frames[0].width, frames[0].height) == (320, 180)


def test_a_host_without_an_rtsp_server_gets_a_list_of_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtsp, "SYSTEM_PYTHON", sys.executable)
    with pytest.raises(rtsp.NoServerError, match="gi"), rtsp.served(tmp_path / "clip.mp4"):
        pass
