"""A visitor's outfit: photos are processed and effects requested one after the other, without blocking the page."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from stream.web import page_protocol, upload
from stream.web.effects_client import EffectsClient, EffectsRejectedError
from stream.web.library import Library
from stream.web.outfit_effects import OutfitError, effects_of
from stream.web.photo import PhotoError
from stream.web.upload import PhotoProcessor


class OutfitUpdater:
    """Photos are kept in memory; they lie on the disk only while composite reads them."""

    def __init__(
        self,
        library: Library,
        effects_client: EffectsClient,
        photo_processor: PhotoProcessor,
        folder: Path | None,
        reject: Callable[[str], Awaitable[None]],
    ) -> None:
        self._library = library
        self._effects_client = effects_client
        self._photo_processor = photo_processor
        self._folder = folder
        self._reject = reject
        self._changed = asyncio.Event()
        self._outfit: page_protocol.Outfit | None = None
        self._uploaded: dict[page_protocol.PhotoUse, bytes] = {}
        self._photos: dict[page_protocol.PhotoUse, bytes] = {}
        self.camera: str | None = None

    def set_outfit(self, outfit: page_protocol.Outfit) -> None:
        """Request this outfit; an earlier request that is still pending is dropped."""
        self._outfit = outfit
        self._changed.set()

    def add_photo(self, use: page_protocol.PhotoUse, photo: bytes) -> None:
        """Add a photo for later use; raises PhotoError for what is visibly no photo."""
        upload.check(photo)
        self._uploaded[use] = photo
        self._changed.set()

    def reapply(self) -> None:
        """Apply the outfit again: the camera has come, or come back."""
        self._changed.set()

    async def run(self) -> None:
        """Process photos and apply outfits until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._uploaded:
                use = next(iter(self._uploaded))
                await self._reporting_rejections(self._process_photo(use, self._uploaded.pop(use)))
            if self.camera is not None and self._outfit is not None:
                await self._reporting_rejections(self._apply(self.camera, self._outfit))

    async def _reporting_rejections(self, work: Awaitable[None]) -> None:
        try:
            await work
        except (OutfitError, EffectsRejectedError, PhotoError) as error:
            await self._reject(str(error))
        except OSError:  # disk full, or no file descriptor left
            await self._reject("this cannot be worn at the moment: try again later")

    async def _process_photo(self, use: page_protocol.PhotoUse, photo: bytes) -> None:
        self._photos.pop(use, None)
        self._photos[use] = await self._photo_processor.process(photo, use)

    async def _apply(self, camera: str, outfit: page_protocol.Outfit) -> None:
        chosen = {
            use: png
            for use, png in self._photos.items()
            if isinstance(_choice_of(outfit, use), page_protocol.PhotoChoice)
        }
        with temporary_photos(self._folder, chosen) as paths:
            await self._effects_client.set_effects(camera, effects_of(outfit, self._library, paths))


def _choice_of(
    outfit: page_protocol.Outfit, use: page_protocol.PhotoUse
) -> page_protocol.BackgroundChoice | page_protocol.GarmentChoice | None:
    return outfit.background if use == "background" else outfit.garments.get(use)


@contextmanager
def temporary_photos(
    folder: Path | None, photos: Mapping[page_protocol.PhotoUse, bytes]
) -> Iterator[dict[page_protocol.PhotoUse, Path]]:
    """Write photos as files that only this user may read, within `folder` (None: the temporary folder), for a while."""
    if not photos:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="visitor-", dir=folder, ignore_cleanup_errors=True) as own:
        paths = {use: Path(own, f"{use}.png") for use in photos}
        for use, path in paths.items():
            path.write_bytes(photos[use])
        yield paths
