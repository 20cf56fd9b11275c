"""`spark adapt`: the encoder learns the person, through their own avatar and their own clips."""

import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save

from .. import __version__
from ..adapt.learn import Learning, Material, begin, learn
from ..adapt.personal import Curriculum, Person
from ..adapt.train import Stage
from ..encoders.cues import cue_examples
from ..encoders.export import export_onnx
from ..encoders.files import Tracker, load_tracker, save_tracker
from ..encoders.generic import generic_digest, generic_weights, readout_from_bytes
from ..encoders.readout import HeadNetwork, Readout
from ..geometry.landmarks import LandmarkHead
from ..models import resolve_model
from ..protocol.avatar import load_avatar
from ..protocol.errors import SparkError
from ..protocol.job import Metric, Progress, Report
from ..protocol.project import Project, open_project
from ..protocol.storage import write_atomic
from .lessons import EFFORT, Studio, learned_and_judged, own_lessons, person_sights
from .options import AdaptOptions
from .progress import sections, told, warned

STEPS = {"renders": 3.0, "frames": 1.0, "pictures": 8.0, "learning": 2.0, "export": 0.6}
"""Relative durations."""
REAL = {"expression": 0.5, "rotation": 10.0, "shape": 0.1, "lips": 0.05, "lids": 0.05}
"""Weights of what real frames teach."""
RATE, ANCHOR, PATIENCE = 1e-3, 3.0, 6
SAVING = 10.0
"""Seconds between two checkpoints."""


def adapt(options: AdaptOptions, report: Report) -> Mapping[str, Any]:
    """Writes `tracker/` of the project; the old one stays until the new one is whole."""
    project = open_project(options.project)
    if not project.clips:
        raise SparkError(f"{options.project}: has no clips; add some with `spark ingest`")
    avatar, step = load_avatar(project.avatar_folder), sections(report, STEPS)
    bundle = resolve_model("face_landmarker", warned(report)).read_bytes()
    generic = readout_from_bytes(generic_weights())
    studio = Studio(
        project, avatar, bundle, generic, options.seed, project.folder / ".adapt" / work_key(project, options)
    )
    lessons, judged_lessons = own_lessons(studio, EFFORT[options.preset].renders, step["renders"])
    frames = EFFORT[options.preset].frames
    parts = person_sights(studio, project.clips, frames, step["frames"], step["pictures"])
    sights, judged_sights = learned_and_judged(parts)
    head = LandmarkHead(avatar)
    # Measured: an offset taken from the clips makes heads turn wrongly by half a degree more, so there is none.
    person = Person(head, torch.zeros_like(head.rest))
    plan = curriculum(options)
    learning = begin(first_heads(generic, options), plan, options.seed)
    store = Store(studio.work / "learning.safetensors")
    store.resume(learning)
    material = Material(sights, lessons, judged_sights, judged_lessons)
    plan = learn(learning, material, person, plan, told(step["learning"], "Learning the person"), store)
    about = description(project, options, learning, plan)
    result = finish(project, learning, person, about, bundle, step["export"])
    shutil.rmtree(project.folder / ".adapt", ignore_errors=True)
    report(Metric("error before", learning.errors[0]))
    report(Metric("error after", min(learning.errors)))
    return result


def curriculum(options: AdaptOptions) -> Curriculum:
    """The preset's plan, without what is left out."""
    stage = Stage("adapt", EFFORT[options.preset].epochs, RATE, batch=64, decay=0.0, offset_share=(0.0, 0.0))
    real = {} if "pictures" in options.without else REAL
    own = 0.0 if "renders" in options.without else 1.0
    anchor = 0.0 if "transfer" in options.without else ANCHOR
    return Curriculum(stage, real, own, "augmentation" not in options.without, anchor, PATIENCE)


def first_heads(generic: Readout, options: AdaptOptions) -> Readout:
    """A copy of the generic heads; without transfer heads that know nothing, on the same projections of the cues."""
    if "transfer" not in options.without:
        return readout_from_bytes(generic_weights())
    torch.manual_seed(options.seed)
    heads, fixed = Readout(), generic.state_dict()
    projections = {name: value for name, value in fixed.items() if name.startswith(("deep.", "local."))}
    heads.load_state_dict(projections, strict=False)
    return heads


def work_key(project: Project, options: AdaptOptions) -> str:
    """Says which adaptation a checkpoint belongs to: avatar, clips, options, release, generic weights."""
    stamp = (project.avatar_folder / "avatar.npz").stat().st_mtime_ns
    content = [
        __version__,
        generic_digest(),
        stamp,
        project.clips,
        options.preset,
        options.seed,
        sorted(options.without),
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


class Store:
    """Saves what has been learned, not more often than every `SAVING` seconds."""

    def __init__(self, path: Path) -> None:
        self.path, self.saved = path, time.monotonic()

    def __call__(self, learning: Learning) -> None:
        """After an epoch."""
        if time.monotonic() - self.saved < SAVING:
            return
        content = save(learning.tensors())
        write_atomic(self.path, lambda file: file.write(content))
        self.saved = time.monotonic()

    def resume(self, learning: Learning) -> None:
        """Goes on where a former run stood, if there was one."""
        if self.path.exists():
            learning.restore(load(self.path.read_bytes()))


def description(project: Project, options: AdaptOptions, learning: Learning, plan: Curriculum) -> dict[str, Any]:
    """tracker.json: how the heads were made and what they gained."""
    return {
        "encoder": "mediapipe",
        "generic": generic_digest(),
        "preset": options.preset,
        "seed": options.seed,
        "without": list(options.without),
        "clips": list(project.clips),
        "batch": plan.stage.batch,
        "epochs": learning.course.epoch,
        "errors": learning.errors,
        "losses": dict(plan.real),
        "stage": asdict(plan.stage),
    }


def finish(
    project: Project, learning: Learning, person: Person, about: dict[str, Any], bundle: bytes, report: Report
) -> Mapping[str, Any]:
    """Writes the tracker beside the old one, then takes its place."""
    report(Progress("Writing the tracker", 0.0))
    readout = learning.course.readout
    readout.load_state_dict(learning.best)
    fresh = project.folder / ".tracker-new"
    shutil.rmtree(fresh, ignore_errors=True)
    save_tracker(fresh, Tracker(readout, person.head.rest, person.offset, about))
    constants = {"rest": person.head.rest, "offset": person.offset}
    export_onnx(HeadNetwork(bundle, load_tracker(fresh).readout), fresh / "heads.onnx", cue_examples(), constants)
    shutil.rmtree(project.tracker_folder, ignore_errors=True)
    fresh.replace(project.tracker_folder)
    report(Progress("Writing the tracker", 1.0))
    return {"tracker": str(project.tracker_folder), "error_before": about["errors"][0], "error": min(about["errors"])}
