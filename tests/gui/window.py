"""Drives a real Blender window that nobody sees: in a Debian root of its own, on Xvfb, with Mesa's software OpenGL.

`make_root.sh` makes the root. Standard library only.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOTS = Path(os.environ.get("SPARK_GUI_ROOTS") or Path.home() / ".cache" / "spark-gui")
HOME = Path("/home/anna")
"""What Blender knows as the user's folder: pictures show it."""
STEP = 13
"""Pixels between two looks; a button has 20."""
COLUMNS = (-170, -47, -67)
"""Pixels from the sidebar's right end, where its tabs are, to where buttons are looked for: the middle, and the two
small buttons that end a row."""


def missing() -> str:
    """Why no window can be driven here, empty when one can."""
    if os.name != "posix" or not (shutil.which("unshare") and shutil.which("setpriv")) or os.geteuid() != 0:
        return "a window is driven by root on Linux only"
    if not (root() / ".complete").exists():
        return f"no Blender in {root()}; make it with tests/gui/make_root.sh"
    return ""


def root() -> Path:
    """The Debian root that is used."""
    return ROOTS / os.environ.get("SPARK_GUI_SUITE", "trixie")


class Window:
    """One Blender on a screen of its own."""

    def __init__(self, folder: Path, seen: Sequence[Path | str] = (), size: tuple[int, int] = (1280, 960)) -> None:
        """`folder` holds logs and, in `home`, what Blender knows as HOME; `seen` are further folders that Blender sees,
        as in_root.sh wants them.
        """
        self.folder, self.size = folder.resolve(), size
        self.display, self.port = free_display(), free_port()
        self.processes: list[subprocess.Popen] = []
        places = (f"{self.folder / 'home'}={HOME}", HERE, *seen)
        self.seen = ":".join(str(place.resolve() if isinstance(place, Path) else place) for place in places)

    def __enter__(self) -> "Window":
        for name in ("home", "run"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "run").chmod(0o700)
        Path("/tmp/.X11-unix").mkdir(mode=0o1777, exist_ok=True)
        try:
            self.start_screen()
            self.start_blender()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.processes):  # each leads a group of its own
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def start_screen(self) -> None:
        """Xvfb, and a process that moves its mouse and types."""
        width, height = self.size
        words = ("-screen", "0", f"{width}x{height}x24", "+extension", "GLX", "-nolisten", "tcp", "-noreset")
        self.spawn("Xvfb", self.display, *words)
        self.until(Path(f"/tmp/.X11-unix/X{self.display[1:]}").exists, "Xvfb's start")
        self.hand = self.spawn("xdotool", "-", stdin=subprocess.PIPE)

    def start_blender(self) -> None:
        """Blender with its factory settings, until it answers."""
        width, height = map(str, self.size)
        place = ("--window-geometry", "0", "0", width, height)
        self.spawn("blender", "--factory-startup", *place, "--python-exit-code", "3", "--python", HERE / "served.py")
        self.until(self.connects, "Blender's start", 180)
        self.call("result = bpy.app.version_string")

    def environment(self) -> dict[str, str]:
        """The children's environment: nothing of Python's, Blender's or SPARK's that is set here."""
        hidden = ("PYTHON", "BLENDER", "LD_", "SPARK_", "PIP_", "VIRTUAL_ENV")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        return kept | {
            "DISPLAY": self.display,
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "GALLIUM_DRIVER": "llvmpipe",
            "HOME": str(HOME),
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            "LC_ALL": "C.UTF-8",
            "SPARK_GUI_PORT": str(self.port),
            "SEEN": self.seen,
        }

    def outside(self, path: Path) -> Path:
        """Where a path below Blender's HOME is on this machine."""
        return self.folder / "home" / path.relative_to(HOME)

    def words(self, *command: object) -> list[str]:
        """A command line inside the root; it ends with this process, however that ends."""
        return ["setpriv", "--pdeathsig", "KILL", str(HERE / "in_root.sh"), str(root()), *map(str, command)]

    def spawn(self, *command: object, stdin: int = subprocess.DEVNULL) -> subprocess.Popen:
        """Starts a command inside the root that ends with the window; its output goes to a log of its name."""
        with open(self.folder / f"{command[0]}.log", "ab") as log:
            process = subprocess.Popen(
                self.words(*command),
                env=self.environment(),
                cwd=HERE,
                stdin=stdin,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def run(self, *command: object) -> str:
        """Runs a command inside the root and gives what it prints."""
        done = subprocess.run(self.words(*command), env=self.environment(), cwd=HERE, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    @property
    def log(self) -> str:
        """What Blender has printed."""
        return (self.folder / "blender.log").read_text(errors="replace")

    def until(self, condition: Callable[[], Any], what: str, patience: float = 60.0) -> Any:
        """Waits until the condition holds and gives what it gave."""
        deadline = time.monotonic() + patience
        while not (found := condition()):
            ended = [process.args for process in self.processes if process.poll() is not None]
            assert not ended, f"{what}: {ended} ended, see {self.folder}"
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not within {patience:.0f} s, see {self.folder}")
            time.sleep(0.05)
        return found

    def connects(self) -> bool:
        """Whether Blender answers."""
        try:
            connection = socket.create_connection(("127.0.0.1", self.port), timeout=300)
        except OSError:
            return False
        self.stream = connection.makefile("rwb")
        return True

    def call(self, code: str) -> Any:
        """Runs a snippet in Blender, see served.py, and gives its `result`."""
        self.stream.write(json.dumps(code).encode() + b"\n")
        self.stream.flush()
        line = self.stream.readline()
        assert line, f"Blender is gone:\n{self.log[-3000:]}"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def value(self, expression: str) -> Any:
        """An expression's value in Blender."""
        return self.call(f"result = {expression}")

    def wait_for(self, expression: str, patience: float = 60.0) -> Any:
        """Waits until an expression is true in Blender."""
        return self.until(lambda: self.value(expression), expression, patience)

    def turns(self, count: int = 5) -> None:
        """Lets Blender handle its events and draw."""
        self.call(f"def turns():\n    for _ in range({count}):\n        yield\nresult = turns()")

    def type(self, *commands: str) -> None:
        """Commands of xdotool: real events of mouse and keyboard."""
        self.hand.stdin.write(("\n".join(commands) + "\n").encode())
        self.hand.stdin.flush()
        time.sleep(0.05)
        self.turns()

    def find(self, wanted: str, columns: Sequence[int] = COLUMNS) -> tuple[int, int]:
        """Pixels of the screen where the sidebar's button is that runs or sets `wanted`; scrolls there."""
        for scroll in ("", "scrolled(-100000)", *["scrolled(0.7 * region_of(view3d()[1], 'UI').height)"] * 7):
            self.call(scroll)
            self.turns()
            found = self.call(f"result = looked_for({wanted!r}, {tuple(columns)!r}, {STEP})")
            if found is not None:
                x, y, height = found
                return x, height - 1 - y + 3  # the finding was in the button's upper half
        self.screenshot(self.folder / "no-button.png")
        raise LookupError(f"{wanted}: no button, see {self.folder / 'no-button.png'}")

    def click(self, wanted: str, columns: Sequence[int] = COLUMNS) -> None:
        """Clicks the sidebar's button that runs or sets `wanted` with the mouse."""
        self.press(*self.find(wanted, columns))

    def press(self, x: int, y: int) -> None:
        """Clicks at a place of the screen."""
        self.type(f"mousemove {x - 1} {y}", f"mousemove {x} {y}")
        self.type("mousedown 1")
        self.type("mouseup 1")

    def screenshot(self, path: Path) -> Path:
        """What a person would see. Blender's own operator for it writes black pictures on Xvfb."""
        picture = self.folder / "screen.png"
        self.run("scrot", "-o", "-z", picture)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture, path)
        return path


def free_display() -> str:
    """A number that no X server has."""
    number = 90
    while Path(f"/tmp/.X{number}-lock").exists() or Path(f"/tmp/.X11-unix/X{number}").exists():
        number += 1
    return f":{number}"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
