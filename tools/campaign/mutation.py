"""Messages made wrong on purpose, by chance alone: changed, cut, nested, of impossible numbers, of too many parts."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

Parts = list[bytes]
Mutate = Callable[[Parts, Sequence[Parts], random.Random], Parts]

_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_WORD = re.compile(rb'"[^"\\]*"')
_NUMBERS = (
    b"-1", b"0", b"1e999", b"-1e999", b"NaN", b"1.5", b"2147483648", b"9223372036854775807", b"9223372036854775808",
    b"18446744073709551616", b"1" + 400 * b"0", b"1" + 5000 * b"0", b"null", b"[]", b'"1"',
)  # fmt: skip
_WORDS = (b'""', b'"\\u0000"', b'"../../etc/passwd"', b'"' + 300 * b"x" + b'"', b"null", b"7", b"[[]]", b'"visitor-"')
_DEEP = (10, 40, 40, 200, 200, 1200)
_DEEPEST, _DEEPEST_EVERY = 30_000, 50
_NESTS = ((b"[", b"]"), (b'{"a":', b"}"), (b'{"v":1,"type":"Done","body":[', b"]}"))
_MOST_PARTS = 40
_MOST_BYTES = 100_000  # of a part that was made wrong more than once
_LARGE_BYTES = 1_000_000
_LARGE_EVERY = 20_000  # of all messages: enough of them in a queue would fill this machine's memory, not only the run's


def mutated(whole: Sequence[Parts], chance: random.Random) -> Parts:
    """One of the `whole` messages, made wrong in one to three ways."""
    if not chance.randrange(_LARGE_EVERY):
        return [*chance.choice(whole)[:1], chance.randbytes(_LARGE_BYTES)]
    parts = list(chance.choice(whole))
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        parts = chance.choice(WAYS)(parts, whole, chance)
    return parts


def _on_one(change: Callable[[bytes, random.Random], bytes]) -> Mutate:
    """The mutation that changes one part, mostly the first, which holds the words."""

    def mutate(parts: Parts, whole: Sequence[Parts], chance: random.Random) -> Parts:
        if not parts:
            return [chance.randbytes(8)]
        index = chance.choice((0, 0, chance.randrange(len(parts))))
        return [*parts[:index], change(parts[index], chance), *parts[index + 1 :]]

    return mutate


def _flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        if changed:
            changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randint(0, len(data))]


def _repeated(data: bytes, chance: random.Random) -> bytes:
    begin, end = sorted((chance.randint(0, len(data)), chance.randint(0, len(data))))
    return (data[:end] + data[begin:end] * chance.randint(1, 3) + data[end:])[:_MOST_BYTES]


def _nested(data: bytes, chance: random.Random) -> bytes:
    """Lists or objects in one another, alone or in the place of a number."""
    depth = chance.choice(_DEEP) if chance.randrange(_DEEPEST_EVERY) else _DEEPEST
    opened, closed = chance.choice(_NESTS)
    nest = opened * depth + chance.choice((b"", b"1" + closed * depth))
    return nest if chance.random() < 0.5 else _NUMBER.sub(lambda _: nest, data, count=1)


def _numbered(data: bytes, chance: random.Random) -> bytes:
    return _one_replaced(_NUMBER, _NUMBERS, data, chance)


def _worded(data: bytes, chance: random.Random) -> bytes:
    return _one_replaced(_WORD, _WORDS, data, chance)


def _one_replaced(pattern: re.Pattern[bytes], by: Sequence[bytes], data: bytes, chance: random.Random) -> bytes:
    """One place where the pattern fits, replaced: what was JSON mostly still is."""
    places = list(pattern.finditer(data[:2048]))
    if not places:
        return _flipped(data, chance)
    place = chance.choice(places)
    return data[: place.start()] + chance.choice(by) + data[place.end() :]


def _noise(data: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(chance.choice((0, 1, 2, 9, 64, 1025)))


def _spliced(parts: Parts, whole: Sequence[Parts], chance: random.Random) -> Parts:
    """The beginning of one message and the end of another."""
    other = chance.choice(whole)
    return [*parts[: chance.randint(0, len(parts))], *other[chance.randint(0, len(other)) :]]


def _shuffled(parts: Parts, whole: Sequence[Parts], chance: random.Random) -> Parts:
    return chance.sample(parts, len(parts))


def _multiplied(parts: Parts, whole: Sequence[Parts], chance: random.Random) -> Parts:
    """Far too many parts, or none but an empty one."""
    return [part[:64] for part in parts] * chance.randint(2, _MOST_PARTS) if chance.random() < 0.7 else [b""]


WAYS: tuple[Mutate, ...] = (
    *map(_on_one, (_flipped, _cut, _repeated, _nested, _numbered, _numbered, _worded, _noise)),
    _spliced,
    _shuffled,
    _multiplied,
)
