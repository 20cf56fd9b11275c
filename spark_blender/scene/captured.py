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


def read_performance(armature: bpy.types.Object, mesh: bpy.types.Object) -> Performance:
    """What was captured of a head, at all times at which any of its curves has a key."""
    action, keys = action_of(armature), mesh.data.shape_keys
    rate, start = timing(captured_of(action))
    bones = {bone.name: bone_path(bone.name) for bone in armature.pose.bones}
    curves = read_curves(existing_channels(armature, captured_of(action)), bones.values())
    key_paths = {key.name: key_path(key.name) for key in keys.key_blocks}
    curves |= read_curves(existing_channels(keys, captured_of(action_of(keys))), key_paths.values())
    if not curves:
        raise SparkError(f"{action.name}: has no keys of a take; bake the take again")
    frames = common_frames(points[0] for points in curves.values())
    values = {curve: values_at(frames, points) for curve, points in curves.items()}
    names = tuple(name for name, path in key_paths.items() if (path, 0) in values)
    weights = [values[key_paths[name], 0] for name in names]
    return Performance(
        seconds=(frames - start) / rate.per_second,
        names=names,
        weights=np.stack(weights, axis=1) if weights else np.zeros((len(frames), 0)),
        rotations={bone: unit(q) for bone, q in vectors(values, bones, "rotation_quaternion", 4).items()},
        locations=vectors(values, bones, "location", 3),
    )


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


def read_curves(channels: bpy.types.bpy_struct, starts: Iterable[str]) -> dict[tuple[str, int], np.ndarray]:
    """(2, T) frames and values of each curve whose path begins so, by path and index."""
    starts, found = tuple(starts), {}
    for curve in channels.fcurves:
        if curve.data_path.startswith(starts) and len(curve.keyframe_points):
            points = np.empty(2 * len(curve.keyframe_points), np.float32)
            curve.keyframe_points.foreach_get("co", points)
            found[curve.data_path, curve.array_index] = points.reshape(-1, 2).T.astype(float)
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
