"""Detail that the mesh is too coarse for, as slopes in tangent space: photometric stereo with a head that moves.

A head that turns in a light that stands still shows every place of its skin in several lights. What then changes is
slope, what stays is colour (Woodham 1980). Where the frames are too alike to tell, a little of what is darker or
lighter than its surroundings, in the same hue, is taken for slope (shape from shading). Slopes become heights by a
weighted Poisson equation, so that what no surface can be, noise most of all, falls out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import cg

from ..geometry.mesh import vertex_normals
from ..protocol.avatar import Avatar
from ..render.deferred import Topology, topology, vertex_tangents
from ..render.shading import spherical_harmonics
from .blend import Blend, smooth_over_map
from .fields import ramp
from .hair import brow_cover
from .light import IRRADIANCE, Lighting
from .paint import texel_spacing
from .subject import Subject, View
from .texels import TexelMap

STEEP = 0.10
"""Slope (tangent of the angle) that detail usually has."""
ROUNDS = 4
NOISE = 0.10
"""Of the logarithm of a well seen texel's brightness in one frame: compression, errors of tracking that many share."""
OUTLIER = 0.12
"""The same from which a frame counts less and less: highlights, cast shadows, hair."""
MOTTLED, HUE = 0.06, 0.06
"""Usual change of the skin's own brightness within `WIDE`, and the change of hue that makes a larger one likely
(logarithms)."""
DEEP = 0.007
"""Metres that a place lies deeper than its surroundings when it is darker by a factor of e."""
WIDE = 0.007
"""Metres: what is much wider than this is the mesh's."""
SHARED = 1.0 / 1024
"""Widths of the map over which neighbours share what they know."""
HAIRY = 0.003
"""Metres beside hair in which slopes are not believed."""
DARKEST = 2e-3
STEP = 0.05
"""Of the finite differences, radians."""
STEEPEST = 0.6
"""Slope at which the map stops."""


@dataclass(frozen=True)
class Patch:
    """The part of the skin whose slopes are looked for: `N` of the map's texels."""

    avatar: Avatar
    mesh: Topology
    rows: Int[np.ndarray, "N"]
    """Among the texels of the skin."""
    texels: TexelMap
    points: Float[np.ndarray, "N 3"]
    """At rest, metres."""
    colour: Float[np.ndarray, "N 3"]
    """Albedo as all frames together have it."""
    known: Bool[np.ndarray, "N"]
    """Where that is bare skin's."""
    wide: float
    """`WIDE` in texels."""

    def surplus(self, values: Float[np.ndarray, "N C"], known: Bool[np.ndarray, "N"]) -> Float[np.ndarray, "N C"]:
        """Values against the mean of their surroundings; 0 where they are not known."""
        around = smooth_over_map(self.texels, values.astype(np.float32), known, self.wide)
        return np.where(known[:, None], values - around, 0)


@dataclass(frozen=True)
class Axes:
    """Tangent space at the texels: unit vectors along u, along v and outwards."""

    tangent: Float[np.ndarray, "N 3"]
    bitangent: Float[np.ndarray, "N 3"]
    normal: Float[np.ndarray, "N 3"]


@dataclass(frozen=True)
class Evidence:
    """What the pictures say at each texel, in units of their noise."""

    matrix: Float[np.ndarray, "N 2 2"]
    right: Float[np.ndarray, "N 2"]
    """Normal equations of the slope from what changes between the frames."""
    brightening: Float[np.ndarray, "N 2"]
    """Change of the logarithm of the texel's mean brightness with its slope."""
    contrast: Float[np.ndarray, "N"]
    """Logarithm of how much brighter than its surroundings the texel is in the mean."""
    weight: Float[np.ndarray, "N"]
    """Of the contrast: how unlikely it is to be the skin's own colour."""


def find_slopes(
    subject: Subject,
    views: Sequence[View],
    shading: Sequence[Float[np.ndarray, "V 3"]],
    lighting: Lighting,
    merged: Blend,
    trust: Float[np.ndarray, "N"],
    told: Callable[[float], None] = lambda done: None,
) -> tuple[Float[np.ndarray, "N 2"], Float[np.ndarray, "N 3"]]:
    """How far the skin's normals lean along u and v (tangents of angles), and its albedo without what slopes explain.

    `shading` is what the light makes of white skin at the vertices in each view, `trust` in [0, 1] how far a place is
    bare skin. `told` hears how much is done.
    """
    slopes, albedo = np.zeros((len(trust), 2), np.float32), merged.colour.copy()
    patch = patch_of(subject, merged.colour, trust)
    evidence = weakened(patch, gather(patch, views, shading, lighting), trust[patch.rows])
    told(0.6)
    along = gradients(patch)
    heights = integrate(patch, evidence, along)
    found = -np.stack([operator @ heights for operator in along], 1)
    steepness = np.linalg.norm(found, axis=1, keepdims=True)
    slopes[patch.rows] = found * np.tanh(steepness / STEEPEST) * STEEPEST / steepness.clip(1e-9)
    albedo[patch.rows] *= np.exp(-(relighting(evidence, along) @ heights))[:, None]
    return slopes, albedo


def patch_of(subject: Subject, colour: Float[np.ndarray, "N 3"], trust: Float[np.ndarray, "N"]) -> Patch:
    """The texels with any trust."""
    rows = np.flatnonzero(trust > 0.02)
    avatar, texels = subject.avatar, subject.skin.chosen(rows)
    faces, uv_faces = torch.as_tensor(avatar.faces), torch.as_tensor(avatar.uv_faces)
    mesh = topology(faces, torch.as_tensor(avatar.uv).float(), uv_faces, len(avatar.neutral))
    points, colour = subject.points[rows], colour[rows].clip(DARKEST)
    beside = np.diff(texels.texel) == 1
    spacing = float(np.median(np.linalg.norm(np.diff(points, axis=0)[beside], axis=1)))
    return Patch(avatar, mesh, rows, texels, points, colour, trust[rows] > 0.3, WIDE / spacing)


def bare_skin(
    subject: Subject, merged: Blend, hair: Float[np.ndarray, "N"], skin_colour: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "N"]:
    """How far each texel is seen to be skin that no hair lies on or beside: hair is rough, whatever is under it."""
    spacing = texel_spacing(subject.avatar, subject.every)
    brows = brow_cover(subject.points, subject.anatomy, 1.6, spacing, 0)
    dark = ramp(merged.colour.mean(1) / skin_colour.mean(), 0.7, 0.45)
    rough = np.maximum(np.maximum(hair, brows), dark)[:, None].astype(np.float32)
    beside = smooth_over_map(subject.skin, rough, merged.confidence > 0.1, HAIRY / spacing)[:, 0]
    return (merged.confidence * ramp(beside, 0.2, 0.03)).astype(np.float32)


def gather(
    patch: Patch, views: Sequence[View], shading: Sequence[Float[np.ndarray, "V 3"]], lighting: Lighting
) -> Evidence:
    """Least squares over the frames, with the texel's own colour eliminated."""
    count = len(patch.rows)
    mass, rest, lean, cross = np.full(count, 1e-9), np.zeros(count), np.zeros((count, 2)), np.zeros((count, 2))
    square = np.zeros((count, 2, 2))
    for view, vertex_shading in zip(views, shading, strict=True):
        residual, seen = surprise(patch, view, vertex_shading)
        weight = seen / (1 + (residual / OUTLIER) ** 2) / NOISE**2
        slope = brightening(patch, view, lighting.harmonics[view.frame.clip])
        mass += weight
        rest += weight * residual
        lean += weight[:, None] * slope
        cross += (weight * residual)[:, None] * slope
        square += weight[:, None, None] * outer(slope)
    mean, centre = rest / mass, lean / mass[:, None]
    # What the frames' differences say ...
    matrix = square - mass[:, None, None] * outer(centre)
    right = cross - (mass * mean)[:, None] * centre
    # ... and what the texel's own brightness says, as far as it is not likely to be its colour.
    log = patch.surplus(np.log(patch.colour), patch.known)
    hue = np.abs(log - log.mean(1, keepdims=True)).sum(1)
    weight = 1 / (MOTTLED**2 * (1 + (hue / HUE) ** 2) + 1 / mass)
    return Evidence(matrix, right, centre, log.mean(1) + mean, weight)


def weakened(patch: Patch, evidence: Evidence, trust: Float[np.ndarray, "N"]) -> Evidence:
    """As far as it is trusted, shared among neighbours."""
    sums = np.concatenate([evidence.matrix.reshape(-1, 4), evidence.right], 1) * trust[:, None]
    sums = smooth_over_map(patch.texels, sums.astype(np.float32), patch.known, SHARED * patch.texels.size)
    matrix = sums[:, :4].reshape(-1, 2, 2)
    return replace(evidence, matrix=matrix, right=sums[:, 4:], weight=evidence.weight * trust)


def relighting(evidence: Evidence, along: Sequence[csr_array]) -> csr_array:
    """Heights to the change of the logarithm of brightness: a slope turns to the light or from it, what is deep is dark
    (Langer and Zucker 1994)."""
    turned = sum(diags_array(evidence.brightening[:, k]) @ operator for k, operator in enumerate(along))
    return csr_array(diags_array(np.full(len(evidence.weight), 1 / DEEP)) - turned)


def outer(vectors: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, "N 2 2"]:
    """Each with itself."""
    return vectors[:, :, None] * vectors[:, None]


def surprise(
    patch: Patch, view: View, vertex_shading: Float[np.ndarray, "V 3"]
) -> tuple[Float[np.ndarray, "N"], Float[np.ndarray, "N"]]:
    """Logarithm of how much brighter than expected each texel is, against its surroundings, and how well it is seen."""
    lit = patch.texels.at(vertex_shading, patch.avatar.faces)
    expected = (lit * patch.colour).mean(1).clip(DARKEST)
    brightness = view.sighting.colour[patch.rows].mean(1).clip(DARKEST)
    # In deep shade little light tells little.
    seen = view.sighting.weight[patch.rows] * ramp(expected / np.quantile(expected, 0.8), 0.1, 0.45)
    return patch.surplus(np.log(brightness / expected)[:, None], seen > 1e-3)[:, 0], seen


def brightening(patch: Patch, view: View, harmonics: Float[np.ndarray, "9 3"]) -> Float[np.ndarray, "N 2"]:
    """Change of the logarithm of each texel's brightness as its normal leans along u and v."""
    coefficients = IRRADIANCE * (harmonics @ patch.colour.mean(0))

    def brightness(normals: np.ndarray) -> np.ndarray:
        return spherical_harmonics(torch.as_tensor(normals).float(), 9).numpy() @ coefficients

    normals = view.sighting.normals
    level = brightness(normals)
    # The harmonics go on smoothly beside the sphere, where the difference is taken; only its part along it is used.
    ends = [brightness(normals + STEP * axis) - brightness(normals - STEP * axis) for axis in np.eye(3)]
    gradient = np.stack(ends, 1) / (2 * STEP * level.clip(0.15 * np.quantile(level, 0.9))[:, None])
    axes = axes_of(patch, view.frame.vertices)
    towards = patch.texels.at(gradient, patch.avatar.faces)
    return np.stack([(axes.tangent * towards).sum(1), (axes.bitangent * towards).sum(1)], 1)


def axes_of(patch: Patch, vertices: Float[np.ndarray, "V 3"]) -> Axes:
    """Tangent space of the mesh in any pose, that of the renderer."""
    points = torch.as_tensor(vertices).float()
    smooth = vertex_normals(points, patch.mesh.faces)
    along = patch.texels.at(vertex_tangents(points[None], smooth[None], patch.mesh)[0].numpy(), patch.avatar.uv_faces)
    normal = unit(patch.texels.at(smooth.numpy(), patch.avatar.faces))
    tangent = unit(along[:, :3] - (along[:, :3] * normal).sum(1, keepdims=True) * normal)
    return Axes(tangent, np.sign(along[:, 3:]) * np.cross(normal, tangent), normal)


def unit(vectors: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N 3"]:
    """Of length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-9)


def integrate(patch: Patch, evidence: Evidence, along: Sequence[csr_array]) -> Float[np.ndarray, "N"]:
    """Heights over the skin (metres) that agree best with the evidence; flat where there is none.

    Most of a skin is smooth and a few folds are deep: slopes have a prior with long tails (Cauchy's, by reweighting).
    """
    relit = relighting(evidence, along)
    # A normal leans against the slope of the heights.
    wanted = relit.T @ (evidence.weight * evidence.contrast)
    wanted = wanted - sum(operator.T @ evidence.right[:, k] for k, operator in enumerate(along))
    data = relit.T @ diags_array(evidence.weight) @ relit
    for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)):
        data = data + along[a].T @ diags_array(evidence.matrix[:, a, b]) @ along[b]
    heights = np.zeros(len(wanted))
    for _ in range(ROUNDS):
        steepness = sum((operator @ heights) ** 2 for operator in along)[:, None].astype(np.float32)
        usual = STEEP**2 + smooth_over_map(patch.texels, steepness, patch.known, 2.0)[:, 0]
        stiff = diags_array(1 / usual)
        system = data + diags_array(1 / (usual * WIDE**2)) + sum(operator.T @ stiff @ operator for operator in along)
        scale = diags_array(1 / np.sqrt(system.diagonal()))
        heights = scale @ cg(scale @ system @ scale, scale @ wanted, rtol=1e-3, maxiter=400)[0]
    return heights


def gradients(patch: Patch) -> tuple[csr_array, csr_array]:
    """Operators from heights (metres) at the texels to their slopes along u and v; zero at the borders of islands."""
    points, axes = patch.points, axes_of(patch, patch.avatar.neutral)
    right, right_found = neighbour(patch.texels, 1)
    below, below_found = neighbour(patch.texels, patch.texels.size)
    steps = np.stack([points[right] - points, points[below] - points], 1)
    length = np.linalg.norm(steps, axis=2)
    jacobian = np.stack([(steps * axes.tangent[:, None]).sum(2), (steps * axes.bitangent[:, None]).sum(2)], 2)
    whole = right_found & below_found & (length < 4 * np.median(length)).all(1)
    whole &= np.abs(np.linalg.det(jacobian)) > 0.2 * length.prod(1) + 1e-12
    inverse = np.linalg.inv(np.where(whole[:, None, None], jacobian, np.eye(2))) * whole[:, None, None]
    return sums_of_steps(inverse[:, 0], right, below), sums_of_steps(inverse[:, 1], right, below)


def sums_of_steps(
    factors: Float[np.ndarray, "N 2"], right: Int[np.ndarray, "N"], below: Int[np.ndarray, "N"]
) -> csr_array:
    """The operator that adds the steps to two neighbours up."""
    count, each = len(right), np.arange(len(right))
    values = np.concatenate([factors[:, 0], factors[:, 1], -factors.sum(1)])
    return csr_array((values, (np.tile(each, 3), np.concatenate([right, below, each]))), shape=(count, count))


def neighbour(texels: TexelMap, offset: int) -> tuple[Int[np.ndarray, "N"], Bool[np.ndarray, "N"]]:
    """Row of the texel `offset` further on in the map, and whether it is there; else the texel's own row.

    No island reaches the map's border, so the texel beside it is none.
    """
    place = np.searchsorted(texels.texel, texels.texel + offset).clip(max=len(texels.texel) - 1)
    found = texels.texel[place] == texels.texel + offset
    return np.where(found, place, np.arange(len(place))), found
