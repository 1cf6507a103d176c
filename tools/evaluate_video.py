"""Score masks in motion: `python tools/evaluate_video.py CLIP [--truth FOLDER] --json FILE`.

A CLIP is a video file, a folder of pictures, or `animated:SCENE:SEED`: a labelled still set in motion, with exact
truth. The network's masks frame by frame (raw) are compared with the same smoothed and matted (smoothed). `--suite
FOLDER` scores the webcam clips, the dancer and a set of animated clips of a data folder, and prints what was reached.
`--curve` tries other settings on the animated clips too, the exact motion and truth itself: what trades against what.
"""

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from clothseg.checkpoint import write_atomically
from clothseg.labels import CLASSES
from clothseg.matting import Matting
from clothseg.segmenter import Segmenter
from clothseg.smoothing import Smoothing
from clothseg.training.clips import ClipFrame, animated, with_truth
from clothseg.training.samples import Sample, read, read_data_set
from clothseg.training.scene import SCENES
from clothseg.training.video_curve import Told, variants
from clothseg.training.video_evaluation import (
    ClipScores,
    Masks,
    given,
    mean_gains,
    mean_ratios,
    mean_scores,
    raw,
    score,
    smoothed,
)
from clothseg.training.video_page import number, page, view
from stream.config import Camera, Recording
from stream.sinks.formats import format_of
from stream.sinks.movie import Movie
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
    parser.add_argument("--curve", action="store_true", help="of animated clips score other settings too")
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
        frames = opened(name, stills, truth, options.seconds)
        box = DANCER_BOX_PX if dancer else options.box
        keep = (lambda _: True) if options.video else (lambda index: index in SHOWN_FRAMES)
        tried = makers(options)
        if options.curve and name.startswith("animated:"):
            frames = told = Told(frames)
            tried |= variants() | told.makers()
        result = score(frames, segmenter.probabilities, tried, box, keep)
        if options.video:
            record(result, options.video)
            result = result._replace(shown=[result.shown[i] for i in SHOWN_FRAMES if i < len(result.shown)])
        scored[name] = result
    console.print(table(scored))
    if len(scored) > 1:
        console.print(reached(scored))
    if options.curve:
        console.print(curve(scored))
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


def makers(options: argparse.Namespace) -> dict[str, Masks]:
    """What is scored, by name; new for each clip, because smoothing remembers."""
    smoothing = None if options.smoothing == "off" else msgspec.json.decode(options.smoothing, type=Smoothing)
    matting = None if options.matting == "off" else msgspec.json.decode(options.matting, type=Matting)
    made = {"raw": raw(), "smoothed": smoothed(smoothing, matting)}
    return made | ({"given": given(options.masks)} if options.masks else {})


def table(scored: Mapping[str, ClipScores]) -> Table:
    """Means over the clips, by class and maker."""
    first = next(iter(scored.values()))
    columns = list(msgspec.structs.fields(type(first.scores["raw"]["person"])))
    shown = Table("class", "masks", *(column.name for column in columns), title=f"{len(scored)} clips")
    for label in CLASSES[1:]:
        for maker in first.scores:
            means = mean_scores([result.scores[maker] for result in scored.values()])[label]
            shown.add_row(label, maker, *(number(getattr(means, column.name)) for column in columns))
    return shown


def reached(scored: Mapping[str, ClipScores]) -> Table:
    """Smoothed against raw, by kind of clip: means over clips and classes."""
    kinds = {
        "webcam": [n for n in scored if n.endswith(".mkv")],
        "dance-twirl": [n for n in scored if "dance-twirl" in n],
        "animated": [n for n in scored if n.startswith("animated:")],
    }
    pairs = {name: (result.scores["raw"], result.scores["smoothed"]) for name, result in scored.items()}
    shown = Table("smoothed against raw", *kinds)
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
            values = [of([pairs[name] for name in names], classes, field) for names in kinds.values()]
            shown.add_row(f"{label} {field} {sign}", *(number(value) for value in values))
    flips = [
        [mean_scores([pairs[name][maker] for name in names])["person"].flips_per_minute for maker in (0, 1)]
        for names in kinds.values()
    ]
    shown.add_row("flips a minute (raw)", *(f"{number(after)} ({number(before)})" for before, after in flips))
    return shown


def curve(scored: Mapping[str, ClipScores]) -> Table:
    """What trades against what: each maker against raw, person | garments, means over clips and classes."""
    columns = (
        ("disagreement ÷", "warp_disagreement", mean_ratios),
        ("dtSSD ÷", "dtssd", mean_ratios),
        ("ghosts ÷", "ghost", mean_ratios),
        ("IoU −", "iou", mean_gains),
        ("boundary F −", "boundary_f", mean_gains),
        ("lag −", "lag_frames", mean_gains),
    )
    shown = Table("against raw", *(head for head, _, _ in columns), title="animated clips: person | garments")
    results = [result.scores for name, result in scored.items() if name.startswith("animated:")]
    for maker in list(results[0])[1:] if results else ():
        pairs = [(scores["raw"], scores[maker]) for scores in results]
        values = [
            " | ".join(number(of(pairs, classes, field)) for classes in (("person",), CLASSES[2:]))
            for _, field, of in columns
        ]
        shown.add_row(maker, *values)
    return shown


def written(scored: Mapping[str, ClipScores]) -> dict[str, object]:
    """What the JSON holds: by maker and class; of several clips the means, and each clip by name."""
    makers = next(iter(scored.values())).scores
    means: dict[str, object] = {m: mean_scores([result.scores[m] for result in scored.values()]) for m in makers}
    return means | ({"clips": {name: result.scores for name, result in scored.items()}} if len(scored) > 1 else {})


def record(result: ClipScores, path: Path) -> None:
    """Picture and every maker's masks side by side, 25 frames a second."""
    height, width = result.shown[0].picture.shape[:2]
    panels = 1 + len(result.scores)
    movie = Movie(path, format_of(Recording(path=path)), (height, width * panels), start_ns=0, rate_hz=25, sound=None)
    for index, frame in enumerate(result.shown):
        views = [view(frame.picture, masks) for masks in frame.masks.values()]
        movie.write(np.hstack([frame.picture, *views]), index * 40_000_000)
    movie.close()


if __name__ == "__main__":
    main()
