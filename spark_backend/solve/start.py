"""Where the solver starts: head poses from a rigid fit, weights from what is known of them."""

import cv2
import numpy as np
import torch

from ..encoders.alignment import STEADY
from .evidence import Evidence
from .landmark_model import GAZE, LandmarkModel
from .state import Observations, State

SHORTEST, FARTHEST = 0.08, 20.0  # metres between camera and head


def rigid_pose(points: np.ndarray, pixels: np.ndarray, focal: float) -> tuple[np.ndarray, np.ndarray]:
    """Rotation (3, 3) and translation (3,) of points (N, 3) seen at pixels (N, 2) from the principal point."""
    camera = np.diag([focal, focal, 1.0])
    found, turn, shift = cv2.solvePnP(points, pixels, camera, None, flags=cv2.SOLVEPNP_SQPNP)
    rotation, translation = cv2.Rodrigues(turn)[0], shift[:, 0]
    if not found or not SHORTEST < translation[2] < FARTHEST:
        rotation, translation = frontal_pose(points, pixels, focal)
    return rotation, translation


def frontal_pose(points: np.ndarray, pixels: np.ndarray, focal: float) -> tuple[np.ndarray, np.ndarray]:
    """A face that looks into the camera, as large as the one seen: the last resort."""
    rotation = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    turned = points @ rotation.T
    depth = focal * np.linalg.norm(np.ptp(turned[:, :2], axis=0)) / max(np.linalg.norm(np.ptp(pixels, axis=0)), 1.0)
    centre = np.append(pixels.mean(0) * depth / focal, depth)
    return rotation, centre - turned.mean(0)


def initial_state(
    model: LandmarkModel,
    landmarks: np.ndarray,
    expected: np.ndarray,
    clip: np.ndarray,
    focal: np.ndarray,
) -> tuple[State, np.ndarray]:
    """A state for landmarks (T, 478, 2), pixels from the principal point, and the interocular scale (T,), pixels.

    `expected` (T, E) are the weights of an `Evidence`.
    """
    points = (model.skull + model.jaw).numpy()[list(STEADY)]
    poses = [rigid_pose(points, p[list(STEADY)].astype(float), focal[c]) for p, c in zip(landmarks, clip, strict=True)]
    rotation = torch.as_tensor(np.stack([pose[0] for pose in poses]))
    translation = np.stack([pose[1] for pose in poses])
    place = np.concatenate([translation[:, :2] / translation[:, 2:], np.log(translation[:, 2:])], 1)
    interocular = float((model.pivots[1] - model.pivots[2]).norm())
    state = State(
        rotation=rotation.double(),
        place=torch.as_tensor(place).double(),
        weights=(0.5 * torch.as_tensor(expected).double()).clamp(0, 1),
        gaze=torch.zeros(len(poses), len(GAZE), dtype=torch.float64),
        identity=torch.zeros(len(model.skull_identity), dtype=torch.float64),
        log_focal=torch.as_tensor(np.log(focal)).double(),
    )
    return state, focal[clip] * interocular / translation[:, 2]


def observations(
    landmarks: np.ndarray, evidence: Evidence, clip: np.ndarray, pts: np.ndarray, scale: np.ndarray
) -> Observations:
    """Arrays as the solver wants them."""
    return Observations(
        torch.as_tensor(landmarks).double(),
        torch.as_tensor(scale).double(),
        torch.as_tensor(evidence.expected).double(),
        torch.as_tensor(evidence.trust).double(),
        torch.as_tensor(clip).long(),
        torch.as_tensor(pts).double(),
    )
