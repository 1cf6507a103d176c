"""Everything that ever travels between stages: frozen messages, validated when made."""

from clothseg.classes import Pixels
from stream.message.events import (
    Ack,
    DemandChanged,
    Dropped,
    DropReason,
    EndOfRun,
    EndOfStream,
    FramesSent,
    Mode,
    Outage,
    PictureRequest,
    SourceEnded,
    SourceLost,
    SourceOpened,
    StreamStart,
    WorkerReady,
)
from stream.message.frames import (
    CompositedFrame,
    Frame,
    LateMasks,
    NewPicture,
    Picture,
    PropagatedFrame,
    Propagation,
    SegmentedFrame,
    to_bgra,
)

__all__ = [
    "Ack",
    "CompositedFrame",
    "DemandChanged",
    "DropReason",
    "Dropped",
    "EndOfRun",
    "EndOfStream",
    "Frame",
    "FramesSent",
    "LateMasks",
    "Mode",
    "NewPicture",
    "Outage",
    "Output",
    "Picture",
    "PictureRequest",
    "Pixels",
    "PropagatedFrame",
    "Propagation",
    "ReaderMessage",
    "SegmentedFrame",
    "SourceEnded",
    "SourceLost",
    "SourceOpened",
    "StreamEvent",
    "StreamStart",
    "WorkerReady",
    "to_bgra",
]

ReaderMessage = SourceOpened | NewPicture | SourceLost | SourceEnded
"""Messages from a camera's reader to the dispatcher."""

StreamEvent = StreamStart | Outage | EndOfStream | Dropped | EndOfRun
"""Messages from the dispatcher to composite besides frames."""

Output = CompositedFrame | StreamStart | Outage | DemandChanged | EndOfStream
"""What a sink is given."""
