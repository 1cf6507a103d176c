"""A source is something you iterate, a step a function, a sink something you write to; one loop joins them.

A link is a sink in one process and a source in the next, so the same program runs in one process or
in many, and every step can be tested with two lists (`ListSource`, `ListSink`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, Protocol, TypeVar, runtime_checkable

In = TypeVar("In")
Out = TypeVar("Out")
Item_co = TypeVar("Item_co", covariant=True)
Item_contra = TypeVar("Item_contra", contravariant=True)


class StreamError(Exception):
    """Something outside the program is not as it must be; its text is one sentence for the user.

    SourceError   an input cannot be opened or read      (stream.sources)
    SinkError     an output cannot be opened or written  (stream.sinks)
    ConfigError   a setting is wrong                     (stream.settings.config)
    WireError     bytes that are not a valid message      (stream.transport.wire)
    """


class Source(Protocol[Item_co]):
    """Something you iterate until it ends; `close` may be called at any time, more than once."""

    def __iter__(self) -> Iterator[Item_co]: ...

    def close(self) -> None: ...


class Sink(Protocol[Item_contra]):
    """Something you write to; `close` finishes what was written and may be called more than once."""

    def write(self, item: Item_contra) -> None: ...

    def close(self) -> None: ...


@runtime_checkable
class DemandAware(Protocol):
    """A sink that does not want a camera's frames at times, as when no client is connected."""

    def wants(self, camera: str) -> bool: ...


Step = Callable[[In], Iterable[Out]]
"""What a stage does to one item: none, one or several come out."""


def run(source: Source[In], step: Step[In, Out], sink: Sink[Out]) -> None:
    """Pass every item of `source` through `step` into `sink`; close both, whatever happens."""
    try:
        for item in source:
            for made in step(item):
                sink.write(made)
    finally:
        try:
            sink.close()
        finally:
            source.close()


class ListSource(Generic[In]):
    """A source that yields the given items: the fake for tests of readers."""

    def __init__(self, items: Iterable[In]) -> None:
        self.items = list(items)
        self.closed = False

    def __iter__(self) -> Iterator[In]:
        yield from self.items

    def close(self) -> None:
        self.closed = True


class ListSink(Generic[In]):
    """A sink that keeps what it is given in `items`: the fake for tests of writers."""

    def __init__(self) -> None:
        self.items: list[In] = []
        self.closed = False

    def write(self, item: In) -> None:
        self.items.append(item)

    def close(self) -> None:
        self.closed = True
