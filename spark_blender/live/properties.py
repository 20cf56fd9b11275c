"""What the panel Live keeps in the scene."""

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from .. import runtime
from ..strengths import note_moved, save_moved, strengths_of
from .state import live

SOURCES = (
    ("CAMERA", "Camera", "A camera of this computer"),
    ("ADDRESS", "Network Camera", "A camera with an address, such as a phone that streams MJPEG or RTSP"),
    ("FILE", "Video File", "A video, played at its own pace as if it were a camera"),
    ("PHONE", "Live Link Face", "An iPhone that tracks by itself and sends what it sees"),
)
SIZES = (
    ("640 480", "640 × 480", "Enough for a face that fills the picture; the quickest"),
    ("1280 720", "1280 × 720", "For a face farther away"),
)
TRACKERS = (
    ("auto", "Automatic", "Real Time, Adapted when this person has it, else Real Time"),
    ("generic", "Real Time", "A network that was trained on made-up people"),
    ("adapted", "Real Time, Adapted", "The same network after Adapt Tracker has taught it this person"),
    ("landmarks", "Landmarks", "The head solved to every picture's landmarks, as a clip is by Landmarks in Capture"),
)
SAVE_DELAY = 0.5
"""Seconds after the last move of a slider in which it is saved."""


def send_adjust(settings: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    """A slider was moved: the performance follows at once, the project a moment later."""
    scene = settings.id_data
    live().send(strengths_of(scene).adjust())
    if not note_moved(scene):
        return
    if bpy.app.timers.is_registered(keep_strengths):
        bpy.app.timers.unregister(keep_strengths)
    if bpy.app.background:  # where timers never run
        keep_strengths()
    else:
        bpy.app.timers.register(keep_strengths, first_interval=SAVE_DELAY)


def keep_strengths() -> None:
    """Saves the sliders that were moved, and says so when that fails."""
    if told := save_moved():
        live().remark(told)


def camera_names(settings: bpy.types.PropertyGroup, context: bpy.types.Context, text: str) -> tuple[str, ...]:
    """What the field offers: the cameras that were found."""
    return runtime.session().cameras


def strength(name: str, description: str) -> FloatProperty:
    """A slider for a factor."""
    return FloatProperty(
        name=name, description=description, default=1.0, min=0.0, max=3.0, soft_max=2.0, update=send_adjust
    )


class SPARK_PG_live_key(bpy.types.PropertyGroup):
    """One expression; its `name` is ARKit's"""

    strength: strength("Strength", "How strongly this expression is handed on, on top of its region")


class SPARK_PG_live(bpy.types.PropertyGroup):
    """The panel Live's part of a scene"""

    source: EnumProperty(name="Source", description="What films the face", items=SOURCES)
    tracker: EnumProperty(name="Tracking", description="How the face is read", items=TRACKERS)
    camera: StringProperty(
        name="Camera",
        description="Name of the camera, or its number; the first one when left empty",
        search=camera_names,
        search_options={"SUGGESTION"},
    )
    size: EnumProperty(name="Size", description="Picture that the camera is asked for", items=SIZES)
    address: StringProperty(name="Address", description="Such as http://192.168.1.30:8080/video")
    file: StringProperty(name="Video", description="The video that plays", subtype="FILE_PATH")
    phone: StringProperty(
        name="Listen At",
        description="Address and port of this computer at which the phone's packets are received",
        default="0.0.0.0:11111",
    )
    smoothing: FloatProperty(
        name="Smoothing",
        description="Calm against quick: 0 is the camera's own jitter, 1 lags visibly",
        default=0.5,
        min=0.0,
        max=1.0,
        update=send_adjust,
    )
    strength: strength("Strength", "Of all expressions")
    brows: strength("Brows", "Strength of the brows")
    eyes: strength("Eyes", "Strength of lids and gaze")
    mouth: strength("Mouth", "Strength of mouth, cheeks and nose")
    jaw: strength("Jaw", "Strength of the jaw")
    keys: CollectionProperty(type=SPARK_PG_live_key)
    key_index: IntProperty(name="Expression", description="The expression whose strength is set")
    show_picture: BoolProperty(
        name="Show Camera",
        description="The camera's picture with the landmarks, in a corner of the viewport",
        default=True,
    )
    take: StringProperty(name="Take", description="Name of what is recorded", default="live")
    count_in: IntProperty(name="Count In", description="Seconds before a recording begins", default=3, min=0, max=30)
    video: BoolProperty(name="Keep Video", description="Record the camera's picture too, for tracking it again later")
    sound: BoolProperty(
        name="Keep Sound",
        description="Record the computer's microphone too; it goes under the take in the sequencer",
    )
    use_vmc: BoolProperty(name="VMC", description="Send the performance to VRM programs, by OSC")
    vmc: StringProperty(name="VMC Address", description="Where VMC is sent", default="127.0.0.1:39539")
    use_livelink: BoolProperty(name="Live Link", description="Send the performance as Live Link Face does, to Unreal")
    livelink: StringProperty(name="Live Link Address", description="Where it is sent", default="127.0.0.1:11111")


CLASSES = (SPARK_PG_live_key, SPARK_PG_live)


def live_settings(scene: bpy.types.Scene) -> SPARK_PG_live:
    """The panel Live's part of a scene."""
    return scene.spark_live
