"""Videos, panels, sheets and pages: what the pictures of a result are made of."""

import base64
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from toy_avatar import toy_avatar, toy_take, with_maps

from spark_backend.pipeline.charts import Curve, chart, head_angles, take_curves
from spark_backend.pipeline.encode import write_video
from spark_backend.pipeline.look import avatar_surface, read_picture
from spark_backend.pipeline.moments import telling_frames
from spark_backend.pipeline.parallel import in_order
from spark_backend.pipeline.progress import section, sections, shares
from spark_backend.pipeline.relight import clip_light
from spark_backend.pipeline.report import ClipSection, Figure, Page, write_page
from spark_backend.pipeline.sheet import arrange, save_picture
from spark_backend.pipeline.views import (
    FADE,
    Panel,
    face_opacity,
    head_boxes,
    head_panels,
    posed_frames,
    project_points,
    studio_take,
    take_frames,
)
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.job import Progress, Warning
from spark_backend.protocol.posing import axis_quaternion, multiply_quaternions
from spark_backend.render.draw import render_frame
from spark_backend.render.shading import distant_light, irradiance

FACING = np.array([np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0])


def flat_frames(count: int = 6, size: tuple[int, int] = (66, 48), colour: tuple[int, int, int] = (200, 40, 90)):
    """Times at an uneven rate and pictures of one colour."""
    times = np.cumsum(np.linspace(0.02, 0.06, count)) - 0.02
    return [(float(t), np.full((size[1], size[0], 3), colour, np.uint8)) for t in times]


def decode(path: Path) -> tuple[list[float], list[np.ndarray]]:
    """Times and pictures of a video."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return [float(f.pts * f.time_base) for f in frames], [f.to_ndarray(format="rgb24") for f in frames]


def test_a_video_keeps_times_and_colours(tmp_path: Path):
    frames = flat_frames()
    assert write_video(tmp_path / "a.mp4", frames) == len(frames)
    times, pictures = decode(tmp_path / "a.mp4")
    np.testing.assert_allclose(times, [t for t, _ in frames], atol=1 / 90000)
    assert np.abs(pictures[3].astype(int) - (200, 40, 90)).max() <= 3
    assert list(tmp_path.iterdir()) == [tmp_path / "a.mp4"]


def test_an_odd_size_is_cropped(tmp_path: Path):
    write_video(tmp_path / "a.mp4", flat_frames(size=(67, 49)))
    assert decode(tmp_path / "a.mp4")[1][0].shape == (48, 66, 3)


def write_tone(path: Path, codec: str, seconds: float = 0.6) -> None:
    """A video with a tone as its sound."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        sound = container.add_stream(codec, rate=48000, layout="mono")
        for index in range(round(seconds * 25)):
            picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 90, np.uint8), format="rgb24")
            picture.pts, picture.time_base = index, Fraction(1, 25)
            container.mux(video.encode(picture))
        container.mux(video.encode())
        wave = np.sin(np.arange(round(seconds * 48000)) * 0.06)
        for start in range(0, len(wave) - 1024, 1024):
            samples = (20000 * wave[None, start : start + 1024]).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
            container.mux(sound.encode(frame))
        container.mux(sound.encode())


@pytest.mark.parametrize(("name", "codec"), [("tone.mp4", "aac"), ("tone.mkv", "pcm_s16le")])
def test_the_sources_sound_comes_along(tmp_path: Path, name: str, codec: str):
    write_tone(tmp_path / name, codec)
    write_video(tmp_path / "out.mp4", flat_frames(8), sound_of=tmp_path / name)
    with av.open(str(tmp_path / "out.mp4")) as container:
        heard = [(f.samples, f.to_ndarray()[0]) for f in container.decode(audio=0)]
        rate = container.streams.audio[0].rate
    picture_end = flat_frames(8)[-1][0]
    assert picture_end - 0.1 < sum(count for count, _ in heard) / rate < picture_end + 0.15
    assert np.concatenate([samples for _, samples in heard]).std() > 0.2  # a tone, not silence


def test_a_source_without_sound_gives_a_silent_video(tmp_path: Path):
    write_video(tmp_path / "silent.mp4", flat_frames())
    write_video(tmp_path / "out.mp4", flat_frames(), sound_of=tmp_path / "silent.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert not container.streams.audio


def test_a_failure_leaves_no_video(tmp_path: Path):
    def broken():
        yield from flat_frames(120)  # enough for the encoder to have written something
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_video(tmp_path / "a.mp4", broken())
    with pytest.raises(SparkError, match="no frame"):
        write_video(tmp_path / "b.mp4", [])
    assert list(tmp_path.iterdir()) == []


def test_a_panel_shows_the_same_points_as_the_picture():
    avatar, take = toy_avatar(), toy_take()
    panel = head_panels(avatar, take, (160, 200))[7]
    points = list(posed_frames(avatar, take))[7]
    expected = (project_points(points, take.K) - (panel.left, panel.top)) * panel.scale
    np.testing.assert_allclose(project_points(points, panel.intrinsics(take.K)), expected, atol=1e-6)


def test_a_crop_shows_what_the_panels_camera_sees():
    """A bright dot in the source appears where the panel's intrinsics put it."""
    panel = Panel(41.3, 22.8, 1.6, (160, 120))
    K = np.array([[500.0, 0, 160], [0, 500.0, 120], [0, 0, 1]])
    picture = np.zeros((240, 320, 3), np.uint8)
    picture[70:73, 90:93] = 255  # its centre is at (91.5, 71.5)
    ray = np.linalg.inv(K) @ (91.5, 71.5, 1)
    expected = project_points(ray[None], panel.intrinsics(K))[0]
    shown = panel.crop(picture)[..., 0].astype(float)
    y, x = np.mgrid[0:120, 0:160] + 0.5
    centre = ((x * shown).sum() / shown.sum(), (y * shown).sum() / shown.sum())
    np.testing.assert_allclose(centre, expected, atol=0.05)


def test_panels_hold_the_head_glide_and_stay_in_the_picture():
    avatar, take = toy_avatar(), toy_take(48)
    panels, boxes = head_panels(avatar, take, (160, 200)), head_boxes(avatar, take)
    corners = np.array([(p.left, p.top, p.left + 160 / p.scale, p.top + 200 / p.scale) for p in panels])
    assert corners[:, :2].min() >= 0
    assert (corners[:, 2:] <= take.size + 1e-6).all()
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert ((centre > corners[:, :2]) & (centre < corners[:, 2:])).all()
    shake = np.abs(np.diff(corners, 2, axis=0)).max()
    assert shake < 0.2 * np.abs(np.diff(boxes, 2, axis=0)).max()


def test_the_face_fades_towards_what_is_nobodys_own():
    avatar = toy_avatar()
    points, height = avatar.neutral, avatar.neutral[:, 2]
    scalp, neck = height > np.quantile(height, 0.7), height < np.quantile(height, 0.3)
    opacity = face_opacity(replace(avatar, regions={"scalp": scalp, "neck": neck, "face": ~scalp & ~neck}))
    away = {
        name: np.linalg.norm(points[:, None] - points[None, region], axis=-1).min(1) / FADE[name]
        for name, region in (("scalp", scalp), ("neck", neck))
    }
    np.testing.assert_allclose(opacity, np.minimum(away["scalp"], away["neck"]).clip(0, 1))
    assert opacity[scalp | neck].max() == 0 < opacity[~scalp & ~neck].min()
    assert face_opacity(replace(avatar, regions={})).min() == 1


def test_clay_is_drawn_without_the_lashes_cards():
    avatar = toy_avatar()
    cards = np.arange(len(avatar.polygons)) % 3 == 0
    avatar = replace(avatar, material_names=("skin", "lashes"), polygon_material=cards.astype(np.int32))
    np.testing.assert_array_equal(avatar.face_solid, ~cards[avatar.face_polygon])
    assert replace(avatar, material_names=("skin", "eye")).face_solid.all()


def test_a_head_larger_than_the_picture_gets_the_whole_height():
    avatar, take = toy_avatar(), take_frames(toy_take(), np.array([0, 1]))
    near = replace(take, K=take.K * (4, 4, 1))
    panel = head_panels(avatar, near, (160, 200))[0]
    assert 200 / panel.scale == pytest.approx(480)


def test_the_light_of_a_clip_is_found_again(tmp_path: Path):
    avatar, take = toy_avatar(24, 32), take_frames(toy_take(), np.arange(0, 24, 4))
    avatar = replace(avatar, maps={"albedo": save_picture(tmp_path / "a.png", np.full((64, 64, 3), 190, np.uint8))})
    nowhere = np.zeros(len(avatar.neutral), bool)
    avatar = replace(avatar, regions={**avatar.regions, "mouth_interior": nowhere, "eyes": nowhere})
    surface = avatar_surface(replace(avatar, material_names=("matt",) * 5))
    matt = replace(surface, materials=[replace(m, specular=0.0) for m in surface.materials])
    light = distant_light((0.7, -0.5, -0.5), (0.5, 0.4, 0.3), (0.3, 0.3, 0.4))
    size = tuple(int(x) for x in take.size)
    frames = (
        (float(t), render_frame(p, avatar.faces, take.K, size, surface=matt, light=light, background=(0.2, 0.2, 0.2)))
        for t, p in zip(take.pts, posed_frames(avatar, take), strict=True)
    )
    write_video(tmp_path / "v.mp4", frames, quality=4)
    visible = replace(take, valid=np.ones(len(take.pts), bool))
    found = clip_light(avatar, visible, tmp_path / "v.mp4")
    normals = torch.tensor([[0.0, 0, -1], [0.6, 0, -0.8], [-0.6, 0, -0.8], [0, -0.6, -0.8], [0, 0.6, -0.8]])
    seen, true = irradiance(normals, found), irradiance(normals, light)
    torch.testing.assert_close(seen, true, atol=0.06, rtol=0.12)
    assert float(found.direction @ light.direction) > 0.85


def test_no_light_is_guessed_without_albedo_or_face(tmp_path: Path):
    take = toy_take()
    assert clip_light(toy_avatar(), take, tmp_path / "absent.mp4") is None
    avatar = replace(toy_avatar(), maps={"albedo": tmp_path / "a.png"})
    unseen = replace(take, valid=np.zeros(len(take.pts), bool))
    assert clip_light(avatar, unseen, tmp_path / "absent.mp4") is None


def test_the_studio_shows_the_face_from_the_front_and_from_its_left():
    avatar, take = toy_avatar(), take_frames(toy_take(), np.array([0]))
    left_eye, right_eye = avatar.joints[4], avatar.joints[5]
    for yaw in (0.0, np.radians(45)):
        seen = studio_take(avatar, take, yaw, (300, 400))
        rotation = _matrix(seen.head_rotation[0])
        eyes = np.stack([left_eye, right_eye]) @ rotation.T + seen.head_translation[0]
        pixels = project_points(eyes, seen.K)
        assert pixels[0, 0] > pixels[1, 0]  # the subject's left is on the picture's right
        assert eyes[0, 2] == pytest.approx(eyes[1, 2]) if yaw == 0 else eyes[0, 2] > eyes[1, 2]
        assert (pixels > 0).all()
        assert (pixels < (300, 400)).all()


def _matrix(q: np.ndarray) -> np.ndarray:
    from spark_backend.protocol.posing import quaternion_to_matrix

    return quaternion_to_matrix(q)


def test_telling_frames_differ_and_leave_out_what_was_not_seen():
    take = toy_take(24)
    still = replace(
        take,
        weights=np.zeros_like(take.weights),
        head_rotation=np.tile(FACING, (24, 1)),
        valid=np.arange(24) != 11,
    )
    still.weights[5, 3] = 1.0
    still.weights[11] = 1.0  # the strongest, but there is no face
    still.head_rotation[17] = -multiply_quaternions(FACING, axis_quaternion(2, np.array(0.8)))
    chosen = telling_frames(still, 3)
    assert {5, 17} < set(chosen.tolist())
    assert 11 not in chosen
    assert (np.diff(chosen) > 0).all()
    assert len(telling_frames(take_frames(still, np.array([0, 1])), 5)) == 2


def test_head_angles_have_the_documented_signs():
    def angles(axis: int, degrees: float) -> np.ndarray:
        turn = multiply_quaternions(FACING, axis_quaternion(axis, np.array(np.radians(degrees))))
        take = take_frames(toy_take(), np.array([0]))
        return head_angles(replace(take, head_rotation=turn[None]))[0]

    np.testing.assert_allclose(angles(2, 20), [20, 0, 0], atol=1e-6)  # about +Z: to the subject's left
    np.testing.assert_allclose(angles(0, 10), [0, 10, 0], atol=1e-6)  # about +X: chin down
    np.testing.assert_allclose(angles(1, 15), [0, 0, 15], atol=1e-6)


def test_a_chart_puts_zero_below_and_one_above():
    picture = chart(Curve("jawOpen", "", np.array([0.0, 1.0]), np.array([0.0, 1.0])))
    (x0, y0), (x1, y1) = (p.split(",") for p in re.search(r'points="([^"]+)"', picture)[1].split())
    assert float(x0) < float(x1)
    assert float(y0) > float(y1)


def test_curves_carry_the_truth_when_there_is_one():
    take = toy_take()
    assert all(curve.truth is None for curve in take_curves(take))
    assert all(np.array_equal(curve.truth, curve.values) for curve in take_curves(take, take))


def test_the_page_is_whole_and_says_what_it_is_given(tmp_path: Path):
    sheet = save_picture(tmp_path / "clip_sheet.jpg", np.full((20, 30, 3), 90, np.uint8))
    (tmp_path / "clip.blend").write_bytes(b"x" * 1_500_000)
    section = ClipSection(
        "clip <1>", [Figure("error", "1.20", "%")], sheet, tmp_path / "clip.mp4", b"poster", take_curves(toy_take())
    )
    page = Page("A & B", "summary", [], [section], {"clip.blend": "for Blender", "absent.fbx": "no"}, ["mind <this>"])
    text = write_page(tmp_path / "report.html", page).read_text("utf-8")
    assert "A &amp; B" in text
    assert "clip &lt;1&gt;" in text
    assert "mind &lt;this&gt;" in text
    assert "1.20" in text
    assert "1.5 MB" in text
    assert "absent.fbx" not in text
    assert base64.b64encode(sheet.read_bytes()).decode() in text
    assert not re.findall(r'(?:src|href)="(?:https?:|/)', text)
    assert text.count("<svg") == len(section.curves)


def test_pictures_survive_saving(tmp_path: Path):
    generator = np.random.default_rng(1)
    for channels in (3, 4):
        image = generator.integers(0, 255, (9, 7, channels), dtype=np.uint8)
        np.testing.assert_array_equal(read_picture(save_picture(tmp_path / "a.png", image)), image)
    (tmp_path / "b.png").write_text("no picture")
    with pytest.raises(SparkError, match="not a picture"):
        read_picture(tmp_path / "b.png")


def test_only_lashes_are_transparent(tmp_path: Path):
    avatar = toy_avatar()
    path = save_picture(tmp_path / "albedo.png", np.full((8, 8, 4), 128, np.uint8))
    surface = avatar_surface(replace(avatar, maps={"albedo": path}))
    transparent = [name for name, m in zip(avatar.material_names, surface.materials, strict=True) if m.transparent]
    assert transparent == ["lashes"]
    assert avatar_surface(avatar).materials[0].albedo.shape == (3,)


def test_the_skin_has_the_maps_finish_when_all_are_there(tmp_path: Path):
    avatar = with_maps(toy_avatar(), tmp_path)
    skin = avatar.material_names.index("skin")
    assert avatar_surface(avatar).materials[skin].finish is None  # without a specular map
    grey = save_picture(tmp_path / "specular.png", np.full((8, 8, 3), 102, np.uint8))
    surface = avatar_surface(replace(avatar, maps={**avatar.maps, "specular": grey}))
    finish = surface.materials[skin].finish[3, 5]
    np.testing.assert_allclose(finish, [0.8, 120 / 255, 0.0, 0.0, 1.0], atol=0.01)
    assert all(one.finish is None for k, one in enumerate(surface.materials) if k != skin)


def test_a_sheet_has_all_cells():
    cells = [[np.full((40, 30, 3), 50 * (row + column), np.uint8) for column in range(4)] for row in range(2)]
    sheet = arrange(cells)
    assert sheet.shape == (34 + 2 * 46, 6 + 4 * 36, 3)
    assert (sheet == 200).any()


def test_progress_of_steps_adds_up():
    told = []
    step = sections(told.append, {"a": 1, "b": 3})
    step["a"](Progress("a", 1.0))
    shares(step["b"], 2)[1](Progress("b", 0.5, eta=3.0))
    section(told.append, 0.2, 0.4)(Progress("c", 7.0))
    step["b"](Warning("w"))
    assert told == [Progress("a", 0.25), Progress("b", 0.8125), Progress("c", 0.4), Warning("w")]


def test_frames_come_in_order_and_only_a_few_ahead():
    started = []

    def items():
        for number in range(50):
            started.append(number)
            yield number

    results = in_order(lambda x: x * x, items(), workers=3)
    assert [next(results) for _ in range(4)] == [0, 1, 4, 9]
    assert len(started) <= 10
    assert list(results) == [x * x for x in range(4, 50)]


def test_what_a_frame_raises_arrives():
    def work(number: int) -> int:
        if number == 5:
            raise ValueError("frame 5")
        return number

    with pytest.raises(ValueError, match="frame 5"):
        list(in_order(work, range(100), workers=2))
