"""JSON from outside is decoded within its bounds, or refused with our own error and no other."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.transport import untrusted_json
from stream.transport.untrusted_json import MAX_DEPTH, UntrustedJsonError

BOUND = 65_536


class Word(msgspec.Struct):
    name: str = ""
    count: int = 0
    share: float = 0.0
    rest: Any = None


def read(text: bytes | memoryview | str, kind: Any = Any) -> object:
    return untrusted_json.decode(text, kind, max_bytes=BOUND)


def test_what_is_within_the_bounds_is_decoded() -> None:
    said = untrusted_json.decode(b'{"name": "front", "count": 3, "share": 0.5}', Word, max_bytes=BOUND)
    assert said == Word("front", 3, 0.5)
    assert read('{"name": "één"}', Word) == Word("één")
    assert read(memoryview(b"[1, 2]"), tuple[int, int]) == (1, 2)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        b"\x80\x04.",
        b"{" * 60_000,
        b"[" * 1200,
        b'{"rest":' * 300 + b"0" + b"}" * 300,
        b'{"rest": ' + b"[" * 1000 + b"]" * 1000 + b"}",
        b'{"count": 1' + b"0" * 400 + b"}",
        b'{"rest": -1' + b"0" * 5000 + b"}",
        b'{"share": 1' + b"0" * 20 + b".5}",
        b'{"share": 1e400}',
        b'{"count": 1e30}',
        b'{"count": NaN}',
        b'{"name": "\\ud800"}',
        b'{"name": "\xed\xa0\x80"}',
        b'{"name": "a',
        b'{"name": "\\',
        b"{}" * 3,
        b"\xef\xbb\xbf{}",
        b" " * 70_000,
        "é" * 40_000,
        "\ud800",
    ],
    ids=lambda text: repr(text[:12]),
)
def test_what_is_not_is_refused_in_one_sentence(text: bytes | str) -> None:
    with pytest.raises(UntrustedJsonError) as caught:
        read(text, Word)
    assert 0 < len(str(caught.value)) <= 201
    assert "\n" not in str(caught.value)


def test_brackets_and_digits_in_strings_are_no_depth_and_no_number() -> None:
    text = json.dumps({"name": '[{"\\' * 500 + "9" * 500})
    assert read(text.encode()) == json.loads(text)


def test_many_values_side_by_side_are_not_deep() -> None:
    assert read(b"[" + b",".join([b"[[0]]"] * 1000) + b"]") == [[[0]]] * 1000


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 5e-324, 1.7976931348623157e308, 1.2345678901234567e-05])
def test_every_number_that_a_machine_can_hold_comes_back(number: float) -> None:
    assert read(json.dumps([number] * (MAX_DEPTH + 1)).encode()) == [number] * (MAX_DEPTH + 1)


@pytest.mark.parametrize(("depth", "fits"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False)])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_the_depth_is_counted_exactly(opening: bytes, closing: bytes, depth: int, fits: bool) -> None:
    text = opening * depth + b"0" + closing * depth
    if fits:
        read(text)
    else:
        with pytest.raises(UntrustedJsonError, match=f"at most {MAX_DEPTH} deep"):
            read(text)


def test_whatever_a_hook_raises_is_our_error() -> None:
    def hook(kind: type, value: object) -> object:
        raise ZeroDivisionError(kind)

    with pytest.raises(UntrustedJsonError):
        untrusted_json.decode(b"1", complex, max_bytes=BOUND, dec_hook=hook)


@pytest.mark.parametrize(
    "text", [b'"' + b"\\" * 60_001, b'"\\"' * 20_000, b"1" * 65_000, b'{"":' * 16_000, b"[]," * 20_000]
)
def test_a_hostile_text_is_refused_at_once(text: bytes) -> None:
    """No regular expression that goes back and forth, no square of the length."""
    began_s = time.process_time()
    with pytest.raises(UntrustedJsonError):
        read(text)
    assert time.process_time() - began_s < 0.5


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=20,
)


@given(st.data())
def test_whatever_is_done_to_a_text_it_is_decoded_or_refused(data: st.DataObject) -> None:
    """Nested, cut, repeated, changed: nothing but our own error, and the same value as the plain decoder's."""
    text = bytearray(json.dumps(data.draw(VALUES)).encode())
    depth = data.draw(st.integers(0, 2 * MAX_DEPTH))
    text = bytearray(b'[{"":' * depth + text + b"}]" * depth)
    for at in data.draw(st.lists(st.integers(0, len(text) - 1), max_size=3)):
        text[at] = data.draw(st.integers(0, 255))
    text = text[: data.draw(st.integers(0, len(text)))] * data.draw(st.integers(1, 3))
    try:
        value = read(bytes(text))
    except UntrustedJsonError:
        return
    assert value == msgspec.json.decode(bytes(text))


@given(st.binary(max_size=400))
def test_garbage_is_decoded_or_refused(text: bytes) -> None:
    try:
        read(text, Word)
    except UntrustedJsonError:
        return
