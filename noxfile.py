"""`nox` runs the tests in Blender on every Blender that is supported, each as pip's `bpy` in an environment of its own.

The tests themselves run in `.venv`, made as the README says. A Python that this machine lacks is skipped by name.
About 1 GB of disk for each Blender, below `.nox`. `nox -s "blender(4.5)" -- -k exports` runs a part of one.
"""

import sys
from pathlib import Path

import nox

nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False
nox.options.stop_on_first_error = False

CHECKOUT = Path(__file__).resolve().parent
TESTING = CHECKOUT / ".venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
BLENDERS = (
    nox.param("3.11", "4.2.23", id="4.2"),
    nox.param("3.11", "4.5.15", id="4.5"),
    nox.param("3.11", "5.0.1", id="5.0"),
    nox.param("3.13", "5.2.3", id="5.2"),
)
"""Blender, the Python it is built for, the release of pip's `bpy`."""


@nox.session
@nox.parametrize(("python", "release"), BLENDERS)
def blender(session: nox.Session, release: str) -> None:
    """The tests in one Blender and in no other."""
    if not TESTING.exists():
        session.error(f"{TESTING}: not there; make it with the README's line that ends in pytest")
    session.install(f"bpy=={release}")
    python = str(Path(session.bin) / TESTING.name)
    only = {"SPARK_BLENDER": python, "SPARK_BPY_PYTHONS": python}
    chosen = session.posargs or ["-q"]
    session.run(str(TESTING), "-m", "pytest", "tests/blender", *chosen, env=only, external=True)
