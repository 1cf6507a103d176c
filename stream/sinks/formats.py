"""What a recording is made of, as a table: ending → container, codec, pixel format and what it shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

from stream.sinks.error import SinkError

Shows = Literal["composite", "cutout"]


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of recording; `time_base` is the tick its timestamps are rounded to.

    `multiple_px` is what the codec wants both sides to be a multiple of (chroma at half size): an odd
    picture is completed by repeating its last row or column, so that nothing is lost.
    """

    container: str
    codec: str
    pixel_format: str
    shows: Shows
    time_base: Fraction
    multiple_px: int = 1
    codec_options: Mapping[str, str] = field(default_factory=dict)
    container_options: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)


FORMATS: Mapping[str, Format] = {
    ".mp4": Format(
        container="mp4",
        codec="libx264",
        pixel_format="yuv420p",
        shows="composite",
        time_base=Fraction(1, 90_000),
        multiple_px=2,
        codec_options={"preset": "ultrafast", "tune": "zerolatency", "crf": "20"},
        # fragments while it is being written, one plain file after it was closed
        container_options={"movflags": "hybrid_fragmented+frag_keyframe+default_base_moof"},
    ),
    ".webm": Format(
        container="webm",
        codec="libvpx-vp9",
        pixel_format="yuva420p",
        shows="cutout",
        time_base=Fraction(1, 1000),
        codec_options={
            "deadline": "realtime",
            "cpu-used": "8",
            "row-mt": "1",
            "lag-in-frames": "0",
            "auto-alt-ref": "0",  # alpha and hidden reference frames exclude each other
            "crf": "24",
            "b": "0",
        },
        container_options={"cluster_time_limit": "1000"},
        metadata={"alpha_mode": "1"},
    ),
}


def format_of(path: Path) -> Format:
    """The row for a path's ending, or a `SinkError` that lists the endings there are."""
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        known = ", ".join(FORMATS)
        raise SinkError(f"cannot record to {path}: its ending must be one of {known}") from None
