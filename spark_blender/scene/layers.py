"""Where a take's keys go when the head plays something already: into that action, or over it."""

from collections.abc import Iterable

import bpy
import numpy as np

from .action import LINEAR, Curve, channels_of

FLOATS = {"co": 2, "handle_left": 2, "handle_right": 2}
CHOICES = ("interpolation", "easing", "handle_left_type", "handle_right_type")
"""What a key consists of, by the names of `foreach_get`."""


def push_down(owner: bpy.types.ID) -> None:
    """Makes what `owner` plays now a strip of its own, and what it plays next the layer over that.

    Outside of its keys the upper layer lets the strips below through.
    """
    animation = owner.animation_data
    if animation is None or animation.action is None:
        return
    action, slot = animation.action, getattr(animation, "action_slot", None)
    first = action.frame_range[0]
    track = animation.nla_tracks.new()
    track.name = action.name
    strip = track.strips.new(action.name, int(first), action)
    if slot is not None:
        strip.action_slot = slot
    strip.frame_start, strip.frame_end = first, action.frame_range[1]
    strip.extrapolation = "HOLD" if len(animation.nla_tracks) == 1 else "NOTHING"
    animation.action = None
    animation.action_blend_type, animation.action_extrapolation = "REPLACE", "NOTHING"


def insert_curves(owner: bpy.types.ID, frames: np.ndarray, curves: Iterable[Curve]) -> bpy.types.Action:
    """Puts linear keys at the frames (T,) into the action that `owner` plays; keys outside of that time stay."""
    action = owner.animation_data.action
    channels = channels_of(owner, action)
    for curve in curves:
        fcurve = channels.fcurves.find(curve.path, index=curve.index)
        if fcurve is None:
            fcurve = channels.fcurves.new(curve.path, index=curve.index)
            fcurve.group = channels.groups.get(curve.group) or channels.groups.new(curve.group)
        old = read_keys(fcurve)
        outside = (old["co"][:, 0] < frames[0]) | (old["co"][:, 0] > frames[-1])
        write_keys(fcurve, join_keys({name: values[outside] for name, values in old.items()}, frames, curve.values))
    return action


def read_keys(fcurve: bpy.types.FCurve) -> dict[str, np.ndarray]:
    """All that a curve's K keys hold: (K, 2) or (K,) each."""
    count, found = len(fcurve.keyframe_points), {}
    for name, width in FLOATS.items():
        values = np.empty(count * width, np.float32)
        fcurve.keyframe_points.foreach_get(name, values)
        found[name] = values.reshape(count, width)
    for name in CHOICES:
        found[name] = np.empty(count, np.int32)
        fcurve.keyframe_points.foreach_get(name, found[name])
    return found


def join_keys(old: dict[str, np.ndarray], frames: np.ndarray, values: np.ndarray) -> dict[str, np.ndarray]:
    """The old keys with linear ones at the frames (T,), in the order of time."""
    points = np.stack([frames, values], axis=1).astype(np.float32)
    new = dict.fromkeys(FLOATS, points) | dict.fromkeys(CHOICES, np.zeros(len(frames), np.int32))
    new["interpolation"] = np.full(len(frames), LINEAR, np.int32)
    both = {name: np.concatenate([old[name], new[name]]) for name in old}
    order = np.argsort(both["co"][:, 0], kind="stable")
    return {name: values[order] for name, values in both.items()}


def write_keys(fcurve: bpy.types.FCurve, keys: dict[str, np.ndarray]) -> None:
    """Gives a curve these keys and no others."""
    fcurve.keyframe_points.clear()
    fcurve.keyframe_points.add(len(keys["co"]))
    for name, values in keys.items():
        fcurve.keyframe_points.foreach_set(name, values.ravel())
    fcurve.update()
