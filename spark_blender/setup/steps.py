"""The steps that make a backend environment, as command lines. Pure: nothing is run or looked at here."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from .builds import APPLE, TORCH_INDEX

EXTRAS = "demo,live,track"
"""Of the wheel: the network that finds faces, and what runs trackers fast."""
RESUMES = 20
"""How often a download that breaks off is taken up where it was; what pip has fetched whole it keeps anyway."""
NEEDS = {"environment": 0.05e9, "torch": 0.9e9, "torch cuda": 5.5e9, "packages": 2.2e9}
"""Bytes on the disk that steps need, measured on Linux; CUDA's from the sizes of its wheels."""


@dataclass(frozen=True)
class Plan:
    """Where and of what an environment is made."""

    folder: Path
    """The environment."""
    python: Path
    """The Python that makes it, or the one that is in it already."""
    wheel: Path
    """The backend's wheel."""
    build: str
    """Of torch, see `builds`."""
    torch: str = "torch"
    """Requirement that torch has to meet, without the build."""
    constraints: Path | None = None
    """File with the versions that were tested together; None to take what fits."""
    wheels: Path | None = None
    """Folder of wheels to install from, without network."""
    exists: bool = False
    """The environment is the user's own and stays what it is: only packages are added."""
    has_torch: bool = False
    """The user's own environment has a torch, which is kept."""
    windows: bool = False


@dataclass(frozen=True)
class Step:
    """One program to run."""

    name: str
    title: str
    """What is being done, for people."""
    words: tuple[str, ...]
    share: float
    """Of the time of all steps, roughly."""
    download: float = 0.0
    """Bytes that are fetched, roughly."""
    mark: str = ""
    """Changes when the step is to be done again."""


def inside(folder: Path, windows: bool) -> Path:
    """The Python of an environment that `venv` has made."""
    return folder / "Scripts" / "python.exe" if windows else folder / "bin" / "python"


def steps(plan: Plan, wheel_digest: str) -> tuple[Step, ...]:
    """What is to be run, in order. A step whose `mark` is noted as done need not be run again."""
    python = plan.python if plan.exists else inside(plan.folder, plan.windows)
    pip = (str(python), "-m", "pip", "--no-input", "--disable-pip-version-check", "--no-color")
    fetched = ("--progress-bar", "raw", "--resume-retries", str(RESUMES))
    install = (*pip, "install", *source(plan), *(("--progress-bar", "off") if plan.wheels else fetched))
    tested = ("--constraint", str(plan.constraints)) if plan.constraints and not plan.wheels else ()
    found = []
    if not plan.exists:
        words = (str(plan.python), "-I", "-m", "venv", str(plan.folder))
        found.append(Step("environment", "Making the environment", words, 4))
    if not plan.wheels:
        words = (*pip, "install", "--upgrade", "pip>=25.1")  # the first that resumes a download
        found.append(Step("pip", "Updating pip", words, 2, 2e6))
    if not plan.has_torch:
        cuda = plan.build.startswith("cu")
        found.append(Step("torch", "PyTorch", (*install, *torch(plan)), 60 if cuda else 25, 3e9 if cuda else 0.25e9))
    wheel = (*pip, "install", "--no-index", "--no-deps", "--force-reinstall", str(plan.wheel))
    found.append(Step("backend", "Installing SPARK", wheel, 2))
    found.append(Step("packages", "Packages", (*install, *tested, f"{plan.wheel}[{EXTRAS}]"), 45, 0.7e9))
    return tuple(marked(step, wheel_digest) for step in found)


def source(plan: Plan) -> tuple[str, ...]:
    """Pip's options for where packages come from; a folder of wheels is all there is, whatever pip's variables say."""
    return ("--isolated", "--no-index", "--find-links", str(plan.wheels)) if plan.wheels else ()


def torch(plan: Plan) -> tuple[str, ...]:
    """Pip's words for torch in the plan's build; a folder of wheels has the build that it has."""
    if plan.wheels or plan.build == APPLE:
        return (plan.torch,)
    build = f"+{plan.build}" if "==" in plan.torch else ""  # another index of the user's cannot step in
    return (f"{plan.torch}{build}", "--index-url", f"{TORCH_INDEX}/{plan.build}")


def marked(step: Step, wheel_digest: str) -> Step:
    """The step with the mark of its words and of the wheel's bytes, not of where an update moves the add-on's files."""
    words = [Path(word).name if word.endswith((".whl", "]", ".txt")) else word for word in step.words]
    told = "\0".join([*words, wheel_digest if step.name in ("backend", "packages") else ""])
    mark = hashlib.sha256(told.encode()).hexdigest()[:16]
    return Step(step.name, step.title, step.words, step.share, step.download, mark)


def pinned_torch(constraints: str) -> str:
    """The requirement for torch in the text of a constraints file; `torch` alone when there is none."""
    pins = [line.strip() for line in constraints.splitlines() if line.startswith("torch==")]
    return pins[0] if pins else "torch"


def bytes_needed(plan: Plan, names: set[str]) -> float:
    """Room on the disk that these steps need."""
    torch_name = "torch cuda" if plan.build.startswith("cu") else "torch"
    return sum(NEEDS.get(torch_name if name == "torch" else name, 0.0) for name in names)


def describe_bytes(count: float) -> str:
    """Bytes for people."""
    return f"{count / 1e9:.1f} GB" if count >= 0.95e9 else f"{count / 1e6:.0f} MB"
