"""A backend that does no work: what it plays is chosen by the name of the first clip. Job handling is the real one."""

import errno
import os
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

from spark_backend.pipeline.jobs import run_job
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.job import Preview, Progress, Warning
from spark_backend.protocol.project import ClipInfo, open_project, portrait_path, save_project, with_clip
from spark_backend.protocol.storage import filesystem_errors, read_json, write_json
from spark_backend.protocol.take import load_take, save_take

HERE = Path(__file__).parent


def doctor(options, report):
    report(Progress("Looking", 0.5))
    ready = not (HERE / "half").exists()
    missing = {"what": "torch", "state": "missing", "detail": "install it with pip"}
    return {"spark": "0.1.0", "device": "CPU", "ready": ready, "checks": [] if ready else [missing]}


def train(options, report):
    play = Path(options["clips"][0]).stem
    report(Progress("Finding the face", 0.1, 12.0))
    return globals().get(f"play_{play}", play_good)(options, report)


def play_good(options, report):
    for index in range(6):
        report(Progress(f"Step {index}", 0.2 + 0.1 * index, 3.0))
        shutil.copy(HERE / "preview.png", Path.cwd() / "fresh.png")
        Path("fresh.png").replace("preview.png")  # as the backend does: never a half of one
        report(Preview("preview.png"))
        time.sleep(0.05)
    names = ingest(options, report)["clips"]
    project = open_project(Path(options["project"]))
    shutil.copytree(HERE / "avatar", project.avatar_folder, dirs_exist_ok=True)
    made = read_json(project.avatar_folder / "avatar.json")
    metrics = {"focal": dict.fromkeys(project.clips, 1.0), "reprojection": dict.fromkeys(project.clips, 1.2)}
    write_json(project.avatar_folder / "avatar.json", {**made, "metrics": metrics})
    shutil.copy(HERE / "preview.png", project.avatar_folder / "preview.png")
    write_json(project.avatar_folder / "report.json", {"warnings": ["No frame shows a smile"]})
    report(Warning("No frame shows a smile"))
    report(Warning(f"{names[0]}: the end is damaged"))
    return {"project": project.folder, "avatar": project.avatar_folder}


def ingest(options, report):
    project = open_project(Path(options["project"]))
    names = [Path(clip).stem for clip in options["clips"]]
    for name, clip in zip(names, options["clips"], strict=True):
        face = options.get("face") or 0
        info = ClipInfo(clip, "0", "h264", (640, 480), 0, 24, 30.0, coverage=0.98, warnings=("The end is damaged",))
        write_json(project.clip_folder(name) / "clip.json", {**vars(info), "faces": 2, "face": face})
        for number, picture in enumerate(("preview", "second")):
            shutil.copy(HERE / f"{picture}.png", portrait_path(project.clip_folder(name), number))
        project = with_clip(project, name)
    save_project(project)
    return {"project": project.folder, "clips": names}


def track(options, report):
    report(Progress(f"Tracking {options['clip']}", 0.5))
    return {"take": make_take(open_project(Path(options["project"])), options["clip"], options["tracker"])}


def adapt(options, report):
    report(Progress(f"Learning, {options['preset']}", 0.5))
    return {"tracker": open_project(Path(options["project"])).folder / "tracker"}


def make_take(project, clip, tracker):
    take = load_take(HERE / "take.npz")
    path = project.take_path(clip)
    save_take(path, replace(take, source={**take.source, "clip": clip, "tracker": tracker}))
    return path


def capture(options, report):
    [name] = ingest(options, report)["clips"]
    project = open_project(Path(options["project"]))
    return {"project": project.folder, "takes": {name: make_take(project, name, options["tracker"])}}


def play_no_face(options, report):
    raise SparkError("no_face.mp4: no face in any of 95 frames; choose another clip")


def play_bug(options, report):
    return 1 / 0


def play_exit(options, report):
    sys.stderr.write("CUDA error: device-side assert triggered\n")
    sys.stderr.flush()
    os._exit(3)


def play_endless(options, report):
    shutil.copy(HERE / "preview.png", Path.cwd() / "preview.png")
    report(Preview("preview.png"))
    while True:
        report(Progress("Working", 0.4, 100.0))
        time.sleep(0.02)


def play_painting(options, report):
    for name in ("preview", "second") * 20:
        shutil.copy(HERE / f"{name}.png", Path.cwd() / "fresh.png")
        Path("fresh.png").replace("preview.png")
        report(Preview("preview.png"))
        time.sleep(0.2)
    return play_good(options, report)


def play_deaf(options, report):
    time.sleep(60)


def play_garbage(options, report):
    with open(Path.cwd() / "events.jsonl", "ab") as file:
        file.write(b"\xff\x00 not an event\n[1]\n{}\n")
    return play_good(options, report)


def play_noise(options, report):
    for _ in range(64):
        os.write(1, os.urandom(1 << 15) + b"\n")
    return play_good(options, report)


def play_full_disk(options, report):
    with filesystem_errors(Path(options["project"])):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def play_bad_picture(options, report):
    (Path.cwd() / "preview.png").write_bytes(b"\x89PNG cut off")
    report(Preview("preview.png"))
    time.sleep(0.3)
    (Path.cwd() / "preview.png").unlink()
    report(Preview("preview.png"))
    time.sleep(0.3)
    return play_good(options, report)


def play_lost(options, report):
    project = open_project(Path(options["project"]))
    (project.avatar_folder / "avatar.npz").write_bytes(b"not an avatar")
    return {"project": project.folder, "avatar": "nowhere"}


def export(options, report):
    Path(options["output"]).write_text("written by the backend", encoding="utf-8")
    return {"output": options["output"]}


def models(options, report):
    """One model, which is here once it was got."""
    if options.get("action") == "get":
        (HERE / "got").write_text(str(options.get("file")), encoding="utf-8")
        return {"path": "there"}
    place = {"where": "not on this computer", "here": (HERE / "got").exists(), "source": "https://example.org/face"}
    return {"models": [{"name": "face", "for": "finds faces", "licence": "Apache-2.0", "bytes": 3758596, **place}]}


def light(options, report):
    """A warm key from the camera's left and above, and no fill."""
    key = {"name": "Key", "towards": [-0.6, -0.8, 0.0], "colour": [1.0, 0.8, 0.5]}
    fill = {"name": "Fill", "towards": [0.6, -0.8, 0.0], "colour": [0.0, 0.0, 0.0]}
    return {"take": options["take"], "lamps": [key, fill], "ambient": [0.1, 0.1, 0.2]}


def cameras(options, report):
    return {"cameras": [{"number": 0, "name": "Built-in"}, {"number": 2, "name": "Desk Camera"}]}


COMMANDS = {f.__name__: f for f in (doctor, train, ingest, track, adapt, capture, export, models, light, cameras)}

if __name__ == "__main__":
    if sys.argv[1] == "live":
        from spark_backend.stand_in_live import live

        sys.exit(live(sys.argv[2:]))
    sys.exit(run_job(Path(sys.argv[2]), COMMANDS))
