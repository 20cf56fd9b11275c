"""Curves written in bulk, for Blenders with slotted actions (4.4 and later) and without."""

from collections.abc import Iterable
from dataclasses import dataclass

import bpy
import numpy as np

LINEAR = 1  # the number of this interpolation in `foreach_set`


@dataclass(frozen=True)
class Curve:
    """One animated number."""

    path: str
    """RNA path from the animated data-block."""
    index: int
    """Element of a vector property, 0 of a scalar."""
    values: np.ndarray
    """(T,)"""
    group: str


def write_curves(owner: bpy.types.ID, name: str, frames: np.ndarray, curves: Iterable[Curve]) -> bpy.types.Action:
    """Animates `owner` by the action called `name`: one linear key per frame (T,) and curve. Returns the action.

    Where actions have slots, every owner that is given the same name shares one action; before 4.4 an owner of another
    kind than the action's gets one of its own, whose name says of what. Curves of the same path are replaced.
    """
    action, curves = assign_action(owner, name), list(curves)
    channels = channels_of(owner, action)
    for curve in curves:
        if (fcurve := channels.fcurves.find(curve.path, index=curve.index)) is not None:
            fcurve.keyframe_points.clear()  # with all that was made of them by hand
    fill_curves(channels, frames, curves)
    return action


def fill_curves(channels: bpy.types.bpy_struct, frames: np.ndarray, curves: Iterable[Curve]) -> None:
    """One linear key per frame (T,) and curve, in what `channels_of` gives. Keys that are there already stay."""
    points = np.empty((len(frames), 2), np.float32)
    points[:, 0] = frames
    for curve in curves:
        points[:, 1] = curve.values
        fcurve = channels.fcurves.find(curve.path, index=curve.index)
        fcurve = fcurve or channels.fcurves.new(curve.path, index=curve.index)
        if fcurve.group is None or fcurve.group.name != curve.group:  # Blender complains of one that is set already
            fcurve.group = channels.groups.get(curve.group) or channels.groups.new(curve.group)
        fill_curve(fcurve, points.ravel())


def fill_curve(fcurve: bpy.types.FCurve, points: np.ndarray) -> None:
    """Gives a curve these keys (2 K,): frame and value of each. As many keys as there are keep their interpolation."""
    keys, count = fcurve.keyframe_points, len(points) // 2
    if len(keys) == count:
        before = np.empty_like(points)
        keys.foreach_get("co", before)
        if np.array_equal(before, points):
            return
    else:
        keys.clear()
        keys.add(count)
        keys.foreach_set("interpolation", np.full(count, LINEAR, np.int32))
    keys.foreach_set("co", points)
    fcurve.update()


def assign_action(owner: bpy.types.ID, name: str) -> bpy.types.Action:
    """Makes the action called `name` the one that animates `owner`, creating it when there is none."""
    animation = owner.animation_data_create()
    if bpy.app.version < (4, 4) and not isinstance(owner, bpy.types.Object):
        name = f"{name} {type(owner).__name__}"  # an action without slots holds one kind of data-block
    action = bpy.data.actions.get(name) or bpy.data.actions.new(name)
    action.use_fake_user = True
    animation.action = action
    if hasattr(action, "slots"):
        slots = [slot for slot in action.slots if slot.target_id_type == owner.id_type]
        slot = next((slot for slot in slots if slot.name_display == owner.name), None)
        animation.action_slot = slot or action.slots.new(id_type=owner.id_type, name=owner.name)
    return action


def channels_of(owner: bpy.types.ID, action: bpy.types.Action) -> bpy.types.bpy_struct:
    """What holds `fcurves` and `groups` of `owner` in its action: the slot's channel bag, or the action before 4.4."""
    if not hasattr(action, "slots"):
        return action
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(owner.animation_data.action_slot, ensure=True)


def channels_in_use(owner: bpy.types.ID) -> list[bpy.types.bpy_struct]:
    """What holds the `fcurves` that animate `owner`: of its action and of its NLA strips' actions."""
    animation = owner.animation_data
    if animation is None:
        return []
    users = [animation, *(strip for track in animation.nla_tracks for strip in track.strips)]
    users = [user for user in users if user.action is not None]
    if bpy.app.version < (4, 4):
        return [user.action for user in users]
    strips = ((user, strip) for user in users for layer in user.action.layers for strip in layer.strips)
    bags = (strip.channelbag(user.action_slot) for user, strip in strips if user.action_slot is not None)
    return [bag for bag in bags if bag is not None]
