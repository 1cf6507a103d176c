"""Classes are known by name and role, whatever the order in which a file lists them."""

import itertools

import msgspec
import pytest

from clothseg.classes import MAX_CLASSES, USUAL, ClassEntry, ClassMap, ModelClass, class_map

OUTERWEAR = ClassEntry("outerwear", "garment", "upper")


@pytest.mark.parametrize("names", list(itertools.permutations(USUAL.names)))
def test_the_usual_classes_are_the_same_map_in_any_order(names: tuple[str, ...]) -> None:
    assert class_map(names) == USUAL


def test_garments_stand_last_by_region_and_each_class_has_a_colour_of_its_own() -> None:
    classes = class_map(["dress", OUTERWEAR, "person", "bottom", "background", "top"])
    assert classes.names == ("background", "person", "outerwear", "top", "bottom", "dress")
    assert [classes.names[index] for index in classes.garments] == ["outerwear", "top", "bottom", "dress"]
    assert len(set(classes.palette)) == 6
    assert set(USUAL.palette) < set(classes.palette), "the usual classes keep theirs"


def test_what_a_cut_out_and_a_garment_cover_follows_from_roles() -> None:
    classes = class_map([*USUAL.names, OUTERWEAR])
    assert classes.cut_out("person") == range(1, 6)
    assert classes.cut_out("clothing") == range(2, 6)
    assert classes.cut_out("outerwear") == range(2, 3)
    assert classes.covered("outerwear") == range(2, 3)
    assert classes.covered("dress") == range(2, 6), "whatever clothing is worn"
    assert classes.region("outerwear") == "upper"


def test_what_a_model_does_not_tell_is_absent() -> None:
    people = class_map(["person", "background"])
    assert not people.garments
    assert not people.cut_out("clothing")
    assert not people.cut_out("top")
    assert not people.covered("dress")
    assert people.region("top") is None
    assert people.cut_outs == ("person", "clothing")


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        (["background", "person", "coat"], "the role of class 'coat' is unknown"),
        (["background", ClassEntry("coat", "garment")], "class 'coat': expected a region"),
        (["background", ClassEntry("hair", "person", "upper")], "class 'hair': expected a region"),
        (["person", "top"], "expected one class with the role background"),
        (["background", ClassEntry("wall", "background"), "top"], "expected one class with the role background"),
        (["background", "top", "top"], "expected class names that differ"),
        (["background", ClassEntry("clothing", "garment", "whole")], "none 'clothing'"),
        (["background"], "expected 2 to 64 classes, got 1"),
        ([f"class{number}" for number in range(300)], "is unknown"),
        (["background", "a name"], "is unknown"),
        (["background", ClassEntry("a name", "person")], "regex"),
    ],
)
def test_classes_whose_roles_cannot_be_told_are_refused(entries: list[str | ClassEntry], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        class_map(entries)


def test_a_map_that_travels_comes_back_and_one_in_another_order_is_refused() -> None:
    assert msgspec.json.decode(msgspec.json.encode(USUAL), type=ClassMap) == USUAL
    shuffled = {"classes": [msgspec.to_builtins(entry) for entry in reversed(USUAL.classes)]}
    with pytest.raises(msgspec.ValidationError, match="expected background, people, then garments"):
        msgspec.convert(shuffled, ClassMap)
    many = tuple(ModelClass(f"a{number}", "person", None, (0, 0, 0)) for number in range(MAX_CLASSES))
    with pytest.raises(ValueError, match="got 65"):
        ClassMap((USUAL.classes[0], *many))
