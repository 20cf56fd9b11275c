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
EVEN_BRIGHTNESS, EVEN_HUE = 0.3, 0.5
"""Parts of the smooth departures from a usual skin that are taken for light's."""


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
        stiffness: float = 0.05,
    ) -> Float[np.ndarray, "N C"]:
        """Smooth values everywhere that follow the given ones as far as these are trusted, else `prior` by `pull`.

        Solves for the vertices: screened Laplace equation with uniform weights. Known values are smoothed over about
        the square root of `stiffness` edges.
        """
        count = len(self.avatar.neutral)
        corner = self.avatar.faces[self.texels.face]
        share = (self.texels.bary * confidence[:, None]).ravel()
        mass = np.bincount(corner.ravel(), share, count)
        columns = [np.bincount(corner.ravel(), share * np.repeat(column, 3), count) for column in values.T]
        total = np.stack(columns, 1)
        mean = total / mass.clip(1e-9)[:, None]
        # A vertex with a few dozen trusted texels is known.
        known = 1 - np.exp(-mass / 8)
        system = edge_laplacian(self.avatar.faces, count) + diags_array(known / stiffness + pull)
        right = (known / stiffness)[:, None] * mean + pull * np.broadcast_to(prior, (count, values.shape[1]))
        solved = spsolve(system.tocsc(), right).reshape(count, -1)
        return self.texels.at(solved, self.avatar.faces)

    def smoothed(self, values: Float[np.ndarray, "V C"], stiffness: float = 0.4) -> Float[np.ndarray, "V C"]:
        """Values of the vertices, smoothed over about the square root of `stiffness` edges."""
        count = len(self.avatar.neutral)
        system = edge_laplacian(self.avatar.faces, count) * stiffness + diags_array(np.ones(count))
        return spsolve(system.tocsc(), values).reshape(count, -1)


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


@dataclass(frozen=True)
class Mirror:
    """Which texel lies on the other side of the face."""

    other: Int[np.ndarray, "N"]
    found: Bool[np.ndarray, "N"]


def find_mirror(avatar: Avatar, texels: TexelMap, middle: float) -> Mirror:
    """Mirror images of the texels about x = `middle` in the rest pose."""
    normals = texels.at(surface_normals(avatar.neutral, avatar.faces), avatar.faces)
    return Mirror(*mirror_texels(texels.at(avatar.neutral, avatar.faces), normals, middle))


def even_sides(
    diffusion: Diffusion, mirror: Mirror, colour: Float[np.ndarray, "N 3"], confidence: Float[np.ndarray, "N"]
) -> Float[np.ndarray, "N 3"]:
    """Takes the smooth difference of tone between the sides out: people are alike on both sides, light is not."""
    log = np.log(colour.clip(DARKEST))
    both = np.where(mirror.found, confidence * confidence[mirror.other], 0)
    difference = np.where(mirror.found[:, None], log - log[mirror.other], 0).clip(-0.5, 0.5)
    lean = diffusion.spread(difference, both, 0.0, 0.05, stiffness=25.0)
    return colour * np.exp(-0.5 * lean)


def even_tone(
    diffusion: Diffusion,
    colour: Float[np.ndarray, "N 3"],
    confidence: Float[np.ndarray, "N"],
    expected: Float[np.ndarray, "N 3"],
) -> Float[np.ndarray, "N 3"]:
    """Takes a part of the smooth departures from the expected skin out, more of hue than of brightness.

    They are partly the person's and partly what a light to degree 2 cannot explain. Places that are not like skin must
    have no confidence.
    """
    ratio = (np.log(colour.clip(DARKEST)) - np.log(expected.clip(DARKEST))).clip(-0.5, 0.5)
    middle = np.average(ratio, axis=0, weights=confidence + 1e-9)
    smooth = diffusion.spread(ratio - middle, confidence, 0.0, 0.05, stiffness=25.0)
    brightness = smooth.mean(1, keepdims=True)
    return colour * np.exp(-EVEN_BRIGHTNESS * brightness - EVEN_HUE * (smooth - brightness))


def borrow_other_side(
    diffusion: Diffusion, mirror: Mirror, colour: Float[np.ndarray, "N 3"], confidence: Float[np.ndarray, "N"]
) -> tuple[Float[np.ndarray, "N 3"], Float[np.ndarray, "N"]]:
    """Fills what is badly seen with what the other side shows, brought to this side's tone; the new confidence."""
    other, found = mirror.other, mirror.found
    there = np.where(found, confidence[other], 0) * 0.8
    log = np.log(colour.clip(DARKEST))
    difference = np.where(found[:, None], log - log[other], 0)
    shift = diffusion.spread(difference.clip(-0.5, 0.5), confidence * there, 0.0, 0.05)
    borrowed = np.exp(log[other] + shift)
    lack = np.clip(1 - confidence / 0.5, 0, 1)
    share = lack * there / (lack * there + confidence + 1e-6)
    mixed = colour + share[:, None] * (borrowed - colour)
    return mixed, np.maximum(confidence, lack * there)
