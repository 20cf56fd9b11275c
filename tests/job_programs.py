"""Programs that the tests of jobs start: a backend whose verbs go well or wrong, and what launches it and dies."""

BACKEND = """
import os, signal, subprocess, sys, time
from pathlib import Path

from spark_backend.pipeline import jobs
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.job import Metric, Progress

jobs.ORPHAN_GRACE = 0.3


def count(options, report):
    for index in range(options["steps"]):
        report(Progress(f"step {index}", index / options["steps"], 1.5))
    report(Metric("error", 0.5, "%"))
    return {"path": Path("somewhere"), "steps": options["steps"]}


def endless(options, report):
    while True:
        report(Progress("working", 0.5))
        time.sleep(0.02)


def deaf(options, report):
    report(Progress("deaf", 0.5))
    if options.get("ignore_signals"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(60)


def user_fault(options, report):
    raise SparkError("clip.mp4: no face in it; choose another clip")


def bug(options, report):
    return {}["missing"]


def vanish(options, report):
    report(Progress("vanishing", 0.1))
    sys.stderr.write("the graphics driver said no\\n\\n")
    sys.stderr.flush()
    os._exit(7)


def parent(options, report):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    report(Metric("child", child.pid))
    time.sleep(60)


COMMANDS = {work.__name__: work for work in (count, endless, deaf, user_fault, bug, vanish, parent)}
sys.exit(jobs.run_job(Path(sys.argv[2]), COMMANDS))
"""

LAUNCHER = """
import sys, time
from pathlib import Path

from spark_backend.protocol.launch import JobProcess

job = JobProcess.start(
    [sys.executable, "-u", sys.argv[1]], Path(sys.argv[2]), environment={"PYTHONPATH": sys.argv[3]},
    keep_running=sys.argv[4] == "keep",
)
while not job.poll():
    time.sleep(0.01)
print("started", flush=True)
time.sleep(0 if sys.argv[4] == "keep" else 60)
"""
