"""What all tests share: shapes and types checked at every call, one thread, fixed seeds, the folder of test clips."""

import os
import random
from pathlib import Path
from typing import Any

# As the program has it: those of NumPy and SciPy wait by spinning, which makes the solver's tests three times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
from jaxtyping import install_import_hook

install_import_hook("spark_backend", "typechecker.checked")

CHECKOUT = Path(__file__).resolve().parents[1]


def pytest_configure(config: pytest.Config) -> None:
    """On two cores, many small operations are several times faster on one thread than on all."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # for the programs that tests start
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those in a window come last: with `-n` they have the processor nearly for themselves then."""
    items.sort(key=lambda item: in_window(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `-n`, a module's tests share one process and so its fixtures, and so do all in a window: one at a time."""
    from xdist.scheduler import LoadFileScheduling

    class ByModule(LoadFileScheduling):
        """One module after the other, the window's as one."""

        def _split_scope(self, nodeid: str) -> str:
            return "window" if in_window(nodeid) else super()._split_scope(nodeid)

    return ByModule(config, log)


def in_window(nodeid: str) -> bool:
    """Whether a test drives a real Blender window."""
    return nodeid.startswith("tests/gui/")


@pytest.fixture(autouse=True)
def seeds() -> None:
    """Every test draws the same random numbers, alone or among others."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - libraries under test may use the old generator
    import torch

    torch.manual_seed(0)


@pytest.fixture(scope="session")
def rendered_project(tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """Folder, avatar and true take of a project whose clip was rendered from its avatar; see rendered_project.py."""
    from rendered_project import make_project

    return make_project(tmp_path_factory.mktemp("film") / "anna.spark")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real test clips: SPARK_SHARED_DATA, or ../shared/data beside the checkout."""
    folder = Path(os.environ.get("SPARK_SHARED_DATA", CHECKOUT.parent / "shared" / "data"))
    if not (folder / "talking").is_dir():
        pytest.skip(f"no test clips in {folder}; set SPARK_SHARED_DATA to their folder")
    return folder
