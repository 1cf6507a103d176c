"""Asks composite, over its control socket, to show other effects of a camera."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from clothseg.tryon import Effect
from stream.composite.control import Controller, SetEffects
from stream.stage import StreamError


class EffectsRejectedError(ValueError):
    """Composite rejected the effects; one sentence that a visitor may read."""


class EffectsClient:
    """One request at a time, in the one thread that owns the socket: a cancelled request disturbs no other.

    The reason of a rejection is for those who run the stream: it goes to `notify`, not to the visitor.
    """

    def __init__(self, endpoint: str, notify: Callable[[str], None], *, timeout_ms: int = 5000) -> None:
        self._controller = Controller(endpoint, timeout_ms=timeout_ms)
        self._thread = ThreadPoolExecutor(1, "dresser")
        self._notify = notify

    async def set_effects(self, camera: str, effects: Sequence[Effect]) -> None:
        """Show `effects` of `camera` from now on; raises EffectsRejectedError."""
        request = SetEffects(effects=tuple(effects), camera=camera)
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._controller.request, request)
        except StreamError as error:
            self._notify(f"a visitor could not be dressed: {error}")
            raise EffectsRejectedError(
                "this cannot be worn at the moment: try again, or choose something else"
            ) from error

    def close(self) -> None:
        """Close, after the request in progress."""
        self._thread.shutdown(cancel_futures=True)
        self._controller.close()
