"""Follows the results of one camera: the newest frame of it, and how its stream stands."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from stream.client import Subscriber, SubscriberError
from stream.transport.protocol import Kind, PublishedFrame, StreamInfo
from stream.web.async_latest import AsyncLatest

_KINDS: tuple[Kind, ...] = ("picture", "composite", "parts", "alpha")
_POLL_S = 0.2


async def follow_camera(
    endpoint: str, camera: str, frames: AsyncLatest[PublishedFrame], changed: Callable[[StreamInfo], None]
) -> None:
    """Put every frame of `camera` into `frames` and report its stream's state, until it ends or this is cancelled."""
    with Subscriber(endpoint, cameras=(camera,), kinds=_KINDS, timeout_s=math.inf) as subscriber:
        reporter = asyncio.create_task(_report_changes(subscriber, camera, changed))
        try:
            async for frame in subscriber:
                frames.put(frame)
        except SubscriberError as error:
            changed(StreamInfo(camera, "ended", cause=str(error)))
        else:
            changed(StreamInfo(camera, "ended"))
        finally:
            reporter.cancel()


async def _report_changes(subscriber: Subscriber, camera: str, changed: Callable[[StreamInfo], None]) -> None:
    reported: StreamInfo | None = None
    while True:
        stream = subscriber.streams.get(camera)
        if stream is not None and stream.state != "ended" and (reported is None or stream.state != reported.state):
            reported = stream
            changed(stream)
        await asyncio.sleep(_POLL_S)
