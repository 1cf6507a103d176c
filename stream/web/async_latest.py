"""A one-item buffer between two tasks of the same loop: a newer item replaces one not yet taken."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

Item = TypeVar("Item")


class AsyncLatest(Generic[Item]):
    """Put never waits, take does."""

    def __init__(self) -> None:
        self._item: Item | None = None
        self._there = asyncio.Event()

    def put(self, item: Item) -> None:
        """Leave an item in place of the one that is there."""
        self._item = item
        self._there.set()

    def clear(self) -> None:
        """Forget the item that is there."""
        self._item = None

    async def take(self) -> Item:
        """The newest item, once."""
        while (item := self._item) is None:
            self._there.clear()
            await self._there.wait()
        self._item = None
        return item
