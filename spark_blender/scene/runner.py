"""What the command line's child process runs: builds the scene that a request describes and writes its files.

With pip's bpy: `python runner.py REQUEST.json`; with an application:
`blender --background --factory-startup --python runner.py -- REQUEST.json`. docs/blender.md describes the request.
The packages are loaded from where this file lies: the backend's own site-packages hold a numpy that bpy cannot use.
"""

import importlib.util
import json
import os
import shutil
import sys
import time
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGES = Path(__file__).resolve().parents[2]


def load_packages() -> None:
    """Makes `spark_backend.protocol` and `spark_blender.scene` importable without running the add-on's registration."""
    for name in ("spark_backend", "spark_blender"):
        if name not in sys.modules:
            module = ModuleType(name)
            module.__path__ = [str(PACKAGES / name)]
            module.__spec__ = importlib.util.spec_from_loader(name, None, is_package=True)
            sys.modules[name] = module


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Does what the request asks. Faults become an answer too."""
    from spark_backend.protocol.errors import SparkError

    try:
        return export(request)
    except SparkError as error:
        return {"error": str(error), "kind": "user"}
    except Exception as error:  # noqa: BLE001 - the parent raises it again
        return {"error": f"{type(error).__name__}: {error}", "kind": "internal", "traceback": traceback.format_exc()}


def export(request: dict[str, Any]) -> dict[str, Any]:
    """Builds the scene and writes every output, telling of each on standard output when it is there."""
    import bpy

    from spark_backend.protocol.avatar import load_avatar
    from spark_backend.protocol.take import load_take
    from spark_blender.scene.exports import export_head
    from spark_blender.scene.scene import build_scene

    start = time.perf_counter()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    avatar = chosen_maps(load_avatar(Path(request["avatar"])), request.get("only_maps"))
    avatar = with_own_maps(avatar, request["name"], Path(request["maps"]))
    take = load_take(Path(request["take"])) if request.get("take") else None
    video = Path(request["video"]) if request.get("video") else None
    scene = build_scene(avatar, take, name=request["name"], take_name=request["take_name"], video=video)
    seconds = {"scene": time.perf_counter() - start}
    for output in request["outputs"]:
        start = time.perf_counter()
        export_head(scene.head, Path(output))
        seconds[Path(output).suffix] = time.perf_counter() - start
        sys.stdout.write(f"exported {output}\n")
        sys.stdout.flush()
    return {"warnings": list(scene.warnings), "blender": bpy.app.version_string, "seconds": seconds}


def chosen_maps(avatar: Any, only: dict[str, str] | None) -> Any:
    """The avatar with the maps that the request names, by kind, in place of its own; None keeps those."""
    from dataclasses import replace

    return avatar if only is None else replace(avatar, maps={kind: Path(path) for kind, path in only.items()})


def with_own_maps(avatar: Any, name: str, folder: Path) -> Any:
    """The avatar with its maps copied to `folder` under the avatar's name: exporters keep a map's file name."""
    from dataclasses import replace

    folder.mkdir(parents=True, exist_ok=True)
    copies = {kind: folder / f"{name}_{kind}{path.suffix}" for kind, path in avatar.maps.items()}
    for kind, path in avatar.maps.items():
        shutil.copyfile(path, copies[kind])
    return replace(avatar, maps=copies)


def main() -> None:
    """Answers the request named last on the command line, then ends at once.

    `os._exit` because Blender 4.2 may crash and 4.5 may hang while the interpreter shuts down.
    """
    request = json.loads(Path(sys.argv[-1]).read_text(encoding="utf-8"))
    load_packages()
    result = answer(request)
    Path(request["result"]).write_text(json.dumps(result), encoding="utf-8")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if "error" not in result else 1)


if __name__ == "__main__":
    main()
