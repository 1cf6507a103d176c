"""Drawn figures are written as a data set that trains as it is."""

from pathlib import Path

import numpy as np

from clothseg.labels import BOTTOM, DRESS, PERSON, TOP
from clothseg.training.samples import DataSet, read
from clothseg.training.train.pseudo_labels import write_samples
from stream.sources.synthetic import SHIRT
from tools.draw_figures import figures


def test_every_figure_has_its_labels_and_half_of_them_other_garments(tmp_path: Path) -> None:
    assert write_samples(figures(np.random.default_rng(7)), tmp_path) == 40
    samples = list(read(DataSet(layout="folder", root=tmp_path)))
    assert len(samples) == 40
    for sample in samples:
        assert {PERSON, TOP, BOTTOM, DRESS} <= set(np.unique(sample.mask).tolist())
    shirts = [np.median(sample.picture[sample.mask == TOP], axis=0) for sample in samples]
    as_shown = [np.abs(shirt - SHIRT).max() < 4 for shirt in shirts]  # JPEG
    assert as_shown == [True, False] * 20
    assert len({tuple(shirt) for shirt in shirts[1::2]}) == 20
