"""Changes after the bake. Each is worked out anew from what was captured, so every one can be taken back."""

import bpy

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.timeline import Rate

from .captured import (
    action_of,
    bone_path,
    captured_curves,
    captured_of,
    forget_captured,
    note_timing,
    read_performance,
    timing,
)
from .head_motion import PLACES, ROOT, hand_back, place_of, take_over
from .heads import heads_of
from .performance import Adjustments, Performance, RestFace, adjusted, rest_face
from .rewriting import Memory, write_steps
from .scene import HeadObjects
from .stepwise import finished


def heads_of_takes(scene: bpy.types.Scene) -> list[HeadObjects]:
    """The heads of a scene that play a take."""
    return [head for head in heads_of(scene) if plays_take(head.armature)]


def plays_take(armature: bpy.types.Object) -> bool:
    """Whether its action was baked from a take."""
    animation = armature.animation_data
    return animation is not None and animation.action is not None and "spark_avatar" in animation.action


def apply(head: HeadObjects, wish: Adjustments) -> None:
    """Plays the captured performance, adjusted, on the head."""
    finished(write_steps(head, wish, Memory()))


def adjusted_performance(head: HeadObjects, wish: Adjustments) -> Performance:
    """What `apply` plays, at all its keys, before their reduction."""
    return adjusted(read_performance(head.armature, head.mesh), wish)


def measure_rest(head: HeadObjects, first: float, last: float) -> RestFace:
    """The captured face between two frames of the scene, to be taken for rest."""
    rate, start = timing(action_of(head.armature))
    seconds = [(frame - start) / rate.per_second for frame in (first, last)]
    return rest_face(read_performance(head.armature, head.mesh), *seconds)


def retime(head: HeadObjects, rate: Rate, start: float) -> None:
    """Notes another rate of the timeline, on which the curves are to be laid anew: a second stays a second."""
    action = action_of(head.armature)
    captured_of(action)  # keeps the old timing with the old keys
    note_timing(action, rate, start)


def move_head(head: HeadObjects, place: str, camera: bpy.types.Object | None) -> None:
    """Chooses where the head's travel is to be written: on the root bone, on the armature object, or reversed on the
    camera (`PLACES`). Seen through that camera the picture stays the same in all three.

    Whether or not that is refused, the curves are to be written anew.
    """
    if place not in PLACES:
        raise SparkError(f"{place}: no place for head motion; choose one of {', '.join(PLACES)}")
    action = action_of(head.armature)
    curves = captured_curves(head.armature)
    if any(curves.find(f"{bone_path(ROOT)}.{kind}") is None for kind in ("location", "rotation_quaternion")):
        raise SparkError(f"{head.armature.name}: its bone {ROOT} has no keys; bake the take again")
    hand_back(head.armature, action)
    take_over(head.armature, action, place, camera)


def keep(head: HeadObjects) -> None:
    """Takes the adjusted curves for captured: from now on they are what adjustments start from."""
    action = action_of(head.armature)
    if place_of(action) != "BONE":
        raise SparkError("The head's motion is not on its bone; put it back there first")
    forget_captured(action)
    forget_captured(action_of(head.mesh.data.shape_keys))
