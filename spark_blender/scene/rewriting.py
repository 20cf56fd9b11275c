"""The curves of a head written anew from what was captured, in small steps: a long take has a hundred thousand keys.

Between two steps anything may happen to the file, so no step relies on a curve that another has found.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import bpy
import numpy as np

from .action import Curve, channels_of, fill_curves
from .captured import action_of, bone_path, captured_state, key_path, read_steps, timing
from .head_motion import ROOT, carrier_steps, place_of
from .mesh import widen_sliders
from .performance import Adjustments, Performance, parts, shaped, smoothed_steps, turned_to_rest
from .reduction import curves_at_once, reduce_steps
from .scene import HeadObjects
from .smoothing import accent_steps
from .stepwise import Kept, Steps

BONE_TOLERANCE = 0.1
"""Radians or metres of a bone for one of a weight, in key reduction."""


@dataclass(frozen=True)
class Keys:
    """What one curve is to hold."""

    curve: Curve
    frames: np.ndarray
    """(K,)"""
    of_mesh: bool
    """A shape key's, else a bone's."""


@dataclass
class Memory:
    """What one writing of a head's curves leaves to the next, which mostly differs from it by one slider."""

    captured: Kept[Performance] = field(default_factory=Kept)
    rested: Kept[Performance] = field(default_factory=Kept)
    accents: Kept[np.ndarray] = field(default_factory=Kept)
    smooth: Kept[Performance] = field(default_factory=Kept)
    reduced: dict[str, tuple] = field(default_factory=dict)
    """What was reduced last: tolerance, frames (T,), values (T, C), and the indices of the kept keys."""
    written: int = 0
    """Curves that were written. The next writing begins behind the last of them, so that under a slider that moves on
    and on every curve gets its turn."""


def write_steps(head: HeadObjects, wish: Adjustments, memory: Memory) -> Steps[None]:
    """Writes the captured performance, adjusted, on the head's curves.

    All is worked out before the first curve is written: for each slice that writes one, Blender works the whole scene
    out anew and draws it.
    """
    smooth = yield from smooth_performance(head, wish, memory)
    rate, start = timing(action_of(head.armature))
    carried = ROOT if place_of(action_of(head.armature)) != "BONE" else ""
    found, root = [], None
    for piece in parts(smooth, curves_at_once(len(smooth.seconds))):
        shape = shaped(piece, wish)
        frames = start + shape.seconds * rate.per_second
        yield
        widen_sliders(head.mesh, shape.names, shape.weights)
        found += yield from shape_curves(frames, shape, wish.tolerance, memory)
        if carried in shape.rotations:
            root = shape
        else:
            found += yield from bone_curves(frames, shape, wish.tolerance, memory)
    first = memory.written % max(len(found), 1)
    for keys in (*found[first:], *found[:first]):
        write_keys(head, keys)
        memory.written += 1
        yield
    if root is not None:
        yield from carrier_steps(head.armature, action_of(head.armature), root, frames)
    mark_range(action_of(head.armature), frames, wish.loop > 0)


def write_keys(head: HeadObjects, keys: Keys) -> None:
    """Gives the head's curve these keys; a shape key's stays in its group."""
    owner, curve = (head.mesh.data.shape_keys if keys.of_mesh else head.armature), keys.curve
    channels = channels_of(owner, action_of(owner))
    if keys.of_mesh:
        before = channels.fcurves.find(curve.path)
        curve = replace(curve, group=before.group.name) if before and before.group else curve
    fill_curves(channels, keys.frames, [curve])


def smooth_performance(head: HeadObjects, wish: Adjustments, memory: Memory) -> Steps[Performance]:
    """The captured performance as far as it does not depend on strength, trim and loop."""
    state = captured_state(head.armature, head.mesh)
    captured = yield from memory.captured.steps(state, lambda: read_steps(head.armature, head.mesh))
    state = (state, tuple(sorted(wish.rest.weights.items())), tuple(wish.rest.jaw), wish.mirror)
    rested = yield from memory.rested.steps(state, lambda: at_once(turned_to_rest, captured, wish))
    accents = memory.accents.steps(state, lambda: accent_steps(rested.weights))
    smoothing = (state, wish.smoothing)
    return (yield from memory.smooth.steps(smoothing, lambda: smoothed_steps(rested, accents, wish.smoothing)))


def at_once(work, *arguments) -> Steps:
    """A single step."""
    return work(*arguments)
    yield


def shape_curves(frames: np.ndarray, performance: Performance, tolerance: float, memory: Memory) -> Steps[list[Keys]]:
    """The shape keys' curves at the frames (T,), each reduced on its own."""
    names, columns = performance.names, performance.weights.T
    kept_keys = yield from keys_to_keep(frames, names, columns[..., None], tolerance, memory)
    return [
        Keys(Curve(key_path(name), 0, values[kept], "Other"), frames[kept], True)
        for name, values, kept in zip(names, columns, kept_keys, strict=True)
    ]


def bone_curves(frames: np.ndarray, performance: Performance, tolerance: float, memory: Memory) -> Steps[list[Keys]]:
    """The bones' curves at the frames (T,); all curves of one property keep the same keys."""
    found = []
    kinds = (("rotation_quaternion", performance.rotations, 2), ("location", performance.locations, 1))
    for kind, values_of, scale in kinds:  # a quaternion moves by half the angle
        for bone, values in values_of.items():
            path, bound = f"{bone_path(bone)}.{kind}", tolerance * BONE_TOLERANCE
            [kept] = yield from keys_to_keep(frames, [path], scale * values[None], bound, memory)
            curves = [Curve(path, index, column, bone) for index, column in enumerate(values[kept].T)]
            found += [Keys(curve, frames[kept], False) for curve in curves]
    return found


def keys_to_keep(
    frames: np.ndarray, names: Sequence[str], vectors: np.ndarray, tolerance: float, memory: Memory
) -> Steps[list[np.ndarray]]:
    """Indices of the keys that each of the named vectors (N, T, C) keeps, worked out for those that have changed."""
    if tolerance <= 0:
        return [np.arange(len(frames))] * len(names)
    wishes = [(tolerance, frames, vector) for vector in vectors]
    new = [index for index, name in enumerate(names) if not is_same(memory.reduced.get(name), wishes[index])]
    found = yield from reduce_steps(frames, vectors[new], tolerance)
    memory.reduced |= {names[index]: (*wishes[index], kept) for index, kept in zip(new, found, strict=True)}
    return [memory.reduced[name][-1] for name in names]


def is_same(before: tuple | None, now: tuple) -> bool:
    """Whether that is what was reduced before."""
    return before is not None and all(np.array_equal(a, b) for a, b in zip(before, now, strict=False))


def mark_range(action: bpy.types.Action, frames: np.ndarray, cyclic: bool) -> None:
    """Tells Blender where the action begins and ends, and whether it is made to be repeated."""
    first, last = (float(np.float32(frames[index])) for index in (0, -1))
    wishes = {"use_frame_range": True, "use_cyclic": cyclic, "frame_start": first, "frame_end": last}
    for name, value in wishes.items():
        if getattr(action, name) != value:
            setattr(action, name, value)
