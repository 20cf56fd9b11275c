"""Runs inside Blender: bakes the toy, adjusts it in several ways and tells what Blender shows."""

import importlib.util
import json
import os
import sys
import traceback
from dataclasses import replace
from pathlib import Path

START, RATE = 1, 30


def packages() -> dict:
    """Our packages made importable by the runner's own function; returns the request."""
    request = json.loads(Path(sys.argv[-1]).read_text())
    specification = importlib.util.spec_from_file_location("runner", request["runner"])
    runner = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(runner)
    runner.load_packages()
    return request


def baked(avatar, take, name="talk"):
    """An otherwise empty scene with the toy that plays the take. Gives what `build_scene` made."""
    import bpy

    from spark_blender.scene.scene import build_scene

    bpy.ops.wm.read_factory_settings(use_empty=True)
    return build_scene(avatar, take, name="toy", take_name=name, start=START)


def wish(**options):
    from spark_blender.scene.performance import Adjustments

    return Adjustments(**options)


def shown(head, frame: float) -> dict:
    """Shape keys and the jaw bone as Blender evaluates them at a frame."""
    import bpy

    bpy.context.scene.frame_set(int(frame // 1), subframe=frame % 1)
    keys = head.mesh.data.shape_keys.key_blocks
    bones = head.armature.pose.bones
    return {
        "keys": {key.name: key.value for key in keys[1:]},
        "bones": {bone.name: list(bone.rotation_quaternion) for bone in bones},
    }


def all_shown(head, frames) -> list:
    return [shown(head, frame) for frame in frames]


def vertices(head, camera=None) -> list:
    """(V, 3) evaluated, in the world's or the camera's axes."""
    import bpy
    import numpy as np

    graph = bpy.context.evaluated_depsgraph_get()
    mesh = head.mesh.evaluated_get(graph)
    points = np.empty(3 * len(mesh.data.vertices), np.float32)
    mesh.data.vertices.foreach_get("co", points)
    world = np.array(mesh.matrix_world)
    if camera is not None:
        world = np.linalg.inv(np.array(camera.evaluated_get(graph).matrix_world)) @ world
    return (points.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3]).tolist()


def counts(head) -> dict:
    """Keys of all curves of the head, by path and index."""
    from spark_blender.scene.captured import action_of, existing_channels

    found = {}
    for owner in (head.armature, head.mesh.data.shape_keys):
        for curve in existing_channels(owner, action_of(owner)).fcurves:
            found[f"{curve.data_path} {curve.array_index}"] = len(curve.keyframe_points)
    return found


def probe_strength(request, avatar, take) -> dict:
    """Strength and back, rest face, mirror."""
    import numpy as np

    from spark_blender.scene.adjust import apply, measure_rest

    head = baked(avatar, take).head
    frames = [1, 8, 24]
    answer = {"before": all_shown(head, frames)}
    strengths = {"jaw": 1.5, "eyes": 0.5, "head": 0.0}
    apply(head, wish(strengths=strengths, key_strengths={"browInnerUp": 0.25}))
    answer["strong"] = all_shown(head, frames)
    rest = measure_rest(head, 8, 8)
    apply(head, wish(rest=rest))
    answer["calm"] = all_shown(head, frames)
    apply(head, wish(mirror=True))
    answer["mirrored"] = all_shown(head, frames)
    apply(head, wish())
    answer["back"] = all_shown(head, frames)
    answer["rest"] = {"weights": dict(rest.weights), "jaw": np.asarray(rest.jaw).tolist()}
    return answer


def probe_reduction(request, avatar, take) -> dict:
    """Fewer keys; what is shown at all frames and halves before and after."""
    from spark_blender.scene.adjust import apply

    head = baked(avatar, take).head
    frames = [1 + half / 2 for half in range(2 * len(take.pts) - 1)]
    answer = {"before": all_shown(head, frames), "count": counts(head)}
    apply(head, wish(tolerance=0.02))
    answer |= {"after": all_shown(head, frames), "fewer": counts(head)}
    return answer


def probe_trim(request, avatar, take) -> dict:
    """A loop of the middle of the take."""
    from spark_blender.scene.adjust import apply
    from spark_blender.scene.captured import action_of

    head = baked(avatar, take).head
    before = shown(head, 6)
    apply(head, wish(trim=(5 / RATE, 18 / RATE), loop=0.2))
    action = action_of(head.armature)
    ends = [shown(head, 6), shown(head, 19)]
    return {"before": before, "ends": ends, "range": [action.frame_start, action.frame_end, action.use_cyclic]}


def probe_retime(request, avatar, take) -> dict:
    """The same seconds in a scene of 24 frames a second, from frame 101."""
    import bpy

    from spark_backend.protocol.timeline import Rate
    from spark_blender.scene.adjust import apply, retime

    head = baked(avatar, take).head
    bpy.context.scene.render.fps = 24
    retime(head, Rate(24), 101)
    apply(head, wish())
    frames = [101 + seconds * 24 for seconds in take.pts[[0, 7, 23]]]
    answer = {"shown": all_shown(head, frames)}
    apply(head, wish(strengths={"jaw": 0.5}))
    answer["later"] = shown(head, frames[1])
    return answer


def probe_head_motion(request, avatar, take) -> dict:
    """On the bone, the object, the camera and back: what the camera sees, what moves."""
    import bpy
    import numpy as np

    from spark_blender.scene.adjust import apply, move_head

    built = baked(avatar, take)
    head, camera, scene = built.head, built.camera, bpy.context.scene
    answer = {}
    for step, place in enumerate(("BONE", "OBJECT", "CAMERA", "BONE")):
        move_head(head, place, camera)
        apply(head, wish())
        if place == "CAMERA":
            apply(head, wish(strengths={"jaw": 1.0}))  # as a slider does
        seen, moved = [], []
        for frame in (3, 20):
            scene.frame_set(frame)
            seen.append(vertices(head, camera))
            moved.append(
                [
                    np.array(head.armature.pose.bones["root"].matrix_basis).tolist(),
                    np.array(head.armature.matrix_world).tolist(),
                    np.array(camera.matrix_world).tolist(),
                ]
            )
        answer[f"{step} {place}"] = {"seen": seen, "moved": moved}
    answer["actions"] = sorted(action.name for action in bpy.data.actions)
    return answer


def probe_faults(request, avatar, take) -> dict:
    """Sentences for what cannot be done."""
    import bpy

    from spark_backend.protocol.errors import SparkError
    from spark_blender.scene.adjust import adjusted_performance, apply, keep, move_head
    from spark_blender.scene.mapping import KeyMapping
    from spark_blender.scene.retarget import retarget

    built = baked(avatar, take)
    head, camera = built.head, built.camera
    sentences = {}

    def refused(name, action):
        try:
            action()
            sentences[name] = "no error"
        except SparkError as error:
            sentences[name] = str(error)

    refused("no camera", lambda: move_head(head, "CAMERA", None))
    refused("no such place", lambda: move_head(head, "MOON", camera))
    camera.parent = head.armature
    refused("parent", lambda: move_head(head, "CAMERA", camera))
    camera.parent = None
    camera.keyframe_insert("location")
    refused("moving camera", lambda: move_head(head, "CAMERA", camera))
    head.armature.scale = (1, 2, 1)
    refused("uneven", lambda: move_head(head, "OBJECT", camera))
    head.armature.scale = (1, 1, 1)
    move_head(head, "OBJECT", camera)
    refused("keep", lambda: keep(head))
    performance = adjusted_performance(head, wish())
    refused("nothing mapped", lambda: retarget(head.armature, head.mesh, performance, KeyMapping(), "x", take.pts))
    del head.armature.animation_data.action["spark_rate"]
    head.armature.animation_data.action.get("spark_captured").pop("spark_rate")
    refused("old", lambda: apply(head, wish()))
    head.mesh.data.shape_keys.animation_data_clear()
    bpy.context.view_layer.update()
    return sentences


def probe_keep(request, avatar, take) -> dict:
    """Kept changes are what later ones start from; a bake starts anew; saving and opening keeps what was captured."""
    import bpy

    from spark_blender.scene.adjust import apply, heads_of_takes, keep

    head = baked(avatar, take).head
    apply(head, wish(strengths={"jaw": 0.5}))
    path = request["folder"] + "/kept.blend"
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    (head,) = heads_of_takes(bpy.context.scene)
    apply(head, wish())
    answer = {"opened": shown(head, 8)["keys"]["jawOpen"]}
    apply(head, wish(strengths={"jaw": 0.5}))
    keep(head)
    answer["actions"] = sorted(action.name for action in bpy.data.actions)
    apply(head, wish(strengths={"jaw": 0.5}))
    answer["kept"] = shown(head, 8)["keys"]["jawOpen"]
    return answer


def other_character(names, bones):
    """A mesh with these shape keys, moved by an armature with these bones (tail vectors by name)."""
    import bpy

    mesh = bpy.data.objects.new("hero", bpy.data.meshes.new("hero"))
    mesh.data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    bpy.context.scene.collection.objects.link(mesh)
    for name in ("Basis", *names):
        mesh.shape_key_add(name=name, from_mix=False)
    rig = bpy.data.objects.new("hero rig", bpy.data.armatures.new("hero rig"))
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    for name, vector in bones.items():
        bone = rig.data.edit_bones.new(name)
        bone.tail, bone.roll = vector, 0.3
    bpy.ops.object.mode_set(mode="OBJECT")
    mesh.modifiers.new("Armature", "ARMATURE").object = rig
    return mesh, rig


def probe_retarget(request, avatar, take) -> dict:
    """On a VRM-like character whose jaw and eyes are bones, once by quaternions and once by Euler angles."""
    import bpy
    import numpy as np

    from spark_blender.scene.adjust import adjusted_performance, apply
    from spark_blender.scene.captured import action_of
    from spark_blender.scene.guess import guess_mapping
    from spark_blender.scene.retarget import retarget

    head = baked(avatar, take).head
    bones = {"head": (0, 0, 1), "jaw": (0, -1, -0.5), "eye.L": (0, -1, 0), "eye.R": (0.2, -1, 0)}
    mesh, rig = other_character(("A", "I", "U", "E", "O", "Blink_L", "Blink_R"), bones)
    rig.pose.bones["jaw"].rotation_mode = "XYZ"
    for bone in ("head", "eye.L", "eye.R"):
        rig.pose.bones[bone].rotation_mode = "QUATERNION"
    former = bpy.data.actions.new("former")
    mesh.data.shape_keys.animation_data_create().action = former
    mapping = guess_mapping([key.name for key in mesh.data.shape_keys.key_blocks], list(bones))
    mapping = replace(mapping, bones={**mapping.bones, "jaw": "jaw"})
    performance = adjusted_performance(head, wish(strengths={"jaw": 0.8}))
    apply(head, wish(strengths={"jaw": 0.8}))
    frames = START + performance.seconds * RATE
    for _ in range(2):
        retarget(head.armature, mesh, performance, mapping, "talk on hero", frames)
    seen = []
    for frame in (1, 8, 24):
        bpy.context.scene.frame_set(frame)
        turned = {}
        for theirs, ours in {"jaw": "jaw", "eye.L": "eye_left", "eye.R": "eye_right"}.items():
            turned[theirs] = [turn_of(rig, theirs), turn_of(head.armature, ours)]
        total = np.array(turn_of(head.armature, "root")) @ np.array(turn_of(head.armature, "neck"))
        turned["head"] = [turn_of(rig, "head"), total.tolist()]
        values = {key.name: key.value for key in mesh.data.shape_keys.key_blocks[1:]}
        seen.append({"turned": turned, "values": values, "ours": shown(head, frame)["keys"]})
    return {
        "seen": seen,
        "former": former.use_fake_user,
        "actions": sorted(a.name for a in bpy.data.actions),
        "ours": action_of(head.armature).name,
    }


def turn_of(armature, bone: str) -> list:
    """(3, 3) of a bone's own turn in its armature's axes at rest."""
    import numpy as np

    rest = np.array(armature.data.bones[bone].matrix_local.to_3x3())
    return (rest @ np.array(armature.pose.bones[bone].matrix_basis.to_3x3()) @ rest.T).tolist()


def main() -> None:
    request = packages()
    try:
        import bpy

        from spark_backend.protocol.avatar import load_avatar
        from spark_backend.protocol.take import load_take

        avatar, take = load_avatar(Path(request["avatar"])), load_take(Path(request["take"]))
        answer = {"version": list(bpy.app.version)}
    except Exception:  # noqa: BLE001 - the test shows it
        answer = {"error": traceback.format_exc()}
        Path(request["answer"]).write_text(json.dumps(answer))
        os._exit(0)
    for name, probe in list(globals().items()):
        if name.startswith("probe_"):
            try:
                answer[name] = probe(request, avatar, take)
            except Exception:  # noqa: BLE001 - the test of this probe shows it
                answer[name] = traceback.format_exc()
    Path(request["answer"]).write_text(json.dumps(answer))
    os._exit(0)


main()
