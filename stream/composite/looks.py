"""Looks: what a camera's outputs show, and the message that changes it while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from queue import SimpleQueue

from clothseg.tryon import OpenEffect
from clothseg.tryon.cutout import Cutout
from stream.settings.config import Panel


@dataclass(frozen=True, slots=True)
class Look:
    """The look of one camera: its effects, its cut-out, and the panels of its view."""

    effects: tuple[OpenEffect, ...]
    cutout: Cutout
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class LookChange:
    """From the next frame on `camera` (None: every camera, also those to come) shows this; None stays as it is."""

    camera: str | None
    effects: tuple[OpenEffect, ...] | None = None
    cutout: Cutout | None = None
    panels: tuple[Panel, ...] | None = None

    def apply_to(self, look: Look) -> Look:
        """The choice after the change."""
        return Look(
            look.effects if self.effects is None else self.effects,
            self.cutout or look.cutout,
            self.panels or look.panels,
        )


class Looks:
    """Every camera's choice: its own, or the one that is for all."""

    def __init__(self, everywhere: Look) -> None:
        self._default = everywhere
        self._overrides: dict[str, Look] = {}

    def look_of(self, camera: str) -> Look:
        """Return a camera's look."""
        return self._overrides.get(camera, self._default)

    def apply(self, change: LookChange) -> None:
        """Show something else from now on; what is for all is also for those that had their own."""
        if change.camera is not None:
            self._overrides[change.camera] = change.apply_to(self.look_of(change.camera))
            return
        self._default = change.apply_to(self._default)
        self._overrides = {camera: change.apply_to(choice) for camera, choice in self._overrides.items()}

    def forget(self, camera: str) -> None:
        """Forget a camera that is gone: the next of its name starts with the default look."""
        self._overrides.pop(camera, None)


LookChanges = SimpleQueue[LookChange]
"""Where changes wait until composite takes them, between two frames."""


def drain(changes: LookChanges) -> Iterator[LookChange]:
    """Take the changes that wait; none is waited for."""
    while not changes.empty():
        yield changes.get_nowait()
