"""A real face that everybody has: scikit-image's astronaut, and what MediaPipe sees in it."""

from functools import cache
from pathlib import Path

import numpy as np
import skimage.data

from spark_backend.models import find_model
from spark_backend.video.face import Face
from spark_backend.video.networks import Landmarker

SETTLED = 12  # looks after which MediaPipe's crop and filter stand still
LONG = 60_000  # milliseconds between them


def astronaut() -> np.ndarray:
    """RGB bytes, 512 x 512; the face is about 110 pixels high and tilted by 3 degrees."""
    return np.ascontiguousarray(skimage.data.astronaut())


@cache
def bundle() -> bytes:
    """`face_landmarker.task`, from the package that the extra `test` brings."""
    return Path(find_model("face_landmarker")).read_bytes()


@cache
def followed(quarter_turns: int = 0) -> Face:
    """MediaPipe's own answer for the picture turned counter-clockwise, once its crop has settled."""
    picture = np.ascontiguousarray(np.rot90(astronaut(), quarter_turns))
    with Landmarker(bundle(), follow=True) as landmarker:
        for _ in range(SETTLED):
            face = landmarker(picture, LONG)
    return face
