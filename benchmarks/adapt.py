"""What adapting the encoder to a person gives, and each part of it, on a rendered clip whose truth is known.

    python benchmarks/adapt.py PROJECT CLIP TRUTH [--preset draft|standard|high] [--work FOLDER]

PROJECT has a fitted head and its clips; CLIP is one of them that neither the head nor the encoder has learned from, and
TRUTH an .npz with what happens in it: `weights_arkit` (T, E), `names_arkit` (E,), `cam_from_head` (T, 4, 4). Renders,
looks and the teacher's answers are made once, into FOLDER, and shared by all rows. Prints for the take of CLIP: mean
correlation over the expressions that move, mean error of their weights, head rotation in degrees after one constant
turn.
"""

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

import numpy as np
import torch

from spark_backend.adapt.learn import Material, begin, learn
from spark_backend.adapt.personal import Person
from spark_backend.encoders.generic import generic_weights, readout_from_bytes
from spark_backend.encoders.readout import Readout
from spark_backend.evaluate.curves import correlation
from spark_backend.geometry.landmarks import LandmarkHead
from spark_backend.geometry.rotation import quaternion_from_matrix
from spark_backend.models import resolve_model
from spark_backend.pipeline.adapt import curriculum, first_heads
from spark_backend.pipeline.lessons import EFFORT, Studio, learned_and_judged, own_lessons, person_sights
from spark_backend.pipeline.measure import rotation_error
from spark_backend.pipeline.options import AdaptOptions, LeftOut
from spark_backend.pipeline.streamed import intrinsics, usual_focal
from spark_backend.protocol.avatar import load_avatar
from spark_backend.protocol.project import load_clip, open_project
from spark_backend.protocol.take import Take
from spark_backend.track.clip import watch_clip
from spark_backend.track.network import Person as Known
from spark_backend.track.network import open_encoder
from spark_backend.track.take import take_of

MOVES = 0.05
"""Standard deviation of a true weight from which the expression moves."""


def main() -> None:
    """Prints a row for each way of learning as soon as it is done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("clip")
    parser.add_argument("truth", type=Path)
    parser.add_argument("--preset", default="draft")
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        studio = studio_of(options.project, options.work or Path(scratch))
        judge = Judge(studio, options.clip, np.load(options.truth))
        print(f"{'':24}correlation   error   rotation")
        for name, readout, person in learned(studio, options.clip, options.preset):
            print(f"{name:24}{judge(readout, person)}", flush=True)


def studio_of(folder: Path, work: Path) -> Studio:
    """Where lessons are made for the project."""
    project = open_project(folder)
    bundle = resolve_model("face_landmarker", lambda sentence: None).read_bytes()
    readout = readout_from_bytes(generic_weights())
    return Studio(project, load_avatar(project.avatar_folder), bundle, readout, 0, work)


def learned(studio: Studio, held: str, preset: str) -> Iterator[tuple[str, Readout, Person]]:
    """The generic heads, those of `spark adapt`, and those that lack a part of it or have seen fewer clips."""
    clips, effort = [name for name in studio.project.clips if name != held], EFFORT[preset]
    lessons, judged_lessons = own_lessons(studio, effort.renders, ignore)
    parts = person_sights(studio, clips, effort.frames, ignore, ignore)
    head = LandmarkHead(studio.avatar)
    person = Person(head, torch.zeros_like(head.rest))
    yield "generic", studio.readout, person
    ways = [("adapted", (), len(parts)), *((f"without {name}", (name,), len(parts)) for name in get_args(LeftOut))]
    ways += [(f"{count} of {len(parts)} clips", (), count) for count in range(1, len(parts))]
    for name, without, count in ways:
        sights, judged_sights = learned_and_judged(parts[:count])
        asked = AdaptOptions(studio.project.folder, preset, without=without)
        plan = curriculum(asked)
        learning = begin(first_heads(studio.readout, asked), plan, 0)
        learn(learning, Material(sights, lessons, judged_sights, judged_lessons), person, plan, ignore, ignore)
        learning.course.readout.load_state_dict(learning.best)
        yield name, learning.course.readout, person


class Judge:
    """The clip that was held out, and its truth."""

    def __init__(self, studio: Studio, clip: str, truth: Mapping[str, np.ndarray]) -> None:
        self.studio, (self.info, self.frames) = studio, load_clip(studio.project.clip_folder(clip))
        names = [str(name) for name in truth["names_arkit"]]
        self.turns = quaternion_from_matrix(torch.as_tensor(truth["cam_from_head"][:, :3, :3])).numpy()
        moving = [column for column in range(len(names)) if truth["weights_arkit"][:, column].std() > MOVES]
        self.weights = truth["weights_arkit"][:, moving]
        self.names = [names[column] for column in moving]

    def __call__(self, readout: Readout, person: Person) -> str:
        """Three figures of what the heads make of the clip."""
        take = self.track(readout, person)
        found = np.stack([take.weight(name) for name in self.names], -1)
        curves = zip(found.T, self.weights.T, strict=True)
        r, error = np.mean([correlation(one, true) for one, true in curves]), np.abs(found - self.weights).mean()
        return f"{r:11.3f}{error:8.3f}{rotation_error(take.head_rotation, self.turns):11.2f}"

    def track(self, readout: Readout, person: Person) -> Take:
        """As `spark track` does, on torch."""
        studio = self.studio
        known = Known(person.head.rest, person.offset)
        encoder = open_encoder(studio.bundle, readout.eval(), studio.work / "none", known, ignore, "torch")
        seen = watch_clip(Path(self.info.source), studio.bundle, encoder, self.frames, ignore, ignore)
        focal = usual_focal(studio.project, studio.avatar, self.info.source, self.info.size)
        return take_of(studio.avatar, seen, intrinsics(focal, self.info.size), {})


def ignore(event: object) -> None:
    """A report for nobody."""


if __name__ == "__main__":
    main()
