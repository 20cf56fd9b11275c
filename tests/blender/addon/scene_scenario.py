"""Runs inside Blender (pip's bpy): what the add-on does to the scene and to the file. See scenario.py.

Blender's timers do not run here, so the add-on's `pump` is called in a loop.
"""

import json
import os
import shutil
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

REQUEST = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
os.environ["BLENDER_USER_RESOURCES"] = REQUEST["user"]

sys.path.append(str(Path(__file__).parent))  # which Python's switch -I leaves out

import bpy  # noqa: E402
import installed  # noqa: E402
from installed import MODULE, drawn, part, run_steps, session  # noqa: E402
from mathutils import Vector  # noqa: E402

WORK = Path(REQUEST["work"])


def settings():
    return bpy.context.scene.spark_capture


def wait():
    installed.pump_until(lambda: not session().is_busy("work"), "work", 30.0)


def head(person="Anna"):
    return part("result").find_head(WORK / f"{person}.spark")


def make_person(person, clip):
    """A project with a trained head and a take of one clip, all through the buttons."""
    bpy.ops.spark.new_project(person=person, folder=str(WORK))
    (WORK / f"{clip}.mp4").touch()
    bpy.ops.spark.add_clips(directory=str(WORK), files=[{"name": f"{clip}.mp4"}])
    bpy.ops.spark.train()
    wait()
    bpy.ops.spark.capture()
    wait()


def step_install():
    installed.install(REQUEST)
    bpy.context.preferences.addons[MODULE].preferences.backend = REQUEST["environments"]["full"]
    bpy.context.preferences.addons[MODULE].preferences.projects = str(WORK)
    return sorted(name for name in dir(bpy.types) if name.startswith("SPARK_FH"))


def step_drop():
    """Videos dropped into the viewport of a scene without a project."""
    (WORK / "Bob 1.mp4").touch()
    bpy.ops.spark.add_clips("INVOKE_DEFAULT", directory=str(WORK), files=[{"name": "Bob 1.mp4"}])
    handler = bpy.types.SPARK_FH_videos
    return {
        "project": settings().project,
        "clips": [item.name for item in settings().clips],
        "operator": handler.bl_import_operator,
        "endings": handler.bl_file_extensions.split(";"),
    }


def step_people():
    """Two people in one scene, each with a head and a take."""
    make_person("Anna", "good")
    make_person("Berta", "good")
    bpy.ops.spark.open_recent(folder=str(WORK / "Anna.spark"))
    heads = [head(person).armature for person in ("Anna", "Berta")]
    return {
        "recent": [folder.stem for folder in session().recent],
        "actions": [armature.animation_data.action.name for armature in heads],
        "names": [armature.name for armature in heads],
    }


def step_undo():
    """What is on disk stays in the lists, whatever is undone."""
    bpy.ops.ed.undo_push(message="before")
    settings().smoothing = 0.1
    settings().clips.clear()
    settings().takes.clear()
    bpy.ops.ed.undo_push(message="cleared")
    bpy.ops.ed.undo()
    undone = [len(settings().clips), len(settings().takes), round(settings().smoothing, 3)]
    bpy.ops.ed.redo()
    redone = [len(settings().clips), len(settings().takes), round(settings().smoothing, 3)]
    settings().smoothing = 0.0
    return {"undone": undone, "redone": redone}


def step_import_again():
    """The head in the scene takes the shape of the one that was trained anew, which can be undone."""
    old = head()
    old.armature.location.x = 0.5
    old.mesh.data.materials[0].diffuse_color[0] = 0.125
    old.mesh.modifiers.new("Smooth", "SUBSURF")
    group = bpy.data.collections.new("People")
    bpy.context.scene.collection.children.link(group)
    for item in (old.armature, old.mesh):
        group.objects.link(item)
    stamp = WORK / "Anna.spark" / "avatar" / "avatar.json"
    made = stamp.stat().st_mtime
    broaden(stamp.parent)
    os.utime(stamp, (made + 5, made + 5))
    bpy.ops.spark.refresh_project()
    stale = drawn("SPARK_PT_import")
    before = weights(5)
    bpy.ops.ed.undo_push(message="before")
    widths = [width()]
    bpy.ops.spark.import_avatar("EXEC_DEFAULT", True)
    widths.append(width())
    bpy.ops.ed.undo()
    widths.append(width())
    bpy.ops.ed.redo()
    new = head()
    result = {
        "widths": [*widths, width()],
        "colour": new.mesh.data.materials[0].diffuse_color[0],
        "modifiers": [modifier.name for modifier in new.mesh.modifiers],
        "stale": stale,
        "done": drawn("SPARK_PT_import"),
        "x": new.armature.location.x,
        "groups": sorted(c.name for c in new.mesh.users_collection),
        "same": weights(5) == before and any(before),
        "takes": drawn("SPARK_PT_capture")[0],
    }
    bpy.ops.spark.import_avatar(beside=True)
    result["heads"] = len(list(part("result").heads(WORK / "Anna.spark")))
    second = next(h for h in part("result").heads(WORK / "Anna.spark") if h.armature != new.armature)
    installed.remove_head(second)
    return result


def broaden(folder):
    """Another fit of the head: twice as broad."""
    from spark_backend.protocol.avatar import load_avatar, save_avatar

    avatar = load_avatar(folder)
    save_avatar(folder, replace(avatar, neutral=avatar.neutral * [2, 1, 1]))


def width():
    """Of the head at rest, in metres."""
    points = [point.co.x for point in head().mesh.data.shape_keys.key_blocks[0].points]
    return round(max(points) - min(points), 4)


def weights(frame, person="Anna"):
    """The shape keys' values at a frame of the scene."""
    bpy.context.scene.frame_set(frame)
    return [round(key.value, 5) for key in head(person).mesh.data.shape_keys.key_blocks[1:]]


def bake(target, start, **changes):
    """Bakes the selected take without the clip's scene."""
    settings().target, settings().start_frame, settings().match_scene = target, start, False
    for name, value in changes.items():
        setattr(settings(), name, value)
    bpy.ops.spark.bake_take()


def step_bake_targets():
    """The take at frame 1 on its own, then once more at 101 in the same action, then over it at 11."""
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 30, 1.0
    bake("ACTION", 1)
    first, last = weights(1), weights(24)
    bake("INSERT", 101)
    inserted = [weights(1) == first, weights(24) == last, weights(101) == first, weights(124) == last]
    bake("LAYER", 11)
    animation = head().armature.animation_data
    layered = [weights(1) == first, weights(11) == first, weights(34) == last, weights(101) == first]
    strips = [strip.name for track in animation.nla_tracks for strip in track.strips]
    bake("LAYER", 201)
    twice = [weights(1) == first, weights(11) == first, weights(34) == last, weights(201) == first]
    bpy.ops.spark.import_avatar()
    again = [weights(1) == first, weights(11) == first, weights(34) == last, weights(201) == first]
    return {
        "inserted": inserted,
        "layered": layered,
        "twice": twice,
        "again": again,
        "strips": strips,
        "plays": head().armature.animation_data.action.name,
        "moves": first != last,
        "adjustable": part("adjust_properties").head_in(installed.context()) is not None,
    }


def step_smoothing():
    """A take that is smoothed as it is baked, by the slider of the panel Adjust."""
    for owner in (head().armature, head().mesh.data.shape_keys):
        for track in list(owner.animation_data.nla_tracks):
            owner.animation_data.nla_tracks.remove(track)
    bake("ACTION", 1)
    before = [weights(frame) for frame in range(1, 25)]
    bake("ACTION", 1, smoothing=0.2)
    after = [weights(frame) for frame in range(1, 25)]
    slider = head().armature.animation_data.action.spark_adjust.smoothing
    settings().smoothing = 0.0
    return {"slider": slider, "roughness": [roughness(before), roughness(after)]}


def roughness(rows):
    """Mean step from frame to frame."""
    pairs = [pair for first, second in pairwise(rows) for pair in zip(first, second, strict=True)]
    return sum(abs(b - a) for a, b in pairs) / len(pairs)


def step_undo_each():
    """What a button does to the scene is taken back by one undo. Gives what it left, and whether it did anything."""
    buttons = {
        "import": lambda: bpy.ops.spark.import_avatar("EXEC_DEFAULT", True, beside=True),
        "bake": lambda: bpy.ops.spark.bake_take("EXEC_DEFAULT", True),
        "asset": lambda: bpy.ops.spark.mark_asset("EXEC_DEFAULT", True),
        "clip": lambda: bpy.ops.spark.remove_clip("EXEC_DEFAULT", True),
        "project": lambda: bpy.ops.spark.open_recent("EXEC_DEFAULT", True, folder=str(WORK / "Berta.spark")),
        "move": lambda: bpy.ops.spark.move_head("EXEC_DEFAULT", True, place="OBJECT"),
        "rest": lambda: bpy.ops.spark.set_rest("EXEC_DEFAULT", True),
        "reset": lambda: bpy.ops.spark.reset_adjustments("EXEC_DEFAULT", True),
        "keep": lambda: bpy.ops.spark.keep_adjustments("EXEC_DEFAULT", True),
        "retime": lambda: bpy.ops.spark.retime("EXEC_DEFAULT", True),
        "guess": lambda: bpy.ops.spark.guess_mapping("EXEC_DEFAULT", True),
        "retarget": lambda: bpy.ops.spark.retarget("EXEC_DEFAULT", True),
        "capture": lambda: (bpy.ops.spark.capture(), wait()),  # what jobs bring
        "light": lambda: (bpy.ops.spark.add_light(), wait()),
    }
    settings().target, settings().match_scene = "LAYER", True
    prepare_adjustments()
    found = {}
    for name, press in buttons.items():
        bpy.ops.ed.undo_push(message="before")
        before = fingerprint()
        press()
        pressed = fingerprint()
        bpy.ops.ed.undo()
        after = fingerprint()
        left = {part: [before[part], after[part]] for part in before if before[part] != after[part]}
        found[name] = [left, pressed != before]
    settings().target, settings().match_scene = "ACTION", False
    return found


def prepare_adjustments():
    """A slider that was moved, a scene of another rate, a character with a mapping."""
    head().armature.animation_data.action.spark_adjust.brows = 0.5
    bpy.context.scene.render.fps = 25
    character = bpy.data.objects.new("Character", head().mesh.data.copy())
    bpy.context.scene.collection.objects.link(character)
    character.data.shape_keys.animation_data_clear()
    bpy.context.scene.spark_retarget.target = character
    bpy.ops.spark.guess_mapping()
    bpy.context.scene.spark_retarget.rows.remove(0)


def fingerprint():
    """What of a scene the buttons change."""
    scene = bpy.context.scene
    kinds = ("objects", "meshes", "armatures", "actions", "collections", "cameras", "movieclips")
    owners = (head().armature, head().mesh.data.shape_keys) if head() else ()
    animated = [owner.animation_data for owner in owners if owner.animation_data]
    return {
        **{kind: sorted(item.name for item in getattr(bpy.data, kind)) for kind in kinds},
        "assets": sorted(item.name for item in bpy.data.collections if item.asset_data),
        "plays": [data.action.name for data in animated],
        "moves": [part("scene.head_motion").place_of(data.action) for data in animated[:1]],
        "strips": [track.name for data in animated for track in data.nla_tracks],
        "keys": [keys_of(owner) for owner in owners],
        "sliders": [[data.action.spark_adjust.brows, data.action.spark_adjust.has_rest] for data in animated[:1]],
        "captured": [data.action.get("spark_captured") and data.action["spark_captured"].name for data in animated],
        "mapping": [[row.source, row.target] for row in scene.spark_retarget.rows],
        "scene": [scene.frame_start, scene.frame_end, scene.render.fps, scene.camera and scene.camera.name],
        "project": settings().project,
        "clips": [item.name for item in settings().clips],
    }


def keys_of(owner):
    """Path, count, and mean time and value of every curve that animates a data-block."""
    curves = [curve for channels in part("scene.action").channels_in_use(owner) for curve in channels.fcurves]
    means = [
        [sum(key.co[axis] for key in c.keyframe_points) / len(c.keyframe_points) for axis in (0, 1)] for c in curves
    ]
    return [[c.data_path, len(c.keyframe_points), *m] for c, m in zip(curves, means, strict=True)]


def step_moved():
    """The file and its project are moved together, then the file alone."""
    home = WORK / "film"
    home.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(home / "anna.blend"))
    here = {"kept": settings().project, "found": head() is not None, "clip": settings().clips[0].path}
    bpy.ops.wm.save_as_mainfile(filepath=str(WORK / "copy.blend"), copy=True)
    copied = {"kept": settings().project, "found": head() is not None}
    moved = WORK.parent / "moved"
    shutil.copytree(WORK / "Anna.spark", moved / "Anna.spark")
    (moved / "film").mkdir()
    shutil.copy(home / "anna.blend", moved / "film" / "anna.blend")
    bpy.ops.wm.open_mainfile(filepath=str(moved / "film" / "anna.blend"))
    together = [str(part("project").project_folder(settings())), head_of(moved / "Anna.spark")]
    (WORK.parent / "alone").mkdir()
    shutil.copy(home / "anna.blend", WORK.parent / "alone" / "anna.blend")
    bpy.ops.wm.open_mainfile(filepath=str(WORK.parent / "alone" / "anna.blend"))
    alone = [str(part("project").project_folder(settings())), head() is not None]
    return {"here": here, "copied": copied, "together": together, "moved": str(moved / "Anna.spark"), "alone": alone}


def head_of(folder):
    return part("result").find_head(folder) is not None


def step_light():
    """The light of the clip, twice: it takes its own place."""
    for _ in range(2):
        bpy.ops.spark.add_light()
        wait()
    lamps = [item for item in bpy.context.scene.objects if item.type == "LIGHT" and item.name.startswith("Anna light")]
    background = next(n for n in bpy.context.scene.world.node_tree.nodes if n.type == "BACKGROUND").inputs
    face = head().mesh
    corners = [face.matrix_world @ Vector(corner) for corner in face.bound_box]
    centre = sum(corners, Vector()) / 8
    return {
        "names": [lamp.name for lamp in lamps],
        "energy": lamps[0].data.energy,
        "colour": list(lamps[0].data.color),
        "away": list(lamps[0].location - centre),
        "axis": list(lamps[0].matrix_world.to_3x3() @ Vector((0, 0, 1))),
        "world": [*background["Color"].default_value[:3], background["Strength"].default_value],
        "turn": part("result").world_from_camera(*avatar_and_take())[:3, :3].tolist(),
    }


def avatar_and_take():
    folder = WORK / "Anna.spark"
    return part("result").load_avatar(folder / "avatar"), part("result").load_take(folder / "takes" / "good.npz")


def step_asset():
    """The head in the asset browser, before and after the file has a place."""
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.spark.open_recent(folder=str(WORK / "Anna.spark"))
    bpy.ops.spark.import_avatar()
    bpy.ops.spark.mark_asset()
    early = str(head().armature.users_collection[0].asset_data.catalog_id)
    (WORK / "library").mkdir()
    catalogues = WORK / "library" / "blender_assets.cats.txt"
    catalogues.write_text("VERSION 1\n\n00000000-0000-4000-8000-000000000001:Mine:Mine\n", encoding="utf-8")
    bpy.ops.wm.save_as_mainfile(filepath=str(WORK / "library" / "anna.blend"))
    shutil.copy(WORK / "Anna.spark" / "avatar" / "albedo.png", WORK / "Anna.spark" / "avatar" / "preview.png")
    bpy.ops.spark.mark_asset()
    bpy.ops.spark.mark_asset()
    group = head().armature.users_collection[0]
    found = {
        "early": early,
        "id": str(group.asset_data.catalog_id),
        "objects": sorted(item.name for item in group.objects),
        "preview": list(group.preview.image_size),
        "colour": [round(value, 1) for value in group.preview.image_pixels_float[:3]],
    }
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(WORK / "library" / "anna.blend"), assets_only=True) as (there, _):
        found["assets"] = list(there.collections)
    return {**found, "catalogues": catalogues.read_text(encoding="utf-8").splitlines()}


def step_models():
    """The list, a download that is refused, and a file that was got by other means."""
    bpy.ops.spark.list_models()
    wait_for_models()
    before = preferences_drawn()
    refused = installed.refused(bpy.ops.spark.get_model, model="face")
    bpy.ops.spark.choose_model_file(model="face", filepath=str(WORK / "face.task"))
    chosen = dict(session().state("models").options)
    wait_for_models()
    return {"before": before, "refused": refused, "chosen": chosen, "after": preferences_drawn()}


def wait_for_models():
    installed.pump_until(lambda: not session().is_busy("models"), "models", 30.0)


def preferences_drawn():
    """What the preferences show."""
    canvas, own = installed.Canvas(), bpy.context.preferences.addons[MODULE].preferences
    names = ("backend", "python", "device", "wheels", "projects", "keep_running", "bl_rna")
    stand_in = SimpleNamespace(layout=canvas, **{name: getattr(own, name) for name in names})
    part("preferences_drawing").draw_preferences(stand_in, installed.context())
    return canvas.lines


def step_report():
    """Everything that is private here must not be in it."""
    bpy.ops.spark.open_recent(folder=str(WORK / "Anna.spark"))
    settings().clips.clear()
    (WORK / "exit.mp4").touch()
    bpy.ops.spark.add_clips(directory=str(WORK), files=[{"name": "exit.mp4"}])
    bpy.ops.spark.train()
    wait()
    return {
        "report": part("operators.support").diagnostic_report(),
        "private": [str(WORK), "Anna", "Berta", "exit.mp4"],
    }


run_steps(globals(), REQUEST)
