"""Made-up faces for the tests of finding and following."""

import numpy as np

from spark_backend.video.face import Face


def some_face(seed: int = 0) -> Face:
    """Landmarks scattered over a face 200 px large, and scores."""
    random = np.random.default_rng(seed)
    return Face(random.uniform(100, 300, (478, 3)), random.uniform(0, 1, 52))


def box_at(x: float, size: float = 100) -> np.ndarray:
    """A face at height 200."""
    return np.array([x - size / 2, 200 - size / 2, x + size / 2, 200 + size / 2])
