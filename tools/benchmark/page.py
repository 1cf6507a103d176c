"""docs/performance.md: what was measured, beside what was to be reached."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tools.benchmark.end_to_end import EndToEnd
from tools.benchmark.report import Report

_ELSEWHERE = (
    "decode",
    "resize",
    "network, whole view",
    "network",
    "smoothing, propagated",
    "wire: one hop",
    "encode: H.264 of the composite",
    "encode: VP9 with alpha",
)
_HOPS = 2  # reader → dispatch → composite; on the way to a worker one more, with those that the network sees


class Row(NamedTuple):
    """One line of the table: `reached` None where it was not measured."""

    what: str
    reach: str
    measured: str
    reached: bool | None


def page(report: Report, command: str) -> str:
    """The page in Markdown."""
    return "\n".join(
        [*_head(report, command), *_table(report), *_where(report), *_engines(report), *_peers(report), ""]
    )


def rows(report: Report) -> Iterator[Row]:
    """What was to be reached, and what was."""
    main, runs = report.end_to_end, report.runs
    latency = main.latency_ms
    yield Row(
        f"sustained, 30 fps in, {main.measured_s:.0f} s",
        "≥ 30 fps, 0 dropped (for 10 min)",
        f"{main.fps:.1f} fps, {main.dropped} of {main.frames + main.dropped} dropped; masks {_masks(main)}",
        main.fps >= 29.9 and main.dropped == 0,
    )
    yield Row(
        "capture → cut-out at a subscriber, p50 / p95",
        "≤ 50 / ≤ 80 ms",
        f"{latency.p50:.0f} / {latency.p95:.0f} ms",
        latency.p50 <= 50 and latency.p95 <= 80,
    )
    yield Row(
        "against rembg (u2netp), decoded frame to BGRA",
        "≥ 8×",
        f"{main.times_rembg:.1f}×" if main.times_rembg else _unmeasured(report),
        main.times_rembg >= 8 if main.times_rembg else None,
    )
    lean = cpu_without_network_and_codecs_ms(report)
    yield Row("CPU a frame without network and codecs", "≤ 20 ms", f"{lean:.0f} ms", lean <= 20)
    yield from _side_rows(runs, main)
    long = report.soak or main
    fifths = ", ".join(f"{mb:.0f}" for mb in long.rss_mb_by_fifth)
    yield Row(
        f"memory, all processes, {long.measured_s:.0f} s",
        "≤ 1.2 GB, flat (30 min)",
        f"{long.peak_rss_mb / 1000:.2f} GB, by fifths of the time {fifths} MB",
        long.peak_rss_mb <= 1200 and _flat(long.rss_mb_by_fifth),
    )
    yield Row("command → first cut-out", "≤ 1.5 s", f"{main.first_frame_s:.1f} s", main.first_frame_s <= 1.5)


def _side_rows(runs: dict[str, EndToEnd], main: EndToEnd) -> Iterator[Row]:
    if not runs:
        return
    slow, one, two, still = (runs[name] for name in ("overload", "waiting x 1", "waiting x 2", "still"))
    yield _from_rtsp(runs.get("rtsp"))
    fifths = ", ".join(f"{age_ms:.0f}" for age_ms in slow.latency_ms_by_fifth)
    yield Row(
        f"overload: 60 fps in, network slowed to 10 fps, {slow.measured_s:.0f} s",
        "age ≤ 190 ms, flat (10 min)",
        f"p50 {slow.latency_ms.p50:.0f} ms, by fifths of the time {fifths}",
        max(slow.latency_ms_by_fifth) <= 190,
    )
    for precision, least in (("int8", 20), ("fp32", 12)):
        fps = runs[precision].fps
        yield Row(
            f"without AMX: {precision} forced",
            f"≥ {least} fps",
            f"{fps:.1f} fps, masks {_masks(runs[precision])}",
            fps >= least,
        )
    large = runs["1080p"]
    yield Row("1080p", "≥ 20 fps", f"{large.fps:.1f} fps, masks {_masks(large)}", runs["1080p"].fps >= 20)
    gain = two.masks_hz / one.masks_hz
    yield Row(
        "2 workers, network slowed by waiting: masks a second",
        "≥ 1.8 × one",
        f"{one.masks_hz:.1f} → {two.masks_hz:.1f}, {gain:.2f} ×",
        gain >= 1.8,
    )
    share = still.cpu_ms_per_frame * still.fps / (main.cpu_ms_per_frame * main.fps)
    yield Row("still scene: CPU against a moving one", "≤ 50 %", f"{share:.0%}, masks {_masks(still)}", share <= 0.5)


def _from_rtsp(run: EndToEnd | None) -> Row:
    reach = "≥ 30 fps, 0 dropped; ≤ 50 / ≤ 80 ms"
    if run is None:
        return Row("the same from RTSP", reach, "not measured: this host has no RTSP server", None)
    age = run.latency_ms
    return Row(
        f"the same from RTSP, {run.measured_s:.0f} s",
        reach,
        f"{run.fps:.1f} fps, {run.dropped} of {run.frames + run.dropped} dropped; {age.p50:.0f} / {age.p95:.0f} ms",
        run.fps >= 29.9 and run.dropped == 0 and age.p50 <= 50 and age.p95 <= 80,
    )


def _flat(by_fifth: Sequence[float]) -> bool:
    """Whether what was held at the end is what was held half way, within a twentieth."""
    return not by_fifth or by_fifth[-1] <= 1.05 * by_fifth[len(by_fifth) // 2]


def _masks(run: EndToEnd) -> str:
    """How often the network made masks, and how old those of the frames between were."""
    return f"{run.masks_hz:.0f} a second, p95 {run.mask_age_ms.p95:.0f} ms old"


def cpu_without_network_and_codecs_ms(report: Report) -> float:
    """CPU of all the stages that are neither the network nor a codec, hops between processes included."""
    own = sum(stage.cpu_ms for name, stage in report.stages.items() if name not in _ELSEWHERE)
    main = report.end_to_end
    return own + (_HOPS + main.masks_hz / main.fps) * report.stages["wire: one hop"].cpu_ms


def _unmeasured(report: Report) -> str:
    missing = report.peers.missing if report.peers else None
    return f"not measured: {missing or 'left out by --quick'}"


def _head(report: Report, command: str) -> Iterator[str]:
    machine = report.machine
    extensions = f"{'AMX' if machine.amx else 'no AMX'}, {'VNNI' if machine.vnni else 'no VNNI'}"
    yield "# Performance"
    yield ""
    yield f"Made by `{command}`; every number is of that one run."
    yield ""
    yield (
        f"Machine: {machine.processor}, {machine.cores} cores ({extensions}), {machine.memory_gb:.0f} GB, "
        f"{machine.system}, Python {machine.python}. Load average before it began: {machine.load:.1f}; anything "
        "above 0.5 is other work that took its share, so read the ratios."
    )
    yield ""
    yield (
        "The main job: 1280×720 at 30 fps from a file played in real time, the shipped model with its defaults, "
        "smoothing and matting on, the cut-out published raw and received here, the composite recorded as H.264."
    )
    yield ""


def _table(report: Report) -> Iterator[str]:
    yield "| | reach | measured | |"
    yield "|---|---|---|---|"
    words = {True: "reached in that time", False: "not reached", None: ""}
    for row in rows(report):
        yield f"| {row.what} | {row.reach} | {row.measured} | {words[row.reached]} |"
    yield ""
    if not report.machine.amx:
        yield "This machine has no AMX: the rows that expect it are reported as they came out on int8."
    yield (
        "Masks are made by the network as often as the latency target (`pace:` in docs/config.md) leaves time "
        "for; between two of them the last is propagated along the motion. Where frames would be too old they do not "
        "wait for their masks, which then correct the frames after. Each run is measured from "
        f"{report.lengths.settle_s:g} s after its first frame, by when the pace has found its level."
    )
    yield "Where a run is shorter than the ten or thirty minutes asked for, its row says so."
    yield ""


def _where(report: Report) -> Iterator[str]:
    main, machine = report.end_to_end, report.machine
    bound = 1000 * machine.cores / main.cpu_ms_per_frame
    yield "## Where the time goes"
    yield ""
    yield (
        f"A delivered frame costs {main.cpu_ms_per_frame:.0f} ms of CPU over all processes, so {machine.cores} cores "
        f"can deliver at most {bound:.0f} fps of this job. By process: "
        + ", ".join(f"{name} {ms:.1f} ms" for name, ms in main.stages_cpu_ms.items() if ms >= 0.1)
        + ". Live, what cannot be done in time is dropped at the source, never queued."
    )
    yield (
        f"For 30 fps a frame may cost {1000 * machine.cores / 30:.0f} ms; without network and codecs it costs "
        f"{cpu_without_network_and_codecs_ms(report):.0f} ms here, the network alone "
        f"{report.stages['network'].cpu_ms:.0f} ms."
    )
    yield ""
    yield from _stage_table(report)
    floor = report.stages["decode"].cpu_ms
    yield (
        f"The floor, the same decode with nothing else, is {floor:.1f} ms of CPU a frame: the whole job is "
        f"{main.cpu_ms_per_frame / floor:.0f} times that. VP9 with alpha is not part of the main job."
    )
    yield ""
    yield from _COPIES


def _stage_table(report: Report) -> Iterator[str]:
    yield "| stage, by itself | p50 ms | p95 ms | CPU ms | × decode | holds, in pictures |"
    yield "|---|--:|--:|--:|--:|--:|"
    floor = report.stages["decode"].cpu_ms
    for name, stage in report.stages.items():
        times = f"{stage.ms.p50:.1f} | {stage.ms.p95:.1f} | {stage.cpu_ms:.1f} | {stage.cpu_ms / floor:.1f}"
        yield f"| {name} | {times} | {stage.pictures:.2f} |"
    yield ""


_COPIES: Sequence[str] = (
    "The last column is counted: the most memory that a stage holds beyond what it was given, its results included,",
    "in pictures of 2.8 MB. What FFmpeg and ZeroMQ hold out of Python's sight is not in it: I420 planes, and one copy",
    "into and one out of the kernel for each hop. `smoothing, propagated` replaces `network` and",
    "`smoothing` on frames between masks; `network` looks where people are, resizing included, `network, whole view`",
    "everywhere, as on each eighth frame.",
    "",
)


def _engines(report: Report) -> Iterator[str]:
    timed = [engine for engine in report.engines if engine.ms is not None]
    fastest = min(engine.ms.p50 for engine in timed if engine.ms is not None)
    yield "## Engines"
    yield ""
    yield "| engine | p50 ms | p95 ms | CPU ms | × fastest |"
    yield "|---|--:|--:|--:|--:|"
    for engine in report.engines:
        name = f"{engine.engine} {engine.precision}, {engine.threads} threads"
        if engine.ms is None:
            yield f"| {name} | not on this host | | | |"
        else:
            ratio = engine.ms.p50 / fastest
            yield f"| {name} | {engine.ms.p50:.1f} | {engine.ms.p95:.1f} | {engine.cpu_ms:.1f} | {ratio:.1f} |"
    yield ""


def _peers(report: Report) -> Iterator[str]:
    peers = report.peers
    yield "## Peers"
    yield ""
    if peers is None or peers.missing:
        yield _unmeasured(report).capitalize() + "."
        return
    yield "From the decoded 720p frame to BGRA, in turns on the same frames, all cores each:"
    yield ""
    yield "| | p50 ms | p95 ms | ours is so many times as fast |"
    yield "|---|--:|--:|--:|"
    ours = peers.ours_ms
    for name, times in (
        ("ours: five classes, smoothing, matting", ours),
        ("rembg, u2netp: one mask", peers.rembg_ms),
        ("MediaPipe selfie 0.10.21: person only", peers.mediapipe_ms),
    ):
        if times is not None:
            yield f"| {name} | {times.p50:.1f} | {times.p95:.1f} | {times.p50 / ours.p50:.2f} |"
