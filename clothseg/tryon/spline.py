"""Thin-plate spline: the smoothest map of the plane that takes given points to given points (Bookstein
1989)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Spline(NamedTuple):
    """centres (N, 2) the points mapped exactly; kernel_weights (N, 2); affine_weights (3, 2) of 1, x, y.

    The layout is that of `kornia.geometry.transform.warp_points_tps`, without the batch.
    """

    centres: Array
    kernel_weights: Array
    affine_weights: Array

    def __call__(self, points: Array) -> Array:
        """Where `points` (M, 2) go: (M, 2)."""
        bent = _kernel(points, self.centres) @ self.kernel_weights
        return np.asarray(bent + self.affine_weights[0] + points @ self.affine_weights[1:])


def solve(sources: Array, targets: Array, stiffness: float = 0.0) -> Spline:
    """The spline that takes `sources` (N, 2) to `targets` (N, 2), N ≥ 3 and not all on one line.

    `stiffness` ≥ 0, relative to the extent of `sources`: 0 meets every target exactly, more bends less.
    Raises numpy.linalg.LinAlgError if `sources` lie on one line or two of them coincide at stiffness 0.
    """
    count = len(sources)
    sides = np.column_stack([np.ones(count), sources])
    bend = _kernel(sources, sources) + stiffness * np.ptp(sources) ** 2 * np.eye(count)
    system, wanted = np.zeros((count + 3, count + 3)), np.zeros((count + 3, 2))
    system[:count, :count], system[:count, count:], system[count:, :count], wanted[:count] = (
        bend,
        sides,
        sides.T,
        targets,
    )
    weights = np.asarray(np.linalg.solve(system, wanted), np.float64)
    return Spline(sources, weights[:count], weights[count:])


def _kernel(points: Array, centres: Array) -> Array:
    """r² log r between `points` (M, 2) and `centres` (N, 2): (M, N)."""
    across, down = (np.subtract.outer(points[:, axis], centres[:, axis]) for axis in (0, 1))
    squared = across * across + down * down
    return np.asarray(0.5 * squared * np.log(np.where(squared > 0, squared, 1)))
