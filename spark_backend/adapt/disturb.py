"""What stands between a clean render and a frame of a video: background, glasses, hands, focus, sensor, codec."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from ..encoders.crop import LEFT_EYE_CORNER, RIGHT_EYE_CORNER

Picture = UInt8[np.ndarray, "H W 3"]
Mask = Bool[np.ndarray, "H W"]
EYES = ((33, 133, 159, 145), (362, 263, 386, 374))
"""Corners and lids of either eye."""


@dataclass(frozen=True)
class Odds:
    """How often each disturbance comes."""

    glasses: float = 0.22
    fringe: float = 0.25
    occluder: float = 0.25
    blur: float = 0.4
    codec: float = 0.7


def background(random: np.random.Generator, size: int) -> Picture:
    """Something out of focus."""
    coarse = random.uniform(20, 200) + random.normal(size=(5, 5, 1)) * 30 + random.normal(size=(5, 5, 3)) * 14
    picture = cv2.resize(coarse.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    for _ in range(random.integers(0, 7)):
        corner, extent = random.integers(-60, size, 2), random.integers(20, size, 2)
        cv2.rectangle(picture, corner.tolist(), (corner + extent).tolist(), random.uniform(0, 255, 3).tolist(), -1)
    return np.clip(cv2.GaussianBlur(picture, (0, 0), random.uniform(0.8, 10)), 0, 255).astype(np.uint8)


def over_background(random: np.random.Generator, colour: Picture, coverage: Float[np.ndarray, "H W 1"]) -> Picture:
    """The head before a background and, at times, with clothes below it."""
    back = background(random, len(colour))
    return (coverage * colour + (1 - coverage) * back).astype(np.uint8)


def put_glasses(random: np.random.Generator, picture: Picture, landmarks: Float[np.ndarray, "478 2"]) -> None:
    """Draws glasses over the eyes, thin or thick rims, clear or tinted."""
    unit = np.linalg.norm(landmarks[LEFT_EYE_CORNER] - landmarks[RIGHT_EYE_CORNER])
    right, left = (landmarks[list(eye)].mean(0) for eye in EYES)
    slope = np.degrees(np.arctan2(*(left - right)[::-1]))
    axes = np.array([random.uniform(0.24, 0.33), random.uniform(0.17, 0.28)]) * unit
    thickness = max(1, round(random.uniform(0.005, 0.05) * unit))
    colour = (random.uniform(0, 90) + random.normal(size=3) * 15).clip(0, 255).tolist()
    drop = np.array([0, random.uniform(0.0, 0.08) * unit])
    lens = np.zeros(picture.shape[:2], np.uint8)
    for centre in (right + drop, left + drop):
        box = (centre.tolist(), (2 * axes).tolist(), slope)
        cv2.ellipse(lens, box, 255, -1)
        cv2.ellipse(picture, box, colour, thickness, cv2.LINE_AA)
    tint, strength = random.uniform(0, 255, 3), random.choice([0.0, 0.05, 0.15, 0.3])
    picture[lens > 0] = ((1 - strength) * picture[lens > 0] + strength * tint).astype(np.uint8)
    across = (left - right) / np.linalg.norm(left - right)
    bridge = [right + drop + across * axes[0], left + drop - across * axes[0]]
    cv2.line(picture, *(p.round().astype(int).tolist() for p in bridge), colour, thickness, cv2.LINE_AA)
    for centre, outward in ((right + drop, -1), (left + drop, 1)):
        ends = [centre + outward * across * axes[0], centre + outward * across * (axes[0] + 0.4 * unit)]
        cv2.line(picture, *(p.round().astype(int).tolist() for p in ends), colour, thickness, cv2.LINE_AA)


def fringe(random: np.random.Generator, landmarks: Float[np.ndarray, "478 2"], size: int) -> tuple[Mask, np.ndarray]:
    """Hair or a hat over the forehead, or hair beside the face: where, and its colour."""
    unit = np.linalg.norm(landmarks[LEFT_EYE_CORNER] - landmarks[RIGHT_EYE_CORNER])
    mask = np.zeros((size, size), np.uint8)
    top, low = landmarks[10], landmarks[9]
    if random.random() < 0.6:
        height = top + random.uniform(-0.1, 0.75) * (low - top)
        along = np.linspace(-1.6, 1.6, 12)[:, None] * (landmarks[LEFT_EYE_CORNER] - landmarks[RIGHT_EYE_CORNER])
        edge = height + along + np.stack([np.zeros(12), random.normal(size=12) * 0.05 * unit], -1)
        above = [edge[-1] + 4 * (top - low), edge[0] + 4 * (top - low)]
        cv2.fillPoly(mask, [np.concatenate([edge, above]).round().astype(np.int32)], 1)
    for side in (234, 454):
        if random.random() < 0.5:
            inward = random.uniform(-0.05, 0.12)
            start = landmarks[side] + inward * (landmarks[1] - landmarks[side])
            outward = (landmarks[side] - landmarks[1]) * 1.2
            shape = [start + (top - low) * 3, start + (low - top) * 6, start + (low - top) * 6 + outward]
            cv2.fillPoly(mask, [np.array([*shape, start + (top - low) * 3 + outward]).round().astype(np.int32)], 1)
    return mask > 0, random.uniform(5, 110) * np.array([1.0, random.uniform(0.7, 1), random.uniform(0.5, 1)])


def occluder(random: np.random.Generator, landmarks: Float[np.ndarray, "478 2"], size: int) -> tuple[Mask, np.ndarray]:
    """A hand, a microphone or anything else before the face: where, and its colour."""
    unit = np.linalg.norm(landmarks[LEFT_EYE_CORNER] - landmarks[RIGHT_EYE_CORNER])
    mask = np.zeros((size, size), np.uint8)
    centre = landmarks[random.integers(468)] + random.normal(size=2) * 0.3 * unit
    for _ in range(random.integers(1, 5)):
        axes = unit * random.uniform((0.08, 0.15), (0.35, 0.9))
        place = centre + random.normal(size=2) * 0.2 * unit
        cv2.ellipse(mask, (place.tolist(), (2 * axes).tolist(), random.uniform(0, 180)), 1, -1)
    skin = random.uniform(60, 220) * np.array([1.0, 0.72, 0.58])
    return mask > 0, skin if random.random() < 0.5 else random.uniform(0, 255, 3)


def cover(random: np.random.Generator, picture: Picture, mask: Mask, colour: np.ndarray) -> None:
    """Paints a mask with a colour that varies a little, with a soft edge."""
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), random.uniform(0.5, 2.0))[..., None]
    coarse = random.normal(size=(9, 9, 1)).astype(np.float32) * 14
    texture = cv2.resize(coarse, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)[..., None]
    picture[:] = np.clip((1 - soft) * picture + soft * (colour + texture), 0, 255).astype(np.uint8)


def film(random: np.random.Generator, picture: Picture, odds: Odds) -> Picture:
    """Exposure, white balance, focus, motion, noise and compression."""
    gain = np.exp(random.normal(0, 0.12) + random.normal(0, 0.05, 3))
    gamma = np.exp(random.normal(0, 0.15))
    table = (255 * np.clip(gain * (np.arange(256)[:, None] / 255) ** gamma, 0, 1)).astype(np.uint8)
    picture = np.stack([cv2.LUT(picture[..., k], table[:, k]) for k in range(3)], -1)
    if random.random() < 0.06:
        picture = np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, -1)
    if random.random() < odds.blur:
        picture = blurred(random, picture)
    noise = random.normal(0, random.exponential(2.5), picture.shape[:2])[..., None]
    picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    if random.random() < odds.codec:
        quality = int(random.uniform(25, 95))
        coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        picture = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return picture


def blurred(random: np.random.Generator, picture: Picture) -> Picture:
    """Out of focus, or moved during the exposure."""
    if random.random() < 0.6:
        return cv2.GaussianBlur(picture, (0, 0), random.uniform(0.4, 1.8))
    length, angle = random.uniform(1, 7), random.uniform(0, np.pi)
    kernel = np.zeros((9, 9), np.float32)
    end = (length / 2 * np.array([np.cos(angle), np.sin(angle)])).round().astype(int)
    cv2.line(kernel, (4 - end).tolist(), (4 + end).tolist(), 1.0, 1)
    return cv2.filter2D(picture, -1, kernel / kernel.sum())
