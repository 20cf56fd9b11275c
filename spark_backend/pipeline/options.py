"""What each verb takes. The command line fills these from its arguments, `job_options` from the names in `job.json`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional, arg

Preset = Literal["draft", "standard", "high"]
Tracker = Literal["generic", "adapted", "landmarks", "optimise"]
LeftOut = Literal["renders", "pictures", "transfer", "augmentation"]
MapName = Literal["albedo", "roughness", "specular", "normal", "lit"]
LiveTrackerName = Literal["auto", "generic", "adapted", "landmarks"]
HeadName = Literal["anny"]
LossName = Literal[
    *("photometric", "landmarks", "iris", "lips", "lids"),
    *("albedo_smooth", "skin", "white_light", "identity", "offset_size", "bending", "expression_size", "symmetry"),
    *("focal", "sparsity", "near_solve"),
]
ExtraLossName = Literal["perceptual", "redetected"]
BlenderPath = Annotated[Path | None, arg(metavar="PATH")]
FaceNumber = Annotated[int | None, arg(metavar="N")]
ProjectFolder = Annotated[Positional[Path], arg(metavar="PROJECT")]
ClipName = Annotated[Positional[str], arg(metavar="CLIP")]
ClipNames = Annotated[Positional[tuple[str, ...]], arg(metavar="CLIP [CLIP ...]")]
TrackerNames = Annotated[tuple[str, ...], arg(metavar="NAME [NAME ...]")]
COMPARED = ("mediapipe", "generic", "landmarks", "optimise")
Videos = Annotated[Positional[tuple[Path, ...]], arg(metavar="VIDEO [VIDEO ...]")]
Output = Annotated[Path, arg(aliases=("-o",), metavar="FILE")]


@dataclass(frozen=True)
class NewOptions:
    """Make an empty project."""

    project: ProjectFolder
    """Folder to make; by custom its name ends in .spark."""
    head: HeadName = "anny"
    """Head model that the person's head is built on."""


@dataclass(frozen=True)
class IngestOptions:
    """Read videos and find the face in every frame."""

    project: ProjectFolder
    """Project folder; made when it is missing."""
    clips: Videos
    """Videos of the person."""
    face: FaceNumber = None
    """Which person to follow when there are several: 0 is the most prominent."""


@dataclass(frozen=True)
class FitOptions:
    """Build the person's head from all ingested clips."""

    project: ProjectFolder
    """Project folder."""
    preset: Preset = "standard"
    """How much work to put in."""
    without: tuple[LossName, ...] = ()
    """Losses to leave out, to see what they are worth; docs/fit.md lists them."""
    also: tuple[ExtraLossName, ...] = ()
    """Losses to add that no preset has; they double the time."""
    subdivide: bool = False
    """Cut each polygon of the finished head into quads: smooth silhouettes, four times the vertices."""


@dataclass(frozen=True)
class TrainOptions:
    """Ingest what is new and fit."""

    project: ProjectFolder
    """Project folder; made when it is missing."""
    clips: Videos = ()
    """Videos of the person; those that the project has already are not read again."""
    preset: Preset = "standard"
    """How much work to put into the head."""
    subdivide: bool = False
    """Cut each polygon of the finished head into quads: smooth silhouettes, four times the vertices."""


@dataclass(frozen=True)
class AdaptOptions:
    """Teach the real-time tracker this person, from the avatar and all ingested clips; the last clip judges."""

    project: ProjectFolder
    """Project folder with a fitted avatar."""
    preset: Preset = "standard"
    """How much work to put in."""
    seed: int = 0
    """Which pictures of the avatar are drawn, and in which order things are learned."""
    without: Annotated[tuple[LeftOut, ...], arg(metavar="WHAT [WHAT ...]")] = ()
    """What to leave out, to see what it is good for: the renders of the avatar, its comparison with the real
    frames' pictures, what the generic tracker knows, or the disturbed twins of the real frames."""


@dataclass(frozen=True)
class SmirkOptions:
    """Train the generic real-time tracker anew on made-up people; for those who develop SPARK."""

    action: Positional[Literal["pretrain"]]
    """`pretrain` draws the people and trains the heads that `spark track --tracker generic` uses."""
    output: Annotated[Path, arg(aliases=("-o",), metavar="DIR")]
    """Folder for the pictures' cues, checkpoints and the result, generic.safetensors."""
    people: int = 244
    """How many to make up; one in twelve judges."""
    recordings: Annotated[tuple[Path, ...], arg(metavar="CSV [CSV ...]")] = ()
    """Live Link Face recordings whose expressions are shown beside made-up ones."""
    leave_out: Annotated[tuple[str, ...], arg(metavar="FIRST:END [FIRST:END ...]")] = ()
    """Rows of the recordings that are kept for judging."""
    seed: int = 0
    """Which people, pictures and order."""


@dataclass(frozen=True)
class TrackOptions:
    """Turn a clip into a take: expression, jaw, lids, gaze, neck and head pose of every frame."""

    project: ProjectFolder
    """Project folder with a fitted avatar."""
    clip: ClipName
    """Name of an ingested clip; for `generic` and `adapted` also the path of any video."""
    tracker: Tracker = "optimise"
    """`generic` goes frame by frame in real time; `adapted` too, with what `spark adapt` has learned of the person.
    `landmarks` solves all frames of the clip together from the landmarks, with the head held, in a third of the time of
    `optimise`, which then aligns them by what the skin looks like: steadier brows and head."""
    output: Annotated[str | None, arg(aliases=("-o",), metavar="TAKE")] = None
    """Name of the take; the clip's name when left out."""
    fill_gaps: bool = False
    """Where no face is seen, move from where it was lost to where it is found again, instead of holding still. For
    `generic` and `adapted`; the others always fill. The frames stay marked as not valid."""


@dataclass(frozen=True)
class CaptureOptions:
    """Ingest, fit and track in one."""

    project: ProjectFolder
    """Project folder; made when it is missing."""
    clips: Videos
    """Videos of the person."""
    preset: Preset = "draft"
    """How much work to put into the head."""
    face: FaceNumber = None
    """Which person to follow when there are several: 0 is the most prominent."""
    tracker: Tracker = "optimise"
    """As for `spark track`."""
    keep_head: bool = False
    """Track the videos on the head that the project has; it stays as it is."""


@dataclass(frozen=True)
class LiveOptions:
    """Track a camera as it films: for the panel Live in Blender, or to send the performance to other programs."""

    project: ProjectFolder
    """Project folder with a fitted avatar."""
    camera: str = "0"
    """Number or name of a camera of this computer; address of a network camera; a video, played at its own pace; or
    livelink://HOST:PORT to listen there for an iPhone with Live Link Face."""
    tracker: LiveTrackerName = "auto"
    """`generic` and `adapted` are the encoders of `spark track`; `landmarks` solves the head to every picture's
    landmarks, as `spark track --tracker landmarks` does to a clip's. `auto` is `adapted` when the project has it, else
    `generic`."""
    size: Annotated[tuple[int, int], arg(metavar="WIDTH HEIGHT")] = (640, 480)
    """What a camera of this computer is asked for."""
    rate: float = 60.0
    """Pictures a second that it is asked for."""
    record: Annotated[str | None, arg(metavar="TAKE")] = None
    """Record a take of this name from the start until the end."""
    video: bool = False
    """With --record: keep the picture too, in recordings/ of the project."""
    sound: bool = False
    """With --record: keep the sound of the computer's microphone too, in the same file."""
    smoothing: float | None = None
    """0 none, 1 the most; what the project keeps, 0.5 at first, when left out."""
    vmc: Annotated[str | None, arg(metavar="HOST:PORT")] = None
    """Send the performance there by the VMC protocol (OSC), to VRM programs."""
    livelink: Annotated[str | None, arg(metavar="HOST:PORT")] = None
    """Send the performance there as Live Link Face does, to Unreal and others."""
    records: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Write binary records to stdout and take commands from stdin, see docs/formats/live.md."""
    picture_memory: Annotated[str | None, arg(metavar="NAME")] = None
    """With --records: the shared memory for the camera's picture."""


@dataclass(frozen=True)
class CamerasOptions:
    """List the cameras of this computer, for `spark live --camera`."""


@dataclass(frozen=True)
class ExportOptions:
    """Write the head or a take to a file that other programs read. The ending chooses the format."""

    project: ProjectFolder
    """Project folder with a fitted avatar."""
    output: Output
    """File to write: .blend .fbx .abc .usdc .glb .obj .ply .csv .npz"""
    take: Annotated[Positional[str | None], arg(metavar="[TAKE]")] = None
    """Name of a take, or the path of one; the head alone when left out."""
    geometry: bool = False
    """With .npz: the evaluated mesh of every frame instead of the curves."""
    map: MapName | None = None
    """The only map to write; all that the avatar has when left out. `lit` is the albedo with light baked in: that of
    the take's clip, or of the studio without a take."""
    blender: BlenderPath = None
    """Blender, or a Python that has bpy; found by itself when left out (see `spark doctor`)."""


@dataclass(frozen=True)
class CompareOptions:
    """Write videos that show trackers side by side: the clip, half of the head over it, the head in clay."""

    project: ProjectFolder
    """Project folder with a fitted avatar."""
    clips: ClipNames
    """Names of ingested clips."""
    trackers: TrackerNames = COMPARED
    """As for `spark evaluate`."""
    output: Annotated[Path | None, arg(aliases=("-o",), metavar="DIR")] = None
    """Folder for the videos CLIP_compare.mp4; exports in the project when left out."""


@dataclass(frozen=True)
class OverlayOptions:
    """Paint a texture on the person in a clip: tattoo, make-up, beard, dirt. Without one the head itself is drawn."""

    project: ProjectFolder
    """Project folder with a fitted avatar."""
    clip: ClipName
    """Name of an ingested clip that has been tracked."""
    texture: Annotated[Path | None, arg(metavar="PNG")] = None
    """Square picture with opacity, laid out as the avatar's maps are; see --template."""
    opacity: float = 1.0
    """Of the whole layer, 0 to 1."""
    take: str | None = None
    """Name of the take that moves the head; the clip's name when left out."""
    holdout: Annotated[Path | None, arg(metavar="DIR")] = None
    """Folder of masks 000000.png and so on, one for each frame, white where something is in front of the face. Without
    it what does not look like the face is taken to be in front of it."""
    template: Annotated[Path | None, arg(metavar="PNG")] = None
    """Write a guide to paint over in this file, and no video."""
    mesh_sequence: Annotated[Path | None, arg(metavar="DIR")] = None
    """Also write the mesh of every frame into this folder, as 000000.obj and so on."""
    output: Annotated[Path | None, arg(aliases=("-o",), metavar="FILE")] = None
    """Video to write; exports/CLIP_overlay.mp4 in the project when left out."""


@dataclass(frozen=True)
class EvaluateOptions:
    """Judge trackers side by side on clips by SPARK's measures and more: a table, a page with plots and pictures."""

    project: ProjectFolder
    """Project folder with a fitted avatar."""
    clips: ClipNames
    """Names of ingested clips, best those that the avatar was not fitted to."""
    trackers: TrackerNames = COMPARED
    """`mediapipe` (its own scores on the person's head), the trackers of `spark track`, or names of takes. What has not
    been tracked yet is tracked first."""
    frame_interval: int = 5
    """Frames between the two of a pair."""
    num_frames: int = 64
    """Pairs drawn from each clip."""
    seed: int = 0
    """Which pairs are drawn."""
    labels: Annotated[Path | None, arg(metavar="DIR")] = None
    """Folder with a segmentation network's answers, DIR/CLIP/000000.png and so on: BiSeNet's class numbers of each
    frame, as large as the clip. The built-in labelling from landmarks when left out."""
    output: Annotated[Path | None, arg(aliases=("-o",), metavar="FILE")] = None
    """Page to write; exports/evaluation.html in the project when left out. The figures go beside it as .json."""


@dataclass(frozen=True)
class DemoOptions:
    """Do everything on the given clips; with none, on a performance that is rendered first and whose truth is known."""

    clips: Videos = ()
    """Videos of one person."""
    output: Annotated[Path, arg(aliases=("-o",), metavar="DIR")] = Path("demo")
    """Folder for the project, the exports, the overlay video and report.html."""
    preset: Preset = "draft"
    """How much work to put into the head."""
    face: FaceNumber = None
    """Which person to follow when there are several: 0 is the most prominent."""
    seed: int = 7
    """Without clips: which head and which performance to make."""
    seconds: float = 4.0
    """Without clips: how long the performance lasts."""
    blender: BlenderPath = None
    """Blender, or a Python that has bpy; found by itself when left out (see `spark doctor`)."""


@dataclass(frozen=True)
class LightOptions:
    """Find the light of a take's clip, as three lamps and an even rest."""

    project: ProjectFolder
    """Project folder with a fitted avatar."""
    take: Annotated[Positional[str], arg(metavar="TAKE")]
    """Name of a take, or the path of one."""


@dataclass(frozen=True)
class ModelsOptions:
    """List the head models and networks, or fetch one."""

    action: Positional[Literal["list", "get"]] = "list"
    """`get` finds a model on this computer or downloads it."""
    name: Annotated[Positional[str | None], arg(metavar="[NAME]")] = None
    """Name of the model to get."""
    file: Annotated[Path | None, arg(metavar="FILE")] = None
    """Take the model from this file, which was got by other means, instead of downloading it."""


@dataclass(frozen=True)
class DoctorOptions:
    """Tell what is installed, on which device it runs, what is missing and how to get it."""

    blender: BlenderPath = None
    """Blender, or a Python that has bpy, to look at."""
