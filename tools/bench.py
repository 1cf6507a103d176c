"""Measure the pipeline end to end, by stage, by engine and against peers: `python tools/bench.py`.

Takes some four minutes on two cores, and wants them for itself, but for the end, when memory alone is watched. The
peers live in an environment of their own, made once by `python tools/bench.py --make-peers`; without it they are left
out, and said to be.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec
from msgspec import structs
from rich.console import Console

from clothseg.network.checkpoint import write_atomically
from tools.benchmark import peers
from tools.benchmark.page import page
from tools.benchmark.report import DEFAULT, QUICK, measure

_MINUTES = 1 / 3


def main(arguments: list[str] | None = None) -> None:
    """Measure, show, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the measures here")
    parser.add_argument("--markdown", type=Path, help="write the page here, as docs/performance.md")
    parser.add_argument("--quick", action="store_true", help="the main job, stages and engines only, and briefly")
    parser.add_argument(
        "--minutes",
        type=float,
        default=_MINUTES,
        help="length of the main job's run, from RTSP too, and under overload; memory is watched three times as long; "
        "default a third",
    )
    parser.add_argument("--make-peers", action="store_true", help="make .venv-peers from PyPI, and end")
    options = parser.parse_args(arguments)
    console = Console(stderr=True, highlight=False)
    if options.make_peers:
        peers.make()
        return
    with tempfile.TemporaryDirectory() as room:
        main_s = 60 * options.minutes
        lengths = QUICK if options.quick else structs.replace(DEFAULT, main_s=main_s, soak_s=3 * main_s)
        report = measure(lengths, Path(room), console.log)
    text = page(report, _command(options))
    for path, content in (
        (options.json, msgspec.json.format(msgspec.json.encode(report), indent=2)),
        (options.markdown, text.encode()),
    ):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)
    print(text)


def _command(options: argparse.Namespace) -> str:
    """What makes the same page again."""
    if options.quick:
        return "tools/bench.py --quick"
    return "make bench" if options.minutes == _MINUTES else f"tools/bench.py --minutes {options.minutes:g}"


if __name__ == "__main__":
    main()
