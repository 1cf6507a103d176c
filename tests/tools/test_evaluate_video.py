"""One command scores a clip: its JSON, its page and its video are there and say the same."""

import subprocess
import sys
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/evaluate_video.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)})


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Eight pictures of a figure that moves, and the masks that belong to them."""
    rng = np.random.default_rng(0)
    wall = cv2.resize(rng.integers(90, 200, (12, 16, 3), dtype=np.uint8), (160, 120))
    for name in ("pictures", "masks"):
        (tmp_path / name).mkdir()
    for index in range(8):
        mask = np.zeros((120, 160), np.uint8)
        cv2.ellipse(mask, (60 + 3 * index, 70), (20, 45), 0, 0, 360, 255, -1)
        picture = np.where(mask[..., None] > 0, np.array((30, 40, 160), np.uint8), wall)
        cv2.imwrite(str(tmp_path / f"pictures/{index:03d}.png"), picture)
        cv2.imwrite(str(tmp_path / f"masks/{index:03d}.png"), mask)
    return tmp_path


@pytest.mark.timeout(180)
def test_a_clip_with_truth_and_masks_made_elsewhere(clip: Path) -> None:
    masks = str(clip / "masks")
    out = [
        f"--{kind}={clip / f'scores.{ending}'}"
        for kind, ending in (("json", "json"), ("html", "html"), ("video", "mp4"))
    ]
    done = run(str(clip / "pictures"), "--truth", masks, "--masks", masks, *out)
    assert done.returncode == 0, done.stderr
    scores = msgspec.json.decode((clip / "scores.json").read_bytes())
    assert set(scores) == {"raw", "smoothed", "given"}
    expected = {
        "iou",
        "dtssd",
        "warp_disagreement",
        "boundary_f",
        "lag_frames",
        "flips_per_minute",
        "ghost",
        "ms_per_frame",
    }
    assert {name for maker in scores.values() for of_class in maker.values() for name in of_class} == expected
    # The truth given as masks is perfect; it knows nothing of garments, so nothing is said of them.
    assert scores["given"]["person"]["iou"] == 1
    assert scores["given"]["person"]["dtssd"] == 0
    assert scores["raw"]["top"]["iou"] is None
    assert scores["smoothed"]["person"]["ms_per_frame"] > 0
    assert (clip / "scores.html").read_text().count("data:image/jpeg") == 4
    video = cv2.VideoCapture(str(clip / "scores.mp4"))
    assert (video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_COUNT)) == (4 * 160, 8)


@pytest.mark.timeout(120)
def test_a_truth_that_is_too_short_is_named(clip: Path) -> None:
    (clip / "masks/007.png").unlink()
    done = run(str(clip / "pictures"), "--truth", str(clip / "masks"))
    assert done.returncode != 0
    assert "one PNG a frame is needed" in done.stderr


@pytest.mark.timeout(180)
def test_the_curve_shows_other_settings_and_truth_itself(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for index in range(2):
        mask = np.zeros((160, 120), np.uint8)
        mask[20:80, 40:80], mask[80:150, 40:80] = 2, 3
        cv2.imwrite(str(tmp_path / f"images/{index}.png"), rng.integers(0, 256, (160, 120, 3), dtype=np.uint8))
        cv2.imwrite(str(tmp_path / f"masks/{index}.png"), mask)
    stills = tmp_path / "stills.yaml"
    stills.write_text(f"{{layout: folder, root: {tmp_path}}}")
    done = run("animated:slow:1", "--stills", str(stills), "--seconds", "0.1", "--curve")
    assert done.returncode == 0, done.stderr
    rows = {line.split("│")[1].strip(): line for line in done.stdout.splitlines() if line.startswith("│")}
    assert {"smoothed", "no matting", "tolerance 6", "along the reference flow, 400 ms"} <= rows.keys()
    assert rows["truth itself"].split("│")[3].strip() == "0 | 0"  # its steps are truth's


@pytest.mark.timeout(120)
def test_the_curve_of_a_filmed_clip_goes_along_the_flow_that_judges_it(clip: Path, tmp_path: Path) -> None:
    webcam = tmp_path / "webcam.mkv"
    first = cv2.imread(str(next((clip / "pictures").glob("*.png"))))
    writer = cv2.VideoWriter(str(webcam), cv2.VideoWriter.fourcc(*"MJPG"), 25, first.shape[1::-1])
    for path in sorted((clip / "pictures").glob("*.png")):
        writer.write(cv2.imread(str(path)))
    writer.release()
    done = run(str(webcam), "--curve", "--json", str(tmp_path / "scores.json"))
    assert done.returncode == 0, done.stderr
    scores = msgspec.json.decode((tmp_path / "scores.json").read_bytes())
    assert {"raw", "smoothed", "along the reference flow, 100 ms"} <= scores.keys()
    assert "truth itself" not in scores


def test_no_clip_is_refused() -> None:
    done = run()
    assert done.returncode == 2
    assert "name a CLIP" in done.stderr
