"""What was captured, kept beside the action that is adjusted, so that every adjustment can be taken back.

The first adjustment copies the baked action. The copy is a data-block of its own, named after the action and
"captured", which the action points to by a custom property: it is saved, appended and undone with it.
"""

from collections.abc import Iterable

import bpy
import numpy as np

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.timeline import Rate

from .performance import Performance, unit
from .stepwise import Steps, finished

CAPTURED = "spark_captured"
RATE, START = "spark_rate", "spark_start"
"""Custom properties of a baked action: the rate as (fps, fps_base), and the frame of second 0."""


def note_timing(action: bpy.types.Action, rate: Rate, start: float) -> None:
    """Notes where the seconds of a take lie on the timeline."""
    action[RATE], action[START] = (float(rate.fps), rate.fps_base), float(start)


def timing(action: bpy.types.Action) -> tuple[Rate, float]:
    """Rate and frame of second 0."""
    if RATE not in action:
        raise SparkError(f"{action.name}: not baked by this version of SPARK; bake the take again")
    fps, base = action[RATE]
    return Rate(round(fps), base), action[START]


def captured_of(action: bpy.types.Action) -> bpy.types.Action:
    """What was captured; copied from the action itself before the first adjustment."""
    captured = action.get(CAPTURED)
    if captured is None:
        captured = action.copy()
        captured.name, captured.use_fake_user = f"{action.name} captured", True
        action[CAPTURED] = captured
    return captured


def forget_captured(action: bpy.types.Action) -> None:
    """Takes what the action holds now for captured."""
    captured = action.get(CAPTURED)
    if captured is not None:
        del action[CAPTURED]
        bpy.data.actions.remove(captured)


def existing_channels(owner: bpy.types.ID, action: bpy.types.Action) -> bpy.types.bpy_struct:
    """The curves of `owner` in an action that need not be its own: found by its slot's name."""
    if not hasattr(action, "slots"):
        return action
    slot = action.slots[owner.animation_data.action_slot.identifier]
    return action.layers[0].strips[0].channelbag(slot, ensure=True)


def captured_curves(owner: bpy.types.ID) -> bpy.types.bpy_prop_collection:
    """The captured curves of the armature or the shape keys."""
    return existing_channels(owner, captured_of(action_of(owner))).fcurves


def captured_state(armature: bpy.types.Object, mesh: bpy.types.Object) -> tuple[object, ...]:
    """What `read_performance` depends on: as long as this is the same, so is that. Nothing changes captured keys."""
    owners = (armature, mesh.data.shape_keys)
    names = (bone.name for bone in armature.pose.bones), (key.name for key in owners[1].key_blocks)
    return (*(captured_of(action_of(owner)).session_uid for owner in owners), *map(tuple, names))


def read_performance(armature: bpy.types.Object, mesh: bpy.types.Object) -> Performance:
    """What was captured of a head, at all times at which any of its curves has a key."""
    return finished(read_steps(armature, mesh))


def read_steps(armature: bpy.types.Object, mesh: bpy.types.Object) -> Steps[Performance]:
    """`read_performance`, curve by curve."""
    action, keys = action_of(armature), mesh.data.shape_keys
    rate, start = timing(captured_of(action))
    bones = {bone.name: bone_path(bone.name) for bone in armature.pose.bones}
    key_paths = {key.name: key_path(key.name) for key in keys.key_blocks}
    name = action.name
    yield
    curves = yield from curve_steps(armature, bones.values())
    curves |= yield from curve_steps(keys, key_paths.values())
    if not curves:
        raise SparkError(f"{name}: has no keys of a take; bake the take again")
    frames = common_frames(points[0] for points in curves.values())
    values = {curve: values_at(frames, points) for curve, points in curves.items()}
    yield
    names = tuple(name for name, path in key_paths.items() if (path, 0) in values)
    weights = np.array([values[key_paths[name], 0] for name in names]).reshape(len(names), len(frames)).T
    yield
    rotations = vectors(values, bones, "rotation_quaternion", 4)
    for bone, rotation in rotations.items():
        rotations[bone] = unit(rotation)
        yield
    seconds = (frames - start) / rate.per_second
    return Performance(seconds, names, weights, rotations, vectors(values, bones, "location", 3))


def action_of(owner: bpy.types.ID) -> bpy.types.Action:
    """The action that animates a data-block."""
    if owner.animation_data is None or owner.animation_data.action is None:
        raise SparkError(f"{owner.name}: is not animated; bake a take first")
    return owner.animation_data.action


def bone_path(bone: str) -> str:
    """RNA path of a pose bone from its object."""
    return f'pose.bones["{bpy.utils.escape_identifier(bone)}"]'


def key_path(key: str) -> str:
    """RNA path of a shape key's value from its mesh's keys."""
    return f'key_blocks["{bpy.utils.escape_identifier(key)}"].value'


def curve_steps(owner: bpy.types.ID, starts: Iterable[str]) -> Steps[dict[tuple[str, int], np.ndarray]]:
    """(2, T) frames and values of each captured curve whose path begins so, by path and index.

    Curves are looked up at every step, because what Blender had in memory at the step before may be gone.
    """
    starts, found = tuple(starts), {}
    names = [(curve.data_path, curve.array_index) for curve in captured_curves(owner)]
    for path, index in names:
        curve = captured_curves(owner).find(path, index=index) if path.startswith(starts) else None
        if curve is not None and len(curve.keyframe_points):
            points = np.empty(2 * len(curve.keyframe_points), np.float32)
            curve.keyframe_points.foreach_get("co", points)
            found[path, index] = points.reshape(-1, 2).T.astype(float)
            yield
    return found


def common_frames(all_frames: Iterable[np.ndarray]) -> np.ndarray:
    """(T,) every frame that occurs, rising."""
    first, *others = all_frames
    if all(np.array_equal(first, frames) for frames in others):
        return first
    return np.unique(np.concatenate([first, *others]))


def values_at(frames: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(T,) of a curve (2, K), straight between its keys."""
    return points[1] if np.array_equal(points[0], frames) else np.interp(frames, *points)


def vectors(values: dict, paths: dict[str, str], name: str, width: int) -> dict[str, np.ndarray]:
    """(T, width) of each bone that has all curves of the property `name`."""
    found = {}
    for bone, path in paths.items():
        parts = [values.get((f"{path}.{name}", index)) for index in range(width)]
        if all(part is not None for part in parts):
            found[bone] = np.stack(parts, axis=1)
    return found
