"""Follows the results of one camera: the newest frame of it, and how its stream stands."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from stream.client import Subscriber, SubscriberError
from stream.transport.protocol import Kind, PublishedFrame, Stream
from stream.web.slot import Slot

_KINDS: tuple[Kind, ...] = ("picture", "composite", "parts", "alpha")
_LOOK_S = 0.2


async def follow(endpoint: str, camera: str, frames: Slot[PublishedFrame], changed: Callable[[Stream], None]) -> None:
    """Put every frame of `camera` into `frames` and tell how its stream stands, until it ends or this is cancelled."""
    with Subscriber(endpoint, cameras=(camera,), kinds=_KINDS, patience_s=math.inf) as subscriber:
        teller = asyncio.create_task(_tell(subscriber, camera, changed))
        try:
            async for frame in subscriber:
                frames.put(frame)
        except SubscriberError as error:
            changed(Stream(camera, "ended", cause=str(error)))
        else:
            changed(Stream(camera, "ended"))
        finally:
            teller.cancel()


async def _tell(subscriber: Subscriber, camera: str, changed: Callable[[Stream], None]) -> None:
    told: Stream | None = None
    while True:
        stream = subscriber.streams.get(camera)
        if stream is not None and stream.state != "ended" and (told is None or stream.state != told.state):
            told = stream
            changed(stream)
        await asyncio.sleep(_LOOK_S)
