"""Long clips in overlapping pieces, so that memory does not grow with a clip's length."""

import torch

from ..geometry.rotation import matrix_from_vector, vector_from_matrix
from .state import State

WINDOW, OVERLAP = 480, 48
"""Frames solved together, and frames that two windows have in common: there one fades into the next."""


def windows(count: int) -> list[slice]:
    """Frames 0 to `count` in windows of at most `WINDOW`."""
    step = WINDOW - OVERLAP
    starts = range(0, max(count - OVERLAP, 1), step)
    return [slice(start, min(start + WINDOW, count)) for start in starts]


def faded(states: list[State], pieces: list[slice]) -> State:
    """One state of all frames from those of the windows; in an overlap the one's part falls as the next one's rises."""
    result = states[0]
    for state, before, piece in zip(states[1:], pieces[:-1], pieces[1:], strict=True):
        shared = before.stop - piece.start
        first, second = result.select(slice(len(result.weights) - shared, None)), state.select(slice(0, shared))
        mixed = mix(first, second, (torch.arange(shared).double() + 1) / (shared + 1))
        parts = (result.select(slice(0, len(result.weights) - shared)), mixed, state.select(slice(shared, None)))
        result = joined(parts)
    return result


def mix(first: State, second: State, part: torch.Tensor) -> State:
    """Between two states of the same frames: 0 is the first, 1 the second, one number a frame."""
    part = part[:, None]
    turn = vector_from_matrix(second.rotation @ first.rotation.mT)
    return State(
        rotation=matrix_from_vector(part * turn) @ first.rotation,
        place=first.place + part * (second.place - first.place),
        weights=first.weights + part * (second.weights - first.weights),
        gaze=first.gaze + part * (second.gaze - first.gaze),
        identity=first.identity,
        log_focal=first.log_focal,
    )


def joined(states: tuple[State, ...]) -> State:
    """Frames one after the other; what they share is the first one's."""
    names = ("rotation", "place", "weights", "gaze")
    columns = {name: torch.cat([getattr(state, name) for state in states]) for name in names}
    return State(**columns, identity=states[0].identity, log_focal=states[0].log_focal)
