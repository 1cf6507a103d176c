"""Pauses between attempts: they double, stay bounded, vary, and begin anew."""

from __future__ import annotations

import threading

from stream.media.back_off import BackOff


class Pauses(threading.Event):
    """An event that notes for how long it is waited for, and is not."""

    def __init__(self) -> None:
        super().__init__()
        self.waited_s: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waited_s.append(timeout)
        return False


def pauses(back_off: BackOff, count: int) -> list[float]:
    noted = Pauses()
    for _ in range(count):
        back_off.wait(noted)
    return noted.waited_s


def test_pauses_double_up_to_the_longest_and_each_is_shortened_by_half_at_most() -> None:
    longest = [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    for waited_s, whole_s in zip(pauses(BackOff(0.1, 1.0), 6), longest, strict=True):
        assert whole_s / 2 <= waited_s <= whole_s


def test_two_that_fail_together_do_not_come_back_together() -> None:
    assert pauses(BackOff(0.1, 1.0), 6) != pauses(BackOff(0.1, 1.0), 6)


def test_after_a_reset_the_first_pause_is_the_shortest_again() -> None:
    back_off = BackOff(0.1, 1.0)
    pauses(back_off, 5)
    back_off.reset()
    assert pauses(back_off, 1)[0] <= 0.1


def test_no_pause_is_longer_than_the_longest() -> None:
    assert pauses(BackOff(0.05, 0.001), 1)[0] <= 0.001


def test_a_stop_ends_the_pause() -> None:
    stopped = threading.Event()
    stopped.set()
    BackOff(60, 60).wait(stopped)
