import contextlib
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clothseg.tryon import asset
from clothseg.tryon.asset import EffectError, read_picture


@pytest.mark.parametrize(("ending", "channels"), [(".png", 4), (".png", 3), (".png", 1), (".jpg", 3), (".jpg", 1)])
def test_png_and_jpeg_come_out_as_bgra(tmp_path: Path, ending: str, channels: int) -> None:
    path = tmp_path / f"a{ending}"
    cv2.imwrite(str(path), np.full((30, 50, channels), 120, np.uint8))
    picture = read_picture(path, 100)
    assert picture.shape == (30, 50, 4)
    assert np.abs(picture[:, :, :3].astype(int) - 120).max() <= 2
    assert (picture[:, :, 3] == (120 if channels == 4 else 255)).all()


def test_sixteen_bits_are_made_eight(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((9, 9, 3), 0x8000, np.uint16))
    assert (read_picture(tmp_path / "a.png", 100)[:, :, 0] == 0x80).all()


def test_a_large_picture_is_made_smaller_at_its_aspect(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((300, 600, 3), np.uint8))
    assert read_picture(tmp_path / "a.png", 200).shape == (100, 200, 4)


def test_a_missing_picture_and_a_folder_are_each_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(EffectError, match=r"cannot read the picture .*none.png: No such file"):
        read_picture(tmp_path / "none.png", 100)
    with pytest.raises(EffectError, match="cannot read the picture"):
        read_picture(tmp_path, 100)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("a poem")
    with pytest.raises(EffectError, match="neither a PNG nor a JPEG"):
        read_picture(tmp_path / "a.png", 100)


def test_a_huge_picture_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 60_000, 60_000) + b"\x08\x06\0\0\0" + bytes(8)
    (tmp_path / "bomb.png").write_bytes(header)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(EffectError, match="60000×60000, expected at most"):
        read_picture(tmp_path / "bomb.png", 100)


def test_a_file_that_is_too_long_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asset, "MAX_FILE_BYTES", 10)
    (tmp_path / "a.png").write_bytes(bytes(11))
    with pytest.raises(EffectError, match="has 11 bytes, expected at most 10"):
        read_picture(tmp_path / "a.png", 100)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n"]), st.binary(max_size=200), st.integers(0, 3000))
def test_damage_of_any_kind_is_one_error(tmp_path: Path, start: bytes, noise: bytes, cut: int) -> None:
    whole = cv2.imencode(".jpg", np.zeros((40, 40, 3), np.uint8))[1].tobytes()
    for content in (start + noise, whole[:cut] + noise):
        (tmp_path / "a").write_bytes(content)
        with contextlib.suppress(EffectError):
            assert read_picture(tmp_path / "a", 100).shape[2] == 4
