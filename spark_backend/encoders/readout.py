"""The heads of the generic and of the adapted encoder: cues and a known person in, expression and pose out.

A single picture does not tell a face with a low brow from a frown. What is known of the person does: the landmarks are
aligned to their own head at rest (`alignment.py`), and the heads see what is left.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..geometry.rotation import matrix_from_vector
from ..protocol.names import ARKIT_52
from .alignment import STEADY, align
from .cues import Cues
from .mediapipe import ScoreNetwork, load_score_network

WIDTH, BLOCKS = 256, 2
DEEP, LOCAL, KEPT = 2560, 3584, 256
MOVED_UNIT = 0.003
"""Metres: about how far expressions move a landmark."""
TURN_UNIT = 0.2
"""Radians: about how far the alignment errs."""


Drop = Callable[[str, Tensor], Tensor]


def keep_all(name: str, values: Tensor) -> Tensor:
    """Nothing is taken away."""
    return values


class Parameters(NamedTuple):
    """What a face does in a batch of crops; a tuple, which torch can export."""

    weights: Float[Tensor, "B 52"]
    """In [0, 1], the order of `ARKIT_52`; jaw, lids and gaze are among them."""
    rotation: Float[Tensor, "B 3 3"]
    """Avatar axes to those of a camera that looks along the ray to the head, its picture as upright as the crop."""
    middle: Float[Tensor, "B 2"]
    """Crop pixels: the middle of the steady landmarks (`alignment.STEADY`)."""
    scale: Float[Tensor, "B"]
    """Crop pixels per metre there."""
    confidence: Float[Tensor, "B"]
    """In [0, 1]: the part of the face that seems to be seen, times the presence."""


class Projection(nn.Module):
    """Principal directions of a part of the cues, each scaled to deviation 1: fewer numbers, and less of any one person
    to learn by heart. Fixed, found before training."""

    def __init__(self, size: int, kept: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("directions", torch.zeros(size, kept))

    def forward(self, values: Float[Tensor, "B N"]) -> Float[Tensor, "B kept"]:
        """Coefficients."""
        return (values - self.mean) @ self.directions


class Glance(NamedTuple):
    """The cues of a batch of crops in short, which training keeps instead of pictures."""

    landmarks: Float[Tensor, "B 478 3"]
    presence: Float[Tensor, "B"]
    scores: Float[Tensor, "B 52"]
    """MediaPipe's own expression scores."""
    deep: Float[Tensor, "B 256"]
    local: Float[Tensor, "B 256"]


class Answer(NamedTuple):
    """What the heads say, before it is cut to its ranges."""

    weights: Float[Tensor, "B 52"]
    rotation: Float[Tensor, "B 3 3"]
    visible: Float[Tensor, "B"]


class Readout(nn.Module):
    """Cues to parameters, for a person given by their landmarks at rest."""

    def __init__(self) -> None:
        super().__init__()
        self.deep, self.local = Projection(DEEP, KEPT), Projection(LOCAL, KEPT)
        sizes = {"moved": 3 * 478, "turn": 9, "scores": 52, "deep": KEPT, "local": KEPT}
        self.enter = nn.ModuleDict({name: nn.Linear(size, WIDTH) for name, size in sizes.items()})
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH))
            for _ in range(BLOCKS)
        )
        self.leave = nn.Linear(WIDTH, len(ARKIT_52) + 4)
        nn.init.zeros_(self.leave.weight)

    def glance(self, cues: Cues, scores: Float[Tensor, "B 52"]) -> Glance:
        """The cues in short."""
        return Glance(cues.landmarks, cues.presence, scores, self.deep(cues.deep), self.local(cues.local))

    def answer(
        self,
        glance: Glance,
        rest: Float[Tensor, "*#B 478 3"],
        offset: Float[Tensor, "*#B 478 3"] | float = 0.0,
        drop: Drop = keep_all,
    ) -> Answer:
        """`rest` are the person's landmarks at rest, `offset` what the network sees of them beyond that (metres,
        avatar axes). `drop` takes cues away at random while training."""
        aligned = align(glance.landmarks, rest)
        seen = {
            "moved": (aligned.moved - offset).flatten(1) / MOVED_UNIT,
            "turn": 2 * aligned.rotation.flatten(1),
            "scores": glance.scores.clamp(1e-3, 1 - 1e-3).logit() / 2,
            "deep": glance.deep,
            "local": glance.local,
        }
        hidden = F.gelu(sum(layer(drop(name, seen[name])) for name, layer in self.enter.items()))
        for block in self.blocks:
            hidden = hidden + block(hidden)
        weights, turn, visible = self.leave(F.gelu(hidden)).split([len(ARKIT_52), 3, 1], -1)
        return Answer(weights, aligned.rotation @ matrix_from_vector(TURN_UNIT * turn), visible[:, 0])

    def forward(self, glance: Glance, rest: Float[Tensor, "478 3"], offset: Float[Tensor, "478 3"]) -> Parameters:
        """The answer in its ranges, and where the face is."""
        answer = self.answer(glance, rest, offset)
        middle, scale = placed(glance.landmarks, rest, answer.rotation)
        confidence = glance.presence * answer.visible.clamp(0, 1)
        return Parameters(answer.weights.clamp(0, 1), answer.rotation, middle, scale, confidence)


def placed(
    landmarks: Float[Tensor, "B 478 _"], rest: Float[Tensor, "*#B 478 3"], rotation: Float[Tensor, "B 3 3"]
) -> tuple[Float[Tensor, "B 2"], Float[Tensor, "B"]]:
    """Middle and scale of the steady landmarks for a known rotation."""
    seen, known = landmarks[:, list(STEADY), :2], rest[..., list(STEADY), :]
    middle = seen.mean(1)
    offset = (known - known.mean(-2, keepdim=True)) @ rotation[:, :2].mT
    scale = ((seen - middle[:, None]) * offset).sum((1, 2)) / offset.square().sum((1, 2))
    return middle, scale


class HeadNetwork(nn.Module):
    """Cues to parameters: MediaPipe's scores and the heads."""

    def __init__(self, bundle: bytes, readout: Readout) -> None:
        """From the content of `face_landmarker.task` and trained heads."""
        super().__init__()
        self.scores: ScoreNetwork = load_score_network(bundle).requires_grad_(False)
        self.readout = readout

    def forward(
        self,
        landmarks: Float[Tensor, "B 478 3"],
        presence: Float[Tensor, "B"],
        deep: Float[Tensor, "B 2560"],
        local: Float[Tensor, "B 3584"],
        rest: Float[Tensor, "478 3"],
        offset: Float[Tensor, "478 3"],
    ) -> Parameters:
        """`Cues` in its order; `rest` are the person's landmarks at rest, `offset` where the network sees them beyond
        that when they are, both in metres and the avatar's axes."""
        cues = Cues(landmarks, presence, deep, local)
        return self.readout(self.readout.glance(cues, self.scores(landmarks)), rest, offset)
