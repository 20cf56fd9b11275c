"""The add-on's zip: what is in it, that it is the same each time, and that Blender's own checker takes it."""

import importlib.util
import io
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

import spark_backend

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """build_addon.py as a module."""
    spec = importlib.util.spec_from_file_location("build_addon", CHECKOUT / "build_addon.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def checkout(script: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the build reads, so that nobody changes it meanwhile, with leftovers that must not be shipped."""
    folder = tmp_path_factory.mktemp("checkout")
    script.stage(CHECKOUT, folder)
    shutil.copy(CHECKOUT / "addon_manifest.toml", folder)
    for leftover in ("build/lib/spark_backend/old.py", "spark_backend/__pycache__/old.pyc", "spark_blender/.old.swp"):
        (folder / leftover).parent.mkdir(parents=True, exist_ok=True)
        (folder / leftover).write_text("left over", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def built(script: ModuleType, checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip."""
    return script.build(checkout, tmp_path_factory.mktemp("dist"))


def wheel_of(path: Path) -> zipfile.ZipFile:
    """The wheel inside the zip."""
    with zipfile.ZipFile(path) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".whl")]
        return zipfile.ZipFile(io.BytesIO(archive.read(name)))


def model_bytes(built: Path, wheel: str) -> int:
    """What the networks in the wheel add to the zip."""
    with zipfile.ZipFile(built) as outer, zipfile.ZipFile(io.BytesIO(outer.read(wheel))) as inner:
        return sum(entry.compress_size for entry in inner.infolist() if entry.filename.endswith(".safetensors"))


def test_the_zip_holds_the_addon_and_one_pure_wheel(built: Path) -> None:
    assert built.name == f"spark_blender-{spark_backend.__version__}.zip"
    names = set(zipfile.ZipFile(built).namelist())
    wheel = f"wheels/spark_backend-{spark_backend.__version__}-py3-none-any.whl"
    assert built.stat().st_size < 10_000_000
    assert built.stat().st_size - model_bytes(built, wheel) < 5_000_000
    texts = {"LICENSE", "LICENSES/GPL-3.0-or-later.txt", "LICENSES/Apache-2.0.txt"}
    assert {
        "__init__.py",
        "blender_manifest.toml",
        "scene/scene.py",
        "panels/clips.py",
        "run.py",
        "constraints.txt",
        wheel,
        *texts,
    } <= names
    assert [name for name in names if name.startswith("wheels/")] == [wheel]
    assert not [name for name in names if "old" in name or "__pycache__" in name]


def test_the_wheel_holds_both_packages_and_no_leftovers(built: Path) -> None:
    names = wheel_of(built).namelist()
    assert "spark_backend/protocol/launch.py" in names
    assert "spark_blender/scene/runner.py" in names
    assert not [name for name in names if "old" in name]
    assert any(name.endswith("licenses/LICENSES/Apache-2.0.txt") for name in names)


def test_the_manifest_tells_the_backends_version(built: Path) -> None:
    manifest = tomllib.loads(zipfile.ZipFile(built).read("blender_manifest.toml").decode())
    assert manifest["version"] == spark_backend.__version__
    assert manifest["wheels"] == [f"./wheels/spark_backend-{spark_backend.__version__}-py3-none-any.whl"]
    assert manifest["id"].isidentifier()
    assert "Blender" not in manifest["name"]
    assert set(manifest["permissions"]) == {"files", "network", "camera", "clipboard"}


def test_the_same_sources_give_the_same_bytes(script: ModuleType, checkout: Path, built: Path, tmp_path: Path) -> None:
    for path in checkout.rglob("*.py"):
        path.touch()
    assert script.build(checkout, tmp_path).read_bytes() == built.read_bytes()


def test_the_wheel_serves_a_python_of_its_own(built: Path, tmp_path: Path) -> None:
    wheel_of(built).extractall(tmp_path)
    code = "import spark_backend.protocol.launch as m, sys; sys.exit(0 if 'torch' not in sys.modules else m.__file__)"
    subprocess.run((sys.executable, "-c", code), cwd=tmp_path, check=True)


@pytest.mark.blender
def test_blenders_checker_takes_the_zip_and_refuses_a_bad_one(
    script: ModuleType, checkout: Path, built: Path, tmp_path: Path
) -> None:
    checker = script.find_checker(CHECKOUT)
    if checker is None:
        pytest.skip("no .venv-bpy with bpy beside the sources")
    script.validate(built, checker)
    text = (checkout / "addon_manifest.toml").read_text(encoding="utf-8")
    bad = text.replace('"Animation"', '"Mocap"')
    script.write_zip(tmp_path / "bad.zip", {"blender_manifest.toml": bad.encode(), "__init__.py": b""})
    with pytest.raises(script.BuildError, match="refuses it"):
        script.validate(tmp_path / "bad.zip", checker)


def test_faults_of_the_sources_are_told(script: ModuleType, checkout: Path, tmp_path: Path) -> None:
    with pytest.raises(script.BuildError, match="has 0 lines"):
        script.manifest('version = "1"\n', "1.0.0", "x.whl")
    package = tmp_path / "spark_backend"
    package.mkdir()
    (package / "__init__.py").write_text('__version__ = "0.1"\n', encoding="utf-8")
    with pytest.raises(script.BuildError, match="__version__"):
        script.read_version(tmp_path)
    (package / "__init__.py").write_text('__version__ = "0.1.0"\n', encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n', encoding="utf-8")
    with pytest.raises(script.BuildError, match="pip could not build"):
        script.build_wheel(tmp_path, tmp_path / "wheels")
