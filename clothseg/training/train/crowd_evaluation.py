"""Scores a model on crowds, near and far, made of labelled people, always the same."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from clothseg.labels import BACKGROUND
from clothseg.training.eval.evaluation import Case, case_of
from clothseg.training.eval.metrics import Metrics, MetricsAccumulator, confusion, person_iou
from clothseg.training.eval.predictors import Predictor
from clothseg.training.samples import DataSet, Sample, decode_path, read
from clothseg.training.train.crowds import Crowd, CrowdMaker, Crowds

SIZES: Final = ((480, 640), (432, 768), (640, 480), (540, 720))  # (H, W), one after the other
REACHES: Final = {"far": (0.0, 1 / 3), "mid": (1 / 3, 2 / 3), "near": (2 / 3, np.inf)}  # heights, of the frame's
FOUND: Final = 0.5  # share of a person's visible pixels that must be labelled a person's
_SEEN: Final = 0.0004  # share of the frame from which a person counts as visible: 120 pixels of 640×480


class CrowdSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which crowds are made to score on: of which photos, how many and from which seed."""

    data: DataSet
    crowds: Crowds
    frames: int = 60
    seed: int = 1


class CrowdReport(msgspec.Struct, frozen=True):
    """The measures on made crowds; shares in 0..1, none where there was nothing to measure."""

    pictures: Metrics
    people: dict[str, int]  # who is seen, by how far they are: REACHES
    found: dict[str, float | None]  # share of them that is found
    person_iou_by_people: dict[int, float | None]  # by how many are in the frame
    false_person: float  # share of the pixels without people that are labelled a person's


class CrowdEvaluation(NamedTuple):
    """The measures, and all frames as cases, the worst first."""

    report: CrowdReport
    cases: list[Case]


def read_crowd_set(path: Path) -> CrowdSet:
    """Read a description of crowds to score on, YAML; ValueError for anything else."""
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=CrowdSet, dec_hook=decode_path)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}: {error}; crowds to score on have data, crowds, frames and seed") from None


def make_crowds(made: CrowdSet) -> Iterator[Crowd]:
    """The crowds of a description: the same ones every time."""
    samples = list(read(made.data))
    maker = CrowdMaker(made.crowds, samples, np.full(len(samples), 1 / len(samples)))
    for number in range(made.frames):
        yield maker.make(SIZES[number % len(SIZES)], np.random.default_rng((made.seed, number)))


def score_crowds(made: CrowdSet, predict: Predictor, tick: Callable[[], None]) -> CrowdEvaluation:
    """Score every crowd. Raises ValueError where the photos show no whole figure."""
    scores, cases = MetricsAccumulator(), []
    people: dict[str, list[bool]] = {reach: [] for reach in REACHES}
    tables: dict[int, npt.NDArray[np.int64]] = {}
    for number, crowd in enumerate(make_crowds(made)):
        sample = Sample(f"crowd {number}", crowd.picture, crowd.mask)
        found = predict(sample)
        scores.add(sample.mask, found.parts, found.alpha, found.confidence)
        for reach, answers in found_people(crowd, found.parts).items():
            people[reach] += answers
        count = len(crowd.heights)
        tables[count] = tables.get(count, 0) + confusion(sample.mask, found.parts)
        if (case := case_of(sample, found)) is not None:
            cases.append(case)
        tick()
    empty = np.sum(list(tables.values()), axis=0)[BACKGROUND]
    return CrowdEvaluation(
        CrowdReport(
            pictures=scores.report(),
            people={reach: len(answers) for reach, answers in people.items()},
            found={reach: float(np.mean(answers)) if answers else None for reach, answers in people.items()},
            person_iou_by_people={count: person_iou(table) for count, table in sorted(tables.items())},
            false_person=float(1 - empty[BACKGROUND] / empty.sum()),
        ),
        sorted(cases, key=lambda case: case.iou),
    )


def found_people(crowd: Crowd, parts: npt.NDArray[np.uint8]) -> dict[str, list[bool]]:
    """Return whether each visible person is found, by distance: half of their visible pixels are a person's."""
    answers: dict[str, list[bool]] = {reach: [] for reach in REACHES}
    for number, height in enumerate(crowd.heights, start=1):
        seen = crowd.people == number
        if np.count_nonzero(seen) < _SEEN * seen.size:
            continue
        reach = next(name for name, (low, high) in REACHES.items() if low <= height < high)
        answers[reach].append(bool(np.mean(parts[seen] != BACKGROUND) >= FOUND))
    return answers
