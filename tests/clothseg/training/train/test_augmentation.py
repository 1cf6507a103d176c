"""A varied picture and its mask stay one thing; all chance comes from the generator that is handed in."""

import msgspec
import numpy as np
import pytest
import torch

from clothseg.labels import BACKGROUND, BOTTOM, IGNORE, PERSON, TOP
from clothseg.training.samples import Sample
from clothseg.training.train.augmentation import Augmentation, empty_place, foreground_box, make_batch

STILL = Augmentation(
    half_body=0,
    new_background=0,
    flat_lay=0,
    empty=0,
    exposure=0,
    white_balance=0,
    saturation=(1, 1),
    noisy=0,
    blurred=0,
    compressed=0,
)
SHADES = {BACKGROUND: 20, PERSON: 90, TOP: 160, BOTTOM: 230}


def person() -> Sample:
    """An upright figure whose classes are shades of grey, so that a picture tells what its mask must be."""
    mask = np.zeros((240, 160), np.uint8)
    mask[20:220, 60:100] = PERSON
    mask[60:120, 60:100], mask[120:190, 60:100] = TOP, BOTTOM
    picture = np.vectorize(SHADES.get)(mask).astype(np.uint8)
    return Sample("figure", np.repeat(picture[:, :, None], 3, 2), mask)


def batch(settings: Augmentation, seed: int = 0, count: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    return make_batch([person()] * count, [person()], (96, 128), settings, np.random.default_rng(seed))


def interior(region: torch.Tensor) -> torch.Tensor:
    """A region (H, W) without the two pixels at its edge."""
    return torch.nn.functional.max_pool2d((~region)[None].float(), 5, 1, 2)[0] == 0


def classes(labels: torch.Tensor) -> set[int]:
    return {int(index) for index in np.unique(labels.numpy())}


def test_pictures_and_masks_move_alike() -> None:
    pictures, labels = batch(STILL)
    assert pictures.shape == (8, 96, 128, 3)
    assert labels.shape == (8, 96, 128)
    right = torch.zeros_like(labels, dtype=torch.bool)
    for index, shade in SHADES.items():
        right |= (labels == index) & ((pictures[..., 0].int() - shade).abs() < 20)
    assert right.float().mean() > 0.93  # the rest are blended edges, and the gamma moves shades


def test_what_is_framed_already_stays_where_it_is_and_comes_last() -> None:
    mask = np.zeros((96, 128), np.uint8)
    mask[40:60, 50:70] = TOP
    framed = Sample("crowd", np.full((96, 128, 3), 120, np.uint8), mask)
    settings = msgspec.structs.replace(STILL, empty=1)  # which empties the others
    pictures, labels = make_batch(
        [person()] * 2, [person()], (96, 128), settings, np.random.default_rng(0), framed=[framed]
    )
    assert pictures.shape == (3, 96, 128, 3)
    assert torch.equal(labels[2], torch.from_numpy(mask).long())
    assert classes(labels[:2]) == {BACKGROUND}


def test_it_moves_them_at_all() -> None:
    _, labels = batch(STILL)
    assert len({tuple(foreground_box(mask.numpy().astype(np.uint8))) for mask in labels}) > 4


def test_the_same_generator_gives_the_same_batch_and_another_another() -> None:
    one, again, other = (batch(Augmentation(), seed)[0] for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_half_body_framing_cuts_the_legs_as_a_webcam_does() -> None:
    _, whole = batch(STILL, count=16)
    _, half = batch(Augmentation(half_body=1), count=16)

    def at_the_lower_edge(labels: torch.Tensor) -> float:
        return float((labels[:, -4:] != BACKGROUND).any(2).any(1).float().mean())

    assert at_the_lower_edge(half) > 0.9
    assert at_the_lower_edge(whole) < 0.5


def test_garments_laid_flat_have_no_one_in_them() -> None:
    _, labels = batch(Augmentation(empty=0, flat_lay=1, half_body=0))
    assert classes(labels) == {BACKGROUND, TOP, BOTTOM}


def test_an_empty_place_is_all_background() -> None:
    pictures, labels = batch(msgspec.structs.replace(STILL, empty=1))
    assert classes(labels) == {BACKGROUND}
    assert (pictures[..., 0].int() - SHADES[BACKGROUND]).abs().max() < 25


def test_a_new_background_leaves_the_figure_and_its_labels() -> None:
    settings = msgspec.structs.replace(STILL, new_background=1)
    bright = person()
    bright.picture[bright.mask == BACKGROUND] = 250
    pictures, labels = make_batch([person()] * 4, [bright], (96, 128), settings, np.random.default_rng(0))
    assert classes(labels) == {BACKGROUND, PERSON, TOP, BOTTOM}
    shade = pictures[..., 0].int()
    assert shade[labels == BACKGROUND].float().mean() > 230
    assert (shade[labels == PERSON] - SHADES[PERSON]).abs().float().median() < 25


def test_dyed_garments_take_other_colours_each_its_own_and_nothing_else_does() -> None:
    _, labels = batch(STILL)
    dyed, same = batch(msgspec.structs.replace(STILL, dyed=1))
    assert torch.equal(labels, same)
    for garment in (TOP, BOTTOM):
        colours = [
            picture[mask == garment].float().median(0).values for picture, mask in zip(dyed, labels, strict=True)
        ]
        assert torch.stack(colours).std(0).min() > 25
    for picture, mask in zip(dyed, labels, strict=True):
        undyed = picture[interior((mask == BACKGROUND) | (mask == PERSON))].int()
        assert (undyed.amax(1) - undyed.amin(1)).max() <= 2  # grey, as all is before


def test_a_dyed_garment_keeps_its_folds() -> None:
    sample = person()
    folded = sample.picture.copy()
    folded[60:120, 60:100:2] -= 60
    settings = msgspec.structs.replace(STILL, dyed=1)
    folds = []
    for picture in (sample.picture, folded):
        made, labels = make_batch(
            [Sample("figure", picture, sample.mask)], [sample], (240, 320), settings, np.random.default_rng(3)
        )
        folds.append(made[0][interior(labels[0] == TOP)].float().std(0).max())
    assert folds[1] > folds[0] + 5


def test_what_is_not_judged_stays_so() -> None:
    sample = person()
    sample.mask[100:140] = IGNORE
    _, labels = make_batch([sample], [person()], (96, 128), STILL, np.random.default_rng(0))
    assert (labels == IGNORE).any()
    assert classes(labels) <= {BACKGROUND, PERSON, TOP, BOTTOM, IGNORE}


@pytest.mark.parametrize("whole", [True, False])
def test_an_empty_place_shows_no_figure(whole: bool) -> None:
    sample = person()
    if whole:
        sample.mask[:] = TOP
    place = empty_place(sample, (48, 64), np.random.default_rng(0))
    assert place.shape == (48, 64, 3)
    assert place.dtype == np.uint8
    if not whole:
        assert (place == SHADES[BACKGROUND]).all()


def test_the_box_of_a_figure_and_of_none() -> None:
    assert foreground_box(person().mask) == (60, 20, 100, 220)
    assert foreground_box(np.zeros((4, 6), np.uint8)) == (0, 0, 6, 4)
