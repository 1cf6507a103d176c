"""What pictures come from and go to: codecs, cameras, a display, ports, and folders that must be writable."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from clothseg.command.doctor.finding import Finding

_DECODERS: Final = ("h264", "hevc", "vp9", "av1", "mjpeg")
_SRT: Final = "srt-live-transmit"
_DISPLAY_S: Final = 10.0


def surroundings() -> Iterator[Finding]:
    """All of them."""
    yield encoders()
    yield decoders()
    yield srt(os.environ)
    yield from cameras(Path("/dev"))
    yield display()
    yield from ports()
    yield from folders(Path.cwd())


def encoders() -> Finding:
    """Encode a picture with each codec that recordings know."""
    from stream.sinks.formats import CODECS

    works = {name: _encodes(codec.encoder, codec.opaque, codec.options) for name, codec in CODECS.items()}
    lacking = [name for name, fine in works.items() if not fine]
    found = f"{', '.join(name for name, fine in works.items() if fine)} by way of PyAV {_av()}"
    if not lacking:
        return Finding("encoders", "ok", found)
    advice = "reinstall PyAV from its wheel: pip install --force-reinstall --only-binary av av"
    return Finding("encoders", "missing", f"{found}; not {', '.join(lacking)}", advice)


def decoders() -> Finding:
    """Which of the codecs that cameras and files come in can be read."""
    import av.codec

    there = [name for name in _DECODERS if name in av.codec.codecs_available]
    lacking = [name for name in _DECODERS if name not in there]
    if not lacking:
        return Finding("decoders", "ok", ", ".join(there))
    return Finding("decoders", "missing", f"{', '.join(there)}; not {', '.join(lacking)}", "pip install --upgrade av")


def srt(environment: Mapping[str, str]) -> Finding:
    """Whether SRT addresses can be opened."""
    import shutil

    if (path := shutil.which(_SRT, path=environment.get("PATH"))) is not None:
        return Finding("SRT", "ok", path)
    return Finding("SRT", "missing", f"without {_SRT}: srt:// cannot be used", "sudo apt install srt-tools")


def cameras(devices: Path) -> Iterator[Finding]:
    """The camera devices, and whether this user may read them."""
    if sys.platform != "linux":
        yield Finding("cameras", "ok", "only Linux is asked: try `clothseg configs/webcam.yaml`")
        return
    found = sorted(devices.glob("video*"))
    if not found:
        yield Finding(
            "cameras", "missing", "no /dev/video*", "plug one in, or give --source a file or an rtsp:// address"
        )
    for device in found:
        if os.access(device, os.R_OK | os.W_OK):
            yield Finding("cameras", "ok", f"{device}, readable{_camera_name(device)}")
        else:
            advice = "sudo usermod -aG video $USER, then log in anew"
            yield Finding("cameras", "missing", f"{device}, not yours to read{_camera_name(device)}", advice)


def display() -> Finding:
    """Open a window, in a process of its own: without a display its library ends the process."""
    program = "import cv2; cv2.namedWindow('clothseg'); cv2.destroyAllWindows()"
    advice = "leave out --window and `kind: window`; watch by --web, or record"
    try:
        tried = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            timeout=_DISPLAY_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return Finding("display", "missing", f"no window opened within {_DISPLAY_S:.0f} s", advice)
    if tried.returncode == 0:
        return Finding("display", "ok", "a window opens")
    return Finding("display", "missing", "no window can be opened here", advice)


def ports() -> Iterator[Finding]:
    """Whether the ports that outputs use by default are free on loopback."""
    from stream.settings.config import Mjpeg, Publisher, Web

    for user, address, option in (
        ("publisher", Publisher().bind.removeprefix("tcp://"), "--publish tcp://127.0.0.1:PORT"),
        ("page", Web().bind, "--web 127.0.0.1:PORT"),
        ("MJPEG", Mjpeg().bind, "bind: 127.0.0.1:PORT"),
    ):
        yield port(user, address, option)


def port(user: str, address: str, option: str) -> Finding:
    """Whether the port of `address` (HOST:PORT) is free, and the `option` that chooses another."""
    host, _, number = address.rpartition(":")
    try:
        with socket.create_server((host, int(number))):
            return Finding(f"port {number}", "ok", f"free, for the {user}")
    except OSError as error:
        advice = f"end what holds it, or choose another: {option}"
        return Finding(f"port {number}", "missing", f"taken or barred, for the {user}: {error.strerror}", advice)


def folders(current: Path) -> Iterator[Finding]:
    """Whether there is room to write where compiled networks, sockets and recordings go."""
    from clothseg.engines.cache import compiled_folder
    from stream.transport import sockets

    try:
        yield Finding("compiled networks", "ok", str(compiled_folder()))
    except OSError as error:
        yield Finding(
            "compiled networks", "missing", f"cannot be kept: {error}", "set XDG_CACHE_HOME to a folder of yours"
        )
    try:
        _, folder = sockets.private_endpoints(("dispatch",))
        sockets.remove_folder(folder)
        yield Finding("sockets", "ok", str(folder.parent) if folder is not None else "tcp on loopback")
    except (OSError, sockets.TransportError) as error:
        yield Finding("sockets", "fatal", str(error), "set TMPDIR to a folder of yours with a short path")
    try:
        with tempfile.NamedTemporaryFile(dir=current):
            yield Finding("recordings", "ok", f"{current} is writable")
    except OSError as error:
        yield Finding("recordings", "missing", f"{current}: {error.strerror}", "go to a folder of yours")


def _encodes(encoder: str, pixel_format: str, options: Mapping[str, str]) -> bool:
    """Whether a small grey picture comes out of an encoder."""
    from fractions import Fraction

    from av import FFmpegError, VideoFrame
    from av.codec import CodecContext
    from av.codec.codec import UnknownCodecError
    from av.video.codeccontext import VideoCodecContext

    try:
        context = CodecContext.create(encoder, "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height, context.pix_fmt = 128, 128, pixel_format
        context.time_base, context.options = Fraction(1, 25), dict(options)
        frame = VideoFrame(128, 128, pixel_format)
        frame.pts, frame.time_base = 0, context.time_base
        return len([*context.encode(frame), *context.encode(None)]) > 0
    except (FFmpegError, UnknownCodecError, ValueError):
        return False


def _av() -> str:
    import av

    return av.__version__


def _camera_name(device: Path) -> str:
    """What the system calls a device, after a colon; empty where it does not tell."""
    try:
        return ": " + Path(f"/sys/class/video4linux/{device.name}/name").read_text().strip()
    except OSError:
        return ""
