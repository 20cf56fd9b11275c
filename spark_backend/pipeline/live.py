"""The parts of `spark live`, put together: camera, tracker, shaping, recorder, streams."""

import queue
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from ..encoders.files import has_tracker
from ..heads.anny import load_anny
from ..live.calibration import CalibrationFile
from ..live.camera import CameraThread, is_file, open_source
from ..live.encoded import EncoderTracker, FaceReader, LandmarkTracker
from ..live.livelink_in import SCHEME, LiveLinkSource, LiveLinkTracker
from ..live.recorder import Recorder
from ..live.session import LiveSession, Show
from ..live.shaping import Shaper
from ..live.streams import LiveLink, Sender, Vmc
from ..live.tracker import LiveTracker, usual_focal
from ..models import resolve_model
from ..protocol.avatar import Avatar, load_avatar
from ..protocol.errors import SparkError
from ..protocol.job import Event, Progress, Warning
from ..protocol.live import LiveCalibration, LiveRecord, LiveStatus
from ..protocol.live_commands import LiveCommand, StartRecording
from ..protocol.live_recording import RecordingHeader
from ..protocol.live_strengths import load_strengths
from ..protocol.project import Project, load_clip_info
from .options import LiveOptions
from .streamed import open_by_name, open_generic

PHONE = "livelink"
"""Name of the phone's own tracker."""


def make_session(
    options: LiveOptions,
    project: Project,
    tell: Callable[[LiveRecord], None],
    show: Show | None,
    commands: "queue.SimpleQueue[LiveCommand]",
) -> LiveSession:
    """All parts put together; nothing runs yet."""
    avatar, senders, name = load_avatar(project.avatar_folder), [], tracker_name(options, project)
    if options.vmc:
        senders.append(Sender(Vmc(), options.vmc))
    if options.livelink:
        senders.append(Sender(LiveLink(project.folder.stem), options.livelink))
    focal = cache(partial(known_focal, project, avatar, options.camera))  # asked for every picture, and looks at files
    tracker = make_tracker(name, project, avatar, focal, tell)
    calibration = CalibrationFile(project.folder / "live" / "calibration.json", options.camera, name)
    shaper = make_shaper(options, project, avatar, calibration, tell)
    started = time.perf_counter()
    make_source = LiveLinkSource if options.camera.startswith(SCHEME) else open_camera(options)
    camera = CameraThread(lambda: make_source(options.camera, started), lambda fault: note_fault(session, fault))

    def describe(take: str, video: str, sound: str) -> RecordingHeader:
        size = getattr(tracker, "size", (640, 480))
        calibrated = shaper.rest is not None
        return RecordingHeader(take, size, focal(*size), options.camera, name, calibrated, video, sound)

    recorder = Recorder(project.folder, describe, tell, films=not options.camera.startswith(SCHEME))
    if options.record:
        commands.put(StartRecording(options.record, video=options.video, sound=options.sound))
    ways = {"tell": tell, "commands": commands, "show": show, "senders": senders, "keep": calibration.save}
    session = LiveSession(camera, tracker, shaper, recorder, **ways)
    return session


def make_shaper(
    options: LiveOptions,
    project: Project,
    avatar: Avatar,
    calibration: CalibrationFile,
    tell: Callable[[LiveRecord], None],
) -> Shaper:
    """With the strengths and the resting face that the project keeps of the person."""
    shaper, strengths = Shaper(avatar), load_strengths(project.folder).adjust()
    shaper.adjust(strengths if options.smoothing is None else replace(strengths, smoothing=options.smoothing))
    try:
        shaper.rest = calibration.load()
    except SparkError as error:  # one click makes it anew
        tell(LiveCalibration(False, str(error)))
    if shaper.rest is not None:
        tell(LiveCalibration(True, "Calibrated as the last time; do it again when you or the camera have moved"))
    return shaper


def tracker_name(options: LiveOptions, project: Project) -> str:
    """Of the tracker that is meant: the phone's own, the one that was named, or the best that the project has."""
    if options.camera.startswith(SCHEME):
        return PHONE
    if options.tracker != "auto":
        return options.tracker
    return "adapted" if has_tracker(project.tracker_folder) else "generic"


def make_tracker(
    name: str,
    project: Project,
    avatar: Avatar,
    focal: Callable[[int, int], float],
    tell: Callable[[LiveRecord], None],
) -> LiveTracker:
    """The tracker of that name."""
    if name == PHONE:
        return LiveLinkTracker(avatar)

    def say(sentence: str) -> None:
        tell(LiveStatus("starting", sentence))

    def report(event: Event) -> None:
        if isinstance(event, Progress | Warning):
            say(event.stage if isinstance(event, Progress) else event.message)

    say(f"Starting with the tracker `{name}`")
    bundle = resolve_model("face_landmarker", say).read_bytes()
    if name == "landmarks":  # with the evidence that clips are solved with
        reader = FaceReader(open_generic(avatar, bundle, report), bundle)
        return LandmarkTracker(reader, load_anny(), avatar, focal)
    return EncoderTracker(FaceReader(open_by_name(project, avatar, name, bundle, report), bundle), avatar, focal)


def open_camera(options: LiveOptions) -> Callable[[str, float], Any]:
    """`open_source` with what the options ask of a camera."""
    return lambda name, started: open_source(name, options.size, options.rate, started)


def note_fault(session: LiveSession, fault: str) -> None:
    """What the camera's thread says; the loop tells it."""
    session.fault = fault


def known_focal(project: Project, avatar: Avatar, camera: str, width: int, height: int) -> float:
    """Pixels: of a clip of the project what the fit has found, else what is usual."""
    if is_file(camera):
        for clip, focal in avatar.metrics.get("focal", {}).items():
            path = project.clip_folder(clip) / "clip.json"
            if path.exists() and Path(load_clip_info(path.parent).source).absolute() == Path(camera).absolute():
                return float(focal)
    return usual_focal(width, height)
