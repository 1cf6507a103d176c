from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.settings.config import ConfigError, Web
from stream.web.access import SESSION_S, Access, TooManyTriesError, open_access

SECRET = "correct-horse-battery"


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{SECRET}\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_on_loopback_no_token_is_needed(host: str) -> None:
    assert open_access(Web(bind=f"{host}:8000")).inside(None)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "[::]", "example.org"])
def test_other_hosts_are_served_only_with_a_token(host: str, token: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected web\.token too: a file with a secret of at least 16 characters"):
        open_access(Web(bind=f"{host}:8000"))
    access = open_access(Web(bind=f"{host}:8000", token=token))
    assert not any(access.enter(wrong, "") for wrong in ("", SECRET[:-1], SECRET + "x", "é"))
    session = access.enter(SECRET, "")
    assert access.inside(session)
    assert not any(access.inside(wrong) for wrong in (None, "", SECRET, "é"))


def test_a_session_is_a_value_of_its_own_and_ends() -> None:
    now_s = [0.0]
    access = Access(False, SECRET, lambda: now_s[0])
    first, second = access.enter(SECRET, ""), access.enter(SECRET, "")
    assert len({first, second, SECRET}) == 3
    now_s[0] = SESSION_S + 1
    assert not access.inside(first)


def test_the_token_can_be_tried_so_often_from_one_address() -> None:
    now_s = [0.0]
    access = Access(False, SECRET, lambda: now_s[0])
    for _ in range(10):
        assert access.enter("wrong", "10.0.0.9") is None
    with pytest.raises(TooManyTriesError):
        access.enter(SECRET, "10.0.0.9")
    assert access.enter(SECRET, "10.0.0.8") is not None
    now_s[0] = 60
    assert access.enter(SECRET, "10.0.0.9") is not None


@given(host=st.text(max_size=12) | st.sampled_from(["[", "[::1", "]", "a[b]", "//", "@", "127.0.0.1@evil", "[v1.x]"]))
def test_whatever_a_request_calls_host_or_origin_it_is_allowed_or_not(host: str) -> None:
    for access in (Access(True, None), Access(False, SECRET)):
        assert access.host_allowed({"host": host}) in (True, False)
        assert access.origin_allowed({"host": host, "origin": f"http://{host}"}) in (True, False)
    assert not Access(False, SECRET).host_allowed({"host": "["})


def test_a_short_or_missing_secret_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        open_access(Web(token=tmp_path / "missing"))
    (tmp_path / "short").write_text("1234", encoding="utf-8")
    with pytest.raises(ConfigError, match="at least 16 characters"):
        open_access(Web(token=tmp_path / "short"))
    (tmp_path / "foreign").write_text("größer als sechzehn", encoding="utf-8")
    with pytest.raises(ConfigError, match="ASCII"):
        open_access(Web(token=tmp_path / "foreign"))


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1:8000", True),
        ("localhost:8000", True),
        ("[::1]:8000", True),
        ("evil.example:8000", False),
        ("", False),
    ],
)
def test_on_loopback_a_name_that_was_made_to_point_here_is_refused(host: str, allowed: bool) -> None:
    assert open_access(Web()).host_allowed({"host": host}) is allowed


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://127.0.0.1:8000", True),
        ("https://127.0.0.1:8000", True),
        ("http://127.0.0.1:9000", False),
        ("http://evil.example", False),
        ("null", False),
        ("", False),
    ],
)
def test_only_the_own_origin_may_connect(origin: str, allowed: bool) -> None:
    headers = {"host": "127.0.0.1:8000", **({"origin": origin} if origin else {})}
    assert open_access(Web()).origin_allowed(headers) is allowed
