"""The scene as the panels see it: its project's facts, its clips and its head. Drawing reads, nothing is looked up."""

import bpy

from . import runtime
from .facts import ProjectFacts
from .project import project_folder, video_of
from .properties import SPARK_PG_settings, settings_of
from .result import find_head, stamp_of
from .session import EXPORT, WORK
from .steps import Situation, work_steps


def facts_of(settings: SPARK_PG_settings) -> ProjectFacts | None:
    """What is known of the scene's project; None when none is open or its folder is gone."""
    folder = project_folder(settings)
    return runtime.session().facts.get(folder) if folder else None


def situation_of(scene: bpy.types.Scene) -> Situation:
    """What the state of the steps follows from."""
    settings = settings_of(scene)
    facts = facts_of(settings)
    head = find_head(facts.folder) if facts else None
    return Situation(
        facts=facts,
        videos=tuple(video_of(item) for item in settings.clips),
        job=runtime.session().state(WORK),
        head_made=stamp_of(head) if head else None,
        exporting=runtime.session().is_busy(EXPORT),
        exported=bool(settings.exported),
    )


def step_of(scene: bpy.types.Scene, name: str):
    """How far one step of the work is."""
    return work_steps(situation_of(scene))[name]
