"""Do to a running pipeline what goes wrong in the world, and count what holds: `python tools/chaos.py`.

Takes about ten minutes on two cores, and wants them for itself. Everything stays on loopback, is bounded in time and
number, and is ended by process id. Needs GStreamer's RTSP server (see .ci/apt-packages.txt); without it that part is
left out, and said to be. Exit code 1 where anything did not hold. The page docs/reliability.md holds the table.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec
from msgspec import structs
from rich.console import Console

from clothseg.network.checkpoint import write_atomically
from tools.benchmark.report import this_machine
from tools.campaign import disks, kills, links, messages, outages, page, stages, subscribers, visitors
from tools.campaign.plan import FULL_MINUTES, Plan, scaled
from tools.campaign.result import Result, Surroundings
from tools.campaign.soak import Soak

Part = Callable[[Plan, Surroundings], list[Result]]
PARTS: Mapping[str, Part] = {
    "outages": outages.measure,
    "kills": kills.measure,
    "stages": stages.measure,
    "links": links.measure,
    "messages": messages.measure,
    "subscribers": subscribers.measure,
    "visitors": visitors.measure,
    "disks": disks.measure,
}
SOAK = "soak"


def main(arguments: list[str] | None = None) -> int:
    """Run the campaign; its exit code."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True, highlight=False)
    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    given = {name: value for name in Plan.__struct_fields__ if (value := getattr(options, name)) is not None}
    plan = structs.replace(scaled(options.minutes), **given)
    console.log(f"seed {seed}")
    signal.signal(signal.SIGTERM, _end)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="chaos-") as room:
        results = run(plan, options.only or (*PARTS, SOAK), Surroundings(seed, Path(room), console.log))
    text = f"{_head(options.minutes, seed, load, results)}\n\n{page.table(results)}"
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(options.json, msgspec.json.format(msgspec.json.encode(results), indent=2))
    if options.markdown is not None:
        before = options.markdown.read_text(encoding="utf-8")
        write_atomically(options.markdown, page.placed(before, text).encode())
    print(text)
    return 0 if all(result.reached is not False for result in results) else 1


def _end(number: int, _frame: object) -> None:
    """End as Ctrl-C does, so that what was started is ended too."""
    raise SystemExit(128 + number)


def run(plan: Plan, names: Sequence[str], around: Surroundings) -> list[Result]:
    """Every named part in turn, the soak beside them."""
    if SOAK not in names:
        return _each(plan, names, around)
    with Soak(around.seed, around.room) as soak:
        results = _each(plan, [name for name in names if name != SOAK], around)
        if (left_s := plan.soak_s - soak.seconds) > 0:
            around.tell(f"the soak alone for {left_s:.0f} s")
            time.sleep(left_s)
    return [*results, soak.result()]


def _each(plan: Plan, names: Sequence[str], around: Surroundings) -> list[Result]:
    results: list[Result] = []
    for name in names:
        around.tell(name)
        found = _one(name, plan, around)
        results += found
        for result in found:
            around.tell(f"{name}: {result.held} of {result.trials} held; {result.missing or result.measured}")
    return results


def _one(name: str, plan: Plan, around: Surroundings) -> list[Result]:
    """The results of a part; where it could not be carried through, that is its failure."""
    begun_s = time.monotonic()
    try:
        return PARTS[name](plan, around)
    except Exception as error:  # noqa: BLE001 (the other parts go on)
        told = " ".join(f"{type(error).__name__}: {error}".split())
        failure = f"it could not be carried through (seed {around.seed}): {told[:1000]}"
        seconds = time.monotonic() - begun_s
        return [Result(part=name, fault="", reach="", trials=1, seconds=seconds, failures=(failure,))]


def _head(minutes: float, seed: int, load: float, results: Sequence[Result]) -> str:
    machine = this_machine()
    whole = "`make chaos`" if minutes == FULL_MINUTES else f"`python tools/chaos.py --minutes {minutes:g}`"
    seconds = sum(result.seconds for result in results if result.part != SOAK)
    return (
        f"Made by {whole}, seed {seed}, in {seconds / 60:.1f} minutes on {machine.cores} cores of {machine.processor}. "
        f"Load average before it began: {load:.1f}; anything above 0.5 is other work, which makes every time longer."
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--minutes", type=float, default=FULL_MINUTES, help="about how long; counts are a share (default %(default)g)")
    add("--seed", type=int, help="of all chance; default another each time, printed")
    add("--only", action="append", choices=(*PARTS, SOAK), help="this part alone; several times for several")
    add("--json", type=Path, help="write the results here")
    add("--markdown", type=Path, help="write the table between the markers of this page, as docs/reliability.md")
    for field in msgspec.structs.fields(Plan):
        add(f"--{field.name.replace('_', '-')}", type=type(field.default), help=f"in full {field.default:g}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
