"""The library: a picture in, its garments out, with the weights that ship."""

import re
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from clothseg.classes import USUAL
from clothseg.labels import BACKGROUND, CLASSES
from clothseg.network.box import Box
from clothseg.network.checkpoint import DEFAULT_WEIGHTS, load, read_metadata, save
from clothseg.segmenter import Segmenter


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.load(engine="openvino", precision="fp32", threads=1)


def scene(height: int, width: int) -> NDArray[np.uint8]:
    """A picture of this size with light, colour and an edge."""
    row = np.linspace(30, 220, width).astype(np.uint8)
    picture = np.stack([np.tile(row, (height, 1))] * 3, -1)
    picture[height // 3 :, width // 3 : 2 * width // 3 + 1] = (40, 60, 160)
    return picture


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (33, 17), (480, 640), (2160, 3840), (40, 2000), (2000, 40)])
def test_masks_are_of_the_size_of_the_picture(segmenter: Segmenter, size: tuple[int, int]) -> None:
    picture = scene(*size)
    alpha, parts, probabilities = segmenter(picture)
    assert alpha.shape == parts.shape == size
    assert alpha.dtype == parts.dtype == np.uint8
    assert parts.max() < len(CLASSES)
    assert (parts[alpha < 128] == BACKGROUND).all()
    assert probabilities.dtype == np.float32
    assert np.abs(probabilities.sum(0) - 1).max() <= 5 / 255
    assert np.array_equal(picture, scene(*size))


@pytest.mark.parametrize(
    ("size", "network"), [((480, 640), (240, 320)), ((640, 480), (320, 240)), ((720, 1280), (208, 368))]
)
def test_the_aspect_is_kept_at_the_area_the_weights_ask_for(
    segmenter: Segmenter, size: tuple[int, int], network: tuple[int, int]
) -> None:
    assert segmenter.probabilities(scene(*size)).shape == (len(CLASSES), *network)


def test_a_view_and_a_contiguous_picture_give_the_same(segmenter: Segmenter) -> None:
    wide = scene(120, 320)
    view = wide[:, ::2]
    assert np.array_equal(segmenter.probabilities(view), segmenter.probabilities(np.ascontiguousarray(view)))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (np.zeros((48, 64), np.uint8), "got (48, 64) uint8; convert it with cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)"),
        (np.zeros((48, 64, 4), np.uint8), "cv2.COLOR_BGRA2BGR"),
        (np.zeros((48, 64, 3), np.float32), "got (48, 64, 3) float32"),
        (np.zeros((48, 64, 3), np.uint16), "got (48, 64, 3) uint16"),
        (np.zeros((0, 64, 3), np.uint8), "got (0, 64, 3) uint8"),
        (np.zeros((1, 48, 64, 3), np.uint8), "got (1, 48, 64, 3) uint8"),
        (cv2.imread("there/is/no/such.png"), "got NoneType; was the file read?"),
    ],
)
def test_other_arrays_are_refused_with_what_to_do(
    segmenter: Segmenter, image: NDArray[np.uint8], expected: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(expected)):
        segmenter(image)


def test_classes_and_size_come_from_the_weights(tmp_path: Path) -> None:
    metadata, state = load(DEFAULT_WEIGHTS)
    save(tmp_path / "small.safetensors", msgspec.structs.replace(metadata, area_px=48 * 64), state)
    segmenter = Segmenter.load(tmp_path / "small.safetensors", engine="openvino", precision="fp32", threads=1)
    assert segmenter.classes == USUAL
    assert segmenter.probabilities(scene(480, 640)).shape == (5, 48, 64)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.safetensors: no such weights"):
        Segmenter.load(tmp_path / "none.safetensors")


def test_the_shipped_weights_find_the_person_and_the_top() -> None:
    """On a real frame, by whatever the rule picks here."""
    clip = Path(__file__).parents[2] / "../shared/data/intel-asl/book.mkv"
    if not clip.exists():
        pytest.skip("the webcam clips are not here")
    frame = np.asarray(cv2.VideoCapture(str(clip)).read()[1], np.uint8)
    alpha, parts, _ = Segmenter.load()(frame)
    assert alpha[:40, :40].max() < 64, "the room's corner is background"
    assert 0.15 < (alpha > 128).mean() < 0.8
    assert (parts == CLASSES.index("top")).sum() > 0.3 * (parts > 0).sum()


class Watched:
    """An engine that keeps what it was shown, and answers that somebody stands in the middle, `wide` pixels."""

    name, precision, description = "watched", "fp32", "a test's"
    size: tuple[int, int] | None = None

    def __init__(self, wide: int) -> None:
        self.wide = wide
        self.seen: list[tuple[int, ...]] = []
        self.ready: set[tuple[int, ...]] = set()

    def prepare(self, shape: tuple[int, int, int, int]) -> None:
        self.ready.add(shape[1:3])

    def __call__(self, batch: NDArray[np.uint8]) -> NDArray[np.uint8]:
        self.seen.append(batch.shape[1:3])
        height, width = batch.shape[1:3]
        planes = np.zeros((1, len(CLASSES), height, width), np.uint8)
        planes[0, 1, :, (width - self.wide) // 2 : (width + self.wide) // 2] = 255
        planes[0, BACKGROUND] = 255 - planes[0, 1]
        return planes


@pytest.mark.parametrize(
    ("wide", "seen"), [(40, [(240, 160)]), (160, [(240, 160), (240, 320)]), (0, [(240, 160), (240, 320)])]
)
def test_with_a_box_the_network_sees_the_people_and_the_rest_where_that_is_not_enough(
    wide: int, seen: list[tuple[int, int]]
) -> None:
    engine = Watched(wide)
    segmenter = Segmenter(read_metadata(DEFAULT_WEIGHTS), engine)
    planes = segmenter.probabilities(scene(480, 640), Box(0.4, 0, 0.6, 1))
    assert engine.seen == seen
    assert planes.shape == (len(CLASSES), 240, 320)


def test_everything_that_views_need_is_made_ready_at_once() -> None:
    engine = Watched(40)
    segmenter = Segmenter(read_metadata(DEFAULT_WEIGHTS), engine)
    segmenter.warm_up(480, 640)
    for left in (0.05, 0.25, 0.4):
        segmenter.probabilities(scene(480, 640), Box(left, 0.1, 1 - left, 0.9))
    assert len(set(engine.seen)) > 2
    assert set(engine.seen) <= engine.ready


def test_less_detail_is_kept_to_with_a_box_too() -> None:
    engine = Watched(40)
    segmenter = Segmenter(read_metadata(DEFAULT_WEIGHTS), engine)
    for box in (Box(0.4, 0, 0.6, 1), Box(0.2, 0, 0.8, 1)):
        assert segmenter.probabilities(scene(480, 640), box, 0.5).shape == (len(CLASSES), 240, 320)
    assert all(h * w <= 0.52 * 240 * 320 for h, w in engine.seen)


def test_a_model_of_one_size_is_given_the_whole_picture_at_that_size() -> None:
    engine = Watched(40)
    engine.size = (320, 320)
    segmenter = Segmenter(read_metadata(DEFAULT_WEIGHTS), engine)
    segmenter.warm_up(480, 640)
    for box, detail in ((None, 1.0), (Box(0.4, 0, 0.6, 1), 0.5)):
        assert segmenter.probabilities(scene(480, 640), box, detail).shape == (len(CLASSES), 320, 320)
    assert set(engine.seen) == engine.ready == {(320, 320)}
