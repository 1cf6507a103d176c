from __future__ import annotations

import threading

from stream.message import CompositedFrame, EndOfStream, Output, StreamStart
from stream.sinks.buffers import MAX_QUEUED, BoundedBuffer, LatestBuffer
from tests.stream.composited import composited_frame


def told(newest: LatestBuffer) -> list[str]:
    """What waits, in words."""
    words = []
    while (item := newest.take(0)) is not None:
        words.append(word(item))
    return words


def word(item: Output) -> str:
    if isinstance(item, CompositedFrame):
        return f"{item.frame.camera} {item.frame.seq}"
    return f"{item.camera} {type(item).__name__}"


def test_the_newest_frame_of_each_camera_wins() -> None:
    newest = LatestBuffer()
    for camera, seq in [("a", 0), ("b", 0), ("a", 1), ("a", 2), ("b", 1)]:
        newest.put(composited_frame(camera, seq))
    assert told(newest) == ["a 2", "b 1"]


def test_events_keep_their_order_among_the_frames_of_their_camera() -> None:
    newest = LatestBuffer()
    newest.put(StreamStart("a", 0, 0, "live", ""))
    newest.put(composited_frame("a", 0))
    newest.put(composited_frame("a", 1))
    newest.put(EndOfStream("a", 1))
    newest.put(StreamStart("a", 1, 2, "live", ""))
    newest.put(composited_frame("b", 0))
    newest.put(composited_frame("a", 2))
    newest.put(composited_frame("a", 3))
    assert told(newest) == ["a StreamStart", "a 1", "a EndOfStream", "a StreamStart", "b 0", "a 3"]


def test_after_closing_what_waits_is_still_there() -> None:
    newest = LatestBuffer()
    newest.put(composited_frame())
    newest.close()
    assert not newest.drained
    assert told(newest) == ["front 0"]
    assert newest.drained


def test_what_the_newest_replaces_is_counted_for_each_camera() -> None:
    newest = LatestBuffer()
    for camera, seq in [("a", 0), ("b", 0), ("a", 1), ("a", 2)]:
        newest.put(composited_frame(camera, seq))
    assert newest.dropped == {"a": 2}
    newest.close()
    newest.put(composited_frame("b", 1))
    assert newest.dropped == {"a": 2, "b": 1}


def test_a_bounded_buffer_drops_nothing_before_its_output_has_failed() -> None:
    bounded = BoundedBuffer()
    for seq in range(MAX_QUEUED):
        bounded.put(composited_frame("a", seq))
    waiting = threading.Thread(target=bounded.put, args=(composited_frame("a", MAX_QUEUED),), daemon=True)
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    assert bounded.dropped == {}
    bounded.fail()
    waiting.join(10)
    assert not waiting.is_alive()
    assert bounded.dropped == {"a": MAX_QUEUED + 1}
    assert bounded.drained
