"""The dispatcher's report of each camera: its ledger and its pace."""

from __future__ import annotations

from typing import Literal

import msgspec

from stream.message import DropReason, Mode, Propagation
from stream.transport.camera_state import CameraState

MaskSource = Literal["network"] | Propagation
"""What a frame's masks come from: the network, or the frame before it."""
MaskTiming = Literal["network", "ahead"]
"""Whether a frame that the network sees waits for its masks, or goes ahead of them."""


class CameraStatus(msgspec.Struct, frozen=True):
    """One camera's ledger and pace at a moment: rates in frames a second, ages in milliseconds.

    `mask_sources` counts delivered frames by where their masks came from. The network is now to see every
    `mask_every`-th frame at `mask_detail` of its own input size; `mask_timing` says whether that frame waits for its
    masks or goes ahead. `start_ms` is the age of the first frame that was delivered, None before it; the ages are of
    those after start-up.
    """

    camera: str
    mode: Mode
    state: CameraState
    captured: int
    delivered: int
    dropped: dict[DropReason, int]
    in_flight: int
    reconnects: int
    in_hz: float
    out_hz: float
    age_p50_ms: float
    age_p95_ms: float
    start_ms: float | None
    frames: int | None
    mask_sources: dict[MaskSource, int]
    mask_timing: MaskTiming
    mask_every: int
    mask_detail: float

    @property
    def balances(self) -> bool:
        """Return whether every captured frame is accounted for."""
        return self.captured == self.delivered + sum(self.dropped.values()) + self.in_flight
