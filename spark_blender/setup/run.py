"""What the add-on starts: does the job of a folder with the modules of the wheel that the add-on carries.

`python run.py run JOB_DIR`, in Blender's own Python but in a process of its own, so that Blender never waits. It is
written for a Python that has numpy and nothing else of ours.
"""

import sys
from pathlib import Path


def main() -> int:
    """Does the job; gives the exit code."""
    from spark_backend.pipeline.jobs import run_job
    from spark_blender.setup.work import COMMANDS

    return run_job(Path(sys.argv[-1]), COMMANDS)


if __name__ == "__main__":
    sys.path.insert(0, str(next((Path(__file__).resolve().parents[1] / "wheels").glob("spark_backend-*.whl"))))
    sys.exit(main())
