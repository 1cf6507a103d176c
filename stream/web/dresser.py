"""Asks composite, over its control socket, to show other effects of a camera."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from clothseg.tryon import Effect
from stream.composite.control import ControlError, Controller, SetEffects


class DressError(ValueError):
    """What was asked for cannot be shown; one sentence."""


class Dresser:
    """One request at a time, in a thread, so that no page waits for another's photo to be opened."""

    def __init__(self, endpoint: str) -> None:
        self._controller = Controller(endpoint)
        self._turn = asyncio.Lock()

    async def dress(self, camera: str, effects: Sequence[Effect]) -> None:
        """Show `effects` of `camera` from now on; raises DressError."""
        async with self._turn:
            try:
                await asyncio.to_thread(self._controller.ask, SetEffects(effects=tuple(effects), camera=camera))
            except ControlError as error:
                raise DressError(str(error)) from error

    def close(self) -> None:
        """Ask nothing any more."""
        self._controller.close()
