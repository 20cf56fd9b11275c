"""What all operators share."""

import bpy

from spark_backend.protocol.errors import SparkError

from .. import runtime
from ..properties import settings_of
from ..session import WORK
from ..situation import facts_of


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


def has_backend(operator: type[bpy.types.Operator]) -> bool:
    """For `poll`: whether there is a backend; says so when not."""
    if runtime.session().backend.python is None:
        operator.poll_message_set("Set up the backend or choose its environment first")
        return False
    return True


def can_work(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """For `poll`: whether there is a backend, an open project and no running job; says what is missing."""
    return has_backend(operator) and has_project(operator, context) and is_free(operator)


def has_clips(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """For `poll`: whether any video is listed; says so when not."""
    if not settings_of(context.scene).clips:
        operator.poll_message_set("Add a clip first")
        return False
    return True


def has_avatar(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """For `poll`: whether the project has a head; says so when not."""
    if not has_project(operator, context):
        return False
    facts = facts_of(settings_of(context.scene))
    if facts is None or facts.avatar is None:
        operator.poll_message_set("Train a head first")
        return False
    return True
