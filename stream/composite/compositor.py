"""Composite's step: masks every frame, cuts it out and dresses it, lays out the view, keeps each camera's state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import cv2
import numpy as np

from clothseg.classes import ClassMap
from clothseg.tryon import OpenEffect, apply_effects
from clothseg.tryon.cutout import cut_out
from stream.composite.effects import open_camera_effects
from stream.composite.looks import Look, LookChange, Looks
from stream.composite.masks import MaskTimeline
from stream.composite.resequence import MaskedFrame
from stream.message import (
    CompositedFrame,
    DemandChanged,
    Dropped,
    LateMasks,
    Output,
    Pixels,
    PropagatedFrame,
    SegmentedFrame,
)
from stream.process.pipe import describe_error
from stream.settings.config import Run
from stream.transport.camera_state import CameraEvent, CameraState, TransitionError, after

CompositeInput = MaskedFrame | LateMasks | CameraEvent | LookChange
"""What reaches the step: frames in order, events of their camera and changes of its look between them, and masks as
they come."""

_MAX_REPORTED_FAULTS: Final = 20  # of a camera: a malformed peer may go on inventing frames


@dataclass(eq=False)
class _EpochMemory:
    """What frames of a camera go on from, until something happens to it; `effect_states` are those of `effects`."""

    masks: MaskTimeline
    effects: tuple[OpenEffect, ...] = ()
    effect_states: tuple[Any, ...] | None = None


@dataclass(eq=False)
class _CompositedCamera:
    """A camera as composite knows it."""

    state: CameraState = CameraState.OPENING
    memory: _EpochMemory | None = None
    reported_faults: set[str] = field(default_factory=set)


class Compositor:
    """Turns each SegmentedFrame or PropagatedFrame into a CompositedFrame; camera events pass through.

    LateMasks correct what the next frame goes on from. A `LookChange` applies from the next frame on. A frame that
    cannot be drawn becomes `Dropped`, and an event that does not fit its camera's state goes no further; `notify` is
    given each cause once.
    """

    def __init__(self, settings: Run, notify: Callable[[str], None]) -> None:
        self._settings = settings
        self._notify = notify
        self._cameras: dict[str, _CompositedCamera] = {}
        self._looks = Looks(Look(open_camera_effects(settings.effects), settings.cutout, settings.view.panels))

    def __call__(self, item: CompositeInput) -> Iterator[Output | Dropped]:
        """What follows from `item`, for the outputs and, if it is `Dropped`, for the dispatcher alone."""
        match item:
            case LateMasks():
                self._on_late_masks(item)
            case SegmentedFrame() | PropagatedFrame():
                yield self._on_frame(item)
            case LookChange():
                self._looks.apply(item)
            case _:
                yield from self._on_event(item)

    def _on_late_masks(self, item: LateMasks) -> None:
        camera = self._cameras.get(item.camera)
        if camera is None or camera.memory is None:
            return  # of an epoch that is over
        try:
            camera.memory.masks.push_masks(item)
        except Exception as error:  # noqa: BLE001 (masks that fit nothing are of no use, and end nothing)
            camera.memory = None
            self._report(item.camera, f"the masks of frame {item.seq} cannot be used", error)

    def _on_frame(self, item: MaskedFrame) -> CompositedFrame | Dropped:
        frame = item.frame
        camera = self._cameras.setdefault(frame.camera, _CompositedCamera())
        # It is put back once the frame is drawn: what a frame leaves that failed halfway is nothing to go on from.
        memory, camera.memory = camera.memory or self._new_memory(), None
        try:
            composited = self._compose(item, memory, self._looks.look_of(frame.camera))
        except Exception as error:  # noqa: BLE001 (one frame, however odd, ends no other)
            self._report(frame.camera, f"frame {frame.seq} cannot be drawn and is left out", error)
            return Dropped(frame.camera, frame.epoch, frame.seq, "poison")
        camera.memory = memory
        return composited

    def _on_event(self, event: CameraEvent) -> Iterator[CameraEvent]:
        camera = self._cameras.setdefault(event.camera, _CompositedCamera())
        try:
            camera.state = after(camera.state, event)
        except TransitionError as error:
            self._report(event.camera, "an event is left out", error)
            return
        if camera.state.over:
            del self._cameras[event.camera]
            self._looks.forget(event.camera)
        elif not isinstance(event, DemandChanged):
            camera.memory = None  # pictures before and after an outage have nothing to do with each other
        yield event

    def _new_memory(self) -> _EpochMemory:
        return _EpochMemory(MaskTimeline(self._settings.smoothing, self._settings.matting))

    def _report(self, camera: str, what: str, error: Exception) -> None:
        cause, reported = describe_error(error), self._cameras[camera].reported_faults
        if cause not in reported and len(reported) < _MAX_REPORTED_FAULTS:
            reported.add(cause)
            self._notify(f"{camera}: {what}: {cause}")

    def _compose(self, item: MaskedFrame, memory: _EpochMemory, look: Look) -> CompositedFrame:
        """Mask a frame, cut out and dress as chosen, and lay out the view."""
        picture = item.frame.picture
        masks = memory.masks.push_frame(item)
        cut = cut_out(masks.matte, look.cutout)
        # Other effects than those before begin anew.
        states = memory.effect_states if memory.effects is look.effects else None
        states, composite = apply_effects(look.effects, states, picture.pixels, cut, picture.pts_ns)
        memory.effects, memory.effect_states = look.effects, states
        panels = {"composite": composite, "raw": picture.pixels}
        view = [
            panels[p] if p in panels else colourise_parts(picture.pixels, cut.parts, cut.classes) for p in look.panels
        ]
        return CompositedFrame(
            item.frame,
            masks.classes,
            masks.probabilities,
            cut.alpha,
            cut.parts,
            cut.foreground,
            side_by_side(view),
            picture.pts_ns - masks.network_pts_ns,
        )


def side_by_side(panels: list[Pixels]) -> Pixels:
    """Pictures of one size in a row: (H, n·W, 3) uint8 BGR."""
    return panels[0] if len(panels) == 1 else np.asarray(cv2.hconcat(panels), np.uint8)


def colourise_parts(picture: Pixels, parts: Pixels, classes: ClassMap) -> Pixels:
    """The picture in grey with every class in its colour: (H, W, 3) uint8 BGR."""
    colours = np.zeros((256, 1, 3), np.uint8)
    colours[: len(classes.palette), 0] = classes.palette
    painted = cv2.LUT(cv2.cvtColor(parts, cv2.COLOR_GRAY2BGR), colours)
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return np.asarray(cv2.addWeighted(grey, 0.45, painted, 0.55, 0), np.uint8)
