"""Network streams: RTSP, RTSPS, HTTP, HLS, RTMP, SRT, UDP and whatever else FFmpeg was built with."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import av
from av.container import InputContainer

from stream.media.address import escaping_advice, redact, scheme_of
from stream.media.opening import AV_ERRORS, BOUNDS, ffmpeg_reason
from stream.media.srt import Receiver, missing_programs, needs_relay
from stream.settings.config import Camera
from stream.sources.container import ContainerSource
from stream.sources.error import SourceError

HLS_STALL_MS = 15_000.0
"""HLS comes in segments of several seconds, so its silence means something only after longer."""


def open_network(camera: Camera, on_packet: Callable[[], None] = lambda: None) -> ContainerSource:
    """Open a URL; SourceError where a server is silent for `stall_ms`; `on_packet` is called for each packet.

    A recording served over HTTP (one with a length) and HLS do not come in real time.
    """
    address = redact(camera.source)
    segmented = is_hls(camera.source)
    stall_s = (max(camera.stall_ms, HLS_STALL_MS) if segmented else camera.stall_ms) / 1000
    requested_s = time.monotonic()
    try:
        container, release = _open(camera, stall_s)
    except av.error.ProtocolNotFoundError:
        raise SourceError(
            f"{address} cannot be opened: the FFmpeg within PyAV was built without {scheme_of(camera.source)}; "
            "send RTSP, RTMP, HTTP or UDP, or build PyAV against an FFmpeg that has it"
        ) from None
    except AV_ERRORS as error:
        if time.monotonic() - requested_s >= stall_s:
            raise SourceError(
                f"{address} did not answer within {stall_s:g} s{escaping_advice(camera.source)}"
            ) from None
        raise SourceError(
            f"{address} cannot be opened: {ffmpeg_reason(error, camera.source)}{escaping_advice(camera.source)}"
        ) from None
    recorded = scheme_of(camera.source) in ("http", "https", "ftp", "sftp") and bool(container.duration)
    mode, realtime = camera.mode or "live", not (recorded or segmented)
    return ContainerSource(container, address, mode, realtime, release=release, on_packet=on_packet)


def _open(camera: Camera, stall_s: float) -> tuple[InputContainer, Callable[[], None]]:
    """Return FFmpeg's input, and the callback that releases it."""
    if scheme_of(camera.source) in ("http", "https"):
        return _over_http(camera, stall_s), lambda: None
    if not needs_relay(camera.source):
        return _container(camera.source, camera, stall_s), lambda: None
    if missing_text := missing_programs():
        raise SourceError(f"{redact(camera.source)} cannot be opened: {missing_text}")
    receiver = Receiver(camera.source, stall_s)
    try:
        return _container(receiver.address, camera, stall_s), receiver.close
    except AV_ERRORS:
        receiver.close()
        raise


def _over_http(camera: Camera, stall_s: float) -> InputContainer:
    """Open a web server's stream; MJPEG that does not begin with its boundary is scanned for pictures."""
    try:
        return _container(camera.source, camera, stall_s)
    except av.error.InvalidDataError as error:
        with contextlib.suppress(*AV_ERRORS):
            bare = _container(camera.source, camera, stall_s, "mjpeg")
            if bare.streams.video and bare.streams.video[0].width:
                return bare
            bare.close()
        raise error from None


def _container(address: str, camera: Camera, stall_s: float, form: str | None = None) -> InputContainer:
    return av.open(
        address,
        "r",
        format=form,
        options=protocol_options(camera, stall_s),
        timeout=(stall_s, stall_s),
        metadata_errors="replace",
    )


def is_hls(address: str) -> bool:
    """Return whether a URL names an HLS playlist."""
    return urlsplit(address).path.endswith(".m3u8")


def protocol_options(camera: Camera, stall_s: float) -> dict[str, str]:
    """Return FFmpeg's options, so that pictures come at once and a hung server is noticed.

    Not `nobuffer`: it throws away what was read while the stream was analysed, the first key frame with it.
    """
    silence_us = str(round(stall_s * 1_000_000))
    options = BOUNDS | {"rw_timeout": silence_us}
    if not is_hls(camera.source):
        options |= {"analyzeduration": "1000000", "fpsprobesize": "0"}
    if scheme_of(camera.source) in ("rtsp", "rtsps"):
        options |= {
            "analyzeduration": "200000",  # the session description holds it all
            "rtsp_transport": camera.rtsp_transport,
            "allowed_media_types": "video",
            "timeout": silence_us,
        }
    return options
