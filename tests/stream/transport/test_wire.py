"""Messages become buffers and come back the same; anything else is refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream import message
from stream.transport import wire
from tests.stream.pictures import frame, picture, segmented

PLAIN = [
    message.SourceOpened("front", "live", "rtsp://***@host/a", 30.0, None),
    message.SourceLost("front", "gone"),
    message.SourceEnded("front"),
    message.PictureRequest("front"),
    message.WorkerReady(3, 4),
    message.FramesSent(4),
    message.Ack("front", 0, 5),
    message.StreamStart("front", 1, 5, "file", "a.mp4", 29.97, 300),
    message.Outage("front", 4, "gone"),
    message.EndOfStream("front", 4, "broken"),
    message.Dropped("front", 0, 4, "poison"),
    message.EndOfRun(),
]


@pytest.mark.parametrize("item", PLAIN, ids=lambda item: type(item).__name__)
def test_events_survive_a_round_trip(item: object) -> None:
    assert wire.decode(wire.encode(item)) == item


def test_pictures_and_probabilities_come_back_to_the_bit() -> None:
    made = segmented(4)
    back = wire.decode(wire.encode(made))
    assert isinstance(back, message.SegmentedFrame)
    assert back.classes == made.classes
    assert np.array_equal(back.probabilities, made.probabilities)
    assert np.array_equal(back.frame.picture.pixels, made.frame.picture.pixels)


def test_masks_that_come_late_come_back_to_the_bit() -> None:
    given = segmented(4)
    made = message.LateMasks("front", 4, given.classes, given.probabilities)
    back = wire.decode(wire.encode(made))
    assert isinstance(back, message.LateMasks)
    assert (back.camera, back.seq, back.classes) == ("front", 4, given.classes)
    assert np.array_equal(back.probabilities, given.probabilities)


def test_raw_planes_are_not_copied() -> None:
    made = message.NewPicture("front", picture(3))
    [_, plane] = wire.encode(made)
    assert np.shares_memory(np.frombuffer(plane, np.uint8), made.picture.pixels)


def test_jpeg_is_small_and_near() -> None:
    ramp = np.broadcast_to(np.arange(64, dtype=np.uint8)[:, None, None], (64, 64, 3)).copy()
    made = message.NewPicture("front", message.Picture(ramp, 0, 0))
    buffers = wire.encode(made, "jpeg")
    back = wire.decode(buffers)
    assert isinstance(back, message.NewPicture)
    assert len(buffers[1]) < ramp.size / 4
    assert np.abs(back.picture.pixels.astype(int) - ramp).max() <= 4


def test_another_version_is_refused_with_what_to_do() -> None:
    with pytest.raises(wire.WireError, match=r"version 1, got 2.*same release"):
        wire.decode([b'{"v":2,"type":"Next","body":{"camera":"front"}}'])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"shape": [6, 8, 4]}, "expected 192 bytes"),
        ({"shape": [1 << 40, 8, 3]}, "at most"),
        ({"shape": [-6, -8, 3]}, "positive"),
        ({"shape": []}, "1 to 3"),
        ({"plane": 7}, "below 1"),
        ({"plane": -1}, "below 1"),
        ({"encoding": "pickle"}, "encoding|enum"),
        ({"encoding": "jpeg"}, "jpeg"),
    ],
)
def test_a_plane_that_contradicts_its_header_is_rejected(change: dict[str, object], complaint: str) -> None:
    header, plane = wire.encode(message.NewPicture("front", picture()))
    told = json.loads(bytes(header))
    told["body"]["picture"]["pixels"].update(change)
    with pytest.raises(wire.WireError, match=complaint):
        wire.decode([json.dumps(told).encode(), plane])


def test_a_jpeg_of_another_size_is_refused_before_it_is_decoded() -> None:
    header, plane = wire.encode(message.NewPicture("front", picture(0, 32, 32)), "jpeg")
    told = json.loads(bytes(header))
    told["body"]["picture"]["pixels"]["shape"] = [32, 33, 3]
    with pytest.raises(wire.WireError, match="expected a jpeg of"):
        wire.decode([json.dumps(told).encode(), plane])


@given(st.lists(st.binary(max_size=200), max_size=6))
def test_garbage_is_refused(parts: list[bytes]) -> None:
    with pytest.raises(wire.WireError):
        wire.decode(parts)


@given(data=st.data())
def test_a_message_with_damage_is_refused_or_still_a_message(data: st.DataObject) -> None:
    [header, *planes] = wire.encode(frame())
    damaged = bytearray(header)
    for at in data.draw(st.lists(st.integers(0, len(header) - 1), min_size=1, max_size=4)):
        damaged[at] = data.draw(st.integers(0, 255))
    try:
        item = wire.decode([bytes(damaged), *planes])
    except wire.WireError:
        return
    assert type(item).__name__ in wire.TYPES


@pytest.mark.parametrize(
    "body",
    [
        '{"camera":' * 400 + "0" + "}" * 400,
        '{"camera": ' + "[" * 1200 + "]" * 1200 + "}",
        '{"camera": "front", "picture": ' + "[" * 1200 + "]" * 1200 + "}",
        "[" * 60_000,
    ],
    ids=["objects", "lists", "where a picture is expected", "unfinished"],
)
@pytest.mark.parametrize("kind", ["NewPicture", "PictureRequest"])
def test_json_that_lies_deep_is_refused(kind: str, body: str) -> None:
    for header in (
        f'{{"v":1,"type":"{kind}","body":{body}}}',
        f'{{"v":1,"type":"{kind}","body":{{}},"x":{body}}}',
        body,
    ):
        with pytest.raises(wire.WireError):
            wire.decode([header.encode()])


@pytest.mark.parametrize(
    ("item", "change"),
    [
        (message.NewPicture("front", picture()), {"superseded": 10**12}),
        (message.NewPicture("front", picture()), {"superseded": -1}),
        (message.NewPicture("front", picture()), {"camera": "../../etc"}),
        (segmented(), {"classes": {"classes": []}}),
        (
            segmented(),
            {"classes": {"classes": 5 * [{"name": "a", "role": "person", "region": None, "colour": [0] * 3}]}},
        ),
        (message.WorkerReady(0), {"received": 10**18}),
        (message.WorkerReady(0), {"sent": -1}),
        (message.FramesSent(0), {"frames": 10**18}),
        (message.Ack("front", 0, 0), {"seq": -5}),
        (message.Ack("front", 0, 0), {"box": [0, 0, 1e300, 1]}),
        (message.SourceOpened("front", "live", "camera:0"), {"rate_hz": 1e308}),
    ],
)
def test_what_is_well_formed_but_cannot_be_is_refused(item: object, change: dict[str, object]) -> None:
    header, *planes = wire.encode(item)
    told = json.loads(bytes(header))
    told["body"].update(change)
    with pytest.raises(wire.WireError, match="expected"):
        wire.decode([json.dumps(told).encode(), *planes])


@pytest.mark.parametrize("clock", ["pts_ns", "captured_ns"])
@pytest.mark.parametrize("time_ns", [10**400, -(10**400), 2**64, 2**63, -(2**63)])
def test_clocks_that_no_host_has_are_refused(clock: str, time_ns: int) -> None:
    header, plane = wire.encode(message.NewPicture("front", picture()))
    told = json.loads(bytes(header))
    told["body"]["picture"][clock] = time_ns
    with pytest.raises(wire.WireError, match="expected"):
        wire.decode([json.dumps(told).encode(), plane])


EVERY = [*PLAIN, message.NewPicture("front", picture()), frame(), segmented(), message.DemandChanged("front", True),
         message.PropagatedFrame(frame(), "still"), message.LateMasks("front", 1, segmented().classes,
                                                                   segmented().probabilities)]  # fmt: skip
FALSE = st.sampled_from(
    [None, True, -1, 0, 1, 2**31, 2**53, 2**63, 10**19, 10**400, 1e-300, 1e308, "", "front", "x" * 9000, "\0", [], {},
     [0], [[0]], {"plane": 0, "shape": [1]}, {"plane": 0, "shape": [1, 1, 1], "encoding": "jpeg"}]
)  # fmt: skip


def places(value: object) -> list[tuple[dict[str, Any], str]]:
    """Every key in a message's JSON, with the object it stands in."""
    if isinstance(value, list):
        return [place for inner in value for place in places(inner)]
    if not isinstance(value, dict):
        return []
    return [(value, key) for key in value] + [place for inner in value.values() for place in places(inner)]


@given(data=st.data())
def test_a_message_in_which_anything_is_false_is_refused_or_one_that_can_be_sent_on(data: st.DataObject) -> None:
    header, *planes = wire.encode(data.draw(st.sampled_from(EVERY)))
    told = json.loads(bytes(header))
    for _ in range(data.draw(st.integers(1, 3))):
        inside, key = data.draw(st.sampled_from(places(told)))
        inside[key] = copy.deepcopy(data.draw(FALSE))
    try:
        item = wire.decode([json.dumps(told).encode(), *planes])
    except wire.WireError:
        return
    assert type(wire.decode(wire.encode(item))) is type(item)


@given(data=st.data())
def test_parts_that_are_cut_doubled_or_swapped_are_refused_or_a_message(data: st.DataObject) -> None:
    parts = [bytes(part) for part in wire.encode(data.draw(st.sampled_from(EVERY)))]
    chosen = data.draw(st.lists(st.sampled_from(parts), max_size=6))
    cut = [part[: data.draw(st.integers(0, len(part)))] if data.draw(st.booleans()) else part for part in chosen]
    try:
        item = wire.decode(cut)
    except wire.WireError:
        return
    assert type(item).__name__ in wire.TYPES


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(kind=st.sampled_from(sorted(wire.TYPES)), body=JSON)
def test_a_header_with_any_body_is_refused_or_a_message(kind: str, body: object) -> None:
    header = msgspec.json.encode({"v": 1, "type": kind, "body": msgspec.Raw(json.dumps(body).encode())})
    try:
        wire.decode([header])
    except wire.WireError:
        return
    assert kind == "EndOfRun"
