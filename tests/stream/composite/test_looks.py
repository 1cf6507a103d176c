from __future__ import annotations

from clothseg.tryon import OpenEffect
from stream.composite.looks import Change, Choice, Choices

EVERYWHERE = Choice((), "person", ("composite",))


def effect(state: object, picture: object, matte: object, pts_ns: int) -> tuple[object, object]:
    return state, picture


EFFECTS: tuple[OpenEffect, ...] = (effect,)  # type: ignore[assignment]


def test_a_change_for_one_camera_leaves_the_others() -> None:
    choices = Choices(EVERYWHERE)
    choices.change(Change("front", cutout="top"))
    assert choices.of("front") == Choice((), "top", ("composite",))
    assert choices.of("side") == EVERYWHERE


def test_what_a_change_does_not_name_stays() -> None:
    choices = Choices(EVERYWHERE)
    choices.change(Change("front", cutout="top"))
    choices.change(Change("front", effects=EFFECTS))
    choices.change(Change("front", panels=("raw", "parts")))
    assert choices.of("front") == Choice(EFFECTS, "top", ("raw", "parts"))


def test_no_effects_is_a_change_too() -> None:
    choices = Choices(Choice(EFFECTS, "person", ("composite",)))
    choices.change(Change(None, effects=()))
    assert choices.of("front").effects == ()


def test_a_change_for_all_is_also_for_those_to_come_and_those_with_their_own() -> None:
    choices = Choices(EVERYWHERE)
    choices.change(Change("front", cutout="top", panels=("raw",)))
    choices.change(Change(None, cutout="dress"))
    assert choices.of("front") == Choice((), "dress", ("raw",))
    assert choices.of("visitor") == Choice((), "dress", ("composite",))


def test_whoever_comes_under_a_name_that_was_used_begins_anew() -> None:
    choices = Choices(EVERYWHERE)
    choices.change(Change("visitor", cutout="top"))
    choices.forget("visitor")
    assert choices.of("visitor") == EVERYWHERE
