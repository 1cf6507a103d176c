"""The published format: messages and their bytes, used both ways; golden bytes hold it still for other clients."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clothseg.classes import USUAL
from stream.message import CompositedFrame
from stream.transport import protocol
from stream.transport.camera_state import CameraState, StreamInfo
from stream.transport.codec import Buffer, Encoding
from stream.transport.protocol import (
    FrameEncoder,
    FrameHeader,
    ProtocolError,
    PublishedFrame,
    Roster,
    Topic,
    VersionError,
)
from tests.stream.composited import composited_frame

ROSTER = Roster(
    2,
    False,
    (
        StreamInfo("front", CameraState.LIVE, "live", 2, 30.0),
        StreamInfo("side", CameraState.FAILED, "file", 0, 25.0, 10, 9, "the disk is full"),
    ),
)


def published(frame: CompositedFrame, topic: Topic) -> PublishedFrame:
    said = protocol.decode([bytes(part) for part in FrameEncoder(frame).encode(topic)])
    assert isinstance(said, PublishedFrame)
    return said


@pytest.mark.parametrize("encoding", protocol.ENCODINGS)
def test_every_kind_comes_back_full_size_in_every_encoding(encoding: Encoding) -> None:
    frame = composited_frame(seq=5)
    said = published(frame, protocol.topic_of("front", protocol.KINDS, encoding))
    assert (said.camera, said.epoch, said.seq) == ("front", 0, 5)
    assert (said.pts_ns, said.captured_ns) == (frame.frame.picture.pts_ns, frame.frame.picture.captured_ns)
    assert said.classes == USUAL
    assert np.array_equal(said.alpha, frame.alpha)
    assert np.array_equal(said.parts, frame.parts)
    assert np.array_equal(said.probabilities, frame.probabilities)
    assert np.array_equal(said.cutout[..., 3], frame.alpha)
    inside = frame.alpha > 0
    tolerance = 6 if encoding == "jpeg" else 0  # grey levels, on average
    assert np.abs(said.cutout[..., :3][inside].astype(int) - frame.foreground[inside]).mean() <= tolerance
    assert np.abs(said.composite.astype(int) - frame.composite).mean() <= tolerance


def test_only_the_box_of_what_is_cut_out_travels() -> None:
    frame = composited_frame()
    parts = FrameEncoder(frame).encode(protocol.topic_of("front", ["cutout"], "raw"))
    x, y, width, height = published(frame, protocol.topic_of("front", ["cutout"], "raw")).crop
    assert (x, y, width, height) == (20, 12, 24, 30)
    assert len(parts) == 3
    assert memoryview(parts[2]).nbytes == width * height * 4


def test_an_empty_picture_travels_as_one_pixel() -> None:
    frame = composited_frame(person=(0, 0, 0, 0))
    said = published(frame, protocol.topic_of("front", ["cutout", "parts"], "jpeg"))
    assert said.cutout.shape == (*frame.alpha.shape, 4)
    assert not said.cutout.any()
    assert not said.parts.any()


def test_what_two_topics_ask_for_is_encoded_once() -> None:
    encoder = FrameEncoder(composited_frame())
    one = encoder.encode(protocol.topic_of("front", ["cutout"], "png"))
    both = encoder.encode(protocol.topic_of("front", ["cutout", "parts"], "png"))
    assert one[2] is both[2]


def test_a_kind_that_was_not_asked_for_is_named_in_the_error() -> None:
    said = published(composited_frame(), protocol.topic_of("front", ["cutout"], "raw"))
    with pytest.raises(ProtocolError, match="expected one of cutout, got composite"):
        _ = said.composite


@pytest.mark.parametrize(
    ("subscription", "topic"),
    [
        (b"front/cutout/jpeg", Topic("front", ("cutout",), "jpeg")),
        (b"front/cutout", Topic("front", ("cutout",), "lz4")),
        (b"front/cutout+parts/raw", Topic("front", ("cutout", "parts"), "raw")),
        (b"front/parts+cutout/raw", None),
        (b"front/cutout+cutout/raw", None),
        (b"front/cutout/webp", None),
        (b"front/", None),
        (b"front", None),
        (b"", None),
        (b"/cutout/raw", None),
        (b"front/cutout/raw/", None),
        (b"\xff\xfe", None),
        (b"a" * 10_000 + b"/cutout/raw", None),
    ],
)
def test_a_subscription_says_what_is_encoded(subscription: bytes, topic: Topic | None) -> None:
    assert protocol.parse_subscription(subscription, "lz4") == topic


def test_no_topic_is_the_beginning_of_another() -> None:
    combinations: list[tuple[str, ...]] = [*((kind,) for kind in protocol.KINDS), ("cutout", "parts")]
    topics = [
        str(protocol.topic_of(camera, kinds, encoding))
        for camera in ("front", "front2")
        for kinds in combinations
        for encoding in protocol.ENCODINGS
    ]
    assert not [(a, b) for a in topics for b in topics if a != b and b.startswith(a)]


def test_the_roster_has_these_bytes() -> None:
    parts = protocol.encode_roster(ROSTER)
    assert parts[0] == b"/streams"
    assert json.loads(bytes(parts[1])) == {
        "v": 2,
        "closing": False,
        "streams": [
            {
                "camera": "front",
                "state": "live",
                "mode": "live",
                "epoch": 2,
                "rate_hz": 30.0,
                "frames": None,
                "last_seq": None,
                "cause": None,
            },
            {
                "camera": "side",
                "state": "failed",
                "mode": "file",
                "epoch": 0,
                "rate_hz": 25.0,
                "frames": 10,
                "last_seq": 9,
                "cause": "the disk is full",
            },
        ],
    }
    assert protocol.decode(parts) == ROSTER


def test_a_frame_has_these_bytes() -> None:
    frame = composited_frame(seq=3, size=(4, 3), person=(1, 0, 2, 2))
    topic, header, colour, alpha = FrameEncoder(frame).encode(protocol.topic_of("front", ["cutout"], "jpeg"))
    assert topic == b"front/cutout/jpeg"
    assert bytes(colour)[:3] == b"\xff\xd8\xff"
    assert len(bytes(alpha)) > 0
    assert json.loads(bytes(header)) == {
        "v": 2,
        "camera": "front",
        "epoch": 0,
        "seq": 3,
        "pts_ns": 120_000_000,
        "captured_ns": 3,
        "mask_age_ns": 0,
        "height": 3,
        "width": 4,
        "classes": [
            {"name": "background", "role": "background", "region": None, "colour": [0, 0, 0]},
            {"name": "person", "role": "person", "region": None, "colour": [160, 160, 160]},
            {"name": "top", "role": "garment", "region": "upper", "colour": [40, 130, 250]},
            {"name": "bottom", "role": "garment", "region": "lower", "colour": [200, 90, 30]},
            {"name": "dress", "role": "garment", "region": "whole", "colour": [170, 60, 200]},
        ],
        "planes": [
            {"name": "colour", "encoding": "jpeg", "shape": [2, 2, 3], "crop": [1, 0, 2, 2]},
            {"name": "alpha", "encoding": "lz4", "shape": [2, 2], "crop": [1, 0, 2, 2]},
        ],
    }


@pytest.mark.parametrize("topic", [b"/streams", b"front/cutout/raw"])
def test_another_version_is_distinguished_from_malformed_bytes(topic: bytes) -> None:
    with pytest.raises(VersionError, match="expected protocol version 2, got 3"):
        protocol.decode([topic, b'{"v": 3, "anything": "else"}'])


def test_keys_of_a_later_release_are_passed_over() -> None:
    parts = protocol.encode_roster(ROSTER)
    later = {**json.loads(bytes(parts[1])), "weather": "fine"}
    assert protocol.decode([parts[0], json.dumps(later).encode()]) == ROSTER


def header(**changes: Any) -> bytes:
    plane = {"name": "parts", "encoding": "raw", "shape": [2, 2], "crop": [1, 1, 2, 2], **changes.pop("plane", {})}
    background = {"name": "background", "role": "background", "region": None, "colour": [0, 0, 0]}
    fields = {
        "v": 2, "camera": "front", "epoch": 0, "seq": 0, "pts_ns": 0, "captured_ns": 0, "mask_age_ns": 0,
        "height": 4, "width": 4,
        "classes": [background, {**background, "name": "person", "role": "person"}], "planes": [plane],
    }  # fmt: skip
    return json.dumps({**fields, **changes}).encode()


def test_the_header_below_is_whole() -> None:
    said = protocol.decode([b"front/parts/raw", header(), b"\1\2\3\4"])
    assert isinstance(said, PublishedFrame)
    assert said.parts.tolist() == [[0, 0, 0, 0], [0, 1, 2, 0], [0, 3, 4, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize(
    "changes",
    [
        {"plane": {"crop": [3, 3, 2, 2]}},
        {"plane": {"crop": [-1, 0, 2, 2]}},
        {"plane": {"crop": [0, 0, 3, 2]}},
        {"plane": {"crop": None}},
        {"plane": {"shape": [2, 2, 3]}},
        {"plane": {"shape": [4]}},
        {"plane": {"shape": [0, 2], "crop": [0, 0, 2, 0]}},
        {"plane": {"shape": [-2, -2], "crop": [1, 1, -2, -2]}},
        {"plane": {"name": "probabilities", "shape": [3, 2, 2], "crop": None}},
        {"plane": {"name": "probabilities", "shape": [2, 10**6, 10**6], "crop": None, "encoding": "lz4"}},
        {"plane": {"name": "composite", "shape": [10**5, 10**5, 3], "crop": None, "encoding": "lz4"}},
        {"plane": {"name": "colours"}},
        {"plane": {"encoding": "webp"}},
        {"height": 10**9, "width": 10**9},
        {"height": 16_000, "width": 16_000},
        {"height": 0},
        {"planes": []},
        {"classes": ["x"] * 300},
        {"classes": [{"name": "a", "role": "background", "region": None, "colour": [0, 0, 0]}]},
        {"classes": [{"name": f"a{n}", "role": "person", "region": None, "colour": [0, 0, 0]} for n in range(2)]},
        {"seq": "0"},
        {"seq": 10**19},
        {"seq": 2**60},
        {"pts_ns": 10**400},
        {"captured_ns": -(2**63)},
        {"camera": "../front"},
        {"camera": "side"},
        {"classes": ["background"]},
        {"classes": [{"name": "a", "role": "background", "region": None, "colour": [0, 0, 256]}]},
        {"plane": {"name": "probabilities", "shape": [2, 8000, 8000], "crop": None, "encoding": "lz4"}},
        {"height": 8000, "width": 8000, "plane": {"shape": [8000, 8000], "crop": None, "encoding": "lz4"}},
    ],
)
def test_a_header_that_cannot_be_true_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError, match="expected"):
        protocol.decode([b"front/parts/raw", header(**changes), b"\1\2\3\4"])


DEEP = b"[" * 1200 + b"]" * 1200


@pytest.mark.parametrize(
    "parts",
    [
        [b"/streams", b'{"v": 1, "closing": false, "streams": ' + DEEP + b"}"],
        [b"/streams", DEEP],
        [b"/streams", b'{"v": 1, "closing": false, "streams": [], "later": ' + DEEP + b"}"],
        [b"front/stats", b'{"v": 1, "weather": ' + DEEP + b"}"],
        [b"front/parts/raw", b'{"v": 1, "planes": ' + DEEP + b"}", b""],
    ],
)
def test_json_that_lies_deep_is_refused(parts: list[Buffer]) -> None:
    with pytest.raises(ProtocolError, match="expected"):
        protocol.decode(parts)


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        (b"/streams", {"closing": False, "streams": [{"camera": "a/b", "state": "live"}]}),
        (b"/streams", {"closing": False, "streams": [{"camera": "a", "state": "live", "frames": -3}]}),
        (b"/streams", {"closing": False, "streams": [{"camera": "a", "state": "live", "rate_hz": 1e300}]}),
        (b"/streams", {"closing": False, "streams": [{"camera": "a", "state": "failed", "cause": "x" * 9000}]}),
        (b"/streams", {"closing": False, "streams": [{"camera": "a", "state": "failed"}] * 1500}),
        (b"front/stats", {"camera": "front", "epoch": -1, "last_seq": 0, "rate_hz": 1, "age_ms": 1}),
        (b"front/stats", {"camera": "side", "epoch": 0, "last_seq": 0, "rate_hz": 1, "age_ms": 1}),
    ],
)
def test_news_that_cannot_be_true_is_refused(topic: bytes, said: dict[str, object]) -> None:
    with pytest.raises(ProtocolError, match="expected"):
        protocol.decode([topic, json.dumps({"v": 1, **said}).encode()])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_garbage_is_refused(parts: list[Buffer]) -> None:
    with pytest.raises(ProtocolError, match="expected"):
        protocol.decode(parts)


@given(field=st.sampled_from([*FrameHeader.__struct_fields__]), value=json_values, data=st.binary(max_size=20))
def test_whatever_stands_in_a_header_it_is_refused_or_fits(field: str, value: object, data: bytes) -> None:
    try:
        said = protocol.decode([b"front/parts/raw", msgspec.json.encode({**json.loads(header()), field: value}), data])
    except ProtocolError:
        return
    assert isinstance(said, PublishedFrame)
    assert said.parts.shape == (said.height, said.width)


@given(st.dictionaries(st.sampled_from([*protocol.PlaneHeader.__struct_fields__]), json_values), st.binary(max_size=20))
def test_whatever_stands_in_a_plane_it_is_refused_or_fits(plane: dict[str, object], data: bytes) -> None:
    try:
        said = protocol.decode([b"front/parts/raw", msgspec.json.encode(json.loads(header(plane=plane))), data])
    except (ProtocolError, ValueError):
        return
    assert isinstance(said, PublishedFrame)
