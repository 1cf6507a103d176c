"""Formats of recordings, as two tables: the containers by ending, and the codecs they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from stream.settings.config import Recording
from stream.sinks.error import SinkError


@dataclass(frozen=True, slots=True)
class Codec:
    """A video codec as FFmpeg is asked for it; `opaque`, `alpha` and `labels` are its pixel formats.

    `multiple_px` is what both sides must be a multiple of (chroma at half size): a picture of odd size
    is completed by repeating its last row or column, so that nothing is lost. `alpha_error` is how far
    the alpha of a picture may be, on average over its pixels and of 255, from what was written.
    """

    encoder: str
    opaque: str
    alpha: str | None = None
    labels: str | None = None
    alpha_error: float = 0.0
    multiple_px: int = 1
    decoder: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def lossless(self) -> bool:
        """True if every pixel comes back as it was written."""
        return self.labels is not None


@dataclass(frozen=True, slots=True)
class Container:
    """A file format; its first codec is its default, `tick` is what its timestamps are rounded to.

    Sound in one of the codecs `sounds` is copied as it is, any other is encoded with the first;
    where there are none, the recording is silent. `encoded_sound` are more options for when it is encoded.
    """

    muxer: str
    codecs: tuple[str, ...]
    tick: Fraction
    sounds: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    encoded_sound: Mapping[str, str] = field(default_factory=dict)


_FRAGMENTS = "hybrid_fragmented+frag_keyframe+default_base_moof"
MOVFLAGS = {"movflags": _FRAGMENTS}
"""Fragments while it is written, so that what a killed process leaves plays; one plain file once closed."""
MOVFLAGS_PRIMED = {"movflags": f"{_FRAGMENTS}+delay_moov"}
"""An encoder of AAC begins before time 0: with the header written after its first packets, that is cut off by an edit
list, and pictures are not moved to make room for it."""
INTRA = {"g": "1"}
KEYS_WHEN_ASKED = {"g": "100000"}

CODECS: Mapping[str, Codec] = {
    "h264": Codec(
        "libx264",
        "yuv420p",
        multiple_px=2,
        options=KEYS_WHEN_ASKED | {"preset": "ultrafast", "tune": "zerolatency", "crf": "20"},
    ),
    "h265": Codec(
        "libx265",
        "yuv420p",
        multiple_px=2,
        options=KEYS_WHEN_ASKED
        | {"preset": "ultrafast", "tune": "zerolatency", "crf": "22", "x265-params": "log-level=none"},
    ),
    "vp9": Codec(
        "libvpx-vp9",
        "yuv420p",
        alpha="yuva420p",
        alpha_error=4.0,
        decoder="libvpx-vp9",  # FFmpeg's own knows no alpha
        options=KEYS_WHEN_ASKED
        | {
            "deadline": "realtime",
            "cpu-used": "8",
            "row-mt": "1",
            "lag-in-frames": "0",
            "auto-alt-ref": "0",  # hidden reference frames and alpha exclude each other
            "crf": "24",
            "b": "0",
        },
    ),
    "prores": Codec(
        "prores_aw",  # three times as fast as prores_ks
        "yuv444p10le",
        alpha="yuva444p10le",
        alpha_error=2.0,
        multiple_px=2,
        options={"vendor": "apl0"},
    ),
    "ffv1": Codec(
        "ffv1",
        "bgr0",
        alpha="bgra",
        labels="gray",
        options=INTRA | {"level": "3", "slicecrc": "1", "coder": "range_def"},
    ),
    "png": Codec("png", "rgb24", alpha="rgba", labels="gray", options={"compression_level": "1"}),
}

CONTAINERS: Mapping[str, Container] = {
    ".mp4": Container("mp4", ("h264", "h265"), Fraction(1, 90_000), ("aac", "mp3", "ac3"), MOVFLAGS, MOVFLAGS_PRIMED),
    ".mov": Container(
        "mov", ("prores", "h264", "h265"), Fraction(1, 90_000), ("aac", "mp3", "alac"), MOVFLAGS, MOVFLAGS_PRIMED
    ),
    ".webm": Container("webm", ("vp9",), Fraction(1, 1000), ("opus", "vorbis")),
    ".mkv": Container(
        "matroska",
        ("ffv1", "h264", "h265", "vp9"),
        Fraction(1, 1000),
        ("flac", "aac", "mp3", "opus", "vorbis", "ac3", "pcm_s16le"),
    ),
    ".png": Container("image2", ("png",), Fraction(1, 1000), options={"frame_pts": "1"}),
}


@dataclass(frozen=True, slots=True)
class Format:
    """A recording's container, codec and content."""

    container: Container
    codec: Codec
    shows: str

    @property
    def pixel_format(self) -> str:
        """The codec's pixel format for what is shown."""
        special = {"cutout": self.codec.alpha, "parts": self.codec.labels}
        return special.get(self.shows) or self.codec.opaque


def format_of(settings: Recording) -> Format:
    """Return the format that `settings` ask for; `SinkError` says why it is not available."""
    ending = settings.path.suffix.lower()
    if ending not in CONTAINERS:
        known = ", ".join(CONTAINERS)
        raise SinkError(f"cannot record to {settings.path}: its ending must be one of {known}")
    container = CONTAINERS[ending]
    name = settings.codec or container.codecs[0]
    if name not in container.codecs:
        known = " or ".join(container.codecs)
        raise SinkError(f"cannot record {name} to {settings.path}: {ending} holds {known}")
    codec = CODECS[name]
    shows = settings.shows or ("cutout" if codec.alpha else "composite")
    if shows == "cutout" and not codec.alpha:
        raise SinkError(
            f"cannot record a cut-out to {settings.path}: {name} knows no transparency; "
            "use .webm, .mov, .mkv or .png, or record it `stacked`"
        )
    if shows == "parts" and not codec.labels:
        raise SinkError(
            f"cannot record part masks to {settings.path}: {name} would blur their labels; use .mkv or .png"
        )
    return Format(container, codec, shows)
