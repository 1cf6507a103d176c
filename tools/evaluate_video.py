"""Score masks in motion: `python tools/evaluate_video.py CLIP [--truth FOLDER] --json FILE`.

A CLIP is a video file, a folder of pictures, or `animated:SCENE:SEED`: a labelled still set in motion, with exact
truth. The network's masks frame by frame (raw) are compared with the same smoothed and matted (smoothed). `--suite
FOLDER` scores the webcam clips, the dancer and a set of animated clips of a data folder, and prints what was reached.
`--curve` shows trade-offs: masks averaged along the reference flow, and on animated clips other
settings and truth itself too.
"""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from clothseg.labels import CLASSES
from clothseg.matting.matting import Matting
from clothseg.network.checkpoint import write_atomically
from clothseg.segmenter import Segmenter
from clothseg.temporal.smoothing import Smoothing
from clothseg.training.samples import Sample, read, read_data_set
from clothseg.training.video.clips import ClipFrame, animated, with_truth
from clothseg.training.video.curve import ClipReplay, variants
from clothseg.training.video.evaluation import (
    ClipScores,
    MaskMaker,
    masks_from_folder,
    mean_gains,
    mean_ratios,
    mean_scores,
    raw_masks,
    score,
    stream_masks,
)
from clothseg.training.video.metrics import Scores
from clothseg.training.video.page import number, page, view
from clothseg.training.video.scene import SCENES
from stream.settings.config import Camera, Recording
from stream.sinks.formats import format_of
from stream.sinks.video_writer import VideoWriter
from stream.sources import open_source

SUITE_SCENES = ("slow", "walk", "fast", "wave", "noisy", "stutter", "calm", "large")
DANCER_BOX_PX = 30
SHOWN_FRAMES = range(4, 64, 10)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", metavar="CLIP", help=f"scenes: {', '.join(SCENES)}")
    parser.add_argument("--suite", type=Path, help="score the clips of a data folder (intel-asl, davis, ccp)")
    parser.add_argument(
        "--truth", type=Path, help="a folder of masks, one PNG a frame: class indices or a person's matte"
    )
    parser.add_argument("--box", type=int, metavar="PX", help="leave out what is further from truth's people")
    parser.add_argument("--masks", type=Path, help="score masks made elsewhere too: one PNG a frame, as for --truth")
    parser.add_argument("--weights", type=Path, help="a checkpoint; none: the one that ships")
    parser.add_argument(
        "--stills", type=Path, default=Path("configs/datasets/ccp-val.yaml"), help="labelled photos for animated clips"
    )
    parser.add_argument("--seconds", type=float, help="length of animated clips; default: the scene's own")
    parser.add_argument("--smoothing", default="{}", help="settings as JSON, or off")
    parser.add_argument("--matting", default="{}", help="settings as JSON, or off")
    parser.add_argument("--curve", action="store_true", help="score what no smoother can better, and other settings")
    parser.add_argument("--json", type=Path, help="write the scores here")
    parser.add_argument("--html", type=Path, help="write a page with strips of frames and curves here")
    parser.add_argument("--video", type=Path, help="write picture, raw and smoothed side by side here (.mp4)")
    options = parser.parse_args()
    if not options.clips and not options.suite:
        parser.error("name a CLIP, or a data folder with --suite")
    return options


def main() -> None:
    """Score and report."""
    options = arguments()
    console = Console()
    if not console.is_terminal:
        console = Console(width=150)  # a file can be as wide as the table
    segmenter = Segmenter.load(options.weights)
    stills: dict[int, Sample] = {}
    names = list(options.clips) + (suite(options.suite) if options.suite else [])
    if any(name.startswith("animated:") for name in names):
        stills = dict(enumerate(read(read_data_set(options.stills))))
    scored: dict[str, ClipScores] = {}
    for name in track(names, "scoring", console=console, transient=True):
        dancer = options.suite is not None and name.endswith("dance-twirl/frames")
        truth = Path(name).parent / "masks" if dancer else options.truth
        frames = ClipReplay(opened(name, stills, truth, options.seconds))
        box = DANCER_BOX_PX if dancer else options.box
        keep = (lambda _: True) if options.video else (lambda index: index in SHOWN_FRAMES)
        tried = makers(options) | (beyond(name, frames) if options.curve else {})
        result = score(frames, segmenter.probabilities, tried, box, keep)
        if options.video:
            record(result, options.video)
            result = result._replace(
                kept_frames=[result.kept_frames[i] for i in SHOWN_FRAMES if i < len(result.kept_frames)]
            )
        scored[name] = result
    console.print(table(scored))
    if len(scored) > 1:
        console.print(reached(scored))
    for kind, names in kinds(scored).items():
        if options.curve and names:
            console.print(curve(kind, [scored[name].scores for name in names]))
    if options.json:
        write_atomically(options.json, msgspec.json.format(msgspec.json.encode(written(scored)), indent=2))
    if options.html:
        write_atomically(options.html, page("Masks in motion", scored).encode())


def suite(data: Path) -> list[str]:
    """The names of all clips of a data folder."""
    webcam = [str(path) for path in sorted((data / "intel-asl").glob("*.mkv"))]
    animations = [f"animated:{scene}:{seed}" for seed, scene in enumerate(SUITE_SCENES, 20)]
    return [*webcam, str(data / "davis/dance-twirl/frames"), *animations]


def opened(name: str, stills: Mapping[int, Sample], truth: Path | None, seconds: float | None) -> Iterable[ClipFrame]:
    """The frames of a clip."""
    if name.startswith("animated:"):
        return animated(name, stills, seconds)
    pictures = open_source(Camera(source=name, mode="file"))
    frames = (ClipFrame(picture.pixels, picture.pts_ns) for picture in pictures)
    return frames if truth is None else with_truth(frames, truth)


def makers(options: argparse.Namespace) -> dict[str, MaskMaker]:
    """What is scored, by name; new for each clip, because smoothing remembers."""
    smoothing = None if options.smoothing == "off" else msgspec.json.decode(options.smoothing, type=Smoothing)
    matting = None if options.matting == "off" else msgspec.json.decode(options.matting, type=Matting)
    made = {"raw": raw_masks(), "smoothed": stream_masks(smoothing, matting)}
    return made | ({"given": masks_from_folder(options.masks)} if options.masks else {})


def beyond(name: str, frames: ClipReplay) -> dict[str, MaskMaker]:
    """What is scored beside a clip's masks to see what can be reached, by name."""
    return (
        variants() | frames.flow_averaged() | frames.truth() if name.startswith("animated:") else frames.flow_averaged()
    )


def shared(scored: Mapping[str, ClipScores]) -> list[str]:
    """The names of what was scored on every clip."""
    first, *others = (result.scores for result in scored.values())
    return [maker for maker in first if all(maker in scores for scores in others)]


def table(scored: Mapping[str, ClipScores]) -> Table:
    """Means over the clips, by class and maker."""
    first = next(iter(scored.values()))
    columns = list(msgspec.structs.fields(type(first.scores["raw"]["person"])))
    shown = Table("class", "masks", *(column.name for column in columns), title=f"{len(scored)} clips")
    for label in CLASSES[1:]:
        for maker in shared(scored):
            means = mean_scores([result.scores[maker] for result in scored.values()])[label]
            shown.add_row(label, maker, *(number(getattr(means, column.name)) for column in columns))
    return shown


def kinds(scored: Iterable[str]) -> dict[str, list[str]]:
    """The names of clips, by kind: filmed at a webcam, the dancer of DAVIS, made from stills."""
    return {
        "webcam": [name for name in scored if name.endswith(".mkv")],
        "dance-twirl": [name for name in scored if "dance-twirl" in name],
        "animated": [name for name in scored if name.startswith("animated:")],
    }


def reached(scored: Mapping[str, ClipScores]) -> Table:
    """Smoothed against raw, by kind of clip: means over clips and classes."""
    groups = kinds(scored)
    pairs = {name: (result.scores["raw"], result.scores["smoothed"]) for name, result in scored.items()}
    shown = Table("smoothed against raw", *groups)
    for label, classes in (("person", ("person",)), ("garments", CLASSES[2:])):
        for field, of in (
            ("warp_disagreement", mean_ratios),
            ("dtssd", mean_ratios),
            ("ghost", mean_ratios),
            ("iou", mean_gains),
            ("boundary_f", mean_gains),
            ("lag_frames", mean_gains),
        ):
            sign = "÷" if of is mean_ratios else "−"
            values = [of([pairs[name] for name in names], classes, field) for names in groups.values()]
            shown.add_row(f"{label} {field} {sign}", *(number(value) for value in values))
    flips = [
        [mean_scores([pairs[name][maker] for name in names])["person"].flips_per_minute for maker in (0, 1)]
        for names in groups.values()
    ]
    shown.add_row("flips a minute (raw)", *(f"{number(after)} ({number(before)})" for before, after in flips))
    return shown


def curve(kind: str, results: Sequence[Mapping[str, dict[str, Scores]]]) -> Table:
    """What trades against what: each maker against raw, person | garments, means over a kind's clips and classes."""
    columns = (
        ("disagreement ÷", "warp_disagreement", mean_ratios),
        ("dtSSD ÷", "dtssd", mean_ratios),
        ("ghosts ÷", "ghost", mean_ratios),
        ("IoU −", "iou", mean_gains),
        ("boundary F −", "boundary_f", mean_gains),
        ("lag −", "lag_frames", mean_gains),
    )
    shown = Table("against raw", *(head for head, _, _ in columns), title=f"{kind}: person | garments")
    for maker in list(results[0])[1:]:
        pairs = [(scores["raw"], scores[maker]) for scores in results]
        values = [
            " | ".join(number(of(pairs, classes, field)) for classes in (("person",), CLASSES[2:]))
            for _, field, of in columns
        ]
        shown.add_row(maker, *values)
    return shown


def written(scored: Mapping[str, ClipScores]) -> dict[str, object]:
    """What the JSON holds: by maker and class; of several clips the means, and each clip by name."""
    means: dict[str, object] = {m: mean_scores([r.scores[m] for r in scored.values()]) for m in shared(scored)}
    return means | ({"clips": {name: result.scores for name, result in scored.items()}} if len(scored) > 1 else {})


def record(result: ClipScores, path: Path) -> None:
    """Picture and every maker's masks side by side, 25 frames a second."""
    height, width = result.kept_frames[0].picture.shape[:2]
    panels = 1 + len(result.scores)
    movie = VideoWriter(
        path, format_of(Recording(path=path)), (height, width * panels), start_ns=0, rate_hz=25, sound=None
    )
    for index, frame in enumerate(result.kept_frames):
        views = [view(frame.picture, masks) for masks in frame.masks.values()]
        movie.write(np.hstack([frame.picture, *views]), index * 40_000_000)
    movie.close()


if __name__ == "__main__":
    main()
