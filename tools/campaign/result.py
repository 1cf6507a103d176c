"""What one part of the campaign found: how often a fault was done, how often the run held, and how that was judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

Tell = Callable[[str], None]
"""What is told what is done next."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table, of a `part` of the campaign: `held` of `trials` met the `reach`.

    `measured` says by how much, `memory_mb` how much the run's memory grew meanwhile (None where that says nothing).
    `failures` are sentences, with what is needed to see each again. `missing` says why nothing was measured.
    """

    part: str
    fault: str
    reach: str
    trials: int = 0
    held: int = 0
    measured: str = ""
    seconds: float = 0.0
    memory_mb: float | None = None
    failures: tuple[str, ...] = ()
    missing: str | None = None

    @property
    def reached(self) -> bool | None:
        """Whether every trial held; None where nothing was measured."""
        return None if self.missing is not None else self.held == self.trials > 0


class Surroundings(NamedTuple):
    """What every part is given: its seed, a folder of its own to write into, and whom to tell."""

    seed: int
    room: Path
    tell: Tell


def spread(values_s: Sequence[float]) -> str:
    """Median and worst of some durations, in words."""
    if not values_s:
        return "none was measured"
    ordered = sorted(values_s)
    return f"median {ordered[len(ordered) // 2]:.2f} s, worst {ordered[-1]:.2f} s"
