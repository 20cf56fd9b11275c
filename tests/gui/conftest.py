"""A window with the add-on in it, for the tests beside this file. Skips, and says why, where there can be none."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from stand_in import build_zip, make_environments
from studio import Studio
from window import Window, missing


@pytest.fixture(scope="session")
def addon_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip, freshly built."""
    return build_zip(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def studio(addon_zip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A window with the add-on installed and its tab open, a backend that does no work and a project."""
    if missing():
        pytest.skip(missing())
    environment = Path(make_environments(tmp_path_factory.mktemp("environments"))["full"])
    work = tmp_path_factory.mktemp("work")
    with Window(tmp_path_factory.mktemp("window"), seen=(Path(sys.base_prefix), Path(sys.prefix))) as window:
        studio = Studio(window, work)
        studio.install(addon_zip)
        studio.set_preference("backend", environment)
        studio.new_project("Anna")
        yield studio
        studio.assert_quiet()
