"""The labelling command: places without anyone, and clips whose people a peer has found."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from clothseg.labels import BACKGROUND, CLASSES
from clothseg.network.checkpoint import DEFAULT_WEIGHTS
from clothseg.training.eval.webcam import read_clip
from clothseg.training.samples import DataSet, read
from clothseg.training.train.pseudo_labels import Labeller
from tools import pseudo_label

SIZE = (96, 64)


def write_clip(path: Path, frames: int, visitor_at: int) -> None:
    """A grey room, with a white square in it from one frame on."""
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, SIZE)
    for number in range(frames):
        picture = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
        if number >= visitor_at:
            picture[10:60, 30:70] = 255
        video.write(picture)
    video.release()


def test_frames_like_the_empty_one_become_background(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clip(tmp_path / "room.avi", 20, visitor_at=8)
    out = tmp_path / "empty"
    monkeypatch.setattr(sys, "argv", ["pseudo_label", "empty", str(tmp_path / "room.avi"), str(out), "--empty-at", "2"])
    pseudo_label.main()
    samples = list(read(DataSet(layout="folder", root=out)))
    assert [int(sample.name.removeprefix("room_")) for sample in samples] == list(range(8))
    assert all((sample.mask == BACKGROUND).all() and sample.picture.max() < 120 for sample in samples)


def test_a_clip_is_labelled_where_the_peer_is_sure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "mattes").mkdir()
    write_clip(tmp_path / "clips/walk.mkv", 6, visitor_at=0)
    matte = np.zeros(SIZE[::-1], np.uint8)
    matte[10:60, 30:70], matte[10:60, 68:70] = 255, 128
    for number in (0, 5):
        cv2.imwrite(str(tmp_path / f"mattes/walk_{number:03d}.png"), matte)
    out = tmp_path / "labelled"
    command = ["pseudo_label", "clips", str(tmp_path / "clips"), str(out), "--peer", str(tmp_path / "mattes")]
    monkeypatch.setattr(sys, "argv", command)
    pseudo_label.main()
    samples = list(read(DataSet(layout="folder", root=out)))
    assert [sample.name for sample in samples] == ["walk_000", "walk_005"]
    label = Labeller([DEFAULT_WEIGHTS])
    seen = (BACKGROUND, *(CLASSES.index(name) for name in ("person", "top", "bottom")))
    alone = {frame.name: label(frame.picture, seen) for frame in read_clip(tmp_path / "clips/walk.mkv")}
    for sample in samples:
        assert (sample.mask[matte == 0] == BACKGROUND).all()
        assert (sample.mask[matte == 128] == alone[sample.name][matte == 128]).all()
        inside = sample.mask[matte == 255]
        assert not np.isin(inside, [BACKGROUND, CLASSES.index("dress")]).any()


def test_of_a_clip_without_a_peer_the_model_alone_says_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clips").mkdir()
    write_clip(tmp_path / "clips/walk.mkv", 1, visitor_at=0)
    out = tmp_path / "labelled"
    monkeypatch.setattr(sys, "argv", ["pseudo_label", "clips", str(tmp_path / "clips"), str(out)])
    pseudo_label.main()
    (sample,) = read(DataSet(layout="folder", root=out))
    seen = (BACKGROUND, *(CLASSES.index(name) for name in ("person", "top", "bottom")))
    (frame,) = read_clip(tmp_path / "clips/walk.mkv")
    assert (sample.mask == Labeller([DEFAULT_WEIGHTS])(frame.picture, seen)).all()
