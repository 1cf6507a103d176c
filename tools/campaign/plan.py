"""How much of each fault is done: the full campaign takes about ten minutes, shorter ones a share of it."""

from __future__ import annotations

import msgspec

FULL_MINUTES = 10.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Counts and lengths of the full campaign."""

    outages: int = 100
    """Of network cameras, over all kinds."""
    kills: int = 100
    """Of workers while a file of ten times as many frames is read."""
    hangs_s: float = 30.0
    """How long the supervisor stands still."""
    links: int = 50
    """Connections between stages that are broken on one side."""
    messages: int = 1_000_000
    """Hostile messages, over all sockets."""
    messages_s: float = 240.0
    """A machine that is too slow for them sends those that it can in so long."""
    visitor_s: float = 3.0
    """How long each kind of hostile visitor goes on."""
    subscriptions: int = 300_000
    """Invented topics that are subscribed to."""
    frames: int = 200
    """Of a file that is recorded while its disk fills up."""
    soak_s: float = 0.0
    """The soak goes on at least so long; it runs beside the other parts."""


def scaled(minutes: float) -> Plan:
    """The plan of a campaign of about so many minutes: never nothing of any kind, never more than in full."""
    full, share = Plan(), min(minutes / FULL_MINUTES, 1.0)
    return Plan(
        outages=max(round(full.outages * share), 4),
        kills=max(round(full.kills * share), 5),
        hangs_s=max(full.hangs_s * share, 3.0),
        links=max(round(full.links * share), 4),
        messages=max(round(full.messages * share), 10_000),
        messages_s=max(full.messages_s * share, 20.0),
        visitor_s=max(full.visitor_s * share, 1.5),
        subscriptions=max(round(full.subscriptions * share), 10_000),
        frames=max(round(full.frames * share), 60),
    )
