"""For benchmarks that measure inside Blender: the same file runs here, where it asks, and there, where it answers."""

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]

Answer = Callable[[dict[str, Any]], dict[str, Any]]


def ask(script: Path, request: Mapping[str, Any], folder: Path, blender: Path | None = None) -> dict[str, Any]:
    """What the script's `measure` answers in a Blender, the one that exports use when none is named.

    `folder` is where the request's files are.
    """
    from spark_backend.pipeline.blender_child import run_blender_script
    from spark_backend.pipeline.blender_env import find_blender

    return run_blender_script(find_blender(blender), script, request, [folder], lambda event: None)


def run(main: Callable[[], None], measure: Answer) -> None:
    """Runs `main`; in Blender answers the request named last on the command line, then ends at once, as the
    exporter's runner does: Blender 4.5 may hang while the interpreter shuts down.
    """
    if not sys.argv[-1].endswith("request.json"):
        main()
        return
    sys.path.append(str(CHECKOUT))
    request = json.loads(Path(sys.argv[-1]).read_text(encoding="utf-8"))
    try:
        Path(request["result"]).write_text(json.dumps(measure(request)), encoding="utf-8")
    except Exception:  # noqa: BLE001 - whatever it is, it is shown and the process must end
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)
