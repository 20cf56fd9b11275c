"""The set-up's plan and words, without running anything: every system's branch, every fault that pip tells."""

from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from spark_backend.protocol.errors import SparkError
from spark_blender.setup import machine, work
from spark_blender.setup.builds import describe_build, parse_capabilities, parse_cuda_version, torch_build
from spark_blender.setup.output import advance, begin, explain, is_noise
from spark_blender.setup.steps import Plan, Step, bytes_needed, describe_bytes, inside, pinned_torch, steps

OLD_HEADER = "| NVIDIA-SMI 552.22   Driver Version: 552.22   CUDA Version: 12.4     |"
NEW_HEADER = "| NVIDIA-SMI 610.43.02   KMD Version: 610.43.02     CUDA UMD Version: 13.3     |"
PLAN = Plan(
    Path("data/environment"), Path("blender/python"), Path("addon/wheels/spark_backend-1.0.0-py3-none-any.whl"), "cpu"
)


def words_of(plan: Plan) -> dict[str, tuple[str, ...]]:
    """The command line of each step."""
    return {step.name: step.words for step in steps(plan, "digest")}


def test_the_driver_is_read_in_both_of_its_languages() -> None:
    assert parse_cuda_version(OLD_HEADER) == (12, 4)
    assert parse_cuda_version(NEW_HEADER) == (13, 3)
    assert parse_cuda_version("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver") is None
    assert parse_capabilities("8.9\n6.1\n") == ((8, 9), (6, 1))
    assert parse_capabilities("[N/A]\n") == ()


@pytest.mark.parametrize(
    ("system", "cuda", "cards", "build"),
    [
        ("Linux", None, (), "cpu"),
        ("Windows", (13, 3), ((8, 9),), "cu130"),
        ("Windows", (13, 3), ((6, 1),), "cu126"),  # a Pascal card with a new driver: CUDA 13 has dropped it
        ("Linux", (12, 4), ((9, 0),), "cu126"),
        ("Linux", (11, 8), ((8, 6),), "cpu"),
        ("Linux", (13, 0), ((3, 5),), "cpu"),
        ("Linux", (13, 0), ((3, 5), (7, 5)), "cu130"),
        ("Darwin", None, (), "apple"),
    ],
)
def test_torch_fits_the_machine(system: str, cuda, cards, build: str) -> None:
    assert torch_build(system, cuda, cards) == build
    assert describe_build("cu126") == "for CUDA 12.6"


def test_an_answering_driver_gives_its_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(machine.platform, "system", lambda: "Linux")
    monkeypatch.setattr(machine, "ask", lambda words, seconds=120.0: "9.0\n" if len(words) > 1 else NEW_HEADER)
    for processor, build in (("x86_64", "cu130"), ("AMD64", "cu130"), ("aarch64", "cpu")):
        monkeypatch.setattr(machine.platform, "machine", lambda processor=processor: processor)
        assert machine.find_build("auto") == build
    assert machine.find_build("cpu") == "cpu"
    monkeypatch.setattr(machine, "ask", lambda words, seconds=120.0: "")
    assert machine.find_build("auto") == "cpu"


def test_the_steps_from_the_network() -> None:
    plan = replace(PLAN, build="cu126", torch="torch==2.13.0", constraints=Path("addon/constraints.txt"))
    words = words_of(plan)
    assert list(words) == ["environment", "pip", "torch", "backend", "packages"]
    assert words["environment"] == (str(plan.python), "-I", "-m", "venv", str(plan.folder))
    assert words["torch"][0] == str(Path("data/environment/bin/python"))
    assert words["torch"][-3] == "torch==2.13.0+cu126"
    assert words["torch"][-1].endswith("/whl/cu126")
    assert words["packages"][-3:] == ("--constraint", str(plan.constraints), f"{plan.wheel}[demo,live,track]")
    assert "--no-index" not in words["packages"]
    apple = words_of(replace(plan, build="apple"))["torch"]
    assert apple[-1] == "torch==2.13.0"
    assert "--index-url" not in apple


def test_the_steps_from_a_folder_never_ask_the_network() -> None:
    words = words_of(replace(PLAN, wheels=Path("usb/wheels"), constraints=Path("addon/constraints.txt")))
    assert list(words) == ["environment", "torch", "backend", "packages"]
    for name in ("torch", "packages"):
        assert {"--isolated", "--no-index", "--find-links", str(Path("usb/wheels"))} <= set(words[name])
    assert not [word for step in words.values() for word in step if "://" in word or word == "--constraint"]


def test_windows_has_other_places() -> None:
    assert inside(PurePosixPath("e"), windows=True) == PurePosixPath("e/Scripts/python.exe")
    words = words_of(replace(PLAN, windows=True))
    assert words["torch"][0] == str(Path("data/environment/Scripts/python.exe"))


def test_an_environment_of_the_users_own_keeps_its_torch() -> None:
    plan = replace(PLAN, python=Path("mine/bin/python"), exists=True, has_torch=True, wheels=Path("wheels"))
    assert list(words_of(plan)) == ["backend", "packages"]
    assert {words[0] for words in words_of(plan).values()} == {str(plan.python)}


def test_a_step_is_done_again_when_it_would_do_something_else() -> None:
    def marks(plan: Plan, digest: str = "digest") -> dict[str, str]:
        return {step.name: step.mark for step in steps(plan, digest)}

    def changed(plan: Plan, digest: str = "digest") -> set[str]:
        return {name for name, mark in marks(plan, digest).items() if mark != marks(online)[name]}

    online = replace(PLAN, constraints=Path("addon/constraints.txt"))
    assert changed(online) == set()
    assert changed(online, "another wheel") == {"backend", "packages"}
    assert changed(replace(online, build="cu130")) == {"torch"}
    assert changed(replace(online, wheel=Path("5.2", online.wheel), constraints=Path("5.2/constraints.txt"))) == set()


def test_room_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plan, names = replace(PLAN, folder=tmp_path / "not yet" / "environment"), {"torch", "packages"}
    assert bytes_needed(replace(plan, build="cu130"), names) > 2 * bytes_needed(plan, names) > 4e9
    assert bytes_needed(plan, {"pip", "backend"}) == 0
    assert machine.free_bytes(plan.folder) > 0
    monkeypatch.setattr(work, "free_bytes", lambda folder: 1_500_000_000)
    with pytest.raises(SparkError, match=r"3\.1 GB are needed and 1\.5 GB are free; free some space"):
        work.require_room(plan, names)
    work.require_room(plan, {"backend"})


def test_an_old_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    good = machine.PythonState((3, 13), 64, "", ("venv", "ensurepip", "pip"))
    faults = {
        "is Python 3.10 of 64 bits": replace(good, version=(3, 10)),
        "is Python 3.13 of 32 bits": replace(good, bits=32),
        "has no ensurepip": replace(good, parts=("venv",)),
        "does not run": None,
    }
    for words, state in faults.items():
        monkeypatch.setattr(machine, "look_at", lambda python, state=state: state)
        with pytest.raises(SparkError, match=words):
            machine.usable_python(Path("python"), ("venv", "ensurepip"))
    monkeypatch.setattr(machine, "look_at", lambda python: good)
    assert machine.usable_python(Path("python"), ("venv", "ensurepip")) == good


def test_a_download_is_told_as_it_goes() -> None:
    step = Step("torch", "PyTorch", (), 25, download=1000e6)
    lines = [
        "Looking in indexes: somewhere",
        "Collecting torch==2.13.0+cpu",
        "  Downloading https://server/whl/torch-2.13.0-cp311-linux_x86_64.whl (800.0 MB)",
        "Progress 0 of 800000000",
        "Progress 400000000 of 800000000",
        "Progress 800000000 of 800000000",
        "Collecting filelock",
        "  Using cached filelock-4.0-py3-none-any.whl.metadata (2.8 kB)",
        "Installing collected packages: filelock, torch",
    ]
    state, told = begin(step), []
    for line in lines:
        state = advance(state, line)
        told.append((state.stage, round(state.fraction, 3)))
    assert told[0] == ("PyTorch", 0.0)
    assert told[2] == ("Downloading torch, 800 MB", 0.0)
    assert told[4] == ("Downloading torch, 400 of 800 MB", 0.3)
    assert told[6] == ("Looking for filelock", 0.6)
    assert told[8] == ("Unpacking 2 packages", 0.75)
    assert [fraction for _, fraction in told] == sorted(fraction for _, fraction in told)
    assert [is_noise(line) for line in lines[2:5]] == [False, True, True]
    assert (
        advance(begin(step), "Processing ./my wheels/torch-2.13.0-py3-none-any.whl (from x)").stage == "Reading torch"
    )
    assert describe_bytes(2.94e9) == "2.9 GB"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("PermissionError: [WinError 5] Access is denied: 'C:\\\\x'", "could not be written"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "download broke off"),
        ("pip._vendor.urllib3.exceptions.ReadTimeoutError: Read timed out.", "download broke off"),
        ("× Download failed: incomplete-download", "download broke off"),
        ("ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", "not trusted"),
        ("ERROR: Wheel 'torch' located at /x/torch-1.whl is invalid.", "torch has arrived damaged"),
        ("zipfile.BadZipFile: File is not a zip file", "A package has arrived damaged"),
        ("ERROR: No matching distribution found for mediapipe>=1.0", "mediapipe>=1.0 is not to be had"),
        (
            "NewConnectionError: Failed to establish a new connection: [Errno -2] Name or service not known",
            "No connection",
        ),
        ("error: externally-managed-environment", "belongs to the system"),
        ("/x/python: No module named pip", "choose another Python"),
        ("ERROR: ResolutionImpossible: for help visit", "exclude each other"),
        ("ERROR: something new", "PyTorch failed (exit code 2): something new; see the log"),
    ],
)
def test_what_pip_says_becomes_a_sentence(line: str, words: str) -> None:
    step = Step("torch", "PyTorch", (), 25)
    sentence = explain(["Collecting torch", line, ""], step, 2, offline=False)
    assert words in sentence
    assert "\n" not in sentence
    assert not sentence.endswith(".")


def test_a_damaged_wheel_is_replaced_by_hand_only_where_nothing_is_fetched() -> None:
    lines, step = ["ERROR: Wheel 'torch' located at /t/torch.whl is invalid."], Step("torch", "PyTorch", (), 25)
    assert explain(lines, step, 2, offline=True).startswith("torch is damaged; replace it, or choose another folder")
    assert explain(lines, step, 2, offline=False).startswith("torch has arrived damaged; press Set Up Backend again")


def test_a_warning_that_pip_goes_on_after_does_not_hide_the_fault() -> None:
    lines = [
        "WARNING: Retrying after connection broken by 'NewConnectionError'",
        "ERROR: [Errno 28] No space left on device",
    ]
    assert "disk is full" in explain(lines, Step("torch", "PyTorch", (), 25), 1, offline=False)
    lines = [
        "WARNING: NewConnectionError: Failed to establish a new connection",
        "ERROR: No matching distribution found for torch",
    ]
    assert "No connection" in explain(lines, Step("torch", "PyTorch", (), 25), 1, offline=False)


def test_pins_are_found() -> None:
    assert pinned_torch("anny==0.6.2\ntorch==2.13.0\n") == "torch==2.13.0"
    assert pinned_torch("torchvision==1\n") == "torch"
    assert pinned_torch(Path(__file__).parents[1].joinpath("constraints.txt").read_text(encoding="utf-8")) != "torch"
