"""`spark live`: a camera drives the head now."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ..encoders.generic import generic_digest, generic_encoder
from ..geometry.landmarks import LandmarkHead
from ..heads.anny import load_anny
from ..live.camera import CameraThread, is_file, open_source
from ..live.encoded import EncoderTracker
from ..live.livelink_in import SCHEME, LiveLinkSource, LiveLinkTracker
from ..live.outlet import PictureOutlet, RecordOutlet
from ..live.recorder import Recorder
from ..live.session import LiveSession
from ..live.shaping import Shaper
from ..live.streams import LiveLink, Sender, Vmc
from ..live.tracker import LandmarkTracker, LiveTracker, usual_focal
from ..models import cache_folder, resolve_model
from ..protocol.avatar import Avatar, load_avatar
from ..protocol.job import Metric, Progress, Report, Warning
from ..protocol.live import (
    Adjust,
    LiveFrame,
    LiveRecord,
    LiveRecording,
    LiveStatus,
    StartRecording,
    Stop,
    decode_command,
)
from ..protocol.live_picture import open_picture_memory
from ..protocol.live_recording import RecordingHeader, recover_recordings
from ..protocol.project import Project, load_clip_info, open_project
from ..track.network import open_tracker, somebody
from .jobs import private_stdin
from .options import LiveOptions

ORPHAN_GRACE = 1.0
"""Seconds that the loop has to end after stdin has closed."""


def live(options: LiveOptions, report: Report) -> Mapping[str, Any]:
    """Tracks until it is told to stop. Takes that were recorded are in `takes` of the result, name to path."""
    project = open_project(options.project)
    avatar = load_avatar(project.avatar_folder)
    takes: dict[str, str] = {}
    finished = threading.Event()
    with contextlib.ExitStack() as stack:
        stack.callback(finished.set)  # last of all
        stdin = private_stdin() if options.records else None
        show = stack.enter_context(shared_picture(options.picture_memory)) if options.picture_memory else None
        tell = stack.enter_context(records_to_stdout()) if options.records else partial(tell_people, report)
        tell(LiveStatus("starting", "Starting"))
        recovered, faults = recover_recordings(project.folder / "takes")
        for path in recovered:
            tell(LiveRecording("recovered", path.stem, path=str(path), message=f"{path.stem}: recovered after a crash"))
        for fault in faults:
            tell(LiveRecording("failed", "", message=fault))
        session = make_session(options, project, avatar, remember(tell, takes))
        session.show = show
        if stdin is not None:
            threading.Thread(target=listen, args=(stdin, session, finished), name="spark-commands", daemon=True).start()
        session.run()
    return {"takes": takes}


def make_session(
    options: LiveOptions, project: Project, avatar: Avatar, tell: Callable[[LiveRecord], None]
) -> LiveSession:
    """All parts put together; nothing runs yet."""
    senders = []
    if options.vmc:
        senders.append(Sender(Vmc(), options.vmc))
    if options.livelink:
        senders.append(Sender(LiveLink(project.folder.stem), options.livelink))
    focal = partial(known_focal, project, avatar, options.camera)
    tracker, shaper = make_tracker(options, avatar, focal, tell), Shaper(avatar)
    started = time.perf_counter()
    make_source = LiveLinkSource if options.camera.startswith(SCHEME) else open_camera(options)
    camera = CameraThread(lambda: make_source(options.camera, started), lambda fault: note_fault(session, fault))

    def describe(name: str, video: str) -> RecordingHeader:
        size = getattr(tracker, "size", (640, 480))
        calibrated = shaper.rest is not None
        return RecordingHeader(name, size, focal(*size), options.camera, type(tracker).__name__, calibrated, video)

    recorder = Recorder(project.folder, describe, tell)
    session = LiveSession(camera, tracker, shaper, recorder, tell=tell, senders=senders)
    session.commands.put(Adjust(smoothing=options.smoothing))
    if options.record:
        session.commands.put(StartRecording(options.record, video=options.video))
    return session


def make_tracker(
    options: LiveOptions, avatar: Avatar, focal: Callable[[int, int], float], tell: Callable[[LiveRecord], None]
) -> LiveTracker:
    """The tracker that was chosen, or the phone's own."""
    if options.camera.startswith(SCHEME):
        return LiveLinkTracker(avatar)

    def say(sentence: str) -> None:
        tell(LiveStatus("starting", sentence))

    bundle = resolve_model("face_landmarker", say).read_bytes()
    if options.tracker == "landmarks":
        return LandmarkTracker(bundle, load_anny(), avatar, focal, say)
    path = cache_folder() / "encoders" / f"generic-{generic_digest()}.onnx"
    engine = open_tracker(generic_encoder(bundle), path, somebody(LandmarkHead(avatar).rest), say)
    return EncoderTracker(engine, bundle, avatar, focal)


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


def remember(tell: Callable[[LiveRecord], None], takes: dict[str, str]) -> Callable[[LiveRecord], None]:
    """`tell` that notes the takes that were saved."""

    def told(record: LiveRecord) -> None:
        if isinstance(record, LiveRecording) and record.state == "saved":
            takes[record.name] = record.path
        tell(record)

    return told


@contextlib.contextmanager
def shared_picture(name: str) -> Iterator[PictureOutlet]:
    """The way for pictures. Opened before the first record is written: then its name is taken away."""
    memory = open_picture_memory(name)
    try:
        yield PictureOutlet(memory)
    finally:
        memory.close()


@contextlib.contextmanager
def records_to_stdout() -> Iterator[RecordOutlet]:
    """Records go to the real stdout; whatever else is printed, now and later, goes to stderr."""
    sys.stdout.flush()
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def write(data: bytes) -> None:
        stream.write(data)
        stream.flush()

    outlet = RecordOutlet(write)
    try:
        yield outlet
    finally:
        outlet.close()
        with contextlib.suppress(OSError):
            stream.close()


def listen(pipe: int, session: LiveSession, finished: threading.Event) -> None:
    """Takes commands from `pipe`; its end is the end of the session, and of the process as soon as that is over.

    The process is not left to end by itself, for the libraries in it take seconds to put away what nobody needs.
    """
    with os.fdopen(pipe, "rb") as lines, contextlib.suppress(OSError):
        for line in lines:
            command = decode_command(line)
            if command is not None:
                session.commands.put(command)
    session.commands.put(Stop())
    os._exit(0 if finished.wait(ORPHAN_GRACE) else 1)


def tell_people(report: Report, record: LiveRecord) -> None:
    """Changes as lines, the rate and the latency once a second."""
    if isinstance(record, LiveStatus):
        report(Warning(record.message) if record.fault else Progress(record.message, 0.0))
    elif isinstance(record, LiveRecording) and record.state in ("saved", "recovered", "failed"):
        report(Warning(record.message) if record.message else Metric(f"recorded {record.name}", record.seconds, "s"))
    elif isinstance(record, LiveFrame) and record.number % 30 == 0:
        pace = f"{record.rate:.0f} frames a second, {1000 * record.latency:.0f} ms"
        report(Progress(f"Tracking, {pace}, {record.dropped} left out", 0.0))
