import kornia.geometry.transform as kornia
import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from clothseg.tryon.spline import solve

GRID = np.mgrid[:5, :5].reshape(2, -1).T.astype(np.float64)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(4, 24))
def test_it_is_the_thin_plate_spline_that_kornia_evaluates(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    sources, targets = (
        rng.permutation(GRID)[:count] * 100.0,
        rng.uniform(0, 500, (count, 2)),
    )
    if np.linalg.matrix_rank(sources - sources[0]) < 2:
        return
    spline = solve(sources, targets)

    # kornia's kernel and layout, with our weights, meets every target …
    def kornias(points: NDArray[np.float64]) -> NDArray[np.float64]:
        tensors = (
            torch.from_numpy(part)[None]
            for part in (points, spline.centres, spline.kernel_weights, spline.affine_weights)
        )
        return np.asarray(kornia.warp_points_tps(*tensors)[0].numpy())

    np.testing.assert_allclose(kornias(sources), targets, atol=1e-4)
    # … and no kernel reaches to infinity: together these hold for one spline only, the one of least bending
    assert np.abs(spline.kernel_weights.sum(axis=0)).max() < 1e-7
    assert np.abs(spline.kernel_weights.T @ sources).max() < 1e-4
    elsewhere = rng.uniform(-100, 600, (50, 2))
    np.testing.assert_allclose(spline(elsewhere), kornias(elsewhere), atol=1e-4)


def test_an_affine_map_is_met_without_bending() -> None:
    sources = np.random.default_rng(0).uniform(0, 300, (12, 2))
    spline = solve(sources, sources @ np.array([[0.9, 0.2], [-0.3, 1.1]]) + (5, 7))
    assert np.abs(spline.kernel_weights).max() < 1e-9


def test_stiffness_smooths_a_point_that_strays() -> None:
    sources = GRID * 100.0
    targets = sources.copy()
    targets[12] += (60, 0)
    loose, stiff = solve(sources, targets)(sources), solve(sources, targets, stiffness=0.5)(sources)
    assert abs(loose[12, 0] - targets[12, 0]) < 1e-6
    assert 0 < stiff[12, 0] - sources[12, 0] < 45
