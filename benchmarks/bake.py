"""Times of the Blender side: a bake against `keyframe_insert`, and every export of a take of the default head.

    python benchmarks/bake.py [--frames 1000] [--export-frames 150] [--formats .fbx .glb ...] [--blender PATH ...]

Every Blender runs this same file in a child process. The baseline keys the same numbers one by one, a tenth of the
frames only, because it takes minutes otherwise; its figure is scaled up, which flatters it: it grows faster than the
number of frames. Both are timed by the processor, so that other programs hardly count. Exports are timed by the clock,
Blender's start included; memory is the largest of any child so far, where the system tells it. What Blender can read
again with the same vertices (FBX from 4.5 on, Alembic, USD) is opened in a fresh one and compared with the take at five
frames; of an FBX file all keys are read without Blender as well, by the tests' own reader. A long take:

    python benchmarks/bake.py --frames 10000 --export-frames 10000
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 5
FORMATS = (".fbx", ".abc", ".usdc", ".glb", ".obj", ".blend")
READERS = {".fbx": ("read_fbx", "fbx"), ".abc": ("read_alembic", "abc"), ".usdc": ("read_usd", "usd")}
"""Function of the tests' probe_files.py that opens a format, and the name it gives the vertices."""
BASELINE_PART = 10
TESTS = Path(__file__).resolve().parents[1] / "tests" / "blender"


def main() -> None:
    """Prints one table row per Blender."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--export-frames", type=int, default=150)
    parser.add_argument("--formats", nargs="*", default=list(FORMATS))
    parser.add_argument("--blender", type=Path, nargs="*", default=[None])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        avatar, takes = prepare(Path(scratch), {"bake": options.frames, "export": options.export_frames})
        for blender in options.blender:
            baking = bake_times(blender, avatar, takes["bake"])
            print(f"\nBlender {baking['version']}")
            print(f"  bake {options.frames} frames x (52 weights + 5 bones): {baking['bulk'] * 1e3:.0f} ms")
            print(
                f"  the same by keyframe_insert: {baking['baseline'] * 1e3:.0f} ms, {baking['ratio']:.0f} times as long"
            )
            print(f"  import of the head: {baking['import'] * 1e3:.0f} ms; largest memory so far {largest_child()}")
            for ending in options.formats:
                print_export(blender, avatar, takes["export"], ending)


def print_export(blender: Path | None, avatar: Path, take: Path, ending: str) -> None:
    """Writes one format and reads it again."""
    from spark_backend.pipeline.export import export_many

    with tempfile.TemporaryDirectory() as folder:
        start, output = time.perf_counter(), Path(folder) / f"take{ending}"
        export_many(avatar, take, [output], blender=blender, report=lambda event: None)
        seconds, size = time.perf_counter() - start, output.stat().st_size
        print(f"  {ending}: {seconds:.2f} s, {size / 1e6:.1f} MB; largest memory so far {largest_child()}", flush=True)
        if ending in READERS:
            print(f"    in Blender again: {read_again(blender, avatar, take, output)}", flush=True)
        if ending == ".fbx":
            print(f"    without Blender: {read_outside(take, output)}", flush=True)


def read_again(blender: Path | None, avatar: Path, take: Path, path: Path) -> str:
    """How far a fresh Blender's vertices are from the take's, and how long it reads."""
    from dataclasses import fields, replace

    import numpy as np
    from in_blender import ask

    from spark_backend.protocol.avatar import load_avatar
    from spark_backend.protocol.placement import world_from_camera
    from spark_backend.protocol.posing import pose_vertices
    from spark_backend.protocol.take import load_take

    head, truth = load_avatar(avatar), load_take(take)
    rows = np.array([0, 1, len(truth.pts) // 2, len(truth.pts) - 2, len(truth.pts) - 1])
    request = {"file": str(path), "frames": (rows + 1).tolist(), "found": str(path.with_suffix(".npy"))}
    seconds = ask(Path(__file__), request, path.parent, blender)["seconds"]
    if seconds is None:
        return "Blender before 4.5 reads no FBX at its true times"
    named = {part.name for part in fields(truth)} - {"names", "K", "size", "source"}
    chosen = replace(truth, **{name: getattr(truth, name)[rows] for name in named})
    world, posed = world_from_camera(head, truth), np.concatenate([*pose_vertices(head, chosen)]).astype(float)
    off = np.linalg.norm(np.load(request["found"]) - posed @ world[:3, :3].T - world[:3, 3], axis=-1).max()
    return f"{seconds:.1f} s, vertices at most {1e3 * off:.4f} mm off at frames {', '.join(map(str, rows + 1))}"


def read_outside(take: Path, path: Path) -> str:
    """How far all keys of an FBX file are from the take's."""
    import numpy as np

    sys.path.append(str(TESTS))
    from fbx_reader import read_fbx

    from spark_backend.protocol.take import load_take

    start, truth, fbx = time.perf_counter(), load_take(take), read_fbx(path)
    curves = [next(iter(fbx.curves[fbx.channels[name], "DeformPercent"].values())) for name in truth.names]
    late = max(np.abs(seconds - (truth.pts + 1 / 30)).max() for seconds, _ in curves)
    off = max(
        np.abs(values / 100 - weights).max() for (_, values), weights in zip(curves, truth.weights.T, strict=True)
    )
    seconds = time.perf_counter() - start
    return f"{seconds:.1f} s, {len(curves)} x {len(curves[0][0])} keys at most {1e6 * late:.2f} µs and {off:.1e} off"


def largest_child() -> str:
    """The most memory that a child process has held."""
    if sys.platform == "win32":
        return "not told by Windows"
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / 2**30:.2f} GB"


def prepare(folder: Path, frames: dict[str, int]) -> tuple[Path, dict[str, Path]]:
    """The default head and takes of a made-up performance on it, as files."""
    import numpy as np

    from spark_backend.heads.anny import load_anny
    from spark_backend.pipeline.performance import perform
    from spark_backend.protocol.avatar import save_avatar
    from spark_backend.protocol.take import save_take

    avatar = load_anny().avatar()
    save_avatar(folder / "avatar", avatar)
    K = np.array([[1400.0, 0, 640], [0, 1400.0, 360], [0, 0, 1]])
    takes = {name: folder / f"{name}.npz" for name in frames}
    for name, count in frames.items():
        save_take(takes[name], perform(avatar, 0, count / 30, 30.0, K, (1280, 720)))
    return folder / "avatar", takes


def bake_times(blender: Path | None, avatar: Path, take: Path) -> dict:
    """Runs `measure` in Blender."""
    from in_blender import ask

    return ask(Path(__file__), {"avatar": str(avatar), "take": str(take)}, avatar, blender)


def measure(request: dict) -> dict:
    """The part inside Blender."""
    return read_file(request) if "file" in request else bake_seconds(request)


def read_file(request: dict) -> dict:
    """Opens an exported file in an empty scene and writes its vertices at the frames to `found`."""
    import numpy as np

    sys.path.append(str(TESTS))
    import probe_files

    path, arrays, start = Path(request["file"]), {}, time.perf_counter()
    reader, name = READERS[path.suffix]
    getattr(probe_files, reader)({"rate": 30, "frames": request["frames"], path.suffix[1:]: str(path)}, arrays)
    if name not in arrays:
        return {"seconds": None}
    seconds = time.perf_counter() - start
    np.save(request["found"], np.stack(arrays[name]))
    return {"seconds": seconds}


def bake_seconds(request: dict) -> dict:
    """Medians of the bulk bake and of the one-by-one baseline, round by round in turn."""
    import bpy

    from spark_backend.protocol.avatar import load_avatar
    from spark_backend.protocol.take import load_take
    from spark_backend.protocol.timeline import Rate
    from spark_blender.scene.scene import bake_take, import_avatar

    bpy.ops.wm.read_factory_settings(use_empty=True)
    avatar, take = load_avatar(Path(request["avatar"])), load_take(Path(request["take"]))
    start = time.process_time()
    head = import_avatar(avatar, "head")
    importing = time.process_time() - start
    bulk, baseline = [], []
    for number in range(ROUNDS):
        start = time.process_time()
        bake_take(head, avatar, take, f"bulk {number}", rate=Rate(30))
        bulk.append(time.process_time() - start)
        baseline.append(keyframe_insert_seconds(head, take, f"single {number}") * BASELINE_PART)
    middle = ROUNDS // 2
    ratio = sorted(b / a for a, b in zip(bulk, baseline, strict=True))[middle]
    times = {"bulk": sorted(bulk)[middle], "baseline": sorted(baseline)[middle], "ratio": ratio, "import": importing}
    return {"version": bpy.app.version_string, **times}


def keyframe_insert_seconds(head, take, name: str) -> float:
    """Keys a part of the take's frames one value after the other."""
    import bpy

    keys, bones = head.mesh.data.shape_keys, head.armature.pose.bones
    for owner in (keys, head.armature):
        owner.animation_data.action = bpy.data.actions.new(f"{name} {owner.name}")
    start = time.process_time()
    for frame in range(len(take.pts) // BASELINE_PART):
        for index, expression in enumerate(take.names):
            block = keys.key_blocks[expression]
            block.value = take.weights[frame, index]
            block.keyframe_insert("value", frame=frame + 1)
        for bone in ("neck", "jaw", "eye_left", "eye_right", "root"):
            rotation = take.head_rotation if bone == "root" else getattr(take, bone)
            bones[bone].rotation_quaternion = rotation[frame]
            bones[bone].keyframe_insert("rotation_quaternion", frame=frame + 1)
        bones["root"].location = take.head_translation[frame]
        bones["root"].keyframe_insert("location", frame=frame + 1)
    return time.process_time() - start


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parent))  # which Blender's Python is told to leave out
    from in_blender import run

    run(main, measure)
