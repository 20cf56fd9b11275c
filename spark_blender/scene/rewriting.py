"""The curves of a head written anew from what was captured, in small steps: a long take has a hundred thousand keys.

Between two steps anything may happen to the file, so no step relies on a curve that another has found.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

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
    """Parts that were written. The next writing begins behind the last of them, so that under a slider that moves on
    and on every curve gets its turn."""


def write_steps(head: HeadObjects, wish: Adjustments, memory: Memory) -> Steps[None]:
    """Writes the captured performance, adjusted, on the head's curves."""
    smooth = yield from smooth_performance(head, wish, memory)
    rate, start = timing(action_of(head.armature))
    pieces = parts(smooth, curves_at_once(len(smooth.seconds)))
    first = memory.written % len(pieces)
    for piece in (*pieces[first:], *pieces[:first]):
        shape = shaped(piece, wish)
        frames = start + shape.seconds * rate.per_second
        yield
        yield from write_keys(head.mesh, frames, shape, wish.tolerance, memory)
        yield from write_bones(head.armature, frames, shape, wish.tolerance, memory)
        memory.written += 1
    mark_range(action_of(head.armature), frames, wish.loop > 0)


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


def write_keys(
    mesh: bpy.types.Object, frames: np.ndarray, performance: Performance, tolerance: float, memory: Memory
) -> Steps[None]:
    """The shape keys' curves at the frames (T,), each reduced on its own."""
    names, columns = performance.names, performance.weights.T
    widen_sliders(mesh, names, performance.weights)
    kept_keys = yield from keys_to_keep(frames, names, columns[..., None], tolerance, memory)
    for name, values, kept in zip(names, columns, kept_keys, strict=True):
        keys = mesh.data.shape_keys
        channels = channels_of(keys, action_of(keys))
        before = channels.fcurves.find(key_path(name))
        group = before.group.name if before and before.group else "Other"
        fill_curves(channels, frames[kept], [Curve(key_path(name), 0, values[kept], group)])
        yield


def write_bones(
    armature: bpy.types.Object, frames: np.ndarray, performance: Performance, tolerance: float, memory: Memory
) -> Steps[None]:
    """The bones' curves at the frames (T,); all curves of one property keep the same keys."""
    action = action_of(armature)
    if place_of(action) != "BONE" and ROOT in performance.rotations:
        yield from carrier_steps(armature, action, performance, frames)
        return
    kinds = (("rotation_quaternion", performance.rotations, 2), ("location", performance.locations, 1))
    for kind, values_of, scale in kinds:  # a quaternion moves by half the angle
        for bone, values in values_of.items():
            path, bound = f"{bone_path(bone)}.{kind}", tolerance * BONE_TOLERANCE
            [kept] = yield from keys_to_keep(frames, [path], scale * values[None], bound, memory)
            for index, column in enumerate(values[kept].T):
                channels = channels_of(armature, action_of(armature))
                fill_curves(channels, frames[kept], [Curve(path, index, column, bone)])
                yield


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
    action.use_frame_range, action.use_cyclic = True, cyclic
    action.frame_start, action.frame_end = float(frames[0]), float(frames[-1])
