"""The landmarks of one frame in numpy: where a state puts them, how sure they are, their normal equations.

The same formulas as `landmark_model` and `data_term`, whose twin this is: one frame is too little work for torch, whose
calls cost more than the arithmetic.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ..geometry.landmarks import LIDS
from ..protocol.avatar import Rig
from ..protocol.names import ARKIT_52
from .data_term import LOWER, UPPER, opening_deviation
from .landmark_model import FREE_INDEX, GAZE, IRISES, LandmarkModel, look_channels
from .options import SolveOptions
from .state import FRAME_SIZE, GAZES, ROTATION, WEIGHTS

JAW_OPEN, JAW_LEFT, JAW_RIGHT = (ARKIT_52.index(name) for name in ("jawOpen", "jawLeft", "jawRight"))


@dataclass(frozen=True)
class FrameState:
    """The variables of one frame, see `state.State`."""

    rotation: Float[np.ndarray, "3 3"]
    place: Float[np.ndarray, "3"]
    weights: Float[np.ndarray, "E"]
    gaze: Float[np.ndarray, "4"]

    @property
    def translation(self) -> Float[np.ndarray, "3"]:
        """Metres, camera axes."""
        depth = np.exp(self.place[2])
        return np.array([self.place[0] * depth, self.place[1] * depth, depth])


class FrameModel:
    """A person's landmarks in front of a camera."""

    def __init__(self, model: LandmarkModel, focal: float, options: SolveOptions) -> None:
        self.rig, self.focal, self.options = model.rig, focal, options
        self.channels = [(column, factor, ARKIT_52.index(name)) for name, column, factor in look_channels(model.rig)]
        self.skull, self.share = model.skull.numpy(), model.share.numpy()[:, None]
        self.pivots, self.normal = model.pivots.numpy(), model.normal.numpy()
        self.hung = model.jaw.numpy() - self.share * self.pivots[0]
        # float32: its products are half of the work, and far more exact than landmarks are.
        self.expression = model.expression.numpy().astype(np.float32)  # (L, 6, 52)
        self.interocular = float(np.linalg.norm(self.pivots[1] - self.pivots[2]))
        self.rest = (model.skull + model.jaw).numpy()
        self.spread = np.minimum(model.sigma.numpy(), options.place_noise) ** 2

    def equations(
        self, state: FrameState, landmarks: np.ndarray, precision: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Normal matrix (D, D) and gradient (D,) of the landmarks' part at a state."""
        scale = self.scale(state)
        points, by_variable = self.project(state)
        error = (points - landmarks) / scale
        precision, narrow = np.split(precision, [len(points)])
        square = ((error * precision[:, None]) ** 2).sum(1) / self.options.evidence
        weight = precision / np.sqrt(1 + square / self.options.outlier**2)
        errors = np.concatenate([error * weight[:, None], (error[UPPER] - error[LOWER]) * narrow[:, None]])
        by_variable /= np.float32(scale)
        openings = (by_variable[UPPER] - by_variable[LOWER]) * narrow[:, None, None].astype(np.float32)
        jacobian = np.concatenate([by_variable * weight[:, None, None].astype(np.float32), openings])
        jacobian = jacobian.reshape(-1, FRAME_SIZE)
        gradient = jacobian.T @ errors.reshape(-1).astype(np.float32)
        return (jacobian.T @ jacobian).astype(float), gradient.astype(float)

    def project(self, state: FrameState) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks (L, 2) in pixels from the principal point and their derivative (L, 2, D)."""
        full = self.full_weights(state)
        jaw, by_open, by_side = jaw_rotation(self.rig, full)
        moved = self.expression @ full.astype(np.float32)
        skull, hung = self.skull + moved[:, :3], self.hung + moved[:, 3:]
        local = skull + hung @ jaw.T + self.share * self.pivots[0]
        eyes = self.turn_irises(local, state.gaze)
        turned = local @ state.rotation.T
        camera = turned + state.translation
        pixels = self.focal * camera[:, :2] / camera[:, 2:]
        row = camera_rows(camera, self.focal)  # (L, 2, 3): pixels by camera axes
        inside = row @ state.rotation
        by_all = np.matmul(np.concatenate([inside, inside @ jaw], -1).astype(np.float32), self.expression)
        by_all[..., JAW_OPEN] += self.rig.jaw_open * along(inside, hung @ by_open.T)
        swing = self.rig.jaw_side * along(inside, hung @ by_side.T)
        by_all[..., JAW_LEFT] += swing
        by_all[..., JAW_RIGHT] -= swing
        result = np.empty((*row.shape[:2], FRAME_SIZE), np.float32)
        result[..., ROTATION] = np.cross(turned[:, None], row)
        depth = np.exp(state.place[2])
        result[..., 3:5] = row[..., :2] * depth
        result[..., 5] = row @ state.translation
        result[..., WEIGHTS] = by_all[..., FREE_INDEX]
        by_gaze = np.zeros((*row.shape[:2], len(GAZE)), np.float32)
        for column, factor, place in self.channels:
            if state.gaze[column] * factor > 0:
                by_gaze[..., column] += factor * by_all[..., place]
        for rows, column, motion in eyes:
            result[rows, :, WEIGHTS] = 0
            by_gaze[rows, :, column] = along(inside[rows], motion)
        result[..., GAZES] = by_gaze
        return pixels, result

    def turn_irises(self, local: np.ndarray, gaze: np.ndarray) -> list[tuple[list[int], int, np.ndarray]]:
        """Puts the iris points of `local` where the gaze turns them; rows, column of the gaze and motion by it."""
        motions = []
        for eye, rows in enumerate(IRISES):
            rows, pivot = list(rows), self.pivots[1 + eye]
            about_z, z_slope = turn_about(2, gaze[2 * eye])
            about_x, x_slope = turn_about(0, gaze[2 * eye + 1])
            arm = self.skull[rows] - pivot
            local[rows] = arm @ (about_z @ about_x).T + pivot
            motions.append((rows, 2 * eye, arm @ (z_slope @ about_x).T))
            motions.append((rows, 2 * eye + 1, arm @ (about_z @ x_slope).T))
        return motions

    def full_weights(self, state: FrameState) -> Float[np.ndarray, "52"]:
        """ARKit's weights of a state, the looks from the gaze."""
        weights = np.zeros(len(ARKIT_52))
        weights[FREE_INDEX] = state.weights
        for column, factor, place in self.channels:
            weights[place] = max(state.gaze[column] * factor, 0.0)
        return weights

    def scale(self, state: FrameState) -> float:
        """Interocular distance in pixels as if seen without foreshortening."""
        return float(self.focal * self.interocular / np.exp(state.place[2]))

    def precision(self, state: FrameState, landmarks: np.ndarray) -> Float[np.ndarray, "R"]:
        """`data_term.landmark_precision` of one frame."""
        full = self.full_weights(state)
        jaw, _, _ = jaw_rotation(self.rig, full)
        moved = self.expression @ full.astype(np.float32)
        carried = moved[:, :3] + (self.hung + moved[:, 3:]) @ jaw.T - self.hung
        spread = self.spread + self.options.expression_noise**2 * (carried**2).sum(1)
        sigma = np.sqrt(self.options.noise**2 + spread / self.interocular**2)
        facing = -(self.normal @ state.rotation[2])
        visible = np.clip((facing + 0.25) / 0.75, 0.15, 1)
        openings = np.minimum(visible[UPPER], visible[LOWER]) / opening_deviation(self.options)
        for iris, lids in zip(IRISES, (LIDS[3:], LIDS[:3]), strict=True):
            upper, lower = ([pair[i] for pair in lids] for i in (0, 1))
            gap = np.linalg.norm(landmarks[lower] - landmarks[upper], axis=1).mean() / self.scale(state)
            visible[list(iris)] *= np.clip((gap - 0.04) / 0.06, 0.02, 1)
        return np.concatenate([self.options.evidence**0.5 * visible / sigma, openings])


def jaw_rotation(rig: Rig, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The jaw's rotation (3, 3) and its derivatives by opening and by sideways angle."""
    opening, opening_slope = turn_about(0, rig.jaw_open * weights[JAW_OPEN])
    sideways, sideways_slope = turn_about(2, rig.jaw_side * (weights[JAW_LEFT] - weights[JAW_RIGHT]))
    return sideways @ opening, sideways @ opening_slope, sideways_slope @ opening


def turn_about(axis: int, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Rotation about coordinate axis 0 or 2, and its derivative by the angle."""
    i, j = (1, 2) if axis == 0 else (0, 1)
    turn, slope = np.eye(3), np.zeros((3, 3))
    cos, sin = np.cos(angle), np.sin(angle)
    turn[i, i], turn[i, j], turn[j, i], turn[j, j] = cos, -sin, sin, cos
    slope[i, i], slope[i, j], slope[j, i], slope[j, j] = -sin, -cos, cos, -sin
    return turn, slope


def camera_rows(camera: Float[np.ndarray, "L 3"], focal: float) -> Float[np.ndarray, "L 2 3"]:
    """Pixels by camera coordinates."""
    x, y, z = camera.T
    rows = np.zeros((len(camera), 2, 3))
    rows[:, 0, 0] = rows[:, 1, 1] = focal / z
    rows[:, 0, 2], rows[:, 1, 2] = -focal * x / z**2, -focal * y / z**2
    return rows


def along(rows: Float[np.ndarray, "L 2 3"], motion: Float[np.ndarray, "L 3"]) -> Float[np.ndarray, "L 2"]:
    """How a motion of the points moves the pixels."""
    return np.einsum("lij,lj->li", rows, motion)
