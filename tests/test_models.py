"""Model files are found by digest, in the documented order, and the network is asked last and aloud."""

import hashlib
import sys
from dataclasses import replace

import pytest

from spark_backend.models import MODELS, adopt_model, cache_folder, find_model, resolve, resolve_model
from spark_backend.protocol.errors import SparkError

CONTENT = b"the weights of a small network"
NAME = "face_landmarker"


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A model of known content that only its "official address" has, and an empty cache."""
    origin = tmp_path / "origin.bin"
    origin.write_bytes(CONTENT)
    small = replace(
        MODELS[NAME],
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        size=len(CONTENT),
        source=origin.as_uri(),
        packages=("spark_test_package/models/file.bin",),
    )
    monkeypatch.setitem(MODELS, NAME, small)
    monkeypatch.setenv("SPARK_HOME", str(tmp_path / "home"))
    return small


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An importable package that carries the model; not imported to find it."""
    folder = tmp_path / "site" / "spark_test_package"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "models" / "file.bin").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(tmp_path / "site")
    return folder / "models" / "file.bin"


def silent(sentence: str) -> None:
    """A sentence where none belongs."""
    raise AssertionError(sentence)


def in_cache(model, content):
    """Puts a file where the cache has this model."""
    path = cache_folder() / "models" / model.file
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def test_nothing_is_found_where_nothing_is(model):
    assert find_model(NAME) is None


def test_package_before_network(model, package):
    assert resolve_model(NAME, silent) == package
    assert "spark_test_package" not in sys.modules


def test_cache_before_package(model, package):
    path = in_cache(model, CONTENT)
    assert resolve_model(NAME, silent) == path


def test_other_bytes_in_a_package_are_passed_over(model, package):
    package.write_bytes(b"something else")
    assert find_model(NAME) is None


def test_wrong_digest_in_the_cache_is_never_used(model, package):
    path = in_cache(model, b"something else")
    for use in (lambda: find_model(NAME), lambda: resolve_model(NAME, silent)):
        with pytest.raises(SparkError, match="delete it") as refusal:
            use()
        assert str(path) in str(refusal.value)
        assert model.sha256 in str(refusal.value)


def test_download_is_announced_before_and_cached(model, monkeypatch):
    story = []
    fetch = resolve.download
    monkeypatch.setattr(resolve, "download", lambda wanted: (story.append("download"), fetch(wanted))[1])
    path = resolve_model(NAME, story.append)
    assert story[1:] == ["download"]
    assert model.source in story[0]
    assert path == cache_folder() / "models" / model.file
    assert path.read_bytes() == CONTENT
    assert resolve_model(NAME, silent) == path
    assert [p.name for p in path.parent.iterdir()] == [model.file]


@pytest.mark.parametrize("fault", ["missing", "other bytes", "longer"])
def test_failed_download_says_what_to_do(model, tmp_path, fault):
    origin = tmp_path / "origin.bin"
    if fault == "missing":
        origin.unlink()
    else:
        origin.write_bytes(CONTENT + b"!" if fault == "longer" else b"something else")
    with pytest.raises(SparkError) as refusal:
        resolve_model(NAME, lambda sentence: None)
    for needed in (model.file, model.sha256, str(cache_folder() / "models" / model.file)):
        assert needed in str(refusal.value)
    assert not list(tmp_path.glob("home/**/*.task*"))


def test_unknown_model_is_refused():
    with pytest.raises(SparkError, match="no such model"):
        find_model("face_wizard")


def test_cache_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("SPARK_HOME")
    assert cache_folder().is_absolute()


def test_real_landmarker_is_in_the_test_extra(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    path = resolve_model(NAME, silent)
    assert path.stat().st_size == MODELS[NAME].size
    assert not list(tmp_path.iterdir())


def test_a_file_got_by_other_means_is_taken_when_it_is_the_model(model, tmp_path):
    good, bad = tmp_path / "download.task", tmp_path / "other.task"
    good.write_bytes(CONTENT)
    bad.write_bytes(b"something else")
    with pytest.raises(SparkError, match=r"other\.task: is not the face_landmarker\.task"):
        adopt_model(NAME, bad)
    with pytest.raises(SparkError, match="no such file"):
        adopt_model(NAME, tmp_path / "missing")
    assert find_model(NAME) is None
    assert adopt_model(NAME, good).read_bytes() == CONTENT
    assert find_model(NAME) is not None


def test_nothing_is_fetched_when_that_is_forbidden(model, monkeypatch):
    monkeypatch.setenv("SPARK_OFFLINE", "1")
    said = []
    with pytest.raises(SparkError, match="the network may not be used; allow it"):
        resolve_model(NAME, said.append)
    assert said == []
