"""What Blender shows equals what the take says: geometry, camera, keys, plate and sound."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from blenders import blender_parameters, run_probe
from toy_avatar import toy_avatar, toy_take, with_maps

from spark_backend.protocol.avatar import Avatar, load_avatar, save_avatar
from spark_backend.protocol.names import ARKIT_52
from spark_backend.protocol.placement import world_from_camera
from spark_backend.protocol.posing import pose_vertices
from spark_backend.protocol.take import Take, load_take, save_take

pytestmark = pytest.mark.blender
START = 101


@dataclass(frozen=True)
class Seen:
    """What one Blender made of the toy."""

    avatar: Avatar
    take: Take
    answer: dict[str, Any]
    arrays: dict[str, np.ndarray]
    folder: Path


@pytest.fixture(scope="module", params=blender_parameters())
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("scene")
    save_avatar(folder / "avatar", with_maps(toy_avatar(), folder / "avatar"))
    save_take(folder / "one.npz", toy_take())
    write_video(folder / "clip.mp4", 24, 30, (640, 480), sound=True)
    write_video(folder / "silent.mp4", 24, 30, (640, 480), sound=False)
    write_video(folder / "slow.mp4", 16, 20, (640, 480), sound=False)
    (folder / "bad.mp4").write_text("not a video")
    question = {
        "avatar": folder / "avatar",
        "take": folder / "one.npz",
        "video": folder / "clip.mp4",
        "silent_video": folder / "silent.mp4",
        "bad_video": folder / "bad.mp4",
        "slow_video": folder / "slow.mp4",
        "folder": folder,
        "start": START,
    }
    answer = run_probe(request.param, "probe_scene.py", question, folder)
    assert "error" not in answer, answer["error"]
    with np.load(folder / "scene.npz") as file:
        arrays = dict(file)
    return Seen(load_avatar(folder / "avatar"), load_take(folder / "one.npz"), answer, arrays, folder)


def write_video(path: Path, frames: int, rate: int, size: tuple[int, int], sound: bool) -> None:
    """A grey clip that brightens, with a tone if asked."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        audio = container.add_stream("aac", rate=48000, layout="mono") if sound else None
        for index in range(frames):
            picture = np.full((size[1], size[0], 3), 40 + 5 * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
        if audio is not None:
            tone = np.sin(np.arange(48000 * frames // rate) * 0.06).astype(np.float32)[None]
            frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            frame.sample_rate = 48000
            container.mux(audio.encode(frame))
            container.mux(audio.encode())


def expected_world(avatar: Avatar, take: Take) -> np.ndarray:
    """(T, V, 3) what `pose_vertices` says, in Blender's world."""
    world = world_from_camera(avatar, take)
    return np.concatenate(list(pose_vertices(avatar, take))).astype(float) @ world[:3, :3].T + world[:3, 3]


def expected_pixels(avatar: Avatar, take: Take, K: np.ndarray) -> np.ndarray:
    """(T, V, 2) pixels of the posed vertices."""
    points = np.concatenate(list(pose_vertices(avatar, take))).astype(float)
    image = np.einsum("...ab,tvb->tva", K, points) if K.ndim == 2 else np.einsum("tab,tvb->tva", K, points)
    return image[..., :2] / image[..., 2:]


def test_posed_vertices_equal_the_take(seen: Seen):
    error = np.abs(seen.arrays["posed"] - expected_world(seen.avatar, seen.take)).max()
    assert error < 1e-5, f"{error * 1000:.4f} mm"


def test_the_camera_sees_the_clips_pixels(seen: Seen):
    expected = expected_pixels(seen.avatar, seen.take, seen.take.K)
    np.testing.assert_allclose(seen.arrays["pixels"], expected, atol=0.02)


def test_the_rendered_silhouette_lies_on_the_clips_pixels(seen: Seen):
    import cv2

    width, height = seen.take.size
    expected = np.zeros((height, width), np.uint8)
    pixels = expected_pixels(seen.avatar, seen.take, seen.take.K)[2]
    for face in seen.avatar.faces:
        # cv2's pixel centres have whole coordinates, ours end in .5
        cv2.fillConvexPoly(expected, np.round((pixels[face] - 0.5) * 16).astype(int), 1, shift=4)
    rendered = cv2.imread(str(seen.folder / "render.png"), cv2.IMREAD_UNCHANGED)[..., 3] > 127
    assert rendered.shape == expected.shape
    union = np.logical_or(rendered, expected).sum()
    assert np.logical_and(rendered, expected).sum() / union > 0.985


def test_lens_is_animated_when_the_clip_zooms(seen: Seen):
    count = len(seen.take.pts)
    K = np.tile(seen.take.K, (count, 1, 1))
    K[:, [0, 1], [0, 1]] *= np.linspace(1, 1.5, count)[:, None]
    K[:, 0, 2] += np.linspace(0, 30, count)
    expected = expected_pixels(seen.avatar, seen.take, K)[[0, -1]]
    np.testing.assert_allclose(seen.answer["probe_zoom"]["pixels"], expected, atol=0.05)


def test_keys_lie_at_the_true_times_and_hold_the_weights(seen: Seen):
    np.testing.assert_allclose(seen.arrays["frames"], START + np.arange(24), atol=1e-4)
    for name, keys in seen.answer["probe_whole_scene"]["weights"].items():
        frames, values = np.array(keys).T
        np.testing.assert_allclose(frames, START + seen.take.pts * 30, atol=1e-4)
        np.testing.assert_allclose(values, seen.take.weight(name), atol=1e-6)


def test_rotations_do_not_flip_between_keys(seen: Seen):
    given = seen.take.head_rotation
    assert np.sum(given[1:] * given[:-1], axis=1).min() < 0, "the take itself flips"
    keyed = np.array(seen.answer["probe_whole_scene"]["root"]).T
    assert np.sum(keyed[1:] * keyed[:-1], axis=1).min() > 0


def test_scene_has_rate_range_and_size_of_the_clip(seen: Seen):
    scene = seen.answer["probe_whole_scene"]
    assert scene["fps"] == [30, 1.0]
    assert scene["range"] == [START, START + 23]
    assert scene["resolution"] == [640, 480]
    assert scene["warnings"] == ([] if has_sound(seen) else ["clip.mp4: this Blender is built without sound"])


def has_sound(seen: Seen) -> bool:
    """Pip's bpy 4.2 has none."""
    return seen.answer["version"] >= [4, 3]


def test_plate_and_sound_start_with_the_take(seen: Seen):
    scene = seen.answer["probe_whole_scene"]
    assert scene["clip"]["size"] == [640, 480]
    assert scene["clip"]["start"] == START
    assert scene["clip"]["frames"] == 24
    assert scene["background"] == ["MOVIE_CLIP"]
    if not has_sound(seen):
        return
    (kind, first, last), *others = scene["sound"]
    assert (kind, first, others) == ("SOUND", START, [])
    assert abs(last - START - 24) <= 2  # AAC pads its last packet


def test_a_clip_of_another_rate_is_shown_at_the_right_times(seen: Seen):
    retimed = seen.answer["probe_retimed"]
    assert retimed["source"] == "IMAGE"
    assert retimed["pictures"] == [0, round(7 * 20 / 30), round(23 * 20 / 30)]
    assert retimed["duration"] >= 24


def test_a_bad_or_silent_clip_leaves_the_scene_whole(seen: Seen):
    clips = seen.answer["probe_bad_clip"]
    assert len(clips["bad"]) == 1
    assert "bad.mp4" in clips["bad"][0]
    assert not has_sound(seen) or clips["silent"] == []
    assert clips["strips"] == 0


def test_mesh_has_the_avatars_polygons_materials_and_uvs(seen: Seen):
    scene, avatar = seen.answer["probe_whole_scene"], seen.avatar
    used = avatar.polygons >= 0
    assert scene["polygon_sizes"] == used.sum(1).tolist()
    assert scene["corner_vertices"] == avatar.polygons[used].tolist()
    np.testing.assert_allclose(scene["uv"], avatar.uv[avatar.uv_polygons[used]], atol=1e-6)
    assert scene["polygon_material"] == avatar.polygon_material.tolist()
    assert scene["materials"] == [f"toy {kind}" for kind in avatar.material_names]
    assert scene["solid"] == [0.3 if kind == "lashes" else 1.0 for kind in avatar.material_names]
    assert scene["smooth"]
    assert scene["textures"] == ["toy_albedo.png", "toy_normal.png", "toy_roughness.png"]


def test_shape_keys_have_arkits_names_and_bones_their_parents(seen: Seen):
    scene = seen.answer["probe_whole_scene"]
    assert scene["keys"] == ["Basis", *ARKIT_52]
    parents = dict(
        zip(
            ("root", "neck", "head", "jaw", "eye_left", "eye_right"), (None, "root", "neck", *["head"] * 3), strict=True
        )
    )
    assert scene["bones"] == parents  # fmt: skip


def test_curves_are_linear_grouped_and_in_one_action_where_slots_exist(seen: Seen):
    scene = seen.answer["probe_whole_scene"]
    assert scene["interpolation"] == ["LINEAR"]
    assert {"root", "neck", "jaw", "eye_left", "Jaw", "Mouth", "Brow"} <= set(scene["groups"])
    if seen.answer["version"] >= [4, 4]:
        assert scene["actions"] == ["one"]
        assert [slot[:2] for slot in scene["slots"]] == ["KE", "OB"]
    else:
        assert scene["actions"] == ["one", "one Key"]


def test_sliders_make_room_for_peaks(seen: Seen):
    peaks = seen.answer["probe_peaks"]
    np.testing.assert_allclose(peaks["values"], [1.75, -0.25], atol=1e-6)
    assert peaks["untouched"] == 1.0


def test_bakes_replace_their_own_action_and_no_other(seen: Seen):
    bakes = seen.answer["probe_bakes"]
    assert bakes["counts"] == {"first": [24, 24], "second": [9, 9]}
    assert {"mine", "mine first", "talk", "talk second"} <= set(bakes["actions"])
    assert bakes["last"] == pytest.approx(100 + 8 / 30 * 25, abs=1e-3)
