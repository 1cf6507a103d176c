"""What a probe says of one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "missing", "fatal"]
"""`ok`: there, or not needed; `missing`: something cannot be done without it; `fatal`: no stream can run."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: what was looked at, what was found, and what to do about it (empty: nothing)."""

    subject: str
    state: State
    found: str
    advice: str = ""
