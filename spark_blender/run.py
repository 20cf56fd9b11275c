"""What the add-on starts: does the job of a folder with the modules of the wheel that the add-on carries.

`python run.py MODULE run JOB_DIR` with the module that has the job, in a process of its own, so that Blender never
waits: `setup.work` in Blender's own Python, which has numpy and nothing else of ours; `scene.export_job` in another
Blender, see `exporting.blender_command`.
"""

import importlib
import os
import sys
from pathlib import Path

ADDON = Path(__file__).resolve().parent


def main() -> int:
    """Does the job; gives the exit code."""
    from spark_backend.pipeline.jobs import run_job

    module, _, folder = sys.argv[-3:]
    return run_job(Path(folder), importlib.import_module(f"spark_blender.{module}").COMMANDS)


if __name__ == "__main__":
    # a checkout has no wheel: there the packages lie beside each other
    sys.path.insert(0, str(next((ADDON / "wheels").glob("spark_backend-*.whl"), ADDON.parent)))
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # Blender 4.2 may crash and 4.5 hang while the interpreter shuts down
