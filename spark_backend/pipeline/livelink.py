"""A take as a Live Link Face recording: one row a frame, 52 weights and nine angles. See docs/formats/exports.md."""

import numpy as np

from ..protocol.livelink import ANGLES, livelink_angles
from ..protocol.names import ARKIT_52
from ..protocol.take import Take
from ..protocol.timeline import Rate, frame_numbers, nearest_rate


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
