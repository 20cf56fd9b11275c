"""A head small enough for quick tests, with everything a real one has: 52 expressions, six joints, all materials."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from spark_backend.protocol.avatar import Avatar, Rig
from spark_backend.protocol.names import ARKIT_52, JOINTS, MATERIALS, PARENTS, REGIONS
from spark_backend.protocol.posing import axis_quaternion, multiply_quaternions, quaternion_to_matrix
from spark_backend.protocol.storage import write_atomic
from spark_backend.protocol.take import Take

RIG = Rig(jaw_open=0.35, jaw_side=0.15, gaze_in=0.6, gaze_out=0.6, gaze_up=0.4, gaze_down=0.5)
CENTRE = np.array([0.0, -0.01, 1.62])
JOINT_POSITIONS = np.array(
    [[0, 0.02, 1.45], [0, 0.03, 1.50], [0, 0.02, 1.56], [0, 0.0, 1.58], [0.032, -0.07, 1.63], [-0.032, -0.07, 1.63]],
    float,
)


def toy_avatar(rings: int = 12, segments: int = 16) -> Avatar:
    """An egg-shaped head of quads with triangles at its poles; each material has a band of it."""
    vertices, polygons, uv = egg(rings, segments)
    generator = np.random.default_rng(7)
    smooth = generator.normal(size=(len(ARKIT_52), 3, 3))
    directions = (vertices - CENTRE) / np.array([0.08, 0.1, 0.12])
    expressions = 0.004 * np.sin(np.einsum("eab,vb->eva", 2 * smooth, directions) + smooth[:, None, 0])
    sharpness = np.linalg.norm(vertices[:, None] - JOINT_POSITIONS[None], axis=2)
    skinning = np.exp(-((sharpness / 0.05) ** 2))
    skinning[skinning < 1e-3] = 0
    skinning[:, JOINTS.index("head")] += 0.05
    return Avatar(
        neutral=vertices.astype(np.float32),
        polygons=polygons,
        uv=uv.astype(np.float32),
        uv_polygons=polygons,
        polygon_material=np.arange(len(polygons)) * len(MATERIALS) // len(polygons),
        material_names=MATERIALS,
        expression_names=ARKIT_52,
        expressions=expressions.astype(np.float32),
        joint_names=JOINTS,
        joints=JOINT_POSITIONS,
        parents=np.array(PARENTS),
        skinning=(skinning / skinning.sum(1, keepdims=True)).astype(np.float32),
        landmark_face=np.arange(478) % len(polygons),
        landmark_bary=np.full((478, 3), 1 / 3, np.float32),
        regions={name: vertices[:, 2] > 1.6 for name in REGIONS},
        rig=RIG,
        head_model="toy",
    )


def egg(rings: int, segments: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (V, 3), polygons (P, 4) with -1 in triangles, UVs (V, 2)."""
    latitude = np.linspace(0, np.pi, rings + 1)[1:-1]
    longitude = np.arange(segments) * 2 * np.pi / segments
    a, b = (x.ravel() for x in np.meshgrid(latitude, longitude, indexing="ij"))
    unit = np.stack([np.sin(a) * np.cos(b), np.sin(a) * np.sin(b), np.cos(a)], 1)
    unit = np.concatenate([unit, [[0, 0, 1], [0, 0, -1]]])
    row, column = (x.ravel() for x in np.meshgrid(np.arange(rings - 2), np.arange(segments), indexing="ij"))
    after = (column + 1) % segments
    quads = np.stack([row, row + 1, row + 1, row]) * segments + np.stack([column, column, after, after])
    around = np.arange(segments)
    top = np.stack([np.full(segments, len(unit) - 2), around, (around + 1) % segments, np.full(segments, -1)])
    last = (rings - 2) * segments
    bottom = np.stack(
        [np.full(segments, len(unit) - 1), last + (around + 1) % segments, last + around, np.full(segments, -1)]
    )
    polygons = np.concatenate([quads.T, top.T, bottom.T])
    uv = np.concatenate([np.stack([b / (2 * np.pi), 1 - a / np.pi], 1), [[0.5, 1.0], [0.5, 0.0]]])
    return CENTRE + unit * np.array([0.08, 0.1, 0.12]), polygons, uv


def with_maps(avatar: Avatar, folder: Path, size: int = 32) -> Avatar:
    """The avatar with a plain picture for each map, written to `folder`."""
    from PIL import Image

    maps = {}
    for kind, colour in (("albedo", (200, 150, 120)), ("roughness", (120,) * 3), ("normal", (128, 128, 255))):
        maps[kind] = folder / f"{kind}.png"
        picture = Image.new("RGB", (size, size), colour)
        write_atomic(maps[kind], lambda file, picture=picture: picture.save(file, "PNG"))
    return replace(avatar, maps=maps)


def toy_take(frames: int = 24, rate: float = 30.0, size: tuple[int, int] = (640, 480), seed: int = 3) -> Take:
    """A performance in which everything moves, with weights over the whole range, seen by an off-centre camera."""
    generator = np.random.default_rng(seed)
    time = np.arange(frames) / rate
    phase = generator.uniform(0, 2 * np.pi, (len(ARKIT_52), 1))
    weights = 0.5 + 0.5 * np.sin(phase + 2 * np.pi * generator.uniform(0.2, 3.0, (len(ARKIT_52), 1)) * time)

    def turn(amount: float) -> np.ndarray:
        wave = amount * np.sin(generator.uniform(0, 6, (3, 1)) + generator.uniform(2, 9, (3, 1)) * time)
        return multiply_quaternions(
            axis_quaternion(2, wave[2]), multiply_quaternions(axis_quaternion(0, wave[0]), axis_quaternion(1, wave[1]))
        )

    facing = np.array([np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0])  # avatar axes to camera axes, looking into the camera
    rotation = multiply_quaternions(facing, turn(0.4)) * np.where(np.arange(frames) % 5 == 3, -1.0, 1.0)[:, None]
    centre = np.array([0.01, 0.02, 0.75])
    centre = centre + np.stack([0.02 * np.sin(5 * time), 0.01 * np.cos(4 * time), 0.05 * np.sin(3 * time)], 1)
    return Take(
        pts=time,
        names=ARKIT_52,
        weights=weights.T.astype(np.float32),
        head_rotation=rotation,
        head_translation=centre - quaternion_to_matrix(rotation) @ CENTRE,
        neck=turn(0.2),
        jaw=turn(0.15),
        eye_left=turn(0.3),
        eye_right=turn(0.3),
        K=np.array([[900.0, 0, size[0] / 2 + 12.5], [0, 910.0, size[1] / 2 - 20.25], [0, 0, 1]]),
        size=np.array(size),
        confidence=np.ones(frames),
        valid=np.arange(frames) % 7 != 6,
        source={"clip": "toy"},
    )
