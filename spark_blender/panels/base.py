"""What all panels share: where they are, how a step's state is shown, in which order they stand."""

from typing import ClassVar

import bpy

from .. import runtime
from ..drawing import paragraph
from ..job_state import JobState
from ..session import WORK
from ..situation import step_of
from ..steps import DONE, JOB_STEPS, NEXT, RUNNING, STALE, TODO, Step

STATUS_ICONS = {
    TODO: "RADIOBUT_OFF",
    NEXT: "RADIOBUT_ON",
    RUNNING: "SORTTIME",
    DONE: "CHECKMARK",
    STALE: "FILE_REFRESH",
}
ORDER = ("backend", "project", "clips", "avatar", "import", "capture", "adjust", "live", "export")
"""The panels from top to bottom; `bl_order` is a panel's place in it."""


class SparkPanel:
    """Where all panels are."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "SPARK"


class StepPanel(SparkPanel):
    """A step of the work: its state stands in the header, what to do next on top."""

    step: ClassVar[str]

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        self.layout.label(text="", icon=STATUS_ICONS[step_of(context.scene, self.step).status])

    def draw(self, context: bpy.types.Context) -> None:
        step = step_of(context.scene, self.step)
        if step.status in (NEXT, STALE):
            paragraph(self.layout, context, step.hint, STATUS_ICONS[step.status])
        self.draw_step(context, step)

    def draw_step(self, context: bpy.types.Context, step: Step) -> None:
        """The step's own part."""
        raise NotImplementedError


def split_column(layout: bpy.types.UILayout) -> bpy.types.UILayout:
    """A column with names on the left, without key-frame dots."""
    column = layout.column()
    column.use_property_split, column.use_property_decorate = True, False
    return column


def job_of_step(step: str) -> JobState | None:
    """The job that runs or was last run, when it belongs to that step."""
    state = runtime.session().state(WORK)
    return state if state is not None and JOB_STEPS.get(state.command) == step else None
