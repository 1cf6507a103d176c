from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream.media.address import escaping_advice, local_path, redact, reveals, scheme_of

SECRET = "Zq"
"""Stands in every piece of every secret, however an address is taken apart, and in nothing else."""
SCHEMES = st.sampled_from(["rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "srt", "udp", "tcp", "RTSP", "gopherx"])
HOSTS = st.sampled_from(["host", "cam.local", "10.0.0.7", "[::1]", "[fe80::1:2]", "my_cam-2"])
PORTS = st.sampled_from(["", ":554", ":65535"])
SECRETS = st.lists(st.text("/#?@:&=%;,!+. \\|'\"\t\né[]", max_size=3), min_size=1, max_size=4).map(
    lambda between: SECRET + SECRET.join(between) + SECRET
)


def test_a_path_has_no_scheme_even_on_windows() -> None:
    assert [scheme_of(a) for a in ("clip.mp4", "C:\\clip.mp4", "a:b", "")] == [""] * 4


def test_the_scheme_is_in_small_letters() -> None:
    assert scheme_of("RTSP://host/live") == "rtsp"
    assert scheme_of("camera:0") == "camera"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://anna:geheim@cam.local:554/live?channel=2", "rtsp://cam.local:554"),
        ("rtsp://anna:p@ss@cam/live", "rtsp://cam"),
        ("rtmp://host/app/stream-key", "rtmp://host"),
        ("https://h/a.m3u8?Policy=x&n=1#geheim", "https://h"),
        ("srt://[::1]:9000?streamid=#!::u=anna,r=live&passphrase=a#b;c d?e=f", "srt://[::1]:9000"),
        ("rtsp://anna:ge/heim@cam/live", "rtsp://***"),
        ("rtsp://anna:ge#heim@cam/live", "rtsp://***"),
        ("rtsp://anna:ge?heim@cam/live", "rtsp://***"),
        ("rtsp://anna:ge heim@cam/live", "rtsp://cam"),
        ("rtsp://anna:geheim/live", "rtsp://***"),  # the host was forgotten
        ("srt:host?passphrase=geheim", "srt:***"),
        ("rtsp:/anna:geheim@cam", "rtsp:***"),
        ("rtsp//anna:geheim@cam", "***"),
        (" rtsp://anna:geheim@cam", "***"),
    ],
)
def test_only_scheme_host_and_port_are_shown_and_the_host_only_where_it_is_sure(address: str, shown: str) -> None:
    assert redact(address) == shown


@pytest.mark.parametrize("path", ["folder@home/clip?token=1.mp4", "C:\\clip.mp4", "shots/%04d.png", "file:///a/b.mp4"])
def test_a_path_is_shown_as_it_is(path: str) -> None:
    assert redact(path) == path


LOGINS = st.builds("{}:{}@".format, SECRETS, SECRETS) | st.builds("{}@".format, SECRETS) | st.just("")


@given(SCHEMES, LOGINS, st.builds("{}{}".format, HOSTS, PORTS), SECRETS)
@example("rtsp", "Zq:Zq/Zq@Zq@", "host", "Zq@Zq")
@example("rtsp", "Zq:Zq@Zq#Zq@", "host:554", "Zq")
def test_no_secret_is_ever_shown(kind: str, login: str, host: str, key: str) -> None:
    shown = {
        redact(f"{kind}://{login}{host}{place.format(key)}")
        for place in ("/{}", "/live/{}?a=1", "/live?x={}&y=2", "?passphrase={}", "#{}", "/{0}?{0}={0}#{0}")
    }
    assert all(text.startswith(f"{kind.lower()}:") for text in shown)
    assert not any(SECRET in text for text in shown)


@given(SECRETS, st.sampled_from([" rtsp://", "rtsp//", "rtsp:", "rtsp:/", "rtsp:///", "1rtsp://", "rtsp ://", "://"]))
def test_nor_is_one_of_a_mistyped_address(secret: str, begins: str) -> None:
    assert SECRET not in redact(f"{begins}anna:{secret}@host/live")
    assert SECRET not in redact(f"{begins}{secret}@host/{secret}")


@given(SECRETS)
def test_a_sentence_that_repeats_a_secret_is_known(secret: str) -> None:
    address = f"rtsp://anna:{secret}@host/live?token=geheim"
    assert reveals(f"cannot open {secret}", address)
    assert reveals("no geheim is known", address)
    assert not reveals("the token is wrong", address)


def test_what_cannot_stand_in_a_password_is_told_with_how_to_write_it() -> None:
    for sign in "/#? ":
        assert "write / as %2F, # as %23, ? as %3F" in escaping_advice(f"rtsp://anna:a{sign}b@cam/live")
    assert escaping_advice("rtsp://anna:a%23b@cam:554/live?x=1#y") == ""
    assert escaping_advice("clip @ home#1.mp4") == ""


@pytest.mark.parametrize("name", ["rec-10:30.mp4", "2024-01-02T10:11:12.mp4", "camera:0", "rtsp:", "file:a", "http:b"])
def test_what_exists_is_a_file_whatever_its_name_looks_like(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).touch()
    assert local_path(name) == Path(name)


def test_what_does_not_exist_is_told_by_its_scheme(tmp_path: Path) -> None:
    assert local_path("rec-10:30.mp4") is None
    assert local_path("camera:0") is None
    assert local_path("/dev/video0") is None
    assert local_path("nowhere.mp4") == Path("nowhere.mp4")
    assert local_path(f"file://{tmp_path}/a%20b.mp4") == tmp_path / "a b.mp4"
    (tmp_path / "50%25?#.mp4").touch()
    assert local_path(f"file:{tmp_path}/50%25?#.mp4") == tmp_path / "50%25?#.mp4"
