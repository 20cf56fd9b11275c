"""What a user should know about a clip before building a head from it: one sentence each, with a remedy."""

import numpy as np
from jaxtyping import Bool, Float

from ..protocol.project import Frames
from .face import RGB, Box
from .people import Person

FEW_FRAMES = 45
SMALL_FACE = 90.0  # pixels
DARK = 45.0  # mean brightness of the face, of 255
LONG_GAP = 1.0  # seconds
UNSURE = 0.5  # confidence
RIVAL = 0.5  # of the followed person's prominence


def coverage_warnings(frames: Frames, brightness: list[float], people: tuple[Person, ...], face: int) -> list[str]:
    """Sentences for all that may spoil the result."""
    valid = np.asarray(frames.valid)
    messages = []
    if valid.sum() < FEW_FRAMES:
        messages.append(f"Only {valid.sum()} frames show the face; a few seconds more make a better head")
    size = float(np.median(face_sizes(np.asarray(frames.box)[valid])))
    if size < SMALL_FACE:
        messages.append(f"The face is only {size:.0f} pixels high; film closer, or zoom in")
    if brightness and np.median(brightness) < DARK:
        messages.append("The face is dark; more light gives steadier tracking and a better texture")
    start, end = longest_gap(np.asarray(frames.pts), valid)
    if end - start > LONG_GAP:
        messages.append(f"No face between {start:.1f} and {end:.1f} s; those frames are held in between")
    unsure = float((np.asarray(frames.confidence)[valid] < UNSURE).mean())
    if unsure > 0.2:
        messages.append(f"The landmarks are unsure in {unsure:.0%} of the frames; a sharper, unobstructed face helps")
    rivals = [n for n, person in enumerate(people) if n != face and person.prominence > RIVAL * people[face].prominence]
    if rivals:
        numbers = " or ".join(f"--face {number}" for number in rivals[:3])
        messages.append(f"{len(rivals) + 1} people are about as prominent; followed face {face}, choose with {numbers}")
    return messages


def face_sizes(boxes: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n"]:
    """The larger side of each box."""
    return np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])


def longest_gap(pts: Float[np.ndarray, "t"], valid: Bool[np.ndarray, "t"]) -> tuple[float, float]:
    """Start and end in seconds of the longest stretch without a face; equal when there is none."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (~valid).astype(int), [0]])))
    gaps = [(float(pts[a]), float(pts[min(b, len(pts) - 1)])) for a, b in edges.reshape(-1, 2)]
    return max(gaps, key=lambda gap: gap[1] - gap[0], default=(0.0, 0.0))


def face_brightness(image: RGB, box: Box) -> float:
    """Mean of the face's pixels over all channels, every eighth one."""
    left, top, right, bottom = (max(0, int(value)) for value in box)
    part = image[top : bottom + 1 : 8, left : right + 1 : 8]
    return float(part.mean()) if part.size else 0.0
