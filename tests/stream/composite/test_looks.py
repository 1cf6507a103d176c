from __future__ import annotations

from clothseg.tryon import OpenEffect
from stream.composite.looks import Look, LookChange, Looks

EVERYWHERE = Look((), "person", ("composite",))


def effect(state: object, picture: object, matte: object, pts_ns: int) -> tuple[object, object]:
    return state, picture


EFFECTS: tuple[OpenEffect, ...] = (effect,)  # type: ignore[assignment]


def test_a_change_for_one_camera_leaves_the_others() -> None:
    choices = Looks(EVERYWHERE)
    choices.apply(LookChange("front", cutout="top"))
    assert choices.look_of("front") == Look((), "top", ("composite",))
    assert choices.look_of("side") == EVERYWHERE


def test_what_a_change_does_not_name_stays() -> None:
    choices = Looks(EVERYWHERE)
    choices.apply(LookChange("front", cutout="top"))
    choices.apply(LookChange("front", effects=EFFECTS))
    choices.apply(LookChange("front", panels=("raw", "parts")))
    assert choices.look_of("front") == Look(EFFECTS, "top", ("raw", "parts"))


def test_no_effects_is_a_change_too() -> None:
    choices = Looks(Look(EFFECTS, "person", ("composite",)))
    choices.apply(LookChange(None, effects=()))
    assert choices.look_of("front").effects == ()


def test_a_change_for_all_is_also_for_those_to_come_and_those_with_their_own() -> None:
    choices = Looks(EVERYWHERE)
    choices.apply(LookChange("front", cutout="top", panels=("raw",)))
    choices.apply(LookChange(None, cutout="dress"))
    assert choices.look_of("front") == Look((), "dress", ("raw",))
    assert choices.look_of("visitor") == Look((), "dress", ("composite",))


def test_a_reused_camera_name_starts_anew() -> None:
    choices = Looks(EVERYWHERE)
    choices.apply(LookChange("visitor", cutout="top"))
    choices.forget("visitor")
    assert choices.look_of("visitor") == EVERYWHERE
