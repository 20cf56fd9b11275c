"""Distances between two pictures, linear in [0, 1], as SPARK computes them: over the whole picture."""

import cv2
import numpy as np
from jaxtyping import Float

WINDOW, SIGMA = 11, 1.5
FLOOR = 1e-8


def mse(a: Float[np.ndarray, "H W C"], b: Float[np.ndarray, "H W C"]) -> float:
    """Mean squared difference."""
    return float(np.square(a.astype(np.float64) - b).mean())


def psnr(a: Float[np.ndarray, "H W C"], b: Float[np.ndarray, "H W C"]) -> float:
    """Peak signal-to-noise ratio in dB for a peak of 1; 160 for equal pictures."""
    return float(-20 * np.log10(np.sqrt(mse(a, b)) + FLOOR))


def ssim(a: Float[np.ndarray, "H W C"], b: Float[np.ndarray, "H W C"]) -> float:
    """Structural similarity (Wang et al. 2004), Gaussian window of 11 pixels, where the whole window is inside."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    mean_a, mean_b = blur(a), blur(b)
    variance_a, variance_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    first = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
    second = (2 * covariance + 0.03**2) / (variance_a + variance_b + 0.03**2)
    return float((first * second).mean())


def blur(picture: Float[np.ndarray, "H W C"]) -> Float[np.ndarray, "h w C"]:
    """Gaussian means of all windows inside the picture."""
    edge = WINDOW // 2
    blurred = cv2.GaussianBlur(picture, (WINDOW, WINDOW), SIGMA).reshape(picture.shape)
    return blurred[edge:-edge, edge:-edge]
