"""What all operators share."""

import bpy

from spark_backend.protocol.errors import SparkError

from .. import runtime
from ..properties import settings_of
from ..session import WORK


class SentenceOnError:
    """An operator whose `work(context)` may raise `SparkError`: the sentence is reported and nothing is done."""

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            self.work(context)
        except SparkError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


def has_project(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """For `poll`: whether a project is open; says so when not."""
    if not settings_of(context.scene).project:
        operator.poll_message_set("Make or open a project first")
        return False
    return True


def is_free(operator: type[bpy.types.Operator]) -> bool:
    """For `poll`: whether no job runs; says so when one does."""
    if runtime.session().is_busy(WORK):
        operator.poll_message_set("A job is running; wait for its end or cancel it")
        return False
    return True
