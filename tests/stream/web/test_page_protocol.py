from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.transport.untrusted_json import UntrustedJsonError
from stream.web import page_protocol
from stream.web.rate_limiter import RateLimiter


def test_messages_from_the_page_are_decoded() -> None:
    said = page_protocol.decode(
        '{"type":"outfit","background":{"kind":"blur","strength":0.02},"garments":{"top":{"kind":"library","name":"hoodie"}}}'
    )
    assert said == page_protocol.Outfit(page_protocol.BlurChoice(0.02), {"top": page_protocol.LibraryChoice("hoodie")})
    assert page_protocol.decode(
        '{"type":"view_options","panels":["raw","composite"],"masks":["top"]}'
    ) == page_protocol.ViewOptions(("raw", "composite"), ("top",))
    assert page_protocol.decode('{"type":"upload_photo","use":"top","data":"aGk="}') == page_protocol.UploadPhoto(
        "top", b"hi"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"type":"dance"}',
        '{"type":"watch_camera"}',
        '{"type":"watch_camera","camera":"../etc"}',
        '{"type":"send_camera","extra":1}',
        '{"type":"view_options","panels":[]}',
        '{"type":"view_options","panels":["raw","raw","raw"]}',
        '{"type":"outfit","garments":{"a hat":{"kind":"photo"}}}',
        '{"type":"outfit","garments":{"top":{"kind":"colour","colour":"red"}}}',
        '{"type":"outfit","background":{"kind":"image","path":"/etc/passwd"}}',
        '{"type":"upload_photo","use":"top","data":"%%"}',
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UntrustedJsonError):
        page_protocol.decode(text)


@given(text=st.text(max_size=200))
def test_garbage_never_does_more_than_be_refused(text: str) -> None:
    with pytest.raises(UntrustedJsonError):
        page_protocol.decode(text)


def test_messages_to_the_page_name_their_type() -> None:
    assert msgspec.json.decode(page_protocol.encode(page_protocol.RequestRejected("no"))) == {
        "type": "request_rejected",
        "cause": "no",
    }


def test_an_allowance_is_spent_at_once_and_grows_with_time() -> None:
    allowance = RateLimiter(rate_hz=10, burst=3)
    assert [allowance.allow(0.0) for _ in range(5)] == [True, True, True, False, False]
    assert [allowance.allow(0.2) for _ in range(3)] == [True, True, False]
    assert [allowance.allow(99.0) for _ in range(4)] == [True, True, True, False]
