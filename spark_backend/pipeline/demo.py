"""`spark demo`: everything on the given clips; with none, on a performance that is rendered first and so is known."""

import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..protocol.avatar import load_avatar
from ..protocol.errors import SparkError
from ..protocol.job import Event, Metric, Report, Warning
from ..protocol.project import load_clip, open_project
from ..protocol.take import Take, load_take
from .blender_env import find_blender
from .capture import capture
from .charts import take_curves
from .encode import write_video
from .export import BLENDER_FORMATS, export_many
from .footage import Footage, make_footage
from .measure import ClipFigures, TruthFigures, clip_figures, truth_figures
from .moments import telling_frames
from .options import CaptureOptions, DemoOptions
from .progress import sections, shares
from .relight import clip_light
from .report import ClipSection, Figure, Page, write_page
from .sheet import contact_sheet, encode_picture, save_picture
from .triptych import triptych_frames

PURPOSES = {
    ".blend": "the head with all curves, the camera and the clip, for Blender",
    ".fbx": "mesh, shape keys, bones and their curves, for game engines and other tools",
    ".abc": "the deforming mesh",
    ".usdc": "the deforming head as USD",
    ".glb": "the animated head for the web and viewers",
    ".csv": "the 52 curves as a Live Link Face recording",
    ".npz": "the mesh of every frame as numpy arrays",
}
PROJECT = "person.spark"
# Relative durations of the steps, measured on 150 frames of 720p.
STEPS = {"footage": 2.0, "capture": 6.0, "results": 6.0}


@dataclass(frozen=True)
class Journal:
    """What the page will tell of the run besides its results."""

    started: float
    warnings: list[str] = field(default_factory=list)

    def listen(self, report: Report) -> Report:
        """A report for the steps: it remembers warnings, and leaves out figures, which are told together at the end."""

        def forward(event: Event) -> None:
            if isinstance(event, Warning) and event.message not in self.warnings:
                self.warnings.append(event.message)
            if not isinstance(event, Metric):
                report(event)

        return forward

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.started


@dataclass(frozen=True)
class ClipResult:
    """What was made of one clip."""

    section: ClipSection
    files: Mapping[str, str]
    figures: ClipFigures
    truth: TruthFigures | None


def demo(options: DemoOptions, report: Report) -> Mapping[str, Any]:
    """Captures, exports, draws and writes report.html into the output folder; gives the paths and figures."""
    check_seconds(options.seconds)
    journal = Journal(time.monotonic())
    steps = journal.listen(report)
    folder = options.output
    outputs = wanted_formats(options, steps)
    make_room(folder)
    step = sections(steps, STEPS if not options.clips else {"capture": STEPS["capture"], "results": STEPS["results"]})
    footage = None if options.clips else stage_footage(options, step["footage"])
    clips = options.clips or (footage.video,)
    captured = capture(CaptureOptions(folder / PROJECT, clips, options.preset, options.face), step["capture"])
    results = [
        clip_results(folder, clip, outputs, footage, options.blender, part)
        for clip, part in zip(captured["takes"], shares(step["results"], len(captured["takes"])), strict=True)
    ]
    page = compose_page(folder, results, footage, journal)
    write_page(folder / "report.html", page)
    for figure in page.figures:
        if (number := as_number(figure.value)) is not None:
            report(Metric(figure.name, number, figure.unit))
    return {"folder": str(folder), "report": str(folder / "report.html"), **captured}


def check_seconds(seconds: float) -> None:
    """Refuses lengths that make no clip."""
    if not 0.5 <= seconds <= 600:
        raise SparkError(f"--seconds {seconds:g}: choose a length from 0.5 to 600")


def make_room(folder: Path) -> None:
    """Takes away the project of an earlier demo in this folder, so that two people never share a head."""
    project = folder / PROJECT
    if (project / "project.json").exists():
        shutil.rmtree(project)


def wanted_formats(options: DemoOptions, report: Report) -> tuple[str, ...]:
    """The endings of the files to export; without a Blender only those that need none, with a warning."""
    try:
        find_blender(options.blender)
    except SparkError as error:
        if options.blender is not None:
            raise
        report(Warning(f"Without Blender there will be no .blend, .fbx, .abc, .usdc and .glb: {error}"))
        return tuple(ending for ending in PURPOSES if ending not in BLENDER_FORMATS)
    return tuple(PURPOSES)


def stage_footage(options: DemoOptions, report: Report) -> Footage:
    """Renders the clip to capture."""
    from ..heads.anny import load_anny

    return make_footage(load_anny(), options.output, options.seed, options.seconds, report)


def clip_results(
    folder: Path, clip: str, endings: tuple[str, ...], footage: Footage | None, blender: Path | None, report: Report
) -> ClipResult:
    """Exports, overlay video, contact sheet and figures of one clip."""
    project = open_project(folder / PROJECT)
    avatar, take_path = load_avatar(project.avatar_folder), project.take_path(clip)
    take, (info, frames) = load_take(take_path), load_clip(project.clip_folder(clip))
    video = Path(info.source)
    step = sections(report, {"export": 5.0, "overlay": 5.0})
    exports = [folder / f"{clip}{ending}" for ending in endings]
    export_many(project.avatar_folder, take_path, exports, video=video, blender=blender, report=step["export"])
    film = folder / f"{clip}_overlay.mp4"
    light = clip_light(avatar, take, video)
    poster = Poster(triptych_frames(avatar, take, video, step["overlay"]), int(telling_frames(take, 3)[-1]))
    write_video(film, poster, sound_of=video)
    sheet = save_picture(folder / f"{clip}_sheet.jpg", contact_sheet(avatar, take, video, light))
    figures = clip_figures(avatar, take, frames)
    known = None if footage is None else truth_figures(avatar, take, footage.avatar, footage.take)
    truth = None if footage is None else matching_frames(footage.take, take)
    section = ClipSection(clip, shown_figures(figures, known), sheet, film, poster.jpeg, take_curves(take, truth))
    files = {path.name: PURPOSES[path.suffix] for path in exports}
    files |= {film.name: "source, face over the source, clay", sheet.name: "the frames that differ most"}
    return ClipResult(section, files, figures, known)


class Poster:
    """Passes pictures on and keeps one of them as a JPEG."""

    def __init__(self, frames: Iterable[tuple[float, np.ndarray]], chosen: int) -> None:
        self.frames, self.chosen, self.jpeg = frames, chosen, b""

    def __iter__(self) -> Iterator[tuple[float, np.ndarray]]:
        for index, (seconds, picture) in enumerate(self.frames):
            if index == self.chosen:
                self.jpeg = encode_picture(".jpg", picture, 85)
            yield seconds, picture


def matching_frames(truth: Take, take: Take) -> Take | None:
    """The truth, when it has as many frames as were captured."""
    return truth if len(truth.pts) == len(take.pts) else None


def shown_figures(figures: ClipFigures, known: TruthFigures | None) -> list[Figure]:
    """One clip's numbers as the page shows them."""
    rows = [
        Figure("frames with the face", f"{figures.found}", f"of {figures.frames}"),
        Figure("landmark error, of the distance between the pupils", f"{figures.reprojection:.2f}", "%"),
        Figure("second difference of the vertices", f"{figures.jitter:.3f}", "mm"),
    ]
    if known is not None:
        rows += [
            Figure("correlation of the curves with the truth", f"{known.correlation:.2f}"),
            Figure("mean error of the weights", f"{known.weight_error:.3f}"),
            Figure("head rotation error", f"{known.rotation:.2f}", "°"),
            Figure("vertex error in the picture, of the distance between the pupils", f"{known.reprojection:.2f}", "%"),
            Figure("second difference of the true vertices", f"{known.true_jitter:.3f}", "mm"),
        ]
    return rows


def compose_page(folder: Path, results: list[ClipResult], footage: Footage | None, journal: Journal) -> Page:
    """The page of the whole run."""
    frames = sum(result.figures.frames for result in results)
    figures = list(results[0].section.figures) if len(results) == 1 else total_figures(results)
    figures.append(Figure("from clip to files", f"{journal.seconds:.0f}", "s"))
    if len(results) == 1:
        results = [replace(results[0], section=replace(results[0].section, figures=()))]
    origin = "a rendered performance whose every curve is known" if footage else "ordinary video"
    files = {PROJECT: "the project: clips, avatar, takes"}
    for result in results:
        files |= result.files
    plural = "clips" if len(results) > 1 else "clip"
    return Page(
        title="From video to an animated head",
        summary=f"{len(results)} {plural}, {frames} frames, from {origin}.",
        figures=figures,
        clips=[result.section for result in results],
        files=files,
        warnings=journal.warnings,
        versions=open_project(folder / PROJECT).versions,
    )


def total_figures(results: list[ClipResult]) -> list[Figure]:
    """Means over the clips."""
    figures = [result.figures for result in results]
    return [
        Figure("frames with the face", f"{sum(f.found for f in figures)}", f"of {sum(f.frames for f in figures)}"),
        Figure(
            "landmark error, of the distance between the pupils",
            f"{np.nanmean([f.reprojection for f in figures]):.2f}",
            "%",
        ),
        Figure("second difference of the vertices", f"{np.nanmean([f.jitter for f in figures]):.3f}", "mm"),
    ]


def as_number(text: str) -> float | None:
    """The value of a figure's text."""
    try:
        return float(text)
    except ValueError:
        return None
