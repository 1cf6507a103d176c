"""Where the inputs lie that went wrong once."""

from __future__ import annotations

from pathlib import Path

CASES = Path(__file__).parent / "data" / "cases"
