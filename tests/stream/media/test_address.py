from hypothesis import given
from hypothesis import strategies as st

from stream.media.address import redact, scheme

WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789%.-_~!$'()*+", min_size=8, max_size=20).map(lambda w: f"Zq{w}")


def test_a_path_has_no_scheme_even_on_windows() -> None:
    assert [scheme(a) for a in ("clip.mp4", "C:\\clip.mp4", "a:b", "")] == [""] * 4


def test_the_scheme_is_in_small_letters() -> None:
    assert scheme("RTSP://host/live") == "rtsp"
    assert scheme("camera:0") == "camera"


def test_user_and_password_are_hidden_and_the_rest_stays() -> None:
    assert redact("rtsp://anna:geheim@cam.local:554/live?channel=2") == "rtsp://***@cam.local:554/live?channel=2"
    assert redact("rtsp://anna:p@ss@cam/live") == "rtsp://***@cam/live"


def test_values_named_like_a_secret_are_hidden() -> None:
    shown = redact("https://h/a.m3u8?Policy=x&access_token=abc&sig=def&Key-Pair-Id=ghi&n=1#token=jkl")
    assert shown == "https://h/a.m3u8?Policy=x&access_token=***&sig=***&Key-Pair-Id=***&n=1#token=***"


def test_a_stream_id_and_a_passphrase_of_srt_are_hidden_whatever_they_hold() -> None:
    shown = redact("srt://host:9000?streamid=#!::u=anna,r=live;x&mode=caller&passphrase=a#b;c d?e=f&latency=80")
    assert shown == "srt://host:9000?streamid=***&mode=caller&passphrase=***&latency=80"
    assert redact("srt:host?passphrase=geheim") == "srt:host?passphrase=***"


def test_a_path_is_shown_as_it_is() -> None:
    assert redact("folder@home/clip?token=1.mp4") == "folder@home/clip?token=1.mp4"


@given(WORD, WORD)
def test_no_password_is_ever_shown(password: str, token: str) -> None:
    shown = redact(f"srt://user:{password}@host:9000/live?passphrase={token}&mode=caller")
    assert password not in shown
    assert token not in shown
    assert "host:9000" in shown
