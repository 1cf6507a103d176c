from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.transport.untrusted_json import UntrustedJsonError
from stream.web import talk
from stream.web.allowance import Allowance


def test_what_the_page_says_is_understood() -> None:
    said = talk.decode(
        '{"say":"wear","background":{"as":"blur","strength":0.02},"worn":{"top":{"as":"shelf","name":"hoodie"}}}'
    )
    assert said == talk.Wear(talk.AsBlur(0.02), {"top": talk.AsShelved("hoodie")})
    assert talk.decode('{"say":"show","panels":["raw","composite"],"masks":["top"]}') == talk.Show(
        ("raw", "composite"), ("top",)
    )
    assert talk.decode('{"say":"photo","slot":"top","data":"aGk="}') == talk.Photo("top", b"hi")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"say":"dance"}',
        '{"say":"watch"}',
        '{"say":"watch","camera":"../etc"}',
        '{"say":"join","extra":1}',
        '{"say":"show","panels":[]}',
        '{"say":"show","panels":["raw","raw","raw"]}',
        '{"say":"wear","worn":{"a hat":{"as":"photo"}}}',
        '{"say":"wear","worn":{"top":{"as":"colour","colour":"red"}}}',
        '{"say":"wear","background":{"as":"image","path":"/etc/passwd"}}',
        '{"say":"photo","slot":"top","data":"%%"}',
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UntrustedJsonError):
        talk.decode(text)


@given(text=st.text(max_size=200))
def test_garbage_never_does_more_than_be_refused(text: str) -> None:
    with pytest.raises(UntrustedJsonError):
        talk.decode(text)


def test_what_is_said_to_the_page_names_itself() -> None:
    assert msgspec.json.decode(talk.encode(talk.Refused("no"))) == {"say": "refused", "cause": "no"}


def test_an_allowance_is_spent_at_once_and_grows_with_time() -> None:
    allowance = Allowance(rate_hz=10, burst=3)
    assert [allowance.spend(0.0) for _ in range(5)] == [True, True, True, False, False]
    assert [allowance.spend(0.2) for _ in range(3)] == [True, True, False]
    assert [allowance.spend(99.0) for _ in range(4)] == [True, True, True, False]
