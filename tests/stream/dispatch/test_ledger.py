"""A ledger counts what became of every frame, and how fast and how late it went."""

from __future__ import annotations

import pytest

from stream.dispatch.ledger import Ledger

MS = 1_000_000


def test_rates_cover_the_last_two_seconds() -> None:
    ledger = Ledger()
    for number in range(100):
        ledger.capture(1, number * 100 * MS)
    captured_hz, delivered_hz = ledger.rates_hz(9_900 * MS)
    assert captured_hz == pytest.approx(10)
    assert delivered_hz == 0
    assert ledger.rates_hz(20_000 * MS)[0] == 0  # nothing came of late


def test_ages_are_from_capture_to_delivery() -> None:
    ledger = Ledger()
    for number in range(100):
        ledger.deliver(number * 40 * MS, "network", (number * 40 + number) * MS)
    p50_ms, p95_ms = ledger.ages_ms()
    assert p50_ms == pytest.approx(49.5)
    assert p95_ms == pytest.approx(94, abs=0.1)


def test_frames_that_waited_for_the_start_are_told_apart() -> None:
    ledger = Ledger()
    assert ledger.start_ms is None
    for captured_ms, delivered_ms in ((0, 1600), (40, 1620), (1590, 1640), (1600, 1650), (1640, 1690)):
        ledger.deliver(captured_ms * MS, "network", delivered_ms * MS)
    assert ledger.start_ms == 1600
    assert ledger.ages_ms() == (50, 50)


def test_drops_are_counted_by_reason() -> None:
    ledger = Ledger()
    ledger.drop("superseded", 3)
    ledger.drop("poison")
    ledger.drop("stopped", 0)
    assert dict(ledger.dropped) == {"superseded": 3, "poison": 1}
