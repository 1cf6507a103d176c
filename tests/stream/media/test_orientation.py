"""Why orientation is learned without PyAV's side data: once this test fails, it may be asked."""

from __future__ import annotations

import gc

from av import VideoFrame
from av.sidedata.sidedata import SideDataContainer


def test_pyav_still_ties_a_frame_to_its_side_data_in_a_cycle() -> None:
    frame = VideoFrame(16, 16, "bgr24")
    assert len(frame.side_data) == 0
    assert any(isinstance(holder, SideDataContainer) for holder in gc.get_referrers(frame))
