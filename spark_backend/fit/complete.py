"""The parts of the skin that no frame shows: from the other side of the face, then from their surroundings."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from ..protocol.avatar import Avatar
from .texels import TexelMap, surface_normals

MIRROR_REACH = 0.006
"""Metres by which the two halves of a head may differ."""
DARKEST = 2e-3


@dataclass(frozen=True)
class Diffusion:
    """Spreads values over the surface of the skin."""

    avatar: Avatar
    texels: TexelMap

    def spread(
        self,
        values: Float[np.ndarray, "N C"],
        confidence: Float[np.ndarray, "N"],
        prior: Float[np.ndarray, "C"] | float,
        pull: float = 1e-3,
    ) -> Float[np.ndarray, "N C"]:
        """Smooth values everywhere that follow the given ones as far as these are trusted, else `prior` by `pull`.

        Solves for the vertices: screened Laplace equation with uniform weights.
        """
        count = len(self.avatar.neutral)
        corner = self.avatar.faces[self.texels.face]
        mass, total = np.zeros(count), np.zeros((count, values.shape[1]))
        for k in range(3):
            share = self.texels.bary[:, k] * confidence
            np.add.at(mass, corner[:, k], share)
            np.add.at(total, corner[:, k], share[:, None] * values)
        mean = total / mass.clip(1e-9)[:, None]
        # A vertex with a few dozen trusted texels is known.
        known = 1 - np.exp(-mass / 8)
        system = edge_laplacian(self.avatar.faces, count) + diags_array(20 * known + pull)
        right = (20 * known)[:, None] * mean + pull * np.broadcast_to(prior, (count, values.shape[1]))
        solved = spsolve(system.tocsc(), right).reshape(count, -1)
        return self.texels.at(solved, self.avatar.faces)


def edge_laplacian(faces: Int[np.ndarray, "F 3"], count: int) -> csr_array:
    """Degree minus adjacency of the mesh's edges, symmetric."""
    ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    a, b = np.unique(ends, axis=0).T
    adjacency = coo_array((np.ones(2 * len(a)), (np.r_[a, b], np.r_[b, a])), shape=(count, count)).tocsr()
    return csr_array(diags_array(adjacency.sum(1)) - adjacency)


def mirror_texels(
    points: Float[np.ndarray, "N 3"], normals: Float[np.ndarray, "N 3"], middle: float
) -> tuple[Int[np.ndarray, "N"], Bool[np.ndarray, "N"]]:
    """For each texel the nearest one to its mirror image about x = `middle`, and whether it is near enough.

    Normals take part, so that a lip does not meet the other lip.
    """
    reach = 0.004
    features = np.concatenate([points - (middle, 0, 0), reach * normals], 1).astype(np.float32)
    flip = np.array([-1, 1, 1, -1, 1, 1], np.float32)
    distance, index = cKDTree(features, balanced_tree=False, compact_nodes=False).query(
        features * flip, distance_upper_bound=MIRROR_REACH
    )
    found = np.isfinite(distance)
    return np.where(found, index, 0), found


def borrow_other_side(
    diffusion: Diffusion, colour: Float[np.ndarray, "N 3"], confidence: Float[np.ndarray, "N"], middle: float
) -> tuple[Float[np.ndarray, "N 3"], Float[np.ndarray, "N"]]:
    """Fills what is badly seen with what the other side shows, brought to this side's tone."""
    avatar, texels = diffusion.avatar, diffusion.texels
    points = texels.at(avatar.neutral, avatar.faces)
    normals = texels.at(surface_normals(avatar.neutral, avatar.faces), avatar.faces)
    other, found = mirror_texels(points, normals, middle)
    there = np.where(found, confidence[other], 0) * 0.8
    log = np.log(colour.clip(DARKEST))
    difference = np.where(found[:, None], log - log[other], 0)
    shift = diffusion.spread(difference.clip(-0.5, 0.5), confidence * there, 0.0, 0.05)
    borrowed = np.exp(log[other] + shift)
    lack = np.clip(1 - confidence / 0.5, 0, 1)
    share = lack * there / (lack * there + confidence + 1e-6)
    mixed = colour + share[:, None] * (borrowed - colour)
    return mixed, np.maximum(confidence, lack * there)
