from __future__ import annotations

import numpy as np

from clothseg.classes import USUAL
from stream.message import CompositedFrame, Frame, Picture
from stream.transport.frame_encoder import FrameEncoder
from stream.transport.protocol import topic_of
from stream.transport.published import PublishedFrame, decode
from stream.web.page_protocol import ViewOptions
from stream.web.view import panel_count, render_view

CLASSES = USUAL.names


def published(composite_width: int = 8) -> PublishedFrame:
    picture = Picture(np.full((6, 8, 3), 40, np.uint8), 5, 7)
    parts = np.zeros((6, 8), np.uint8)
    parts[2:4, 2:6] = CLASSES.index("top")
    frame = CompositedFrame(
        Frame("visitor-1", 0, 0, picture),
        USUAL,
        np.zeros((5, 2, 2), np.uint8),
        np.where(parts, 255, 0).astype(np.uint8),
        parts,
        picture.pixels,
        np.full((6, composite_width, 3), 200, np.uint8),
    )
    said = decode(FrameEncoder(frame).encode(topic_of("visitor-1", ("picture", "composite", "parts", "alpha"), "raw")))
    assert isinstance(said, PublishedFrame)
    return said


def test_panels_stand_side_by_side_in_the_order_asked_for() -> None:
    frame, show = published(), ViewOptions(("raw", "composite"))
    assert panel_count(frame, show) == 2
    np.testing.assert_array_equal(render_view(frame, show)[0, :, 0], [40] * 8 + [200] * 8)


def test_only_the_chosen_class_is_tinted() -> None:
    tinted = render_view(published(), ViewOptions(masks=("top",)))
    changed = (tinted != 200).any(axis=2)
    np.testing.assert_array_equal(changed, published().parts == CLASSES.index("top"))
    np.testing.assert_array_equal(
        render_view(published(), ViewOptions(masks=("dress", "nonsense"))), published().composite
    )


def test_a_composite_with_panels_of_its_own_is_shown_alone() -> None:
    frame, show = published(composite_width=24), ViewOptions(("raw", "composite"), ("top",))
    assert panel_count(frame, show) == 1
    np.testing.assert_array_equal(render_view(frame, show), frame.composite)
