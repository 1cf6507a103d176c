"""Data sets in their own layouts: read as they lie on disk, and refused where they would teach something wrong."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import scipy.io

from clothseg.labels import BACKGROUND, BOTTOM, DRESS, IGNORE, PERSON, TOP
from clothseg.training.samples import DataSet, Sample, decode_run_lengths, downscale, read, read_data_set
from clothseg.training.train.pool import SamplePool

CONFIGS = Path(__file__).parents[3] / "configs/datasets"
CCP = Path(__file__).parents[4] / "shared/data/ccp"


def write(path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


def folder(root: Path, mask: npt.NDArray[np.uint8], size: tuple[int, int] | None = None) -> DataSet:
    """One picture and its mask."""
    write(root / "images/a.png", np.full((*(size or mask.shape), 3), 90, np.uint8))
    write(root / "masks/a.png", mask)
    return DataSet("folder", root)


def test_a_plain_folder_of_our_indices_is_read_as_it_is(tmp_path: Path) -> None:
    mask = np.array([[0, 1, 2], [3, 4, 255]], np.uint8)
    (sample,) = read(folder(tmp_path, mask))
    assert sample.name == "a"
    assert sample.picture.shape == (2, 3, 3)
    assert np.array_equal(sample.mask, mask)


def test_atr_indices_are_mapped_by_name(tmp_path: Path) -> None:
    write(tmp_path / "JPEGImages/a.jpg", np.full((1, 5, 3), 90, np.uint8))
    write(tmp_path / "SegmentationClassAug/a.png", np.array([[0, 4, 5, 7, 11]], np.uint8))
    data = DataSet("folder", tmp_path, labels=CONFIGS / "atr.yaml", images="JPEGImages", masks="SegmentationClassAug")
    (sample,) = read(data)
    assert sample.mask.tolist() == [[BACKGROUND, TOP, BOTTOM, DRESS, PERSON]]


def fashionpedia(root: Path, rows: list[str]) -> DataSet:
    """One picture of 4 × 3 and its instances."""
    names = ["shirt", "vest", "skirt", "cape", "dress", "sleeve"]
    described = ",".join(f'{{"id": {index}, "name": "{name}"}}' for index, name in enumerate(names))
    (root / "label_descriptions.json").write_text(f'{{"categories": [{described}]}}')
    (root / "map.yaml").write_text("top: [shirt, vest, cape]\nbottom: [skirt]\ndress: [dress]\nbeneath: [sleeve]\n")
    (root / "train.csv").write_text("ImageId,EncodedPixels,Height,Width,ClassId\n" + "\n".join(rows) + "\n")
    write(root / "train/p.jpg", np.full((3, 4, 3), 90, np.uint8))
    return DataSet("run-lengths", root, labels=root / "map.yaml")


def test_run_lengths_go_down_the_columns_and_the_later_instance_wins(tmp_path: Path) -> None:
    # A skirt over columns 1–3, then a shirt over columns 1–2: never their sum, which would be another class.
    (sample,) = read(fashionpedia(tmp_path, ["p.jpg,1 9,3,4,2", "p.jpg,1 6,3,4,0_77"]))
    assert sample.mask.tolist() == [[TOP, TOP, BOTTOM, IGNORE]] * 3


def test_a_sleeve_stays_the_garment_beneath_it(tmp_path: Path) -> None:
    (sample,) = read(fashionpedia(tmp_path, ["p.jpg,1 9,3,4,4", "p.jpg,1 3,3,4,5"]))
    assert sample.mask.tolist() == [[DRESS, DRESS, DRESS, IGNORE]] * 3


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("p.jpg,1 9,4,3,2", "both must be of one size"),
        ("p.jpg,1 13,3,4,2", "leaves a mask of 4×3"),
        ("p.jpg,0 2,3,4,2", "leaves a mask"),
        ("p.jpg,1,3,4,2", "odd count"),
        ("p.jpg,1 2,3,4,9", "class 9 is not one of the 6"),
    ],
)
def test_broken_run_lengths_are_refused(tmp_path: Path, row: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        list(read(fashionpedia(tmp_path, [row])))


def test_an_empty_code_is_an_empty_mask() -> None:
    assert not decode_run_lengths("", (2, 2)).any()


def test_ccp_is_read_in_its_own_layout(tmp_path: Path) -> None:
    names = ["null", "vest", "skirt", "cape", "hair"]
    cells = np.array([names], dtype=object)
    scipy.io.savemat(tmp_path / "label_list.mat", {"label_list": cells})
    (tmp_path / "annotations/pixel-level").mkdir(parents=True)
    truth = np.array([[0, 1, 2, 3, 4]], np.uint8)
    scipy.io.savemat(tmp_path / "annotations/pixel-level/0001.mat", {"groundtruth": truth})
    write(tmp_path / "photos/0001.jpg", np.full((1, 5, 3), 90, np.uint8))
    (tmp_path / "map.yaml").write_text("background: ['null']\ntop: [vest, cape]\nbottom: [skirt]\nperson: [hair]\n")
    (sample,) = read(DataSet("ccp", tmp_path, labels=tmp_path / "map.yaml"))
    assert sample.mask.tolist() == [[BACKGROUND, TOP, BOTTOM, TOP, PERSON]]


@pytest.mark.skipif(not CCP.exists(), reason="needs the Clothing Co-Parsing photos, which are not shipped")
def test_our_map_of_ccp_is_the_one_the_data_came_with() -> None:
    assert (CONFIGS / "ccp.yaml").read_text() == (CCP / "classes.yaml").read_text()


def test_a_mask_with_an_unknown_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a: the mask holds index 7, expected 0\.\.4"):
        list(read(folder(tmp_path, np.array([[0, 7]], np.uint8))))


def test_a_picture_of_another_size_than_its_mask_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the picture is 9×8, its mask 3×2; both must be of one size"):
        list(read(folder(tmp_path, np.zeros((2, 3), np.uint8), size=(8, 9))))


@pytest.mark.parametrize("content", [b"", b"not a picture"])
def test_a_picture_that_cannot_be_decoded_is_refused(tmp_path: Path, content: bytes) -> None:
    data = folder(tmp_path, np.zeros((2, 3), np.uint8))
    (tmp_path / "images/a.png").write_bytes(content)
    with pytest.raises(ValueError, match=f"not a picture that can be decoded \\({len(content)} bytes\\)"):
        list(read(data))


def test_a_coloured_mask_is_refused(tmp_path: Path) -> None:
    data = folder(tmp_path, np.zeros((2, 3), np.uint8))
    write(tmp_path / "masks/a.png", np.zeros((2, 3, 3), np.uint8))
    with pytest.raises(ValueError, match="one channel of indices"):
        list(read(data))


def test_a_mask_without_its_picture_and_an_empty_split_are_refused(tmp_path: Path) -> None:
    data = folder(tmp_path, np.zeros((2, 3), np.uint8))
    (tmp_path / "images/a.png").unlink()
    with pytest.raises(ValueError, match=r"no picture for the mask a\.png"):
        list(read(data))
    (tmp_path / "none.txt").write_text("\n")
    with pytest.raises(ValueError, match="no labelled picture in none"):
        list(read(DataSet("folder", tmp_path, split=Path("none.txt"))))


def test_skirts_that_are_labelled_as_dresses_are_bottoms_where_the_data_set_says_so(tmp_path: Path) -> None:
    mask = np.zeros((100, 40), np.uint8)
    mask[10:40, 10:30], mask[40:80, 10:30] = TOP, DRESS
    (as_labelled,) = read(folder(tmp_path, mask))
    (told,) = read(DataSet("folder", tmp_path, skirts="bottoms"))
    np.testing.assert_array_equal(as_labelled.mask, mask)
    np.testing.assert_array_equal(told.mask, np.where(mask == DRESS, BOTTOM, mask))


def test_an_unknown_layout_or_setting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown layout 'coco'; expected one of ccp, folder, run-lengths"):
        read(DataSet("coco", tmp_path))
    (tmp_path / "data.yaml").write_text("layout: folder\nroot: .\nsplt: x\n")
    with pytest.raises(ValueError, match="splt"):
        read_data_set(tmp_path / "data.yaml")


def test_shrinking_keeps_the_classes_and_never_enlarges() -> None:
    mask = np.zeros((200, 100), np.uint8)
    mask[:, 50:] = 4
    sample = Sample("a", np.zeros((200, 100, 3), np.uint8), mask)
    small = downscale(sample, 5000)
    assert small.mask.shape == small.picture.shape[:2] == (100, 50)
    assert set(np.unique(small.mask)) == {0, 4}
    assert downscale(sample, 10**6) is sample


def test_pictures_with_a_dress_are_drawn_more_often(tmp_path: Path) -> None:
    for name, index in (("plain", 2), ("dress", 4)):
        write(tmp_path / f"images/{name}.png", np.zeros((8, 8, 3), np.uint8))
        write(tmp_path / f"masks/{name}.png", np.full((8, 8), index, np.uint8))
    pool = SamplePool([DataSet("folder", tmp_path, dress_weight=3)], 1000)
    drawn = [sample.name for sample in pool.draw(4000, np.random.default_rng(0))]
    assert drawn.count("dress") / drawn.count("plain") == pytest.approx(3, rel=0.15)


def test_a_path_that_is_no_text_is_refused_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("{layout: ccp, root: 5}")
    with pytest.raises(ValueError, match=r"expected a Path as text, got 5.*root"):
        read_data_set(tmp_path / "data.yaml")
