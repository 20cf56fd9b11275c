"""Times of the Blender side: a bake against `keyframe_insert`, and every export of a take of the default head.

    python benchmarks/bake.py [--frames 1000] [--export-frames 150] [--formats .fbx .glb ...] [--blender PATH ...]

Every Blender runs this same file in a child process. The baseline keys the same numbers one by one, a tenth of the
frames only, because it takes minutes otherwise; its figure is scaled up, which flatters it: it grows faster than the
number of frames. Both are timed by the processor, so that other programs hardly count. Exports are timed by the clock,
Blender's start included; memory is the largest of any child so far, where the system tells it. A long take:

    python benchmarks/bake.py --frames 10000 --export-frames 10000
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 5
FORMATS = (".fbx", ".abc", ".usdc", ".glb", ".obj", ".blend")
BASELINE_PART = 10


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
                seconds, size = export_time(blender, avatar, takes["export"], ending)
                print(
                    f"  {options.export_frames} frames to {ending}: {seconds:.2f} s, {size / 1e6:.1f} MB; "
                    f"largest memory so far {largest_child()}",
                    flush=True,
                )


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


def export_time(blender: Path | None, avatar: Path, take: Path, ending: str) -> tuple[float, int]:
    """Wall-clock seconds of one format, Blender's start included, and the file's size in bytes."""
    from spark_backend.pipeline.export import export_many

    with tempfile.TemporaryDirectory() as folder:
        start, output = time.perf_counter(), Path(folder) / f"take{ending}"
        export_many(avatar, take, [output], blender=blender, report=lambda event: None)
        return time.perf_counter() - start, output.stat().st_size


def measure(request: dict) -> dict:
    """In Blender: medians of the bulk bake and of the one-by-one baseline, round by round in turn."""
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
