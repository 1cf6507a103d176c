"""The samples of all data sets, decoded, in memory, drawn by weight."""

import hashlib
from collections.abc import Sequence

import numpy as np

from clothseg.training.samples import DataSet, Sample, downscale, read

_EXAMPLES: float = 0.003  # share of a picture from which a dress is there


class SamplePool:
    """Labelled pictures at about `keep_px` pixels each, and the chance of each to be drawn."""

    def __init__(self, sets: Sequence[DataSet], keep_px: int) -> None:
        self.samples: list[Sample] = []
        weights: list[float] = []
        digest = hashlib.sha256()
        for data in sets:
            dress = data.classes.index("dress") if "dress" in data.classes else -1
            for sample in read(data):
                small = downscale(sample, keep_px)
                self.samples.append(small)
                dressed = np.count_nonzero(small.mask == dress) > _EXAMPLES * small.mask.size
                weights.append(data.weight * (data.dress_weight if dressed else 1))
                digest.update(sample.name.encode() + small.picture.tobytes() + small.mask.tobytes())
        if sum(weights) <= 0:
            raise ValueError("no sample can be drawn; name a data set with a weight above 0")
        self.chances = np.array(weights) / sum(weights)
        self.hash = digest.hexdigest()

    def draw(self, count: int, rng: np.random.Generator) -> list[Sample]:
        """Some samples, by weight."""
        return [self.samples[i] for i in rng.choice(len(self.samples), count, p=self.chances)]
