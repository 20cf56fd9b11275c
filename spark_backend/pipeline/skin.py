"""A made-up complexion for a head: an albedo map painted by rule, for footage whose truth is known.

Everything is painted as a function of the place on the head in its rest pose, so that it has no seams in the map.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from ..geometry.mesh import vertex_normals
from ..protocol.avatar import Avatar
from ..render.colour import bytes_from_linear
from ..render.rasterizer import interpolate
from ..render.warp import WarpRasterizer

# MediaPipe's landmarks of the brows, upper and lower edge from the outer to the inner end, subject's right and left.
BROWS = (
    ((70, 63, 105, 66, 107), (46, 53, 52, 65, 55)),
    ((300, 293, 334, 296, 336), (276, 283, 282, 295, 285)),
)
UNDER_NOSE, CHIN = 2, 152
IRIS_RADIUS = 0.0062
PUPIL_RADIUS = 0.0023

# Linear albedo of skin, light to dark, after measured reflectances.
TONES = ((0.66, 0.43, 0.33), (0.58, 0.36, 0.26), (0.48, 0.285, 0.19), (0.33, 0.185, 0.115), (0.18, 0.10, 0.065))
HAIR = ((0.020, 0.014, 0.011), (0.055, 0.030, 0.017), (0.14, 0.078, 0.036), (0.010, 0.009, 0.009))
IRISES = ((0.075, 0.032, 0.012), (0.11, 0.20, 0.30), (0.10, 0.14, 0.055), (0.045, 0.020, 0.009))


@dataclass(frozen=True)
class Complexion:
    """The colours of one person, linear."""

    skin: tuple[float, float, float]
    hair: tuple[float, float, float]
    iris: tuple[float, float, float]
    stubble: float
    """0 none to 1 a three days' beard."""
    seed: int


@dataclass(frozen=True)
class Texels:
    """What lies under each texel of the map; (H, W) and (H, W, C), row 0 is the top."""

    material: np.ndarray
    """Index into the avatar's material names; -1 where there is nothing."""
    position: np.ndarray
    """Rest pose, metres."""
    shade: np.ndarray
    """How much of the sky is seen, 0 to 1."""
    regions: dict[str, np.ndarray]
    """Region name to soft mask."""


def random_complexion(seed: int) -> Complexion:
    """A person's colours; darker skin goes with darker hair and eyes."""
    random = np.random.default_rng(seed)
    tone = int(random.integers(len(TONES)))
    dark = tone >= 2
    hair = HAIR[0 if random.random() < 0.5 else 3] if dark else HAIR[int(random.integers(len(HAIR)))]
    iris = IRISES[0 if random.random() < 0.5 else 3] if dark else IRISES[int(random.integers(len(IRISES)))]
    return Complexion(TONES[tone], hair, iris, float(random.choice([0.0, 0.4, 0.8])), seed)


def paint_albedo(avatar: Avatar, complexion: Complexion, size: int = 1024) -> np.ndarray:
    """(size, size, 3) uint8 sRGB map of the whole atlas."""
    texels = read_texels(avatar, size)
    painted = np.full((size, size, 3), complexion.skin, np.float32)
    painters = {"skin": paint_skin, "eye": paint_eyes, "teeth": paint_teeth, "tongue": paint_tongue}
    for index, name in enumerate(avatar.material_names):
        here = texels.material == index
        if name in painters and here.any():
            painted[here] = painters[name](avatar, complexion, texels, here)
    # Beyond the islands' edges the nearest colour goes on, for filtering looks there.
    nearest = distance_transform_edt(texels.material < 0, return_distances=False, return_indices=True)
    return bytes_from_linear(torch.as_tensor(painted[tuple(nearest)])).numpy()


def read_texels(avatar: Avatar, size: int) -> Texels:
    """Rasterises the avatar in its texture coordinates."""
    clip = torch.zeros(1, len(avatar.uv), 4)
    clip[0, :, 0] = torch.as_tensor(2 * avatar.uv[:, 0] - 1)
    clip[0, :, 1] = torch.as_tensor(1 - 2 * avatar.uv[:, 1])
    clip[..., 3] = 1
    fragments = WarpRasterizer().rasterize(clip, torch.as_tensor(avatar.uv_faces).int(), (size, size))
    names = list(avatar.regions)
    columns = [avatar.neutral, sky_seen(avatar)[:, None], *(avatar.regions[name][:, None] for name in names)]
    attributes = torch.as_tensor(np.concatenate(columns, 1)).float()
    values = interpolate(attributes[None], torch.as_tensor(avatar.faces).long(), fragments)[0].numpy()
    face = fragments.face[0].numpy()
    material = np.where(face >= 0, avatar.face_material[np.maximum(face, 0)], -1)
    regions = {name: values[..., 4 + column] for column, name in enumerate(names)}
    return Texels(material, values[..., :3], values[..., 3], regions)


def sky_seen(avatar: Avatar, views: int = 64, size: int = 192) -> np.ndarray:
    """(V,) part of the hemisphere over each vertex that the head itself does not hide, weighted by the cosine.

    Looks at the head from directions spread evenly over the sphere and counts where each vertex is the nearest.
    """
    points = torch.as_tensor(avatar.neutral).float()
    faces = torch.as_tensor(avatar.faces)
    normals = vertex_normals(points[None], faces.long())[0]
    centre = (points.amin(0) + points.amax(0)) / 2
    radius = float((points - centre).norm(dim=1).max())
    total, seen = torch.zeros(len(points)), torch.zeros(len(points))
    rasterizer = WarpRasterizer()
    for direction in sphere_directions(views):
        local = (points - centre) @ orthonormal(direction).T / radius
        clip = torch.cat([local, torch.ones(len(points), 1)], 1)
        depth = rasterizer.rasterize(clip[None], faces.int(), (size, size)).depth[0]
        pixel = ((local[:, :2] + 1) / 2 * size).long().clamp(0, size - 1)
        visible = local[:, 2] < depth[pixel[:, 1], pixel[:, 0]] + 0.03
        cosine = -(normals @ direction).clamp(max=0)
        total, seen = total + cosine, seen + cosine * visible
    return (seen / total.clamp(min=1e-6)).numpy()


def sphere_directions(count: int) -> torch.Tensor:
    """(count, 3) unit vectors spread evenly (golden spiral)."""
    index = torch.arange(count) + 0.5
    z = 1 - 2 * index / count
    angle = index * 2.399963
    ring = (1 - z * z).sqrt()
    return torch.stack([ring * angle.cos(), ring * angle.sin(), z], 1)


def orthonormal(direction: torch.Tensor) -> torch.Tensor:
    """(3, 3) rotation whose last row is `direction`."""
    helper = torch.eye(3)[int(direction.abs().argmin())]
    x = torch.linalg.cross(helper, direction)
    x = x / x.norm()
    return torch.stack([x, torch.linalg.cross(direction, x), direction])


def paint_skin(avatar: Avatar, look: Complexion, texels: Texels, here: np.ndarray) -> np.ndarray:
    """(N, 3) linear albedo of the skin texels, with lips, brows, stubble, short hair and the inside of the mouth."""
    points, shade = texels.position[here], texels.shade[here]
    region = {name: mask[here] for name, mask in texels.regions.items()}
    skin = np.array(look.skin)
    colour = np.tile(skin, (len(points), 1))
    colour *= 1 + 0.06 * noise(points, 0.020, look.seed)[:, None] + 0.05 * noise(points, 0.0016, look.seed + 1)[:, None]
    blood = np.clip(region["nose"] * 0.5 + region["ears"] * 0.6 + 0.5 * cheeks(avatar, points), 0, 1)
    colour *= 1 + blood[:, None] * np.array([0.03, -0.16, -0.14])
    colour = mix(colour, skin * np.array([0.86, 0.52, 0.55]), 0.85 * smooth(region["lips"]))
    colour = mix(colour, np.array(look.hair) * 1.4 + 0.02, look.stubble * 0.42 * beard(avatar, points, look.seed))
    colour = mix(colour, np.array([0.20, 0.045, 0.04]), smooth(region["mouth_interior"]))
    hair = np.array(look.hair) * (1 + 0.5 * noise(points * [6, 1, 1], 0.006, look.seed + 3)[:, None])
    colour = mix(colour, hair, hair_cover(avatar, region, points, look.seed))
    colour = mix(colour, hair, brows(avatar, points, look.seed))
    return colour * (0.35 + 0.65 * shade[:, None] ** 0.8)


def paint_eyes(avatar: Avatar, look: Complexion, texels: Texels, here: np.ndarray) -> np.ndarray:
    """(N, 3) sclera, iris and pupil by the angle from the eye's axis, which points along -Y."""
    points = texels.position[here]
    centres = np.stack([avatar.joints[avatar.joint_names.index(name)] for name in ("eye_left", "eye_right")])
    offset = points - centres[np.linalg.norm(points[:, None] - centres, axis=-1).argmin(1)]
    radius = np.hypot(offset[:, 0], offset[:, 2])
    radius = np.where(offset[:, 1] < 0, radius, 1.0)
    angle = np.arctan2(offset[:, 2], offset[:, 0])
    veins = 0.5 + 0.5 * noise(points, 0.002, look.seed + 5)
    sclera = np.array([0.68, 0.62, 0.58]) - (veins * np.clip((radius - 0.006) / 0.008, 0, 1))[:, None] * [
        0.04,
        0.16,
        0.16,
    ]
    rays = 1 + 0.35 * np.sin(angle * 37 + 3 * np.sin(angle * 5)) * np.cos(angle * 23)
    iris = np.array(look.iris) * (rays * (0.75 + 0.9 * ramp(radius, IRIS_RADIUS * 0.9, PUPIL_RADIUS)))[:, None]
    iris = iris * (1 - 0.75 * ramp(radius, IRIS_RADIUS * 0.82, IRIS_RADIUS))[:, None]
    colour = mix(sclera, iris, ramp(radius, IRIS_RADIUS * 1.06, IRIS_RADIUS * 0.96))
    return mix(colour, np.array([0.004, 0.004, 0.004]), ramp(radius, PUPIL_RADIUS * 1.08, PUPIL_RADIUS * 0.92))


def paint_teeth(avatar: Avatar, look: Complexion, texels: Texels, here: np.ndarray) -> np.ndarray:
    """(N, 3) ivory, darker towards the back of the mouth."""
    points = texels.position[here]
    depth = (points[:, 1] - points[:, 1].min()) / max(float(np.ptp(points[:, 1])), 1e-6)
    return np.array([0.66, 0.58, 0.46]) * (1 - 0.65 * depth)[:, None]


def paint_tongue(avatar: Avatar, look: Complexion, texels: Texels, here: np.ndarray) -> np.ndarray:
    """(N, 3) pink with a little grain."""
    return np.array([0.40, 0.13, 0.12]) * (1 + 0.1 * noise(texels.position[here], 0.0015, look.seed))[:, None]


def landmark_points(avatar: Avatar, indices: tuple[int, ...]) -> np.ndarray:
    """(N, 3) places of MediaPipe's landmarks on the head at rest."""
    chosen = list(indices)
    triangles = avatar.neutral[avatar.faces[avatar.landmark_face[chosen]]]
    return np.einsum("nc,ncx->nx", avatar.landmark_bary[chosen], triangles)


def brows(avatar: Avatar, points: np.ndarray, seed: int) -> np.ndarray:
    """(N,) how much hair of a brow is at each point."""
    cover = np.zeros(len(points))
    for upper, lower in BROWS:
        top, bottom = landmark_points(avatar, upper), landmark_points(avatar, lower)
        along = np.linspace(0, 4, 60)
        middle, half = ((top + bottom) / 2, np.linalg.norm(top - bottom, axis=1) / 2)
        line = np.stack([np.interp(along, range(5), middle[:, axis]) for axis in range(3)], 1)
        width = np.interp(along, range(5), half * [0.6, 1.0, 1.15, 1.2, 1.1])
        distance, nearest = cKDTree(line).query(points, distance_upper_bound=0.02)
        reach = width[np.minimum(nearest, len(line) - 1)]
        cover = np.maximum(cover, ramp(distance, reach * 1.25, reach * 0.55))
    strokes = 0.9 + 0.25 * noise(points * [1.5, 1, 0.5], 0.0009, seed + 7)
    return np.clip(0.9 * cover * strokes, 0, 1)


def beard(avatar: Avatar, points: np.ndarray, seed: int) -> np.ndarray:
    """(N,) where a beard grows, with its grain."""
    nose, chin = landmark_points(avatar, (UNDER_NOSE, CHIN))
    drop = nose[2] - chin[2]
    low = ramp(points[:, 2], nose[2] + 0.05 * drop, nose[2] - 0.25 * drop)
    above_neck = ramp(points[:, 2], chin[2] - 0.9 * drop, chin[2] - 0.4 * drop)
    front = ramp(points[:, 1], nose[1] + 0.13, nose[1] + 0.09)
    grain = np.clip(0.8 + 0.7 * noise(points, 0.0013, seed + 9), 0, 1.5)
    return np.clip(low * above_neck * front * grain, 0, 1)


def cheeks(avatar: Avatar, points: np.ndarray) -> np.ndarray:
    """(N,) soft spots on the cheeks."""
    spots = landmark_points(avatar, (50, 280))
    return np.exp(-((np.linalg.norm(points[:, None] - spots, axis=-1).min(1) / 0.022) ** 2))


def hair_cover(avatar: Avatar, region: dict[str, np.ndarray], points: np.ndarray, seed: int) -> np.ndarray:
    """(N,) how much of the head's short hair is at each point; ragged at the edge.

    The scalp's region goes round under the chin: in front of the ears hair ends beside the eyes, behind them at the
    height of the mouth.
    """
    mouth, eye, ear = landmark_points(avatar, (13, 33, 127))
    behind = ramp(points[:, 1], ear[1] + 0.01, ear[1] + 0.05)
    lowest = (eye[2] - 0.01) * (1 - behind) + mouth[2] * behind
    edge = np.minimum(region["scalp"], 0.5 + (points[:, 2] - lowest) / 0.02)
    cover = ramp(edge + 0.18 * noise(points, 0.003, seed + 11) * (edge > 0.1), 0.3, 0.75)
    return cover * (1 - smooth(region["ears"]))


def noise(points: np.ndarray, scale: float, seed: int) -> np.ndarray:
    """(N,) smooth noise about zero, mostly within [-1, 1], whose features measure about `scale` metres."""
    random = np.random.default_rng(seed)
    waves = (random.normal(size=(3, 16)) / scale).astype(np.float32)
    phases = random.uniform(0, 2 * np.pi, 16).astype(np.float32)
    return np.sin(np.asarray(points, np.float32) @ waves + phases).sum(1) / 4


def smooth(mask: np.ndarray) -> np.ndarray:
    """A soft mask with a firmer edge."""
    return ramp(mask, 0.15, 0.85)


def ramp(value: np.ndarray, zero: float | np.ndarray, one: float | np.ndarray) -> np.ndarray:
    """0 at `zero`, 1 at `one`, smooth in between (Hermite's cubic); `one` may be the smaller."""
    t = np.clip((value - zero) / (one - zero), 0, 1)
    return t * t * (3 - 2 * t)


def mix(below: np.ndarray, above: np.ndarray, amount: np.ndarray) -> np.ndarray:
    """(N, 3) `above` over `below`."""
    return below + (above - below) * amount[:, None]
