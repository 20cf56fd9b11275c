"""The program from outside: what it prints where, and its exit codes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spark_backend import __main__ as program
from spark_backend.pipeline import commands, console
from spark_backend.pipeline.job_options import options_from_mapping
from spark_backend.pipeline.options import (
    CaptureOptions,
    ExportOptions,
    FitOptions,
    TrackOptions,
)
from spark_backend.protocol.errors import Cancelled, SparkError
from spark_backend.protocol.job import Job, Metric, Progress, Warning, read_events, write_job


def spark(*arguments: str, **options) -> subprocess.CompletedProcess:
    """Runs the program in a process of its own."""
    command = [sys.executable, "-m", "spark_backend", *arguments]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=60, **options)


def replace_verb(monkeypatch: pytest.MonkeyPatch, work) -> None:
    """Makes the verb `new` do `work(options, report)`."""
    monkeypatch.setattr(program, "run_command", lambda name, options, report: work(options, report))


def test_help_is_quick_and_names_every_verb():
    began = time.perf_counter()
    answer = spark("--help")
    seconds = time.perf_counter() - began
    assert answer.returncode == 0
    assert all(verb in answer.stdout for verb in (*commands.COMMANDS, "run"))
    assert seconds < 3  # 0.25 s on a quiet machine; a heavy import would take many seconds on a busy one


def test_help_imports_nothing_heavy():
    heavy = "torch warp mediapipe cv2 scipy av anny"
    code = (
        "import sys; from spark_backend.__main__ import main; main(['fit', '--help']);"
        f"sys.exit(any(name in sys.modules for name in '{heavy}'.split()))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60).returncode == 0


def test_threads_are_decided_before_numpy_is_loaded():
    """OpenBLAS reads how many it may have once, then."""
    code = (
        "import os, sys\n"
        "class Watch:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name in ('numpy', 'scipy', 'torch'):\n"
        "            print(os.environ.get('OPENBLAS_NUM_THREADS'), os.environ.get('OMP_WAIT_POLICY'))\n"
        "sys.meta_path.insert(0, Watch())\n"
        "import spark_backend.__main__, spark_backend.pipeline.track"
    )
    free = {name: value for name, value in os.environ.items() if not name.startswith(("OPENBLAS_", "OMP_"))}
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=free)
    assert answer.stdout.splitlines() == ["1 PASSIVE"] * 3


@pytest.mark.parametrize("verb", commands.COMMANDS)
def test_every_verb_has_help_and_json(verb: str, capsys: pytest.CaptureFixture):
    assert program.main([verb, "--help"]) == 0
    text = capsys.readouterr().out
    assert "--json" in text
    assert "options." not in text


@pytest.mark.parametrize("verb", commands.COMMANDS)
def test_every_verb_has_its_function(verb: str):
    module, function = commands.COMMANDS[verb].function.split(":")
    source = Path(commands.__file__).parent / f"{module}.py"
    assert f"def {function}(" in source.read_text("utf-8")


def test_a_result_goes_to_stdout(tmp_path: Path):
    folder = tmp_path / f"{'long ' * 20}way" / "anna.spark"
    folder.parent.mkdir()
    answer = spark("new", str(folder))
    assert answer.returncode == 0
    assert answer.stdout == f"project  {folder}\n"
    assert answer.stderr.strip() == ""
    assert (folder / "project.json").exists()


def test_a_users_fault_is_one_sentence_on_stderr(tmp_path: Path):
    answer = spark("track", str(tmp_path / "nothing.spark"), "clip")
    assert answer.returncode == 1
    assert answer.stdout == ""
    lines = answer.stderr.strip().splitlines()
    assert len(lines) == 1
    assert "not a project" in lines[0]


@pytest.mark.parametrize(
    "arguments", [["fot"], ["fit"], ["fit", "a.spark", "--preset", "best"], ["new", "x", "--no"], []]
)
def test_wrong_arguments_are_the_users_fault(arguments: list[str], capsys: pytest.CaptureFixture):
    assert program.main(arguments) == 1
    assert capsys.readouterr().out == ""


def test_wrong_arguments_end_a_json_story(capfd: pytest.CaptureFixture):
    assert program.main(["fit", "--json"]) == 1
    assert json.loads(capfd.readouterr().out)["event"] == "Failed"


def test_json_is_all_that_stdout_holds(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture, tmp_path: Path):
    def work(options, report):
        report(Progress("Half", 0.5))
        print("a library's chatter")  # noqa: T201 - this is what must not get between the lines
        os.write(1, b"chatter from C\n")
        report(Warning("Über"))
        return {"path": "x"}

    replace_verb(monkeypatch, work)
    assert program.main(["new", str(tmp_path / "a"), "--json"]) == 0
    captured = capfd.readouterr()
    events = [json.loads(line) for line in captured.out.splitlines()]
    assert [event["event"] for event in events] == ["Progress", "Warning", "Done"]
    assert events[1]["message"] == "Über"
    assert "chatter from C" in captured.err
    assert "a library's chatter" in captured.err


@pytest.mark.parametrize("flags", [[], ["--json"]])
@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (SparkError("a.mp4: damaged; copy it again"), 1, "a.mp4: damaged; copy it again"),
        (Cancelled(), 1, "Cancelled"),
        (KeyboardInterrupt(), 1, "Cancelled"),
        (ZeroDivisionError("oops"), 2, "please report it"),
    ],
)
def test_exit_codes(fault, code, words, flags, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture, tmp_path):
    def work(options, report):
        raise fault

    replace_verb(monkeypatch, work)
    assert program.main(["new", str(tmp_path / "a"), *flags]) == code
    captured = capfd.readouterr()
    assert words in (captured.out if flags else captured.err)
    assert "Traceback" not in captured.out
    assert ("Traceback" in captured.err) == (code == 2)


@pytest.mark.skipif(sys.platform == "win32", reason="a console's Ctrl-C cannot be sent to one process on Windows")
def test_interrupting_the_process_cancels(tmp_path: Path):
    code = (
        "import sys, time; from spark_backend import __main__ as p;"
        "p.run_command = lambda *a: (print('ready', file=sys.stderr, flush=True), time.sleep(30));"
        f"sys.exit(p.main(['new', {str(tmp_path / 'a')!r}, '--json']))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert json.loads(out) == {"event": "Failed", "message": "Cancelled", "kind": "cancelled"}
    assert "Traceback" not in err


def test_a_job_folder_is_done_by_run(tmp_path: Path):
    write_job(tmp_path / "job", Job("new", {"project": str(tmp_path / "anna.spark")}))
    answer = spark("run", str(tmp_path / "job"))
    events, _ = read_events(tmp_path / "job")
    assert answer.returncode == 0
    assert events[-1].result == {"project": str(tmp_path / "anna.spark")}


def test_run_refuses_a_folder_without_a_job(tmp_path: Path):
    answer = spark("run", str(tmp_path))
    assert answer.returncode == 1
    assert len(answer.stderr.strip().splitlines()) == 1


def test_options_of_a_job_become_those_of_the_verb():
    content = {"project": "anna.spark", "clips": ["a.mp4", "b.mov"], "face": None}
    assert options_from_mapping(CaptureOptions, content) == CaptureOptions(
        Path("anna.spark"), (Path("a.mp4"), Path("b.mov"))
    )
    assert options_from_mapping(TrackOptions, {"project": "p", "clip": "c", "output": "t"}).output == "t"


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        (FitOptions, {"project": "p", "presett": "draft"}, "no option presett"),
        (FitOptions, {"project": "p", "preset": "best"}, "draft, standard, high"),
        (FitOptions, {"preset": "draft"}, "project is missing"),
        (CaptureOptions, {"project": "p", "clips": "a.mp4"}, "not a list"),
        (CaptureOptions, {"project": "p", "clips": [], "face": True}, "int"),
        (ExportOptions, {"project": "p", "output": "x.fbx", "geometry": "yes"}, "bool"),
    ],
)
def test_a_jobs_wrong_options_are_told(kind: type, content: dict, words: str):
    with pytest.raises(SparkError, match=words):
        options_from_mapping(kind, content)


def test_people_see_figures_warnings_and_whole_paths(capsys: pytest.CaptureFixture):
    screen = console.Console(stderr=True, width=60, force_terminal=False)
    with console.progress_bar(screen) as report:
        report(Progress("[red]not markup[/]", 0.5))
        report(Metric("landmark error", 1.23456, "%"))
        report(Warning("clip[b].mp4 is short"))
    path = "/a/very/long/path/" + 12 * "folder/" + "file.blend"
    console.print_result(console.Console(width=60), {"export": path, "ok": True, "rows": [{"what": "x", "path": path}]})
    captured = capsys.readouterr()
    assert "landmark error: 1.23 %" in captured.err
    assert "clip[b].mp4 is short" in captured.err
    assert captured.out.replace("\n", "").replace(" ", "").count(path) == 2
    assert "yes" in captured.out
