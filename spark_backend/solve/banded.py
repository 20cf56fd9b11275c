"""Linear algebra of the solver: frames in a band, what all frames share as a border.

The normal matrix has one dense block a frame, equal-variable coupling to the next two frames (second differences) and a
dense border for identity and focal lengths. The band is factorised by LAPACK's banded Cholesky; the border goes by its
Schur complement.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve_banded, cholesky_banded, solve


@dataclass(frozen=True)
class NormalEquations:
    """`H step = -gradient` in its parts, float64."""

    blocks: np.ndarray
    """(T, D, D)"""
    near: np.ndarray
    """(T, D) coupling of a variable with itself in the next frame; the last row is 0."""
    far: np.ndarray
    """(T, D) the same two frames on."""
    gradient: np.ndarray
    """(T, D)"""
    border: np.ndarray
    """(T, D, G)"""
    corner: np.ndarray
    """(G, G)"""
    corner_gradient: np.ndarray
    """(G,)"""


def solve_step(equations: NormalEquations, damping: float, fixed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Step of the frames (T, D) and of the shared variables (G,), Levenberg's `damping` times the diagonal added.

    `fixed` (T, D) variables do not move: they lie on a bound and would leave it. Raises `numpy.linalg.LinAlgError` when
    the damped matrix is not positive definite.
    """
    count, size = equations.gradient.shape
    band = assemble_band(equations, damping, fixed)
    free = ~fixed
    right = -(equations.gradient * free).reshape(-1, 1)
    border = (equations.border * free[..., None]).reshape(count * size, -1)
    factor = cholesky_banded(band, lower=True, overwrite_ab=True, check_finite=False)
    solved = cho_solve_banded((factor, True), np.concatenate([right, border], 1), check_finite=False)
    if border.shape[1] == 0:
        return solved[:, 0].reshape(count, size), np.zeros(0)
    corner = equations.corner + damping * np.diag(np.diag(equations.corner))
    schur = corner - border.T @ solved[:, 1:]
    shared = solve(schur, -equations.corner_gradient - border.T @ solved[:, 0], assume_a="pos")
    return (solved[:, 0] - solved[:, 1:] @ shared).reshape(count, size), shared


def assemble_band(equations: NormalEquations, damping: float, fixed: np.ndarray) -> np.ndarray:
    """(2 D + 1, T D) lower band as LAPACK stores it: row k holds the k-th diagonal below the main one."""
    count, size = equations.gradient.shape
    band = np.zeros((2 * size + 1, count * size))
    free = ~fixed
    blocks = equations.blocks * (free[:, :, None] & free[:, None, :])
    for below in range(size):
        diagonal = np.einsum("tii->ti", blocks[:, below:, : size - below])
        band[below].reshape(count, size)[:, : size - below] = diagonal
    main = band[0].reshape(count, size)
    main *= 1 + damping
    main[fixed] = 1
    if count > 1:
        band[size].reshape(count, size)[:-1] = (equations.near * free)[:-1] * free[1:]
    if count > 2:
        band[2 * size].reshape(count, size)[:-2] = (equations.far * free)[:-2] * free[2:]
    return band
