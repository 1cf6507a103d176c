"""The library of assets: folders with pictures and a small YAML for each, read once when the server starts.

`garments/hoodie.yaml`: `title: Hoodie`, `part: top`, `image: hoodie.png` (PNG with alpha), `licence: …`
`textures/denim.yaml`, `backgrounds/loft.yaml`: the same without `part`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec
import yaml

from clothseg.tryon.asset import EffectError, read_picture
from clothseg.tryon.part import Garment
from stream.settings.config import ConfigError, Web
from stream.web.page_protocol import LibraryItem, Name
from stream.web.photo import to_png

AssetKind = Literal["garments", "textures", "backgrounds"]
_THUMBNAIL_PX = 320
_MAX_ASSETS = 200


class AssetCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The YAML beside a picture."""

    title: str
    image: str
    """File name of the picture, in the same folder."""
    licence: str
    part: Garment | None = None


class Asset(msgspec.Struct, frozen=True):
    """A garment, texture or background: its picture's path, and a small PNG of it for the page."""

    item: LibraryItem
    image: Path
    thumbnail: bytes


Assets = Mapping[str, Asset]


def read_assets(folder: Path, kind: AssetKind) -> Assets:
    """Every piece in `folder`, by its name; ConfigError names the file that is wrong."""
    if not folder.is_dir():
        raise ConfigError(f"web.{kind}: expected a folder, {folder} is none")
    cards = sorted(folder.glob("*.yaml"))
    if len(cards) > _MAX_ASSETS:
        raise ConfigError(f"web.{kind}: expected at most {_MAX_ASSETS} pieces in {folder}, got {len(cards)}")
    return {card.stem: _read(card, kind) for card in cards}


def _read(path: Path, kind: AssetKind) -> Asset:
    try:
        name = msgspec.convert(path.stem, Name)
        card = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), AssetCard)
        if (kind == "garments") != (card.part is not None):
            raise ValueError("a garment names its part, a texture or background does not")
        if Path(card.image).name != card.image:
            raise ValueError(f"expected a file name beside it, got {card.image}")
        image = path.parent / card.image
        thumbnail = to_png(read_picture(image, _THUMBNAIL_PX))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, msgspec.ValidationError, EffectError, ValueError) as error:
        raise ConfigError(f"web.{kind}: {path}: {' '.join(str(error).split())}") from error
    return Asset(LibraryItem(name, card.title, f"{kind}/{name}.png", card.part), image, thumbnail)


class Library(msgspec.Struct, frozen=True):
    """All shelves."""

    garments: Assets
    textures: Assets
    backgrounds: Assets

    def asset(self, kind: str, name: str) -> Asset | None:
        """Return the asset of that kind and name, None where there is none."""
        assets: Assets = getattr(self, kind) if kind in self.__struct_fields__ else {}
        return assets.get(name)


def read_library(settings: Web) -> Library:
    """The shelves that `settings` name; ConfigError."""
    return Library(
        read_assets(settings.garments, "garments"),
        read_assets(settings.textures, "textures"),
        read_assets(settings.backgrounds, "backgrounds"),
    )
