"""Displacements in coordinates in which gradient steps are smooth.

Large Steps in Inverse Rendering (Nicolet, Jacobson, Jakob 2021): offsets are `(I + stiffness L)^-1 u` with the
combinatorial Laplacian `L`, and `u` is what a first-order method moves. A picture's noise then spreads over the
neighbourhood instead of crumpling the surface, and a step reaches as far as the kernel.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix, csc_matrix, diags, identity
from scipy.sparse.linalg import SuperLU, splu
from torch import Tensor
from torch.autograd.function import once_differentiable


@dataclass(frozen=True)
class Smoother:
    """`I + stiffness L` of a mesh, factorised."""

    matrix: csc_matrix
    factor: SuperLU

    def __call__(self, coordinates: Float[Tensor, "V 3"]) -> Float[Tensor, "V 3"]:
        """Coordinates to offsets; differentiable."""
        return Smooth.apply(coordinates, self.factor)

    def inverse(self, offsets: Float[Tensor, "V 3"]) -> Float[Tensor, "V 3"]:
        """The coordinates of offsets."""
        return torch.as_tensor(self.matrix @ offsets.detach().double().numpy(), dtype=offsets.dtype)


class Smooth(torch.autograd.Function):
    """The solve; the matrix is symmetric, so its backward pass is the same solve."""

    @staticmethod
    def forward(ctx: Any, coordinates: Tensor, factor: SuperLU) -> Tensor:
        ctx.factor = factor
        return solve(factor, coordinates)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return solve(ctx.factor, gradient), None


def solve(factor: SuperLU, right: Float[Tensor, "V 3"]) -> Float[Tensor, "V 3"]:
    """One solve in float64; on the CPU, where the factor is."""
    solved = factor.solve(np.ascontiguousarray(right.detach().cpu().double().numpy()))
    return torch.as_tensor(solved, dtype=right.dtype, device=right.device)


def smoother(faces: Int[np.ndarray, "F 3"], vertices: int, stiffness: float) -> Smoother:
    """Of a mesh of `vertices` points; a step reaches about the root of `stiffness` in edges."""
    matrix = (identity(vertices) + stiffness * graph_laplacian(faces, vertices)).tocsc()
    return Smoother(matrix, splu(matrix, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}))


def graph_laplacian(faces: Int[np.ndarray, "F 3"], vertices: int) -> csc_matrix:
    """(V, V): the number of neighbours on the diagonal, -1 for each of them."""
    start, end = faces[:, [0, 1, 2, 1, 2, 0]].ravel(), faces[:, [1, 2, 0, 0, 1, 2]].ravel()
    joined = coo_matrix((np.ones(len(start)), (start, end)), (vertices, vertices)).tocsc()
    joined.data[:] = 1
    return (diags(np.asarray(joined.sum(1)).ravel()) - joined).tocsc()
