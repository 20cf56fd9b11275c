"""What one person's skin looks like at fixed places, learnt from frames in which the head is known to lie right.

A clip's own mean appearance inherits the errors of the landmarks that it was averaged by; that of a fit by pictures
does not, and it is the same for every clip of the person.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from ..geometry.rotation import matrix_from_quaternion
from ..protocol.avatar import Avatar, Rig
from ..protocol.names import ARKIT_52
from ..protocol.project import ClipInfo, Frames
from ..protocol.storage import read_npz, write_npz
from ..protocol.take import Take
from .landmark_model import FREE, FREE_INDEX, look_channels
from .photometric_term import Appearance, learn_appearance
from .pictures import Crops, cut_faces, pictures
from .state import Observations, State
from .surface_points import spread_points, surface_points

LOOK = "look.npz"
"""Its name in an avatar folder."""
POINTS = 1500
SCALES = ((3.0, 12.0), (1.5, 8.0))
"""Between which standard deviations pictures are compared, pixels of a crop: first broad features, then narrow ones."""


@dataclass(frozen=True)
class Look:
    """At `N` places (those of `spread_points`), for each of the `S` of `SCALES`."""

    mean: Float[np.ndarray, "S N"]
    known: Float[np.ndarray, "S N"]
    """1 where the frames show a place, else 0."""
    noise: Float[np.ndarray, "S"]

    def instead_of(self, own: Appearance, scale: int) -> Appearance:
        """The person's appearance for a clip that has an appearance of its `own`, and no less noise than that."""
        mean, known = (torch.as_tensor(array[scale]).float() for array in (self.mean, self.known))
        return replace(own, mean=mean, known=known, noise=own.noise.clamp(min=float(self.noise[scale])))


def learn_look(avatar: Avatar, clips: Sequence[tuple[ClipInfo, Frames]], takes: Sequence[Take]) -> Look:
    """From the valid frames of takes on this avatar; reads these frames of the clips."""
    states, crops = [], []
    for (info, frames), take in zip(clips, takes, strict=True):
        rows = np.flatnonzero(take.valid)
        state = state_of(avatar.rig, take, rows)
        eyes = avatar.joints[[avatar.joint_names.index(name) for name in ("eye_left", "eye_right")]]
        scale = state.log_focal.exp() * float(np.linalg.norm(eyes[0] - eyes[1])) / state.place[:, 2].exp()
        crops.append(cut_faces(Path(info.source), frames, rows, scale, info.size))
        states.append(state)
    joined = Crops(
        np.concatenate([c.luma for c in crops]),
        *(torch.cat([getattr(c, n) for c in crops]) for n in ("centre", "zoom")),
    )
    names = ("rotation", "place", "weights", "gaze", "log_focal")
    state = State(**{name: torch.cat([getattr(s, name) for s in states]) for name in names}, identity=torch.zeros(0))
    count = len(state.log_focal)
    # Every frame is a clip of its own: each has its focal length.
    nothing, number = torch.zeros(count, len(FREE)), torch.arange(count)
    seen = Observations(nothing[:, None, :2], nothing[:, 0], nothing, nothing, number, number.double())
    points = surface_points(avatar, *spread_points(avatar, POINTS))
    learnt = [learn_appearance(points, pictures(joined, *scales), state, seen) for scales in SCALES]
    return Look(*(np.stack([getattr(a, name).numpy() for a in learnt]) for name in ("mean", "known", "noise")))


def state_of(rig: Rig, take: Take, rows: np.ndarray) -> State:
    """Some frames of a take as the solver's variables, the focal length of each frame among them."""
    weights = torch.as_tensor(take.weights[rows][:, [take.names.index(name) for name in ARKIT_52]])
    gaze = torch.zeros(len(rows), 4, dtype=weights.dtype)
    for name, column, factor in look_channels(rig):
        gaze[:, column] += weights[:, ARKIT_52.index(name)] / factor
    translation = torch.as_tensor(take.head_translation[rows])
    K = np.broadcast_to(take.K, (len(take.pts), 3, 3))[rows]
    return State(
        rotation=matrix_from_quaternion(torch.as_tensor(take.head_rotation[rows])),
        place=torch.cat([translation[:, :2] / translation[:, 2:], translation[:, 2:].log()], 1),
        weights=weights[:, FREE_INDEX],
        gaze=gaze,
        identity=torch.zeros(0),
        log_focal=torch.as_tensor(K[:, 0, 0].copy()).log(),
    )


def save_look(path: Path, look: Look) -> None:
    """Writes look.npz of an avatar folder."""
    write_npz(path, {name: getattr(look, name) for name in Look.__dataclass_fields__})


def load_look(path: Path) -> Look | None:
    """The look of an avatar folder; None when the avatar was fitted without pictures."""
    if not path.exists():
        return None
    content = read_npz(path, tuple(Look.__dataclass_fields__))
    return Look(**{name: content[name] for name in Look.__dataclass_fields__})
