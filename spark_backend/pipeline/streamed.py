"""Tracking by an encoder: frame by frame, from the video itself."""

from pathlib import Path

import numpy as np

from ..encoders.files import load_tracker
from ..encoders.generic import generic_digest, generic_weights, readout_from_bytes
from ..geometry.landmarks import LandmarkHead
from ..models import cache_folder, resolve_model
from ..protocol.avatar import Avatar
from ..protocol.errors import SparkError
from ..protocol.job import Report, Warning
from ..protocol.project import Frames, Project, load_clip, load_clip_info
from ..solve.options import SolveOptions
from ..track.clip import watch_clip
from ..track.network import Encoder, Person, open_encoder, somebody
from ..track.take import Sightings, take_of
from ..video.ingest import digest_of
from .options import TrackOptions
from .progress import told, warned
from .tracked import Tracked, source_of


def streamed(project: Project, avatar: Avatar, options: TrackOptions, report: Report) -> Tracked:
    """Frame by frame, by an encoder. The clip need not have been ingested: a path of a video will do."""
    info, frames = load_clip(project.clip_folder(options.clip)) if options.clip in project.clips else (None, None)
    video = Path(options.clip if info is None else info.source)
    if info is None and not video.is_file():
        raise SparkError(f"{options.clip}: neither a clip of {project.folder} nor a video; give the path of one")
    bundle = resolve_model("face_landmarker", warned(report)).read_bytes()
    encoder = open_by_name(project, avatar, options.tracker, bundle, report)
    sightings = watch_clip(video, bundle, encoder, frames, warned(report), told(report, f"Tracking {video.stem}"))
    digest = digest_of(video) if info is None else info.digest
    source = source_of(str(video.absolute()), digest, options, "second differences, Cauchy")
    source |= {"gaps": "filled" if options.fill_gaps else "held"}
    K = intrinsics(usual_focal(project, avatar, options.clip, sightings.size), sightings.size)
    take = take_of(avatar, sightings, K, source, fill_gaps=options.fill_gaps)
    return Tracked(take, frames or frames_of(sightings), video.stem if info is None else options.clip)


def open_by_name(project: Project, avatar: Avatar, name: str, bundle: bytes, report: Report) -> Encoder:
    """The encoder of `generic`, or of `adapted` for the person of the project."""
    if name == "generic":
        return open_generic(avatar, bundle, report)
    tracker = load_tracker(project.tracker_folder)
    if (project.tracker_folder / "tracker.json").stat().st_mtime < (
        project.avatar_folder / "avatar.npz"
    ).stat().st_mtime:
        report(Warning("The head has been fitted anew since `spark adapt`; run it again for the best result"))
    path, person = project.tracker_folder / "heads.onnx", Person(tracker.rest, tracker.offset)
    return open_encoder(bundle, tracker.readout, path, person, report)


def open_generic(avatar: Avatar, bundle: bytes, report: Report) -> Encoder:
    """The encoder of `generic` for this head; `bundle` is the content of `face_landmarker.task`."""
    path = cache_folder() / "encoders" / f"heads-{generic_digest()}.onnx"
    person = somebody(LandmarkHead(avatar).rest)
    return open_encoder(bundle, readout_from_bytes(generic_weights()), path, person, report)


def usual_focal(project: Project, avatar: Avatar, clip: str, size: tuple[int, int]) -> float:
    """Pixels: the clip's own when the fit has seen it; else all clips of the person are taken to be of one camera."""
    known = avatar.metrics.get("focal", {})
    if clip in known:
        return float(known[clip])
    infos = {name: load_clip_info(project.clip_folder(name)) for name in known if name in project.clips}
    relative = [known[name] / max(info.size) for name, info in infos.items()]
    return max(size) * float(np.median(relative) if relative else SolveOptions().focal_prior)


def intrinsics(focal: float, size: tuple[int, int]) -> np.ndarray:
    """(3, 3), square pixels, the principal point in the middle."""
    return np.array([[focal, 0, size[0] / 2], [0, focal, size[1] / 2], [0, 0, 1.0]])


def frames_of(sightings: Sightings) -> Frames:
    """What was seen, as an ingested clip would hold it; without scores."""
    count, valid = len(sightings.pts), sightings.valid
    landmarks = np.full((count, 478, 3), np.nan, np.float32)
    landmarks[valid] = sightings.column("landmarks")
    box = np.concatenate([landmarks[..., :2].min(1), landmarks[..., :2].max(1)], 1)
    confidence = np.zeros(count)
    confidence[valid] = sightings.column("confidence")
    return Frames(sightings.pts, valid, box, landmarks, np.zeros((count, 52)), confidence)
