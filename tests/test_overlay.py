"""Paint on a face whose picture was rendered: the answer is the render of the painted face. Films and their files."""

import json
from dataclasses import replace

import av
import cv2
import numpy as np
import pytest
import trimesh
from PIL import Image
from rendered_project import COUNT, NO_FACE, PTS, SIZE, film_light

from spark_backend import __main__ as program
from spark_backend.pipeline import overlay as verb
from spark_backend.pipeline.compare import CELL, left_half
from spark_backend.pipeline.in_front import dark_hair, in_front
from spark_backend.pipeline.look import avatar_surface, read_picture
from spark_backend.pipeline.mesh_sequence import write_mesh_sequence
from spark_backend.pipeline.options import OverlayOptions
from spark_backend.pipeline.paint_over import make_paint, paint_over
from spark_backend.pipeline.template import uv_template
from spark_backend.pipeline.views import posed_frames
from spark_backend.protocol.errors import Cancelled, SparkError
from spark_backend.protocol.take import save_take
from spark_backend.render.colour import linear_from_bytes
from spark_backend.render.draw import render_frame, render_linear
from spark_backend.video.decode import read_frames

torch = pytest.importorskip("torch")
FRAME = 2
ROOM = np.full((*SIZE[::-1], 3), (70, 90, 80), np.uint8)


@pytest.fixture(scope="module")
def project(rendered_project):
    return rendered_project


@pytest.fixture(scope="module")
def shot(project):
    """One frame of the film before compression, and its mesh."""
    _, avatar, take = project
    vertices = list(posed_frames(avatar, take))[FRAME]
    light = film_light()
    picture = render_frame(
        vertices, avatar.faces, take.K, SIZE, surface=avatar_surface(avatar), light=light, background=ROOM
    )
    return picture, vertices


def cheek_paint(avatar, size: int = 512, opacity: int = 255) -> np.ndarray:
    """(size, size, 4): a green disc on the subject's left cheek, nothing else."""
    corners = avatar.uv[avatar.uv_faces[avatar.landmark_face[280]]]
    u, v = avatar.landmark_bary[280] @ corners
    texture = np.zeros((size, size, 4), np.uint8)
    cv2.circle(texture, (round(u * size), round((1 - v) * size)), round(0.035 * size), (30, 160, 60, opacity), -1)
    return texture


def test_paint_is_lit_as_a_face_of_that_colour_would_be(project, shot, tmp_path):
    _, avatar, take = project
    picture, vertices = shot
    texture = cheek_paint(avatar)
    painted = paint_over(make_paint(avatar, texture, film_light(), 1.0), picture, vertices, take.K)
    albedo = cv2.resize(read_picture(avatar.maps["albedo"])[..., :3], (512, 512), interpolation=cv2.INTER_AREA)
    albedo[texture[..., 3] > 0] = texture[texture[..., 3] > 0, :3]
    Image.fromarray(albedo).save(tmp_path / "albedo.png")
    surface = avatar_surface(replace(avatar, maps={"albedo": tmp_path / "albedo.png"}))
    truth = render_frame(vertices, avatar.faces, take.K, SIZE, surface=surface, light=film_light(), background=ROOM)
    changed = (painted != picture).any(-1)
    core = cv2.erode(changed.astype(np.uint8), np.ones((5, 5))) > 0
    assert core.sum() > 150
    assert painted[core].mean(0)[1] > painted[core].mean(0)[0] + 20  # green
    assert np.abs(painted[core].astype(int) - truth[core]).mean() < 5
    assert changed.sum() < 2.5 * core.sum() + 400  # and nothing else was touched


def test_paint_follows_a_shadow_that_the_light_does_not_know(project, shot):
    _, avatar, take = project
    picture, vertices = shot
    paint = make_paint(avatar, cheek_paint(avatar), film_light(), 1.0)
    bright = paint_over(paint, picture, vertices, take.K)
    darker = np.round(picture * 0.85).astype(np.uint8)
    dark = paint_over(paint, darker, vertices, take.K)
    core = cv2.erode((bright != picture).any(-1).astype(np.uint8), np.ones((5, 5))) > 0
    assert dark[core].mean() / bright[core].mean() == pytest.approx(0.85, abs=0.03)


def test_opacity_mixes_linear_light(project, shot):
    _, avatar, take = project
    picture, vertices = shot
    texture = cheek_paint(avatar)
    whole, half, none = (
        paint_over(make_paint(avatar, texture, film_light(), opacity), picture, vertices, take.K)
        for opacity in (1.0, 0.5, 0.0)
    )
    np.testing.assert_array_equal(none, picture)
    core = cv2.erode((whole != picture).any(-1).astype(np.uint8), np.ones((5, 5))) > 0
    a, b, c = (linear_from_bytes(torch.from_numpy(p)).numpy()[core] for p in (picture, half, whole))
    np.testing.assert_allclose(b, (a + c) / 2, atol=0.006)


def test_what_is_in_front_is_found_and_stays_unpainted(project, shot):
    _, avatar, take = project
    picture, vertices = shot
    geometry = (vertices, avatar.faces, take.K, SIZE)
    own, cover = render_linear(*geometry, surface=avatar_surface(avatar), light=film_light())
    scale = float(take.K[0, 0] / np.median(vertices[:, 2]))

    def found(image: np.ndarray) -> np.ndarray:
        linear = linear_from_bytes(torch.from_numpy(image)).numpy()
        return in_front(linear, own.numpy(), cover[..., 0].numpy(), scale)

    assert (found(picture) > 0.5).sum() < 0.01 * (cover > 0.99).sum()
    texture = cheek_paint(avatar)
    paint = make_paint(avatar, texture, film_light(), 1.0)
    painted = (paint_over(paint, picture, vertices, take.K) != picture).any(-1)
    rows, columns = np.nonzero(painted)
    hand = np.zeros(picture.shape[:2], bool)
    hand[int(rows.mean()) : int(rows.mean()) + 40, int(columns.mean()) - 30 : int(columns.mean()) + 30] = True
    covered = picture.copy()
    covered[hand] = (60, 70, 150)
    mask = found(covered)
    inner = cv2.erode(hand.astype(np.uint8), np.ones((5, 5))) > 0
    assert mask[inner & (cover[..., 0].numpy() > 0.99)].mean() > 0.95
    over = paint_over(paint, covered, vertices, take.K)
    assert (over[inner] == covered[inner]).all(-1).mean() > 0.93
    assert (over[~hand] != covered[~hand]).any()


def test_strands_of_dark_hair_stay_over_the_paint(project, shot):
    _, avatar, take = project
    picture, vertices = shot
    paint = make_paint(avatar, cheek_paint(avatar), film_light(), 1.0)
    bare = paint_over(paint, picture, vertices, take.K)
    rows, columns = np.nonzero((bare != picture).any(-1))
    strand = picture.copy()
    x = int(columns.mean())
    strand[rows.min() : rows.max(), x : x + 2] = (6, 5, 4)
    painted = paint_over(paint, strand, vertices, take.K)
    middle = slice(int(rows.mean()) - 4, int(rows.mean()) + 4)
    np.testing.assert_array_equal(painted[middle, x : x + 2], strand[middle, x : x + 2])
    beside = painted[middle, x + 6].astype(int) - bare[middle, x + 6]
    assert np.abs(beside).mean() < 12
    assert dark_hair(np.full((1, 3), 0.1), np.array([[0.1, 0.25, 0.5]]), np.ones((1, 3)))[0] == pytest.approx(
        [0, 0.5, 1], abs=0.01
    )


def test_a_mask_holds_paint_out_exactly(project, shot):
    _, avatar, take = project
    picture, vertices = shot
    paint = make_paint(avatar, cheek_paint(avatar), film_light(), 1.0)
    np.testing.assert_array_equal(paint_over(paint, picture, vertices, take.K, np.ones(SIZE[::-1])), picture)
    assert (paint_over(paint, picture, vertices, take.K, np.zeros(SIZE[::-1])) != picture).any()


def times_of(film) -> np.ndarray:
    """(T,) seconds of the film's frames."""
    return np.array([frame.pts for frame in read_frames(film, lambda message: None)])


def test_the_film_keeps_size_times_and_faceless_frames(project, tmp_path, capfd):
    folder, avatar, _ = project
    Image.fromarray(cheek_paint(avatar)).save(tmp_path / "paint.png")
    arguments = ["overlay", str(folder), "film", "--take", "true", "--texture", str(tmp_path / "paint.png"), "--json"]
    film, meshes = tmp_path / "out" / "film.mp4", tmp_path / "out" / "meshes"
    assert program.main([*arguments, "-o", str(film), "--mesh-sequence", str(meshes)]) == 0
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    fractions = [event["fraction"] for event in events if event["event"] == "Progress"]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)
    assert sorted(path.name for path in film.parent.iterdir()) == ["film.mp4", "meshes"]
    np.testing.assert_allclose(times_of(film), PTS, atol=1e-4)
    before, after = (list(read_frames(path, lambda message: None)) for path in (folder / "film.mp4", film))
    with av.open(str(film)) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == SIZE
    difference = [np.abs(a.image.astype(int) - b.image).max(-1) for a, b in zip(before, after, strict=True)]
    assert difference[NO_FACE].mean() < 3  # compression alone
    assert (difference[FRAME] > 40).sum() > 150


def test_a_mesh_sequence_is_what_was_tracked(project, tmp_path):
    _, avatar, take = project
    folder = tmp_path / "meshes"
    for _ in range(2):  # an earlier one is replaced
        write_mesh_sequence(folder, avatar, take, lambda event: None)
    assert len(list(folder.glob("*.obj"))) == COUNT
    lines = (folder / "frames.csv").read_text("ascii").splitlines()
    assert lines[1 + NO_FACE] == f"{NO_FACE:06d}.obj,{PTS[NO_FACE]:.6f},0"
    read = trimesh.load(folder / f"{FRAME:06d}.obj", process=False, maintain_order=True, force="mesh")
    expected = list(posed_frames(avatar, take))[FRAME] * (1, -1, -1)
    points = {tuple(point) for point in np.round(read.vertices, 5)}
    assert {tuple(point) for point in np.round(np.round(expected, 6), 5)} >= points
    assert read.faces.shape == avatar.faces.shape
    np.testing.assert_allclose(read.area, trimesh.Trimesh(expected, avatar.faces, process=False).area, rtol=0.01)
    other = tmp_path / "mine"
    other.mkdir()
    (other / "letter.txt").touch()
    with pytest.raises(SparkError, match="something else"):
        write_mesh_sequence(other, avatar, take, lambda event: None)
    assert (other / "letter.txt").exists()


def test_the_head_itself_can_be_laid_over(project, tmp_path, capfd):
    folder, _, take = project
    save_take(folder / "takes" / "film.npz", take)
    assert program.main(["overlay", str(folder), "film", "-o", str(tmp_path / "film.mp4"), "--opacity", "0.5"]) == 0
    after = list(read_frames(tmp_path / "film.mp4", lambda message: None))
    before = list(read_frames(folder / "film.mp4", lambda message: None))
    rest = np.abs(after[FRAME].image.astype(int) - before[FRAME].image).mean()
    assert rest < 4  # the head looks like itself


def test_the_template_shows_the_layout(project, tmp_path):
    folder, avatar, _ = project
    path = tmp_path / "guide.png"
    assert program.main(["overlay", str(folder), "film", "--template", str(path)]) == 0
    assert read_picture(path).shape == (2048, 2048, 3)
    guide = uv_template(avatar, 512).astype(int)
    polygon = avatar.uv_polygons[0]
    a, b = avatar.uv[polygon[0]], avatar.uv[polygon[1]]
    x, y = (((a + b) / 2) * (1, -1) + (0, 1)) * 512
    patch = guide[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2]
    assert patch[..., 2].max() - patch[..., 0].min() > 10  # an edge is blue


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "not an ingested clip"),
        (["film", "--take", "nothing"], "no such take"),
        (["film", "--take", "true", "--texture", "gone.png"], "not a picture"),
        (["film", "--take", "true", "--texture", "opaque.png"], "no opacity"),
        (["film", "--take", "true", "--texture", "wide.png"], "is 64 x 32"),
        (["film", "--take", "true", "--texture", "empty.png"], "transparent everywhere"),
        (["film", "--take", "true", "--opacity", "2"], "from 0 to 1"),
        (["film", "--take", "true", "--holdout", "nowhere"], "no such mask"),
    ],
)
def test_mistakes_are_told_in_one_sentence(project, arguments, words, tmp_path, monkeypatch, capsys):
    folder, _, _ = project
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (32, 32)).save("opaque.png")
    Image.new("RGBA", (64, 32), (1, 1, 1, 9)).save("wide.png")
    Image.new("RGBA", (32, 32)).save("empty.png")
    assert program.main(["overlay", str(folder), *arguments, "-o", str(tmp_path / "film.mp4")]) == 1
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1
    assert words in errors[0]
    assert not list(tmp_path.glob("*.mp4"))


def test_a_project_without_an_avatar_is_told(tmp_path, capsys):
    assert program.main(["new", str(tmp_path / "a.spark")]) == 0
    for name in ("overlay", "compare", "evaluate"):
        assert program.main([name, str(tmp_path / "a.spark"), "film"]) == 1
        assert "spark " in capsys.readouterr().err


def test_a_cancelled_film_leaves_nothing(project, tmp_path):
    folder, _, _ = project

    def cancel(event):
        raise Cancelled

    with pytest.raises(Cancelled):
        verb.overlay(OverlayOptions(folder, "film", take="true", output=tmp_path / "film.mp4"), cancel)
    assert not list(tmp_path.iterdir())


def test_the_comparison_shows_every_tracker(project, tmp_path):
    folder, _, take = project
    aside = replace(take, head_translation=np.add(take.head_translation, [0.01, 0, 0]))
    save_take(folder / "takes" / "aside.npz", aside)
    program.main(["compare", str(folder), "film", "--trackers", "true", "aside", "-o", str(tmp_path)])
    film = tmp_path / "film_compare.mp4"
    np.testing.assert_allclose(times_of(film), PTS, atol=1e-4)
    picture = next(read_frames(film, lambda message: None)).image
    assert picture.shape == (2 * CELL[1], 3 * CELL[0], 3)
    clip, true, aside = np.split(picture[: CELL[1]].astype(int), 3, axis=1)
    assert np.abs(true - clip).mean() > 5
    assert np.abs(true[:, : CELL[0] // 4] - clip[:, : CELL[0] // 4]).mean() < 3  # the right half is as filmed
    assert np.abs(true - aside).mean() > 1


def test_a_half_is_the_subjects_left_one(project):
    _, avatar, _ = project
    turned = avatar.neutral[:, [0, 2, 1]] * (1, -1, 1)
    vertices = turned - (turned.min(0) + turned.max(0)) / 2 + [0, 0, 1]
    half = left_half(avatar, vertices, np.array([[900.0, 0, CELL[0] / 2], [0, 900, CELL[1] / 2], [0, 0, 1]]))
    assert half[:, : CELL[0] // 2 - 3].max() == 0
    assert half[CELL[1] // 2, CELL[0] // 2 + 10] == 1
