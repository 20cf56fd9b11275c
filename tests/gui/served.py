"""Runs inside Blender (`blender --python served.py`): answers snippets of Python over a socket, for tests only.

One JSON object a line on 127.0.0.1:$SPARK_GUI_PORT. A timer serves it, so every snippet runs in Blender's main thread
between two events. A snippet leaves its answer in `result`; when that is a generator, one step of it is taken at each
turn of Blender's loop and what it returns is the answer: so a snippet can wait for what its own doing brings about.
"""

import contextlib
import json
import os
import select
import socket
import traceback
from collections.abc import Generator
from typing import Any

import bpy

TURN = 0.02
"""Seconds between two turns."""


class Server:
    """One listener, one connection at a time."""

    def __init__(self, port: int) -> None:
        self.listener = socket.create_server(("127.0.0.1", port))
        self.listener.setblocking(False)
        self.connection: socket.socket | None = None
        self.unread = b""
        self.running: Generator | None = None
        self.names: dict[str, Any] = {"bpy": bpy}
        exec(compile(HELP, "help", "exec"), self.names)

    def turn(self) -> float:
        """What the timer calls."""
        if self.connection is None:
            with contextlib.suppress(BlockingIOError):
                self.connection, _ = self.listener.accept()
        elif self.running is not None:
            self.step()
        elif select.select([self.connection], [], [], 0)[0]:
            self.read()
        return TURN

    def read(self) -> None:
        """Takes in what has come and runs it when it is a whole line."""
        received = self.connection.recv(1 << 20)
        if not received:
            self.connection.close()
            self.connection, self.unread = None, b""
            return
        self.unread += received
        if b"\n" in self.unread:
            line, self.unread = self.unread.split(b"\n", 1)
            self.run(json.loads(line))

    def run(self, code: str) -> None:
        """Runs a snippet."""
        self.names["result"] = None
        try:
            exec(compile(code, "snippet", "exec"), self.names)
        except Exception:  # noqa: BLE001 - the test shows it
            self.answer(error=traceback.format_exc())
            return
        result = self.names["result"]
        if isinstance(result, Generator):
            self.running = result
        else:
            self.answer(value=result)

    def step(self) -> None:
        """Goes on with a snippet that waits."""
        try:
            next(self.running)
        except StopIteration as end:
            self.running = None
            self.answer(value=end.value)
        except Exception:  # noqa: BLE001 - the test shows it
            self.running = None
            self.answer(error=traceback.format_exc())

    def answer(self, **content: Any) -> None:
        """Sends an answer."""
        self.connection.setblocking(True)
        self.connection.sendall(json.dumps(content, default=repr).encode() + b"\n")
        self.connection.setblocking(False)


HELP = '''
def view3d():
    """Window and area of the first 3D viewport."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                return window, area

def region_of(area, kind):
    return next(region for region in area.regions if region.type == kind)

def inside(kind="UI"):
    """The context of a region of the viewport."""
    window, area = view3d()
    return bpy.context.temp_override(window=window, screen=window.screen, area=area, region=region_of(area, kind))

def hovered():
    """The command or data path of the button under the mouse, as Blender itself would copy it; else empty."""
    with inside():
        for copy, options in (
            (bpy.ops.ui.copy_python_command_button, {}), (bpy.ops.ui.copy_data_path_button, {"full_path": True})
        ):
            if copy.poll():
                bpy.context.window_manager.clipboard = ""
                if "FINISHED" in copy(**options):
                    return bpy.context.window_manager.clipboard
    return ""

def scrolled(pixels):
    """Scrolls the sidebar: down when positive."""
    with inside():
        bpy.ops.view2d.pan(deltax=0, deltay=-int(pixels))
    view3d()[1].tag_redraw()

def open_sidebar(tab):
    """Shows the sidebar with one of its tabs, once Blender has drawn them."""
    window, area = view3d()
    area.spaces.active.show_region_ui = True
    for _ in range(200):
        yield
        try:
            region_of(area, "UI").active_panel_category = tab
            break
        except (TypeError, AttributeError):
            continue
    for _ in range(10):
        area.tag_redraw()
        yield
    return region_of(area, "UI").active_panel_category

def looked_for(wanted, columns, step):
    """Where in the visible sidebar the button is that runs or sets `wanted`: pixels of the window from its lower left.

    Blender tells no place of a button, so the mouse is led over the sidebar until Blender names it.
    """
    window, area = view3d()
    region = region_of(area, "UI")
    for y in range(region.height - 10, 4, -step):
        for column in columns:
            x = column if column >= 0 else region.width + column
            window.cursor_warp(region.x + x, region.y + y)
            yield
            yield
            if wanted in hovered():
                return [region.x + x, region.y + y, window.height]
    return None
'''

preferences = bpy.context.preferences
preferences.view.show_splash = False
preferences.view.show_developer_ui = False
preferences.use_preferences_save = False
preferences.filepaths.use_auto_save_temporary_files = False
SERVER = Server(int(os.environ["SPARK_GUI_PORT"]))
bpy.app.timers.register(SERVER.turn, first_interval=0.1, persistent=True)
