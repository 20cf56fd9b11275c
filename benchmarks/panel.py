"""Times of the panel: every panel drawn, import of the default head, bakes, sliders, and all that must not hold Blender
up: buttons that start or end work, and the pump that reads what a running job tells.

    python benchmarks/panel.py [--blender PATH] [--objects 1000]

Without a window there is no layout to draw into, so a stand-in takes the calls: timed is all of the panels' own work.
In the real window `tests/gui/test_panel.py` measures the same. The scene holds `--objects` other objects,
because panels look for the head among them; the takes have noise of 0.01 on every weight, as a camera gives. Jobs are
played by the tests' backend that does no work. Medians by the processor's clock, so that other programs hardly count.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 30
PATIENCE = 60.0
FRAMES = {"1,000 frames": 1000, "10,000 frames": 10_000}
NOISE = 0.01
SLIDERS = {"": {}, ", smoothed": {"smoothing": 0.06}, ", keys reduced": {"smoothing": 0.06, "tolerance": 0.01}}
"""What else is set while the slider Mouth is moved."""
BOUNDS = {"all panels": 2e-3, "import": 1.0, "bake 1,000 frames": 0.5, "bake 10,000 frames": 5.0}
BOUNDS |= {"button": 0.05, "pump": 0.05, "slider": 0.05}
"""Seconds that are not to be exceeded, by the name's beginning; of sliders in every slice."""
TESTS = Path(__file__).resolve().parents[1] / "tests" / "blender"


def main() -> None:
    """Prints one line per figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=1000)
    parser.add_argument("--blender", type=Path, default=None)
    options = parser.parse_args()
    from in_blender import ask

    with tempfile.TemporaryDirectory() as scratch:
        project = prepare(Path(scratch))
        request = {"project": str(project), "objects": options.objects}
        request["environment"] = environment(Path(scratch) / "environments")
        answer = ask(Path(__file__), request, Path(scratch), options.blender)
    print(f"Blender {answer['version']}, {options.objects} other objects, {answer['clips']} clips")
    for name, seconds in answer["seconds"].items():
        bound = next((bound for start, bound in BOUNDS.items() if name.startswith(start)), None)
        bound = None if name.endswith(", all") else bound
        print(f"  {name:50} {1e3 * seconds:9.2f} ms" + (f"   (at most {1e3 * bound:.0f})" if bound else ""))


def prepare(folder: Path) -> Path:
    """A project with the default head, twenty clips and two long takes, as files."""
    from dataclasses import replace

    import numpy as np

    from spark_backend.heads.anny import load_anny
    from spark_backend.pipeline.performance import perform
    from spark_backend.protocol.avatar import save_avatar
    from spark_backend.protocol.project import ClipInfo, create_project, save_project
    from spark_backend.protocol.storage import write_json
    from spark_backend.protocol.take import save_take

    project, avatar = create_project(folder / "Anna.spark"), load_anny().avatar()
    save_avatar(project.avatar_folder, avatar)
    K = np.array([[1400.0, 0, 640], [0, 1400.0, 360], [0, 0, 1]])
    for name, count in FRAMES.items():
        take = perform(avatar, 0, count / 30, 30.0, K, (1280, 720))
        noise = np.random.default_rng(0).normal(scale=NOISE, size=take.weights.shape)
        save_take(project.take_path(name), replace(take, weights=np.clip(take.weights + noise, 0, 1)))
    clips = tuple(f"clip {number}" for number in range(20))
    for name in clips:
        info = ClipInfo(str(folder / f"{name}.mp4"), "0", "h264", (1280, 720), 0, 300, 30.0, warnings=("dark",))
        write_json(project.clip_folder(name) / "clip.json", vars(info))
    save_project(type(project)(project.folder, clips=clips))
    return project.folder


def environment(folder: Path) -> str:
    """The tests' backend that does no work, its jobs chosen by the name of the first clip."""
    sys.path += [str(TESTS), str(TESTS.parent)]
    from stand_in import make_environments

    return make_environments(folder)["full"]


def measure(request: dict) -> dict:
    """The part inside Blender."""
    import bpy

    sys.path.append(str(TESTS / "addon"))
    import installed

    import spark_blender.registration as registration

    bpy.ops.wm.read_factory_settings(use_empty=True)
    installed.MODULE = "spark_blender"
    for number in range(request["objects"]):
        bpy.context.scene.collection.objects.link(bpy.data.objects.new(f"other {number}", None))
    bpy.context.preferences.addons.new().module = "spark_blender"
    registration.register_all()
    bpy.context.preferences.addons["spark_blender"].preferences.backend = request["environment"]
    bpy.ops.spark.open_project(directory=request["project"])
    settings = bpy.context.scene.spark_capture
    seconds = {"import": clocked(bpy.ops.spark.import_avatar)}
    settings.match_scene = False
    for name in FRAMES:
        settings.take_index = settings.takes.find(name)
        bpy.ops.spark.bake_take()  # the first makes the curves
        seconds[f"bake {name}"] = statistics.median(clocked(bpy.ops.spark.bake_take) for _ in range(3))
        seconds[f"export handed over, {name}"] = hand_over(installed, Path(request["project"]))
        for more, options in SLIDERS.items():
            seconds |= slide(bpy.context, f"slider, {name}{more}", **options)
    panels = sorted(name for name in dir(bpy.types) if name.startswith("SPARK_PT_"))
    drawing = {name: statistics.median(clocked(draw, installed, name) for _ in range(ROUNDS)) for name in panels}
    seconds |= {"all panels": sum(drawing.values()), **drawing, **press_buttons(installed, Path(request["project"]))}
    return {"version": bpy.app.version_string, "clips": len(settings.clips), "seconds": seconds}


def slide(context, name: str, **options: float) -> dict[str, float]:
    """The slider Mouth moved, first after others were set: the longest slice in which curves are written, and all of
    them.
    """
    from spark_blender import adjust_playing
    from spark_blender.adjust_properties import head_in

    sliders, found = head_in(context).armature.animation_data.action.spark_adjust, {}
    for title, wishes in (("set", [{"mouth": 1.05, **options}]), ("drag", [{"mouth": 1.1}, {"mouth": 1.2}])):
        drags = []
        for wish in wishes:
            whole, adjust_playing.settle = adjust_playing.settle, list  # as in a window, where timers write the rest
            slices = [clocked(lambda wish=wish: [setattr(sliders, *item) for item in wish.items()])]
            adjust_playing.settle = whole
            slices[0] += clocked(adjust_playing.turn, adjust_playing.SLICE)
            while adjust_playing._writings:
                slices.append(clocked(adjust_playing.turn, adjust_playing.SLICE))
            drags.append((max(slices), sum(slices)))
        longest, total = (statistics.median(figures) for figures in zip(*drags, strict=True))
        found |= {f"{name}, {title}, slice": longest, f"{name}, {title}, all": total}
    return found


def hand_over(installed, project: Path) -> float:
    """An export started, which is cancelled then."""
    from spark_backend.protocol.project import open_project
    from spark_blender.exporting import start_export

    seconds = clocked(start_export, open_project(project), project.parent / "out.fbx", "ANY")
    installed.session().cancel("export")
    installed.pump_until(lambda: not installed.session().is_busy("export"), "export", PATIENCE)
    return seconds


def press_buttons(installed, project: Path) -> dict[str, float]:
    """Every button that starts or ends work or reads the project, once; the longest call of the pump during a job."""
    import bpy

    session, taken = installed.session(), {}
    list_only(project.parent / "endless.mp4")
    for name, press in installed.buttons(project).items():
        bpy.context.view_layer.update()  # else `bpy.ops` works off what the press before has left to do
        taken[f"button {name}"] = clocked(press)
        if name == "train":
            installed.pump_until(lambda: session.state("work").stage == "Working", "work", PATIENCE)
        else:
            installed.pump_until(lambda: not any(map(session.is_busy, ("check", "models", "work"))), "work", PATIENCE)
    list_only(project.parent / "good.mp4")
    bpy.ops.spark.train()
    longest = installed.pump_until(lambda: not session.is_busy("work"), "work", PATIENCE)
    return {**taken, "pump, the longest of a job": longest}


def list_only(video: Path) -> None:
    """Makes a video the only one in the list."""
    import bpy

    video.touch()
    bpy.context.scene.spark_capture.clips.clear()
    bpy.ops.spark.add_clips(directory=str(video.parent), files=[{"name": video.name}])


def draw(installed, name: str) -> None:
    """One panel with its header, if it is there at all."""
    panel, context = installed.Drawn(name), installed.context()
    if hasattr(panel.kind, "poll") and not panel.kind.poll(context):
        return
    if hasattr(panel.kind, "draw_header_preset"):
        panel.draw_header_preset(context)
    panel.draw(context)


def clocked(work, *arguments) -> float:
    """The processor's seconds of one call."""
    start = time.process_time()
    work(*arguments)
    return time.process_time() - start


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parent))  # which Blender's Python is told to leave out
    from in_blender import run

    run(main, measure)
