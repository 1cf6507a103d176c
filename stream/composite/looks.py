"""What a camera's outputs show, and the message that changes it while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from queue import SimpleQueue

from clothseg.tryon import OpenEffect
from clothseg.tryon.cutout import Cutout
from stream.settings.config import Panel


@dataclass(frozen=True, slots=True)
class Choice:
    """What is shown of one camera: its effects, what is cut out, and the panels of its view."""

    effects: tuple[OpenEffect, ...]
    cutout: Cutout
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """From the next frame on `camera` (None: every camera, also those to come) shows this; None stays as it is."""

    camera: str | None
    effects: tuple[OpenEffect, ...] | None = None
    cutout: Cutout | None = None
    panels: tuple[Panel, ...] | None = None

    def applied(self, choice: Choice) -> Choice:
        """The choice after the change."""
        return Choice(
            choice.effects if self.effects is None else self.effects,
            self.cutout or choice.cutout,
            self.panels or choice.panels,
        )


class Choices:
    """Every camera's choice: its own, or the one that is for all."""

    def __init__(self, everywhere: Choice) -> None:
        self._everywhere = everywhere
        self._own: dict[str, Choice] = {}

    def of(self, camera: str) -> Choice:
        """What is shown of a camera."""
        return self._own.get(camera, self._everywhere)

    def change(self, change: Change) -> None:
        """Show something else from now on; what is for all is also for those that had their own."""
        if change.camera is not None:
            self._own[change.camera] = change.applied(self.of(change.camera))
            return
        self._everywhere = change.applied(self._everywhere)
        self._own = {camera: change.applied(choice) for camera, choice in self._own.items()}

    def forget(self, camera: str) -> None:
        """A camera is gone: whoever comes under its name begins with what is for all."""
        self._own.pop(camera, None)


Changes = SimpleQueue[Change]
"""Where changes wait until composite takes them, between two frames."""


def waiting(changes: Changes) -> Iterator[Change]:
    """Take the changes that wait; none is waited for."""
    while not changes.empty():
        yield changes.get_nowait()
