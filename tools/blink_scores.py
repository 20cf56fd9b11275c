"""Prints MediaPipe's scores on renders of blinks and jaw openings of known weight, and the openings it sees.

python tools/blink_scores.py
"""

from collections.abc import Iterator
from dataclasses import replace

import mediapipe as mp
import numpy as np
from embed_landmarks import FOCAL, SIZE, painted, print_line, random_pose, turn
from rich.console import Console
from rich.table import Table

from spark_backend.heads.anny import load_anny
from spark_backend.models import resolve_model
from spark_backend.protocol.avatar import Avatar
from spark_backend.protocol.names import ARKIT_52
from spark_backend.protocol.posing import joints_from_weights, pose_vertices, quaternion_to_matrix
from spark_backend.protocol.take import Take
from spark_backend.render.draw import render_frame

STEPS = {"eyeBlink": (0, 0.25, 0.5, 0.75, 0.9, 1), "jawOpen": (0, 0.05, 0.1, 0.2, 0.4)}
PEOPLE = 4
DISTANCE = 0.55
K = np.array([[FOCAL, 0, SIZE[0] / 2], [0, FOCAL, SIZE[1] / 2], [0, 0, 1.0]])


def frontal(avatar: Avatar, names: list[str], weight: float, yaw: float) -> Take:
    """One frame of a face that looks nearly into the camera, with some weights."""
    weights = np.zeros((1, 52))
    weights[0, [ARKIT_52.index(name) for name in names]] = weight
    q = turn(yaw, 0, 0)
    centre = quaternion_to_matrix(q) @ avatar.neutral[avatar.regions["face"]].mean(0)
    base = random_pose(avatar, np.random.default_rng(0), K)
    place = np.array([[0, 0, DISTANCE]]) - centre
    turns = joints_from_weights(avatar.rig, ARKIT_52, weights)
    return replace(base, weights=weights, head_rotation=q[None], head_translation=place, **turns)


def scores(kind: str, landmarker: mp.tasks.vision.FaceLandmarker) -> Iterator[tuple[float, float]]:
    """(weight, score) of every person and step."""
    head, generator = load_anny(), np.random.default_rng(4)
    names = [name for name in ARKIT_52 if name.startswith(kind)]
    for person in range(PEOPLE):
        look, avatar = painted(head, generator), head.avatar(generator.normal(0, 0.4, len(head.identity)))
        for weight in STEPS[kind]:
            vertices = next(pose_vertices(avatar, frontal(avatar, names, weight, 0.1 * (person - 1.5))))[0]
            picture = render_frame(vertices, avatar.faces, K, SIZE, surface=look)
            found = landmarker.detect(mp.Image(mp.ImageFormat.SRGB, np.ascontiguousarray(picture))).face_blendshapes
            if found:
                yield weight, float(np.mean([c.score for c in found[0] if c.category_name in names]))


def main() -> None:
    base = mp.tasks.BaseOptions(model_asset_buffer=resolve_model("face_landmarker", print_line).read_bytes())
    options = mp.tasks.vision.FaceLandmarkerOptions(base_options=base, output_face_blendshapes=True)
    table = Table("expression", "weight", "mean score")
    with mp.tasks.vision.FaceLandmarker.create_from_options(options) as landmarker:
        for kind, steps in STEPS.items():
            pairs = np.array(list(scores(kind, landmarker)))
            for step in steps:
                table.add_row(kind, f"{step:.2f}", f"{pairs[pairs[:, 0] == step, 1].mean():.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
