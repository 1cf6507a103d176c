import subprocess
import sys
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from clothseg.labels import TOP
from clothseg.tryon import (
    BackgroundColour,
    BackgroundImage,
    Effect,
    EffectError,
    GarmentPhoto,
    Recolour,
    Texture,
    VideoLookup,
    apply_effects,
    open_effects,
)
from clothseg.tryon.part import Garment
from tests.clothseg.tryon.wearer import MS, wearer

GARMENTS = Path(__file__).parents[3] / "configs" / "garments"


def no_clip(path: Path) -> VideoLookup:
    raise EffectError(f"cannot open {path}")


def to_path(wanted: type, value: object) -> Path:
    assert wanted is Path
    return Path(str(value))


def test_settings_go_through_json_and_back() -> None:
    effects: list[Effect] = [BackgroundColour("#010203"), Texture("dress", Path("a.png"), 0.5)]
    text = msgspec.json.encode(effects, enc_hook=str)
    assert msgspec.json.decode(text, type=list[Effect], dec_hook=to_path) == effects


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b'{"effect":"sparkle"}', "sparkle"),
        (b'{"effect":"recolour","part":"a hat","colour":"#ffffff"}', "part"),
        (b'{"effect":"recolour","part":"top","colour":"red"}', "colour"),
        (b'{"effect":"recolour","part":"top","colour":"#ffffff","size":3}', "size"),
        (b'{"effect":"texture","part":"top","image":"a.png","size":9}', "size"),
    ],
)
def test_settings_that_say_something_else_are_refused(text: bytes, complaint: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=complaint):
        msgspec.json.decode(text, type=Effect, dec_hook=to_path)


def test_garments_are_drawn_on_top_of_the_background_whatever_the_order() -> None:
    picture, matte = wearer()
    results = []
    effects: list[Effect] = [BackgroundColour("#00ff00"), Recolour("top", "#ff0000")]
    for order in (effects, effects[::-1]):
        _, shown = apply_effects(open_effects(order, no_clip), None, picture, matte, 0)
        results.append(shown)
    assert (results[0] == results[1]).all()
    assert (results[0][matte.alpha == 0] == (0, 255, 0)).all()
    shirt = cv2.erode((matte.parts == TOP).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert np.median(results[0][shirt][:, 2]) > 150


def test_no_effect_leaves_the_picture() -> None:
    picture, matte = wearer()
    assert apply_effects((), None, picture, matte, 0) == ((), picture)


def test_states_of_two_cameras_do_not_meet() -> None:
    effects = open_effects([Recolour("top", "#a0a0a0")], no_clip)
    dark, light = wearer(shirt=(20, 20, 20)), wearer(shirt=(220, 220, 220))
    alone, _ = apply_effects(effects, None, *dark, 0)
    alone, expected = apply_effects(effects, alone, *dark, 33 * MS)
    one, _ = apply_effects(effects, None, *dark, 0)
    apply_effects(effects, None, *light, 0)
    _, shown = apply_effects(effects, one, *dark, 33 * MS)
    assert (shown == expected).all()


@pytest.mark.parametrize(
    "effect",
    [BackgroundImage(Path("none.png")), Texture("top", Path("none.png")), GarmentPhoto("top", Path("none.png"))],
)
def test_a_missing_picture_is_one_sentence(effect: Effect) -> None:
    with pytest.raises(EffectError, match=r"^cannot read the picture none.png: No such file or directory$"):
        open_effects([effect], no_clip)


def test_two_backgrounds_are_refused() -> None:
    with pytest.raises(EffectError, match="2 backgrounds are asked for, expected at most one"):
        open_effects([BackgroundColour(), BackgroundColour()], no_clip)


def test_a_photo_with_nothing_in_it_is_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.jpg"), np.full((80, 80, 3), 200, np.uint8))
    with pytest.raises(EffectError, match="shows no garment"):
        open_effects([GarmentPhoto("top", tmp_path / "a.jpg")], no_clip, lambda photo: np.zeros((80, 80), np.uint8))


def test_a_photo_without_alpha_is_cut_out(tmp_path: Path) -> None:
    garment = cv2.imread(str(GARMENTS / "tshirt-navy.png"), cv2.IMREAD_UNCHANGED)
    share = garment[:, :, 3:] / 255
    cv2.imwrite(str(tmp_path / "a.png"), (garment[:, :, :3] * share + 230 * (1 - share)).astype(np.uint8))
    picture, matte = wearer(shirt=(60, 160, 220))
    with_alpha = open_effects([GarmentPhoto("top", GARMENTS / "tshirt-navy.png")], no_clip)
    without = open_effects([GarmentPhoto("top", tmp_path / "a.png")], no_clip, lambda photo: garment[:, :, 3])
    one, two = (apply_effects(effects, None, picture, matte, 0)[1] for effects in (with_alpha, without))
    assert np.abs(one.astype(int) - two).mean() < 1
    assert (one != picture).mean() > 0.1


@pytest.mark.parametrize("name", sorted(path.stem for path in GARMENTS.glob("*.png")))
def test_every_garment_of_the_library_can_be_worn(name: str) -> None:
    card = msgspec.yaml.decode((GARMENTS / f"{name}.yaml").read_bytes(), type=dict[str, str])
    assert card.keys() == {"title", "part", "image", "licence"}
    effect = GarmentPhoto(msgspec.convert(card["part"], Garment), GARMENTS / card["image"])
    picture, matte = wearer(shirt=(60, 160, 220))
    _, shown = apply_effects(open_effects([effect], no_clip), None, picture, matte, 0)
    assert (shown != picture).any()
    assert (shown[matte.parts == 0] == picture[matte.parts == 0]).mean() > 0.97


def test_a_texture_follows_the_body_and_a_print_is_on_the_chest_only(tmp_path: Path) -> None:
    tile = np.zeros((64, 64, 4), np.uint8)
    tile[:, :, 3], tile[:, :32, 2], tile[:, 32:, 0] = 255, 230, 230
    cv2.imwrite(str(tmp_path / "tile.png"), tile)
    tiled = open_effects([Texture("top", tmp_path / "tile.png", 0.25)], no_clip)
    once = open_effects([Texture("top", tmp_path / "tile.png", 0.25, "once")], no_clip)
    shirts = []
    for middle in (200, 260):
        picture, matte = wearer(middle_px=middle)
        shirt = cv2.erode((matte.parts == TOP).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        shown = apply_effects(tiled, None, picture, matte, 0)[1]
        assert 0.35 < (shown[shirt][:, 2] > shown[shirt][:, 0]).mean() < 0.65
        shirts.append(shown[90:230, middle - 45 : middle + 45])
        printed = apply_effects(once, None, picture, matte, 0)[1]
        y, x = np.nonzero((printed != picture).any(axis=2))
        assert np.ptp(x) < 45
        assert x.mean() == pytest.approx(middle, abs=5)
        assert y.mean() == pytest.approx(120, abs=20)
    assert np.abs(shirts[0].astype(int) - shirts[1]).mean() < 12


def test_effects_need_neither_torch_nor_kornia_nor_av() -> None:
    code = "import sys, clothseg.tryon; print({'torch', 'kornia', 'av', 'openvino'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=50)
    assert found.stdout.strip() == "set()"


def test_no_rim_of_what_is_worn_is_left_where_its_edge_is_soft() -> None:
    wall, orange = (200, 200, 200), np.array((20, 120, 240))
    _, matte = wearer(shirt=(20, 120, 240), fold_depth=0)
    share = matte.alpha[..., None] / 255
    picture = (share * orange + (1 - share) * wall).astype(np.uint8)
    matte = matte._replace(foreground=np.broadcast_to(orange.astype(np.uint8), picture.shape).copy())
    _, shown = apply_effects(open_effects([Recolour("top", "#808080")], no_clip), None, picture, matte, 0)
    near_top = cv2.dilate((matte.parts == TOP).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    away = cv2.dilate(((matte.parts > 0) & (matte.parts != TOP)).astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    soft = near_top & ~away & (matte.alpha > 20) & (matte.alpha < 235)
    assert soft.sum() > 200
    assert np.ptp(shown[soft].astype(int), axis=1).max() < 12  # grey before grey: no orange between them


def test_a_print_goes_on_top_of_the_new_colour(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "red.png"), np.full((32, 32, 3), (0, 0, 255), np.uint8))
    picture, matte = wearer()
    both: list[Effect] = [Recolour("top", "#2030d0"), Texture("top", tmp_path / "red.png", 0.2, "once")]
    states, shown = apply_effects(open_effects(both, no_clip), None, picture, matte, 0)
    shirt = cv2.erode((matte.parts == TOP).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    red, blue = shown[..., 2] > shown[..., 0].astype(int) + 60, shown[..., 0] > shown[..., 2].astype(int) + 60
    assert 0.01 < (red & shirt).sum() / shirt.sum() < 0.2
    assert (blue & shirt).sum() / shirt.sum() > 0.75
    assert (shown[matte.alpha == 0] == picture[matte.alpha == 0]).all()
    assert apply_effects(open_effects(both, no_clip), states, picture, matte, 33 * MS)[1].shape == picture.shape
