"""The scoring command: measures as JSON, a page of cases, and other people's masks in the same table."""

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from clothseg.command import evaluate
from clothseg.labels import CLASSES
from clothseg.network.checkpoint import DEFAULT_WEIGHTS

Score = Callable[..., dict[str, object]]


@pytest.fixture
def score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Score:
    """The command on two labelled pictures; returns what it wrote as JSON."""
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for number in range(2):
        mask = np.zeros((60, 80), np.uint8)
        mask[10:30, 20:60], mask[30:60, 20:60] = CLASSES.index("top"), CLASSES.index("bottom")
        cv2.imwrite(str(tmp_path / f"images/{number}.png"), rng.integers(0, 256, (60, 80, 3), np.uint8))
        cv2.imwrite(str(tmp_path / f"masks/{number}.png"), mask)
    (tmp_path / "set.yaml").write_text(f"layout: folder\nroot: {tmp_path}\n")

    def scored(*options: str) -> dict[str, object]:
        out = tmp_path / "out.json"
        command = ["evaluate", str(tmp_path / "set.yaml"), "--json", str(out), *options]
        monkeypatch.setattr(sys, "argv", command)
        evaluate.main()
        written: dict[str, object] = msgspec.json.decode(out.read_bytes())["pictures"]
        return written

    return scored


def test_perfect_masks_score_one_and_what_is_not_there_is_absent(
    score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = score("--masks", str(tmp_path / "masks"))
    assert found["iou"] == {"background": 1, "person": None, "top": 1, "bottom": 1, "dress": None}
    assert found["person_iou"] == found["boundary_f"] == found["mean_garment_iou"] == 1
    assert "absent" in capsys.readouterr().out


def test_masks_that_are_a_little_beside_are_worse(score: Score, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    for path in (tmp_path / "masks").glob("*.png"):
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert mask is not None
        cv2.imwrite(str(tmp_path / "theirs" / path.name), np.roll(mask, 8, axis=1))
    found = score("--masks", str(tmp_path / "theirs"))
    assert found["person_iou"] == pytest.approx(32 / 48)  # 40 wide, 8 beside
    assert found["boundary_f"] != 1


def test_the_shipped_weights_are_scored_and_shown(score: Score, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    found = score("--html", str(page))
    assert found["pictures"] == 2
    assert np.sum(found["confusion"]) == 2 * 60 * 80  # type: ignore[call-overload]
    content = page.read_text()
    assert f"{DEFAULT_WEIGHTS.name} on set" in content
    assert "data:image/" in content


def test_every_picture_is_browsed_the_worst_first_by_any_garment(score: Score, tmp_path: Path) -> None:
    page = tmp_path / "browse.html"
    score("--masks", str(tmp_path / "masks"), "--browse", str(page))
    content = page.read_text()
    assert content.count("<figure ") == 2
    assert 'data-name="1" data-garments="1.0000" data-top="1.0000" data-bottom="1.0000"' in content
    assert "data-dress" not in content.split("<script>")[0]


def test_a_missing_mask_is_one_sentence(score: Score, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    with pytest.raises(SystemExit, match=r"0\.png"):
        score("--masks", str(tmp_path / "theirs"))


def test_corrected_labels_are_scored_beside_those_that_are_as_they_were(
    score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wrong.yaml").write_text("- {name: '0', labelled: bottom, is: top, why: all of it is a coat}\n")
    with (tmp_path / "set.yaml").open("a") as file:
        file.write(f"corrections: {tmp_path / 'wrong.yaml'}\n")
    found = score("--masks", str(tmp_path / "masks"))
    assert found["iou"]["bottom"] == pytest.approx(1 / 2)  # type: ignore[index]
    written = msgspec.json.decode((tmp_path / "out.json").read_bytes())
    assert written["as_labelled"]["iou"]["bottom"] == 1
    assert "labels as they are: bottom IoU" in capsys.readouterr().out


def test_made_crowds_are_scored_by_how_far_people_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    mask = np.zeros((240, 160), np.uint8)
    mask[20:220, 60:100] = CLASSES.index("top")
    cv2.imwrite(str(tmp_path / "images/a.png"), np.full((240, 160, 3), 90, np.uint8))
    cv2.imwrite(str(tmp_path / "masks/a.png"), mask)
    (tmp_path / "crowds.yaml").write_text(f"data: {{layout: folder, root: {tmp_path}}}\ncrowds: {{}}\nframes: 6\n")
    out = tmp_path / "out.json"
    monkeypatch.setattr(sys, "argv", ["evaluate", "--crowds", str(tmp_path / "crowds.yaml"), "--json", str(out)])
    evaluate.main()
    crowds = msgspec.json.decode(out.read_bytes())["crowds"]
    assert crowds["pictures"]["pictures"] == 6
    assert set(crowds["found"]) == {"far", "mid", "near"}
    assert "called a person where no one is" in capsys.readouterr().out
