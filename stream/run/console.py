"""The console: a live status line per camera, a progress bar for files, the ledger at the end."""

from __future__ import annotations

import sys
import time
import unicodedata
from typing import IO, cast

from rich.console import Console as Terminal
from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table

from stream.process.pipe import StatusReport
from stream.process.status import CameraStatus
from stream.run.log import Log

_CONTROLS = frozenset(("Cc", "Cf", "Zl", "Zp"))  # of Unicode: control, format, line and paragraph separator
_STATUS_INTERVAL_S = 5.0  # interval of status lines in a log that is no terminal


class Console:
    """The terminal of a run; where there is none, a line at each change and every five seconds."""

    def __init__(self) -> None:
        self._log = Log(sys.stderr)
        self._terminal = Terminal(file=cast(IO[str], self._log), highlight=False)
        self._live: Live | None = None
        self._last_status_s = time.monotonic()
        self._started_s = time.monotonic()
        self._last_states: dict[str, tuple[str, bool]] = {}

    def __enter__(self) -> Console:
        if self._terminal.is_terminal:
            self._live = Live(console=self._terminal, refresh_per_second=8, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def close(self) -> None:
        """Wait until the log is written, but not for ever."""
        self._log.close()

    def log(self, text: str) -> None:
        """An event, with the time of day: one line, whatever a peer has put into its cause."""
        line = escape(escape_controls(text))
        self._terminal.print(f"[dim]{time.strftime('%H:%M:%S')}[/] {line}", soft_wrap=True)

    def show(self, status: StatusReport) -> None:
        """Show every camera's status."""
        now_s = time.monotonic()
        if self._live is not None:
            elapsed_s = now_s - self._started_s
            self._live.update(Group(*(_progress_line(camera, elapsed_s) for camera in status.cameras)))
            return
        due = now_s - self._last_status_s >= _STATUS_INTERVAL_S
        self._last_status_s = now_s if due else self._last_status_s
        for camera in status.cameras:
            state = (camera.state, camera.delivered > 0)
            if due or self._last_states.get(camera.camera, state) != state:
                self._terminal.print(summary(camera), soft_wrap=True)
            self._last_states[camera.camera] = state

    def ledger(self, status: StatusReport) -> None:
        """Print the ledger: what became of every captured frame."""
        if not self._terminal.is_terminal:
            for camera in status.cameras:
                self._terminal.print(summary(camera), soft_wrap=True)
        else:
            self._terminal.print(_table(status))
        if status.rejected:
            self._terminal.print(f"{status.rejected} malformed messages rejected")


def escape_controls(text: str) -> str:
    r"""A text without what moves a cursor, colours a terminal, begins a line or turns its direction: `\x1b` instead."""
    return "".join(
        character.encode("unicode_escape").decode() if unicodedata.category(character) in _CONTROLS else character
        for character in text
    )


def _table(status: StatusReport) -> Table:
    table = Table("camera", "captured", "delivered", "dropped", "reconnects", "fps", "start s", "age p50/p95 ms")
    for camera in status.cameras:
        table.add_row(
            camera.camera,
            str(camera.captured),
            str(camera.delivered),
            _dropped(camera),
            str(camera.reconnects),
            f"{camera.out_hz:.1f}",
            "" if camera.start_ms is None else f"{camera.start_ms / 1000:.1f}",
            f"{camera.age_p50_ms:.0f} / {camera.age_p95_ms:.0f}",
        )
    return table


def summary(camera: CameraStatus) -> str:
    """One camera in one line of plain text."""
    return (
        f"{camera.camera}: {camera.state.replace('_', ' ')}, {camera.in_hz:.1f} → {camera.out_hz:.1f} fps, "
        f"{_start(camera)}age {camera.age_p50_ms:.0f}/{camera.age_p95_ms:.0f} ms, "
        f"delivered {camera.delivered} of {camera.captured}, "
        f"dropped {_dropped(camera)}, reconnects {camera.reconnects}{_mask_savings(camera)}"
    )


def _start(camera: CameraStatus) -> str:
    """How long the first frame took, which waits for the network to be compiled; empty before it."""
    return "" if camera.start_ms is None else f"started in {camera.start_ms / 1000:.1f} s, "


def _mask_savings(camera: CameraStatus) -> str:
    """Describe how masks are spared, where they are."""
    words = []
    if camera.mask_timing == "ahead":
        words.append("frames do not wait for their masks")
    if camera.mask_every > 1:
        words.append(f"network on every {_ordinal(camera.mask_every)} frame")
    if camera.mask_detail < 1:
        words.append(f"at {camera.mask_detail:.0%} of its input size")
    return ", " + ", ".join(words) if words else ""


def _ordinal(number: int) -> str:
    return str(number) + {1: "st", 2: "nd", 3: "rd"}.get(number, "th")  # mask_every stays below 21


def _dropped(camera: CameraStatus) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(camera.dropped.items())) or "0"


def _progress_line(camera: CameraStatus, elapsed_s: float) -> RenderableType:
    if camera.mode != "file" or not camera.frames:
        return summary(camera)
    share = camera.delivered / camera.frames
    left_s = elapsed_s / share - elapsed_s if share > 0 else 0.0
    grid = Table.grid(padding=(0, 1))
    grid.add_row(
        camera.camera,
        ProgressBar(total=camera.frames, completed=camera.delivered, width=40),
        f"{camera.delivered}/{camera.frames}, {camera.out_hz:.1f} fps, {left_s:.0f} s left",
    )
    return grid
