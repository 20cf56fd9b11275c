"""`spark export --map`: which map is written, and light that is baked into the albedo."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from toy_avatar import toy_avatar, toy_take, with_maps

from spark_backend.fit.texels import avatar_texels
from spark_backend.pipeline import files
from spark_backend.pipeline.files import export
from spark_backend.pipeline.lit import lit_map, texel_normals
from spark_backend.pipeline.options import ExportOptions
from spark_backend.protocol.avatar import Avatar, save_avatar
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.project import create_project
from spark_backend.protocol.take import save_take
from spark_backend.render.colour import linear_from_bytes
from spark_backend.render.shading import distant_light

EVEN = distant_light((0, 0, -1), (0.0, 0.0, 0.0), (1.0, 0.5, 0.25))


def ignore(event: object) -> None:
    pass


@pytest.fixture
def avatar(tmp_path: Path) -> Avatar:
    plain = with_maps(toy_avatar(), tmp_path, size=128)
    return replace(plain, maps={name: path for name, path in plain.maps.items() if name != "normal"})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "anna.spark"
    create_project(folder)
    plain = with_maps(toy_avatar(), folder / "avatar", size=64)
    save_avatar(folder / "avatar", replace(plain, maps={n: plain.maps[n] for n in ("roughness", "albedo")}))
    return folder


def linear(picture: np.ndarray) -> np.ndarray:
    return linear_from_bytes(torch.as_tensor(picture[..., :3].copy())).numpy()


def test_an_even_light_tints_what_nothing_hides(avatar: Avatar):
    lit, texels = linear(lit_map(avatar, EVEN)), avatar_texels(avatar, 128)
    albedo = linear(np.asarray(Image.open(avatar.maps["albedo"]).convert("RGB")))
    ratio = (lit / albedo).reshape(-1, 3)[texels.texel]
    np.testing.assert_allclose(np.median(ratio, 0), [1.0, 0.5, 0.25], rtol=0.03)


def test_light_from_the_left_of_the_picture_falls_on_the_subjects_right(avatar: Avatar):
    lit = linear(lit_map(avatar, distant_light((-1.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))))
    texels = avatar_texels(avatar, 128)
    x = texels.at(avatar.neutral, avatar.faces)[:, 0]
    bright = lit.reshape(-1, 3)[texels.texel].mean(1)
    assert bright[x < -0.05].mean() > 5 * bright[x > 0.05].mean()


@pytest.mark.parametrize(("direction", "axis", "sign"), [((0, -1, 0), 2, 1), ((0, 0, -1), 1, -1)])
def test_light_from_above_and_before(avatar: Avatar, direction: tuple, axis: int, sign: int):
    lit = linear(lit_map(avatar, distant_light(direction, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))))
    texels = avatar_texels(avatar, 128)
    along = sign * (texels.at(avatar.neutral, avatar.faces) - avatar.neutral.mean(0))[:, axis]
    bright = lit.reshape(-1, 3)[texels.texel].mean(1)
    assert bright[along > 0.05].mean() > 5 * bright[along < -0.05].mean()


def test_a_normal_map_bends_the_texels_normals(avatar: Avatar, tmp_path: Path):
    texels = avatar_texels(avatar, 64)
    smooth = texel_normals(avatar, texels)
    for colour, along in (((128, 128, 255), 0.0), ((218, 128, 218), 0.707)):
        Image.new("RGB", (32, 32), colour).save(tmp_path / "normal.png")
        bent = texel_normals(replace(avatar, maps={**avatar.maps, "normal": tmp_path / "normal.png"}), texels)
        cosine = (bent * smooth).sum(1)
        assert abs(float(cosine.median()) - np.sqrt(1 - along**2)) < 0.02
    # u grows counter-clockwise seen from above, so red turns the normals that way
    points = torch.as_tensor(texels.at(avatar.neutral, avatar.faces) - avatar.neutral.mean(0))
    turn = points[:, 0] * bent[:, 1] - points[:, 1] * bent[:, 0]
    u = avatar.uv[avatar.uv_faces][..., 0]
    plain = torch.as_tensor((np.ptp(u, axis=1) < 0.5)[texels.face])  # the egg's last band runs back from 1 to 0
    assert (turn[plain] > 0).float().mean() > 0.9


def test_opacity_is_kept(avatar: Avatar, tmp_path: Path):
    Image.new("RGBA", (64, 64), (200, 150, 120, 77)).save(tmp_path / "albedo.png")
    assert (lit_map(avatar, EVEN)[..., 3] == 77).all()


def test_an_albedo_that_is_not_square_is_refused(avatar: Avatar, tmp_path: Path):
    Image.new("RGB", (64, 32)).save(tmp_path / "albedo.png")
    with pytest.raises(SparkError, match="not square"):
        lit_map(avatar, EVEN)


def test_one_map_takes_the_place_of_all(project: Path, tmp_path: Path):
    export(ExportOptions(project, tmp_path / "out" / "x.obj", map="roughness"), ignore)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"x.obj", "x.mtl", "anna_roughness.png"}
    text = (tmp_path / "out" / "x.mtl").read_text()
    assert "map_Pr anna_roughness.png" in text
    assert "map_Kd" not in text


def test_the_studio_lights_the_head_without_a_take(project: Path, tmp_path: Path):
    export(ExportOptions(project, tmp_path / "out" / "x.ply", map="lit"), ignore)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"x.ply", "anna_lit.png"}
    lit = np.asarray(Image.open(tmp_path / "out" / "anna_lit.png"))
    assert lit.shape == (64, 64, 4)
    assert lit[..., :3].std() > 10, "there is shade"


def test_the_clip_lights_the_head_of_a_take(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    save_take(project / "takes" / "one.npz", toy_take())
    options = ExportOptions(project, tmp_path / "x.obj", take="one", map="lit")
    with pytest.raises(SparkError, match="one: the light of its clip cannot be seen; leave the take out"):
        export(options, ignore)
    assert not (tmp_path / "x.obj").exists()
    monkeypatch.setattr(files, "source_video", lambda *_: tmp_path / "clip.mp4")
    monkeypatch.setattr(files, "clip_light", lambda *_: distant_light((0, 0, -1), (0.0,) * 3, (0.0, 1.0, 0.0)))
    export(options, ignore)
    lit = np.asarray(Image.open(tmp_path / "anna_lit.png"))
    assert lit[..., 1].max() > 100
    assert lit[..., [0, 2]].max() == 0


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("x.obj", "normal", "has no normal map; choose one of roughness, albedo"),
        ("x.abc", "albedo", "holds no maps"),
        ("x.npz", "lit", "holds no maps"),
    ],
)
def test_a_map_that_cannot_be_written_is_one_sentence(project: Path, tmp_path: Path, name: str, kind: str, words: str):
    with pytest.raises(SparkError, match=words):
        export(ExportOptions(project, tmp_path / name, map=kind), ignore)
    assert not (tmp_path / name).exists()
