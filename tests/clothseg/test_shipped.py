"""A path that begins with `configs/` is the user's where there is one, else what ships under that name."""

from __future__ import annotations

from pathlib import Path

import pytest

from clothseg import shipped
from tests.running import ROOT


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["configs/web.yaml", "configs/clips/again.mkv", "configs/garments"])
def test_what_ships_is_found_from_any_folder(elsewhere: Path, name: str) -> None:
    assert shipped.find(Path(name)) == ROOT / name


def test_a_users_own_file_goes_first(elsewhere: Path) -> None:
    own = elsewhere / "configs/web.yaml"
    own.parent.mkdir()
    own.touch()
    assert shipped.find(Path("configs/web.yaml")) == Path("configs/web.yaml")
    assert shipped.find(Path("configs/demo.yaml")) == ROOT / "configs/demo.yaml"


@pytest.mark.parametrize(
    "name", ["configs/none.yaml", "web.yaml", "mine/configs/web.yaml", "/configs/web.yaml", "configs/../README.md", ""]
)
def test_any_other_path_stays_what_it_is(elsewhere: Path, name: str) -> None:
    assert shipped.find(Path(name)) == Path(name)
