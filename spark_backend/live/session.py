"""The loop: newest picture in, pose out, commands obeyed between two pictures, every change told in words."""

import queue
import time
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from ..protocol import live_commands
from ..protocol.errors import SparkError
from ..protocol.live import LiveCalibration, LiveFrame, LivePose, LiveRecord, LiveStatus
from ..protocol.live_commands import LiveCommand
from ..video.face import RGB
from .camera import CameraThread, Shot
from .looking import Look, LookThread
from .recorder import Recorder
from .shaping import Rest, Shaper
from .streams import Sender
from .tracker import LiveTracker, Tracked

PATIENCE = 0.05
"""Seconds between two looks at the commands when no picture comes."""
SILENCE = 1.5
"""Seconds without a picture that are worth a word."""
LOST = 0.4
"""Seconds without a face that are worth a word; a blink of the detector is not."""
SLEPT = 3.0
"""Seconds by which the clock on the wall may run ahead before the computer has slept."""

Show = Callable[[RGB, Float[np.ndarray, "478 2"] | None], None]


class LiveSession:
    """One camera, one tracker, one head."""

    def __init__(
        self,
        camera: CameraThread,
        tracker: LiveTracker,
        shaper: Shaper,
        recorder: Recorder,
        *,
        tell: Callable[[LiveRecord], None],
        commands: "queue.SimpleQueue[LiveCommand]",
        show: Show | None = None,
        senders: Sequence[Sender] = (),
        keep: Callable[[Rest | None], None] = lambda rest: None,
    ) -> None:
        """`keep` stores a calibration for the next session, or None once it is taken back."""
        self.camera, self.tracker, self.shaper, self.recorder = camera, tracker, shaper, recorder
        self.looks = LookThread(camera.newest, tracker)
        self.tell, self.show, self.senders = tell, show, senders
        self.commands, self.keep = commands, keep
        self.fault = ""
        """What the camera's thread has said."""
        self.status: LiveStatus | None = None
        self.stopping = False
        self.number, self.pose = 0, None
        self.times: deque[float] = deque()
        now = time.perf_counter()
        self.last_shot, self.last_face = now, now
        self.clock = time.time() - now

    def run(self) -> None:
        """Until `Stop` comes; a recording that runs is saved."""
        self.camera.start()
        self.looks.start()
        try:
            while not self.stopping:
                self.obey()
                self.recorder.tick(time.perf_counter())
                look = self.looks.take(PATIENCE)
                self.notice_sleep()
                if look is not None:
                    self.last_shot = time.perf_counter()
                    self.track(look)
                else:
                    self.explain_silence()
        finally:
            self.recorder.stop()
            self.camera.stop()
            self.looks.stop()
            self.tracker.close()
            for sender in self.senders:
                sender.close()

    def say(self, state: str, message: str, fault: bool = False) -> None:
        """Tells what goes on when that has changed."""
        status = LiveStatus(state, message, fault)
        if status != self.status:
            self.status = status
            self.tell(status)

    def obey(self) -> None:
        """Does what was commanded."""
        while not self.commands.empty():
            match self.commands.get():
                case live_commands.Calibrate(seconds):
                    self.shaper.calibrate(min(max(seconds, 0.1), 10.0))
                    self.tell(LiveCalibration(False, "Hold still and look into the camera"))
                case live_commands.ForgetCalibration():
                    self.shaper.rest = self.shaper.learner = None
                    self.note_calibration(False, "The face is taken as it is")
                case live_commands.Adjust() as wish:
                    self.shaper.adjust(wish)
                case live_commands.StartRecording() as wish:
                    self.recorder.start(wish, time.perf_counter())
                case live_commands.StopRecording():
                    self.recorder.stop()
                case live_commands.Pause(paused):
                    self.looks.resting = paused
                    self.looks.forget()
                case live_commands.Restart():
                    self.looks.forget()
                    self.camera.restart()
                case live_commands.Stop():
                    self.stopping = True

    def track(self, look: Look) -> None:
        """One picture to one pose, handed on."""
        shot = look.shot
        image = shot.content if isinstance(shot.content, np.ndarray) else None
        if self.looks.resting:
            self.say("paused", "Paused; the head holds its pose")
            self.picture(image, None)
            return
        tracked = self.tracker.read(look.sight, shot.pts)
        if tracked is not None:
            self.last_face = time.perf_counter()
            learning = self.shaper.learner is not None
            self.pose = self.shaper(tracked, shot.pts)
            if learning and self.shaper.learner is None:
                self.note_calibration(True, "Calibrated: this face is the resting one")
            self.say("tracking", "Tracking")
        elif time.perf_counter() - self.last_face > LOST:
            self.say("searching", "No face in the picture; come into view, towards the light")
        if self.pose is not None:
            self.hand_on(self.moment(look, self.pose, tracked), shot)
        self.picture(image, None if tracked is None else tracked.landmarks)

    def note_calibration(self, done: bool, message: str) -> None:
        """Keeps and tells what the resting face is now; what cannot be kept still holds for this session."""
        try:
            self.keep(self.shaper.rest)
        except SparkError as error:
            message = f"{message}. For now only: {error}"
        self.tell(LiveCalibration(done, message))

    def moment(self, look: Look, pose: LivePose, tracked: Tracked | None) -> LiveFrame:
        """The next frame, with what it took."""
        shot, now = look.shot, time.perf_counter()
        self.number += 1
        self.times.append(now)
        while self.times[0] < now - 1:
            self.times.popleft()
        return LiveFrame(
            self.number,
            shot.pts,
            valid=tracked is not None,
            confidence=tracked.confidence if tracked else 0.0,
            latency=now - shot.arrived,
            rate=len(self.times),
            dropped=self.camera.newest.dropped + self.looks.newest.dropped,
            pose=pose,
            waited=look.begun - shot.arrived,
            sent=now,
            malformed=self.camera.malformed,
        )

    def hand_on(self, frame: LiveFrame, shot: Shot) -> None:
        """A pose to everyone who wants it, Blender first."""
        self.tell(frame)
        for sender in self.senders:
            sender.send(frame)
        self.recorder.add(frame, shot)

    def picture(self, image: RGB | None, landmarks: Float[np.ndarray, "478 2"] | None) -> None:
        """The picture to whoever looks."""
        if self.show is not None and image is not None:
            self.show(image, landmarks)

    def explain_silence(self) -> None:
        """Why there is no picture."""
        if self.fault:
            self.say("waiting", self.fault, True)
        elif self.camera.over.is_set() and not self.looks.busy:
            if self.recorder.begun:  # one that waits for the video to play again goes on waiting
                self.recorder.stop()
            self.say("waiting", "The video is over; restart to play it again")
        elif time.perf_counter() - self.last_shot > SILENCE:
            self.say("waiting", "The camera gives no picture; waiting for it", True)

    def notice_sleep(self) -> None:
        """After the computer has slept, what was before says nothing of what comes."""
        ahead = time.time() - time.perf_counter() - self.clock
        if abs(ahead) > SLEPT:
            self.clock += ahead
            self.looks.forget()
            self.camera.restart()
            self.say("waiting", "The computer has slept; opening the camera again")
