"""A take as a Live Link Face recording: one row a frame, 52 weights and nine angles. See docs/formats/exports.md."""

import numpy as np

from ..protocol.names import ARKIT_52
from ..protocol.placement import WORLD_FROM_CAMERA_QUATERNION
from ..protocol.posing import multiply_quaternions, quaternion_to_matrix
from ..protocol.take import Take
from ..protocol.timeline import Rate, frame_numbers, nearest_rate

ANGLES = tuple(f"{part}{angle}" for part in ("Head", "LeftEye", "RightEye") for angle in ("Yaw", "Pitch", "Roll"))
# Signs of the app's yaw, pitch and roll against turns about +Z, +X and +Y of the avatar. The eyes' follow from two real
# recordings, in which they are straight lines of the look weights (0.6 rad at weight 1); the head's are the other way
# round: it compensates the eyes' in a recording whose subject keeps looking at the phone.
HEAD_SIGNS = np.array([1.0, -1.0, -1.0])
EYE_SIGNS = -HEAD_SIGNS


def livelink_csv(take: Take) -> str:
    """The text of the recording. An expression that the take does not have is 0."""
    column = {name: index for index, name in enumerate(take.names)}
    weights = np.zeros((len(take.pts), len(ARKIT_52)))
    for index, name in enumerate(ARKIT_52):
        if name in column:
            weights[:, index] = take.weights[:, column[name]]
    values = np.concatenate([weights, livelink_angles(take)], axis=1)
    names = [name[0].upper() + name[1:] for name in ARKIT_52]
    lines = [",".join(["Timecode", "BlendShapeCount", *names, *ANGLES])]
    for code, row in zip(timecodes(take.pts, nearest_rate(take.pts)), values, strict=True):
        lines.append(",".join([code, str(values.shape[1]), *(f"{value:.10f}" for value in row)]))
    return "\n".join(lines) + "\n"


def livelink_angles(take: Take) -> np.ndarray:
    """(T, 9) radians: yaw, pitch and roll of head, left and right eye in the app's signs."""
    head = multiply_quaternions(WORLD_FROM_CAMERA_QUATERNION, take.head_rotation)
    parts = ((head, HEAD_SIGNS), (take.eye_left, EYE_SIGNS), (take.eye_right, EYE_SIGNS))
    return np.concatenate([yaw_pitch_roll(rotation) * signs for rotation, signs in parts], axis=1)


def yaw_pitch_roll(rotation: np.ndarray) -> np.ndarray:
    """(T, 4) wxyz to (T, 3) radians about +Z, +X and +Y of the avatar, R = Rz(yaw) Rx(pitch) Ry(roll)."""
    m = quaternion_to_matrix(rotation)
    yaw = np.arctan2(-m[:, 0, 1], m[:, 1, 1])
    pitch = np.arcsin(np.clip(m[:, 2, 1], -1, 1))
    roll = np.arctan2(-m[:, 2, 0], m[:, 2, 2])
    return np.stack([yaw, pitch, roll], axis=1)


def timecodes(pts: np.ndarray, rate: Rate) -> list[str]:
    """HH:MM:SS:FF.mmm of each time: frames of `rate` counted without dropping, thousandths of a frame after the dot."""
    codes = []
    for thousandths in np.round(frame_numbers(pts, rate, start=0.0) * 1000).astype(np.int64):
        frame, fraction = divmod(int(thousandths), 1000)
        seconds, frame = divmod(frame, rate.fps)
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        codes.append(f"{hours:02d}:{minutes:02d}:{seconds:02d}:{frame:02d}.{fraction:03d}")
    return codes
