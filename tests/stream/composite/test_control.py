from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clothseg.tryon import BackgroundColour, BackgroundImage
from stream.composite import control
from stream.composite.control import (
    Accepted,
    CameraList,
    ControlError,
    GetStatus,
    ListCameras,
    Rejected,
    Reply,
    Request,
    SetCutout,
    SetEffects,
    SetPanels,
    StopRun,
)

REQUESTS: list[tuple[Request, dict[str, object]]] = [
    (
        SetEffects(effects=(BackgroundColour("#102030"),), camera="front"),
        {
            "request": "set_effects",
            "effects": [{"effect": "background_colour", "colour": "#102030"}],
            "camera": "front",
        },
    ),
    (
        SetEffects(effects=(BackgroundImage(Path("beach.png")),)),
        {"request": "set_effects", "effects": [{"effect": "background_image", "image": "beach.png"}], "camera": None},
    ),
    (SetCutout(cutout="dress"), {"request": "set_cutout", "cutout": "dress", "camera": None}),
    (SetPanels(panels=("raw", "parts")), {"request": "set_panels", "panels": ["raw", "parts"], "camera": None}),
    (ListCameras(), {"request": "list_cameras"}),
    (GetStatus(), {"request": "status"}),
    (StopRun(), {"request": "stop"}),
]


@pytest.mark.parametrize(("request_", "plain"), REQUESTS)
def test_a_request_and_its_json(request_: Request, plain: dict[str, object]) -> None:
    assert json.loads(control.encode(request_)) == plain
    assert control.read_request(json.dumps(plain).encode()) == request_


@pytest.mark.parametrize(
    ("reply", "plain"),
    [
        (Accepted(), {"reply": "accepted"}),
        (Rejected("no"), {"reply": "rejected", "error": "no"}),
        (CameraList(("front", "side")), {"reply": "cameras", "cameras": ["front", "side"]}),
    ],
)
def test_a_reply_and_its_json(reply: Reply, plain: dict[str, object]) -> None:
    assert json.loads(control.encode(reply)) == plain


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected a request in JSON"),
        ("\xff", "expected a request in JSON"),
        ("[" * 100_000, "expected a request in JSON"),
        ("[]", 'expected a request such as {"request": "status"}, got list'),
        ("{}", "request: expected one of set_effects, "),
        ('{"request": "set_effect", "effects": []}', "did you mean set_effects?"),
        ('{"request": "set_effects"}', "missing required field `effects`"),
        ('{"request": "set_effects", "effects": {}}', "effects: expected `array`, got `object`"),
        ('{"request": "set_effects", "effects": [{}]}', "effects.0.effect: expected one of background_colour"),
        (
            '{"request": "set_effects", "effects": [{"effect": "background_colour", "color": "#fff"}]}',
            "effects.0.color: unknown key, did you mean colour?",
        ),
        (
            '{"request": "set_effects", "effects": [{"effect": "background_colour", "colour": "red"}]}',
            "effects.0.colour: expected `str` matching regex",
        ),
        ('{"request": "set_cutout", "cutout": "a hat"}', "cutout: expected `str` matching regex"),
        ('{"request": "set_cutout", "cutout": "top", "camera": "../x"}', "camera: expected `str` matching regex"),
        ('{"request": "set_panels", "panels": []}', "panels: expected `array` of length >= 1"),
        ('{"request": "stop", "now": true}', "now: unknown key"),
    ],
)
def test_what_is_wrong_is_named_in_one_sentence(text: str, complaint: str) -> None:
    with pytest.raises(ControlError) as caught:
        control.read_request(text.encode("latin-1"))
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_request_has_a_size() -> None:
    with pytest.raises(ControlError, match="expected a request of at most 1048576 bytes"):
        control.read_request(b" " * 2_000_000)


KEYS = st.sampled_from(["request", "effects", "effect", "colour", "camera", "cutout", "panels"])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    )
)
def test_whatever_comes_it_is_a_request_or_refused(value: object) -> None:
    try:
        request = control.read_request(msgspec.json.encode(value))
    except ControlError:
        return
    assert control.read_request(control.encode(request)) == request


@pytest.mark.parametrize("name", ["set_effects", "set_cutout", "set_panels", "list_cameras", "status", "stop"])
@given(fields=st.dictionaries(st.sampled_from(["effects", "camera", "cutout", "panels", "x"]), st.text() | st.none()))
def test_whatever_stands_in_a_request_it_is_one_or_refused(name: str, fields: dict[str, object]) -> None:
    try:
        request = control.read_request(msgspec.json.encode({"request": name, **fields}))
    except ControlError:
        return
    assert control.read_request(control.encode(request)) == request
