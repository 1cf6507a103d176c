"""What one visitor wears: photos are developed, looks asked for one after the other, while the page goes on talking."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from stream.web import talk, upload
from stream.web.dresser import Dresser, DressError
from stream.web.look import LookError, effects_of
from stream.web.photo import PhotoError
from stream.web.upload import Studio
from stream.web.wardrobe import Wardrobe


class Outfit:
    """Photos are kept in memory; they lie on the disk only while composite reads them."""

    def __init__(
        self,
        wardrobe: Wardrobe,
        dresser: Dresser,
        studio: Studio,
        folder: Path | None,
        refuse: Callable[[str], Awaitable[None]],
    ) -> None:
        self._wardrobe = wardrobe
        self._dresser = dresser
        self._studio = studio
        self._folder = folder
        self._refuse = refuse
        self._asked = asyncio.Event()
        self._wear: talk.Wear | None = None
        self._sent: dict[talk.Slot, bytes] = {}
        self._photos: dict[talk.Slot, bytes] = {}
        self.camera: str | None = None

    def wear(self, wear: talk.Wear) -> None:
        """Wear this from now on; what was asked for before and is not yet worn is left out."""
        self._wear = wear
        self._asked.set()

    def take(self, slot: talk.Slot, photo: bytes) -> None:
        """Take a photo, to be worn when it is asked for; raises PhotoError for what can be seen to be none."""
        upload.check(photo)
        self._sent[slot] = photo
        self._asked.set()

    def renew(self) -> None:
        """The camera has come, or come back: it is to show what is worn."""
        self._asked.set()

    async def run(self) -> None:
        """Develop and dress until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            while self._sent:
                slot = next(iter(self._sent))
                await self._refusing(self._develop(slot, self._sent.pop(slot)))
            if self.camera is not None and self._wear is not None:
                await self._refusing(self._dress(self.camera, self._wear))

    async def _refusing(self, work: Awaitable[None]) -> None:
        try:
            await work
        except (LookError, DressError, PhotoError) as error:
            await self._refuse(str(error))
        except OSError:  # no room, or no descriptor
            await self._refuse("this cannot be worn at the moment: try again later")

    async def _develop(self, slot: talk.Slot, photo: bytes) -> None:
        self._photos.pop(slot, None)
        self._photos[slot] = await self._studio.develop(photo, slot)

    async def _dress(self, camera: str, wear: talk.Wear) -> None:
        places: dict[str, object] = {"background": wear.background, **wear.worn}
        chosen = {slot: png for slot, png in self._photos.items() if isinstance(places.get(slot), talk.AsPhoto)}
        with lying_in(self._folder, chosen) as paths:
            await self._dresser.dress(camera, effects_of(wear, self._wardrobe, paths))


@contextmanager
def lying_in(folder: Path | None, photos: Mapping[talk.Slot, bytes]) -> Iterator[dict[talk.Slot, Path]]:
    """Photos as files that only this user may read, within `folder` (None: that for temporary files), for a while."""
    if not photos:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="visitor-", dir=folder, ignore_cleanup_errors=True) as own:
        paths = {slot: Path(own, f"{slot}.png") for slot in photos}
        for slot, path in paths.items():
            path.write_bytes(photos[slot])
        yield paths
