"""Every label of every data set is mapped on purpose, by name, once."""

from pathlib import Path

import pytest

from clothseg.labels import BACKGROUND, BENEATH, BOTTOM, CLASSES, DRESS, PALETTE, PERSON, TOP, load_label_map

DATA_SETS = Path(__file__).parents[2] / "configs/datasets"


def test_ccp_keeps_the_known_traps_apart() -> None:
    labels = load_label_map(DATA_SETS / "ccp.yaml")
    expected = {"vest": TOP, "skirt": BOTTOM, "cape": TOP, "romper": DRESS, "tights": BOTTOM, "hair": PERSON}
    assert {name: CLASSES.index(labels.classes[name]) for name in expected} == expected
    assert len(labels.classes) == 59


def test_fashionpedia_keeps_the_known_traps_apart_and_parts_on_their_garment() -> None:
    labels = load_label_map(DATA_SETS / "fashionpedia.yaml")
    table = dict(zip(labels.classes, labels.table(list(labels.classes)), strict=True))
    assert (table["vest"], table["skirt"], table["cape"], table["jumpsuit"]) == (TOP, BOTTOM, TOP, DRESS)
    assert table["sleeve"] == table["pocket"] == BENEATH
    assert len(labels.classes) == 46


@pytest.mark.parametrize(("name", "count"), [("atr", 18), ("lip", 20)])
def test_an_indexed_data_set_orders_exactly_the_labels_it_maps(name: str, count: int) -> None:
    labels = load_label_map(DATA_SETS / f"{name}.yaml")
    table = labels.table(labels.order)
    assert len(table) == count
    assert table[0] == BACKGROUND


def test_the_order_of_the_source_labels_decides_the_table_not_the_order_of_the_map(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text("top: [vest, cape]\nbottom: [skirt]\nbackground: ['null']\n")
    assert load_label_map(path).table(["null", "skirt", "vest", "cape"]).tolist() == [BACKGROUND, BOTTOM, TOP, TOP]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("top: [vest]\nbottom: [vest]\n", "'vest' is mapped twice, to top and bottom"),
        ("trousers: [jeans]\n", "unknown class trousers"),
        ("- vest\n", "expected a mapping"),
        ("top: vest\n", "expected a mapping"),
    ],
)
def test_a_map_that_is_wrong_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=sentence):
        load_label_map(path)


def test_a_label_left_out_and_a_label_misspelt_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text("top: [vest]\n")
    labels = load_label_map(path)
    with pytest.raises(ValueError, match="not mapped: skirt"):
        labels.table(["vest", "skirt"])
    with pytest.raises(ValueError, match="does not have: vest"):
        labels.table([])


def test_each_class_has_a_colour_of_its_own() -> None:
    assert len(set(PALETTE)) == len(CLASSES)
