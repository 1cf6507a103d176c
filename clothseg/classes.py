"""The classes of a model: names, roles and colours, in the one order that every stage keeps them in."""

import colorsys
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec

Role = Literal["background", "person", "garment"]
"""`person` is what belongs to people but is no garment: skin, hair, shoes, what they carry."""
Region = Literal["upper", "lower", "whole"]
"""The part of the body that a garment covers; `whole` hides whatever clothing is beneath it, as a dress does."""

ClassName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Level = Annotated[int, msgspec.Meta(ge=0, le=255)]
Colour = tuple[Level, Level, Level]

EVERYONE: Final = "person"
"""As a cut-out: people and all that they wear."""
CLOTHING: Final = "clothing"
"""As a cut-out: every garment. No class may be called so."""
MAX_CLASSES: Final = 64

_ROLES: Final[tuple[Role, ...]] = ("background", "person", "garment")
_REGIONS: Final[tuple[Region | None, ...]] = (None, "upper", "lower", "whole")


class ClassEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A class as a model file describes it; what it leaves out has defaults for the usual five classes alone."""

    name: ClassName
    role: Role | None = None
    region: Region | None = None
    """Of garments alone."""
    colour: Colour | None = None
    """BGR, in which the class is painted; by default one that no other class has."""


class ModelClass(msgspec.Struct, frozen=True):
    """One class, nothing left out. `colour` is BGR; `region` is None but for garments."""

    name: ClassName
    role: Role
    region: Region | None
    colour: Colour


class ClassMap(msgspec.Struct, frozen=True):
    """The classes of a mask, by index: the background, then people, then garments, upper, lower and whole; by name.

    So class 0 is always the background, and garments stand together at the end. Raises ValueError otherwise, for a
    name that comes twice, and for a garment without a region.
    """

    classes: tuple[ModelClass, ...]

    def __post_init__(self) -> None:
        if not 2 <= len(self.classes) <= MAX_CLASSES:
            raise ValueError(f"expected 2 to {MAX_CLASSES} classes, got {len(self.classes)}")
        twice = [name for name, count in Counter(self.names).items() if count > 1]
        if twice or CLOTHING in self.names:
            raise ValueError(f"expected class names that differ, and none {CLOTHING!r}, got {', '.join(self.names)}")
        for entry in self.classes:
            if (entry.role == "garment") != (entry.region is not None):
                raise ValueError(
                    f"class {entry.name!r}: expected a region (upper, lower or whole) for a garment and for nothing "
                    f"else, got {entry.region}"
                )
        if [entry.role for entry in self.classes].count("background") != 1:
            raise ValueError(f"expected one class with the role background among {', '.join(self.names)}")
        if sorted(self.classes, key=_place) != list(self.classes):
            raise ValueError(f"expected background, people, then garments by region, got {', '.join(self.names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each class."""
        return tuple(entry.name for entry in self.classes)

    @property
    def palette(self) -> tuple[Colour, ...]:
        """The colour of each class, BGR."""
        return tuple(entry.colour for entry in self.classes)

    @property
    def garments(self) -> range:
        """The indices of the garments: the last ones."""
        count = len(self.classes)
        return range(count - sum(entry.role == "garment" for entry in self.classes), count)

    def index(self, name: str) -> int:
        """The index of a class. Raises ValueError where there is none of that name."""
        if name not in self.names:
            raise ValueError(f"expected one of {', '.join(self.names)}, got {name}")
        return self.names.index(name)

    def region(self, garment: str) -> Region | None:
        """The region of a garment; None for a name that is no garment of this model."""
        return next((entry.region for entry in self.classes if entry.name == garment), None)

    def covered(self, garment: str) -> range:
        """The classes that a garment put on over what is worn hides: itself, or all clothing."""
        return self.garments if self.region(garment) == "whole" else self.only(garment)

    def cut_out(self, name: str) -> range:
        """Return the classes of a cut-out: `person` all but the background, `clothing` every garment, else one class.

        Empty where the model does not have it.
        """
        if name == EVERYONE:
            return range(1, len(self.classes))
        return self.garments if name == CLOTHING else self.only(name)

    def only(self, name: str) -> range:
        """Return the class of a name; empty where the model does not have it."""
        return range(at := self.names.index(name), at + 1) if name in self.names else range(0)

    @property
    def cut_outs(self) -> tuple[str, ...]:
        """Every name that `cut_out` knows."""
        return tuple(dict.fromkeys((EVERYONE, CLOTHING, *self.names[1:])))


def class_map(entries: Sequence[str | ClassEntry]) -> ClassMap:
    """Return the class map of a file that lists classes in any order, with colours where it gives none.

    Raises ValueError where the role of a class, or the region of a garment, is unknown.
    """
    known_entries = [ClassEntry(entry) if isinstance(entry, str) else entry for entry in entries]
    known = {entry.name: entry for entry in USUAL.classes}
    taken = {entry.colour for entry in known_entries if entry.colour} | {
        known[entry.name].colour for entry in known_entries if entry.name in known
    }
    spare = iter(colour for colour in _SPARE if colour not in taken)
    resolved = []
    for entry in known_entries:
        usual = known.get(entry.name) if entry.role is None else None
        role = usual.role if usual else entry.role
        if role is None:
            raise ValueError(
                f"the role of class {entry.name!r} is unknown: expected background, person or garment for each of "
                f"{', '.join(one.name for one in known_entries)}; say it in the file's classes (docs/models.md)"
            )
        colour = entry.colour or (known[entry.name].colour if entry.name in known else next(spare))
        resolved.append(ModelClass(entry.name, role, usual.region if usual else entry.region, colour))
    return msgspec.convert({"classes": msgspec.to_builtins(sorted(resolved, key=_place))}, ClassMap)


def _place(entry: ModelClass) -> tuple[int, int, str]:
    return _ROLES.index(entry.role), _REGIONS.index(entry.region), entry.name


def _hue(number: int) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(0.45 + 0.618 * number, 0.6, 0.85)  # the golden ratio keeps hues apart
    return round(255 * blue), round(255 * green), round(255 * red)


_SPARE: Final = tuple(_hue(number) for number in range(2 * MAX_CLASSES))

# Apart in hue and in lightness, so that colour-blind users can distinguish them.
USUAL: Final = ClassMap(
    (
        ModelClass("background", "background", None, (0, 0, 0)),
        ModelClass("person", "person", None, (160, 160, 160)),
        ModelClass("top", "garment", "upper", (40, 130, 250)),
        ModelClass("bottom", "garment", "lower", (200, 90, 30)),
        ModelClass("dress", "garment", "whole", (170, 60, 200)),
    )
)
"""The classes of the weights that ship."""
