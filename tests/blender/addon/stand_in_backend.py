"""A backend that does no work: what it plays is chosen by the name of the first clip. Job handling is the real one."""

import os
import shutil
import sys
import time
from pathlib import Path

from spark_backend.pipeline.jobs import run_job
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.job import Progress, Warning
from spark_backend.protocol.project import ClipInfo, open_project, save_project, with_clip
from spark_backend.protocol.storage import write_json

HERE = Path(__file__).parent


def doctor(options, report):
    report(Progress("Looking", 0.5))
    ready = not (HERE / "half").exists()
    missing = {"what": "torch", "state": "missing", "detail": "install it with pip"}
    return {"spark": "0.1.0", "device": "CPU", "ready": ready, "checks": [] if ready else [missing]}


def capture(options, report):
    play = Path(options["clips"][0]).stem
    report(Progress("Finding the face", 0.1, 12.0))
    result = globals().get(f"play_{play}", play_good)(options, report)
    return result


def play_good(options, report):
    for index in range(6):
        report(Progress(f"Step {index}", 0.2 + 0.1 * index, 3.0))
        time.sleep(0.05)
    project = open_project(Path(options["project"]))
    shutil.copytree(HERE / "avatar", project.avatar_folder, dirs_exist_ok=True)
    takes = {}
    for clip in options["clips"]:
        name = Path(clip).stem
        info = ClipInfo(clip, "0", "h264", (640, 480), 0, 24, 30.0, coverage=0.98, warnings=("The end is damaged",))
        write_json(project.clip_folder(name) / "clip.json", vars(info))
        project.take_path(name).parent.mkdir(exist_ok=True)
        shutil.copy(HERE / "take.npz", project.take_path(name))
        takes[name] = project.take_path(name)
        project = with_clip(project, name)
    save_project(project)
    report(Warning(f"{name}: the end is damaged"))
    return {"project": project.folder, "avatar": project.avatar_folder, "takes": takes}


def play_no_face(options, report):
    raise SparkError("no_face.mp4: no face in any of 95 frames; choose another clip")


def play_bug(options, report):
    return 1 / 0


def play_exit(options, report):
    sys.stderr.write("CUDA error: device-side assert triggered\n")
    sys.stderr.flush()
    os._exit(3)


def play_endless(options, report):
    while True:
        report(Progress("Working", 0.4, 100.0))
        time.sleep(0.02)


def play_deaf(options, report):
    time.sleep(60)


def play_garbage(options, report):
    with open(Path.cwd() / "events.jsonl", "ab") as file:
        file.write(b"\xff\x00 not an event\n[1]\n{}\n")
    return play_good(options, report)


def play_lost(options, report):
    return {"project": options["project"], "avatar": "nowhere", "takes": {"lost": "nowhere"}}


def export(options, report):
    Path(options["output"]).write_text("written by the backend", encoding="utf-8")
    return {"output": options["output"]}


if __name__ == "__main__":
    sys.exit(run_job(Path(sys.argv[2]), {"doctor": doctor, "capture": capture, "export": export}))
