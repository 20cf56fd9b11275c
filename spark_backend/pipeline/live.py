"""The parts of `spark live`, put together: camera, tracker, shaping, recorder, streams."""

import queue
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ..heads.anny import load_anny
from ..live.camera import CameraThread, is_file, open_source
from ..live.encoded import EncoderTracker
from ..live.livelink_in import SCHEME, LiveLinkSource, LiveLinkTracker
from ..live.recorder import Recorder
from ..live.session import LiveSession, Show
from ..live.shaping import Shaper
from ..live.streams import LiveLink, Sender, Vmc
from ..live.tracker import LandmarkTracker, LiveTracker, usual_focal
from ..models import resolve_model
from ..protocol.avatar import Avatar, load_avatar
from ..protocol.live import LiveRecord, LiveStatus
from ..protocol.live_commands import Adjust, LiveCommand, StartRecording
from ..protocol.live_recording import RecordingHeader
from ..protocol.project import Project, load_clip_info
from .options import LiveOptions
from .streamed import open_by_name


def make_session(
    options: LiveOptions,
    project: Project,
    tell: Callable[[LiveRecord], None],
    show: Show | None,
    commands: "queue.SimpleQueue[LiveCommand]",
) -> LiveSession:
    """All parts put together; nothing runs yet."""
    avatar, senders = load_avatar(project.avatar_folder), []
    if options.vmc:
        senders.append(Sender(Vmc(), options.vmc))
    if options.livelink:
        senders.append(Sender(LiveLink(project.folder.stem), options.livelink))
    focal = partial(known_focal, project, avatar, options.camera)
    tracker, shaper = make_tracker(options, project, avatar, focal, tell), Shaper(avatar)
    started = time.perf_counter()
    make_source = LiveLinkSource if options.camera.startswith(SCHEME) else open_camera(options)
    camera = CameraThread(lambda: make_source(options.camera, started), lambda fault: note_fault(session, fault))

    def describe(name: str, video: str, sound: str) -> RecordingHeader:
        size = getattr(tracker, "size", (640, 480))
        calibrated = shaper.rest is not None
        camera = options.camera, type(tracker).__name__, calibrated
        return RecordingHeader(name, size, focal(*size), *camera, video, sound)

    recorder = Recorder(project.folder, describe, tell, films=not options.camera.startswith(SCHEME))
    shaper.adjust(Adjust(smoothing=options.smoothing))
    if options.record:
        commands.put(StartRecording(options.record, video=options.video, sound=options.sound))
    session = LiveSession(camera, tracker, shaper, recorder, tell=tell, commands=commands, show=show, senders=senders)
    return session


def make_tracker(
    options: LiveOptions,
    project: Project,
    avatar: Avatar,
    focal: Callable[[int, int], float],
    tell: Callable[[LiveRecord], None],
) -> LiveTracker:
    """The tracker that was chosen, or the phone's own."""
    if options.camera.startswith(SCHEME):
        return LiveLinkTracker(avatar)

    def say(sentence: str) -> None:
        tell(LiveStatus("starting", sentence))

    bundle = resolve_model("face_landmarker", say).read_bytes()
    if options.tracker == "landmarks":
        return LandmarkTracker(bundle, load_anny(), avatar, focal, say)
    encoder = open_by_name(project, avatar, options.tracker, bundle, say)
    return EncoderTracker(encoder, bundle, avatar, focal)


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
