"""What one person's skin looks like at fixed places, learnt from frames in which the head is known to lie right.

What a clip tells by itself inherits the errors of the landmarks that say where its points are; what a fit by pictures
has found does not, and it is the same for every clip of the person.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from ..geometry.rotation import matrix_from_quaternion
from ..protocol.avatar import Avatar, Rig
from ..protocol.errors import SparkError
from ..protocol.names import ARKIT_52
from ..protocol.project import ClipInfo, Frames
from ..protocol.storage import read_npz, write_npz
from ..protocol.take import Take
from .appearance import Appearance, Sampled, learn_appearance, sample
from .landmark_model import FREE, FREE_INDEX, look_channels
from .pictures import Crops, Pictures, cut_faces, pictures
from .state import Observations, State
from .surface_points import SurfacePoints, spread_points, surface_points

LOOK = "look.npz"
"""Its name in an avatar folder."""
POINTS = 1500
SCALES = (3.0, 1.5)
"""Standard deviations of the Gaussians that smooth what is compared, pixels of a crop: first broad features."""


@dataclass(frozen=True)
class Look:
    """At `N` places of the skin, for each of the `S` of `SCALES`."""

    face: Int[np.ndarray, "N"]
    bary: Float[np.ndarray, "N 3"]
    """Triangle and barycentric coordinates of each place."""
    albedo: Float[np.ndarray, "S N"]
    """Logarithm, in the unknown unit of the light."""
    known: Float[np.ndarray, "S N"]
    """1 where the frames show a place, else 0."""
    noise: Float[np.ndarray, "S"]

    def appearance(self, points: SurfacePoints, shown: Pictures, sampled: Sampled, scale: int) -> Appearance:
        """The person in the light of one clip, with no less noise than the person's own."""
        albedo, known, noise = (
            torch.as_tensor(array[scale]).float() for array in (self.albedo, self.known, self.noise)
        )
        seen = replace(sampled, weight=sampled.weight * known)
        _, _, own, light = learn_appearance(seen, torch.zeros(len(seen.value), dtype=torch.long), albedo)
        return Appearance(points, shown, albedo, known, own.clamp(min=noise), light[0])


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
    owner = torch.cat([torch.full((len(s.log_focal),), number) for number, s in enumerate(states)])
    # To the solver every frame is a clip of its own: each has its focal length.
    nothing, number = torch.zeros(len(owner), len(FREE)), torch.arange(len(owner))
    seen = Observations(nothing[:, None, :2], nothing[:, 0], nothing, nothing, number, number.double())
    places = spread_points(avatar, POINTS)
    points = surface_points(avatar, *places)
    learnt = [learn_appearance(sample(points, pictures(joined, blur), state, seen), owner)[:3] for blur in SCALES]
    return Look(*places, *(torch.stack(column).numpy() for column in zip(*learnt, strict=True)))


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
    content = read_npz(path)
    if not content.keys() >= Look.__dataclass_fields__.keys():
        raise SparkError(f"{path}: this head was fitted by an older version; run `spark fit` again")
    return Look(**{name: content[name] for name in Look.__dataclass_fields__})
