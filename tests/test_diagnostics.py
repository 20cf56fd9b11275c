"""The report holds nothing private, whatever a path looks like."""

from pathlib import Path

import pytest

from spark_backend.protocol.job import Job, write_job
from spark_blender import diagnostics
from spark_blender.diagnostics import Private, private_texts, scrub, write_report
from spark_blender.job_state import JobState
from spark_blender.session import Backend

SECRETS = Private({"anna": "<user>", "Mia Möller.spark": "<person 1>", "Mia Möller": "<person 1>"})


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("/home/anna/films/Mia Möller.spark: not a project", "<path>: not a project"),
        (r"C:\Users\Anna\My Films\take 1.mp4: no face", "<path>: no face"),
        (r"\\server\share\x.mp4", "<path>"),
        ("~/films/a.mp4", "<path>"),
        ('File "/opt/spark/lib/job.py", line 3, in run', 'File "<path>/job.py", line 3, in run'),
        ("read '/mnt/disk 2/Mia Möller/x.npz' twice", "read '<path>/x.npz' twice"),
        ("anna's Mia Möller", "<user>'s <person 1>"),
        ('{"clips": ["/a/b c/d.mov", "/e.mov"]}', '{"clips": ["<path>", "<path>"]}'),
        ("16/9 and 1/2, https is not a path; Annabel stays", "16/9 and 1/2, https is not a path; Annabel stays"),
    ],
)
def test_paths_and_names_are_taken_out(text: str, clean: str) -> None:
    assert scrub(text, SECRETS) == clean


def test_the_whole_report_names_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnostics, "user_name", lambda: "annaf")
    monkeypatch.setattr(Path, "home", lambda: Path("/home/annaf"))
    monkeypatch.setattr(diagnostics.platform, "node", lambda: "annas-desk")
    project, video = Path("/home/annaf/SPARK/Mia Möller.spark"), Path("/media/films/mia interview.mp4")
    folder = tmp_path / "20260101-train"
    write_job(folder, Job("train"))
    log = f"""reading {video}
mia interview.mp4: 3 faces; tracking mia_interview
  File "{Path.home()}/env/run.py", line 1
annaf@annas-desk"""
    (folder / "log.txt").write_text(log, encoding="utf-8")
    options = {"project": str(project), "clips": [str(video)], "clip": "mia_interview", "who": "Mia Möller"}
    state = JobState("train", folder, options, "failed", message=f"{video}: damaged", warnings=("mia interview: dark",))
    private = private_texts([project], [video], ["mia_interview"])
    backend = Backend(Path("/home/annaf/env/bin/python"), "ready", "Found in /home/annaf/env")
    report = write_report({"version": "4.5"}, backend, (), {"work": state}, private)
    for secret in ("annaf", "annas-desk", "Möller", "mia", "interview", "/home", "/media", str(tmp_path)):
        assert secret.lower() not in report.lower(), report
    assert "<path>/run.py" in report
    assert "<clip 1>: 3 faces" in report
