"""Notices a clip that shows somebody else."""

from collections.abc import Sequence

import numpy as np

from ..heads.model import HeadModel
from ..protocol.job import Report
from ..protocol.project import ClipInfo, Frames
from ..solve.options import SolveOptions
from ..solve.person import fit_person
from .progress import shares, told

KEYFRAMES = 24
"""Of each clip, from which the person in it is found."""
STRANGE = 1.9
"""Millimetres between two faces from which they are two people's; see docs/fit.md for how it was chosen."""


def strange_clips(
    head: HeadModel, names: Sequence[str], clips: Sequence[tuple[ClipInfo, Frames]], report: Report
) -> list[str]:
    """A sentence for every clip whose face, solved from its landmarks alone, is not that of the other clips."""
    if len(clips) < 2:
        return []
    ticks = [told(part, "Comparing the people in the clips") for part in shares(report, len(clips))]
    people = [fit_person(head, [c], KEYFRAMES, SolveOptions(), t) for c, t in zip(clips, ticks, strict=True)]
    shapes = np.stack([person.identity for person in people])
    return strangers(names, face_distances(head, shapes))


def face_distances(head: HeadModel, identities: np.ndarray) -> np.ndarray:
    """(C, C) root mean square distances (mm) of the faces of identities (C, I) as seen from the front: how deep a face
    is a single clip hardly tells."""
    face = np.tensordot(identities, head.identity[:, head.regions["face"]][..., [0, 2]], 1)
    return 1e3 * np.sqrt(((face[:, None] - face[None]) ** 2).sum(-1).mean(-1))


def strangers(names: Sequence[str], distance: np.ndarray) -> list[str]:
    """A sentence for each clip that is far from most of the others; of two clips nobody can tell which is wrong."""
    if len(names) == 2:
        different = distance[0, 1] > STRANGE
        return [f"{names[0]} and {names[1]} seem to show different people; keep one of them"] if different else []
    others = ~np.eye(len(names), dtype=bool)
    middle = [np.median(row[mask]) for row, mask in zip(distance, others, strict=True)]
    return [
        f"{name}: seems to show somebody else than the other clips; remove it from the project"
        for name, value in zip(names, middle, strict=True)
        if value > STRANGE
    ]
