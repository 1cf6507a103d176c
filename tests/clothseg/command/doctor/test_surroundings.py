"""Codecs, cameras, ports and folders are tried, and each lack is told with what to do."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from clothseg.command.doctor import surroundings


def test_every_codec_of_recordings_encodes_with_the_wheels_of_pyav() -> None:
    found = surroundings.encoders()
    assert found.state == "ok"
    assert found.found.startswith("h264, h265, vp9, prores, ffv1, png by way of PyAV")


def test_what_cameras_send_can_be_decoded() -> None:
    assert surroundings.decoders().found == "h264, hevc, vp9, av1, mjpeg"


def test_srt_is_missing_where_its_program_is_not_on_the_path(tmp_path: Path) -> None:
    assert surroundings.srt({"PATH": str(tmp_path)}).advice == "sudo apt install srt-tools"
    program = tmp_path / "srt-live-transmit"
    program.touch(0o755)
    assert surroundings.srt({"PATH": str(tmp_path)}).found == str(program)


def test_no_camera_is_told_with_what_else_there_is(tmp_path: Path) -> None:
    (found,) = surroundings.cameras(tmp_path)
    assert (found.state, found.found) == ("missing", "no /dev/video*")
    assert "rtsp://" in found.advice


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_camera_of_others_is_told_with_the_group_that_may(tmp_path: Path) -> None:
    (tmp_path / "video0").touch(0o000)
    (found,) = surroundings.cameras(tmp_path)
    assert found.state == "missing"
    assert "usermod -aG video" in found.advice


def test_cameras_that_may_be_read_are_listed(tmp_path: Path) -> None:
    for number in (0, 2):
        (tmp_path / f"video{number}").touch()
    assert [found.found for found in surroundings.cameras(tmp_path)] == [
        f"{tmp_path}/video0, readable",
        f"{tmp_path}/video2, readable",
    ]


def test_a_port_that_is_taken_is_told_with_how_to_choose_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        found = surroundings.port("page", address, "--web 127.0.0.1:PORT")
        assert found.state == "missing"
        assert "Address already in use" in found.found
        assert "--web 127.0.0.1:PORT" in found.advice
    assert surroundings.port("page", address, "").state == "ok"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    states = {found.subject: found for found in surroundings.folders(tmp_path / "none")}
    assert states["recordings"].state == "missing"
    assert states["sockets"].state == "ok"
