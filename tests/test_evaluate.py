"""The judges' pure functions, each against an answer that is known otherwise."""

import cv2
import numpy as np
import pytest
from skimage.metrics import structural_similarity

from spark_backend.evaluate.crops import SIDE, face_crop
from spark_backend.evaluate.landmarks import (
    FAN_68,
    LEFT_IRIS,
    LIDS,
    LIPS,
    MEDIAPIPE_105,
    RIGHT_IRIS,
    aperture_error,
    ndc_l1,
)
from spark_backend.evaluate.measures import sample_frames, second_difference, summarise
from spark_backend.evaluate.pictures import mse, psnr, ssim
from spark_backend.evaluate.regions import (
    BISENET,
    CLASSES,
    EYES,
    IGNORED,
    LOWER_LIP,
    MOUTH,
    NOSE,
    SKIN,
    UPPER_LIP,
    closed_lips,
    drawn_regions,
    landmark_regions,
    mesh_regions,
    region_iou,
)
from spark_backend.evaluate.warp import Pose, warp
from spark_backend.heads.anny import load_anny


@pytest.fixture(scope="module")
def avatar():
    return load_anny().avatar()


@pytest.fixture(scope="module")
def frontal(avatar) -> Pose:
    """The head at rest, 0.7 m away, filling a crop."""
    turned = avatar.neutral[:, [0, 2, 1]] * (1, -1, 1)
    middle = (turned.min(0) + turned.max(0)) / 2
    vertices = (turned - middle + [0, 0.03, 0.7]).astype(np.float32)
    return Pose(vertices, np.array([[700.0, 0, SIDE / 2], [0, 700, SIDE / 2], [0, 0, 1]]))


def pixels_of(avatar, pose: Pose) -> np.ndarray:
    """(478, 2) landmarks of the mesh."""
    corners = pose.vertices[avatar.faces[avatar.landmark_face]]
    points = np.einsum("lc,lcx->lx", avatar.landmark_bary, corners) @ pose.K.T
    return points[:, :2] / points[:, 2:]


def noise(seed: int, size: int = SIDE, blur: float = 3.0) -> np.ndarray:
    """(size, size, 3) float32 smooth random picture in [0, 1]."""
    raw = np.random.default_rng(seed).uniform(size=(size, size, 3)).astype(np.float32)
    return np.clip(0.5 + 6 * (cv2.GaussianBlur(raw, (0, 0), blur) - 0.5), 0, 1)


def test_the_sets_of_landmarks_have_their_sizes():
    assert len(set(MEDIAPIPE_105)) == len(MEDIAPIPE_105) == 105
    assert len(set(FAN_68)) == len(FAN_68) == 68
    assert max(*MEDIAPIPE_105, *FAN_68) < 468


def test_the_68_landmarks_are_where_their_names_say(avatar, frontal):
    points = pixels_of(avatar, frontal)[list(FAN_68)]
    jaw, brows, nose, eyes, lips = np.split(points, [17, 27, 36, 48])
    assert np.argmax(jaw[:, 1]) == 8  # the chin
    assert (np.diff(jaw[2:-2, 0]) > 0).all()
    assert (np.diff(brows[:, 0]) > 0).all()
    assert brows[:, 1].max() < eyes[:, 1].min() < nose[3:, 1].min() < lips[:, 1].min() < jaw[8, 1]
    assert eyes[:6, 0].max() < nose[0, 0] < eyes[6:, 0].min()


def test_landmark_error_of_a_known_shift():
    truth = np.random.default_rng(0).uniform(0, SIDE, (478, 2))
    assert ndc_l1(truth, truth, SIDE, MEDIAPIPE_105) == 0
    assert ndc_l1(truth + np.array([3, -4]), truth, SIDE, FAN_68) == pytest.approx(2 * 7 / SIDE)


def test_apertures_are_measured_between_the_lids_and_lips_alone():
    truth = np.zeros((478, 2))
    truth[[LEFT_IRIS, RIGHT_IRIS]] = (50, 0), (-50, 0)
    found = truth + 12.0  # a shift opens nothing
    assert aperture_error(found, truth, LIPS) == 0
    found[14] += (0, 6)
    found[159] += (0, -3)
    assert aperture_error(found, truth, LIPS) == pytest.approx(6.0)
    assert aperture_error(found, truth, LIDS) == pytest.approx(1.5)  # mean of two eyes


def test_similarity_agrees_with_scikit_image():
    a = noise(1)
    b = np.clip(a + np.random.default_rng(2).normal(0, 0.05, a.shape), 0, 1).astype(np.float32)
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "win_size": 11}
    _, whole = structural_similarity(a, b, channel_axis=2, data_range=1.0, full=True, **settings)
    assert ssim(a, b) == pytest.approx(float(whole[5:-5, 5:-5].mean()), abs=1e-5)
    assert ssim(a, a) == pytest.approx(1)


def test_squared_error_and_its_decibels():
    a = np.full((20, 20, 3), 0.5, np.float32)
    assert mse(a, a + np.float32(0.125)) == pytest.approx(0.125**2)
    assert psnr(a, a + np.float32(0.1)) == pytest.approx(20, abs=1e-4)
    assert psnr(a, a) == pytest.approx(160)


def test_a_crop_is_a_square_inside_the_picture_and_its_camera_agrees():
    landmarks = np.random.default_rng(3).uniform((300, 200), (400, 340), (478, 2))
    crop = face_crop(landmarks, (640, 480))
    points = landmarks[list(FAN_68)]
    assert crop.side == round(1.35 * np.ptp(points, axis=0).mean())
    assert np.abs(np.array([crop.left, crop.top]) + crop.side / 2 - (points.min(0) + points.max(0)) / 2).max() <= 0.5
    K = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]])
    point = np.array([0.02, 0.01, 0.5])
    seen = K @ point
    inside = crop.intrinsics(K) @ point
    np.testing.assert_allclose(inside[:2] / inside[2], crop.place(seen[:2] / seen[2]))
    assert crop.cut(np.zeros((480, 640, 3), np.uint8)).shape == (SIDE, SIDE, 3)
    corner = face_crop(landmarks - (300, 200), (150, 150))
    assert min(corner.left, corner.top) >= 0
    assert max(corner.left, corner.top) + corner.side <= 150


def test_a_still_mesh_warps_a_picture_to_itself(avatar, frontal):
    picture = noise(4)
    warped = warp(frontal, frontal, avatar.faces, picture)
    assert 0.3 < warped.covered.mean() < 0.9
    assert not warped.hidden.any()
    np.testing.assert_array_equal(warped.picture[warped.covered], picture[warped.covered])
    assert (warped.picture[~warped.covered] == 0).all()


def test_a_moving_mesh_carries_the_picture_along(avatar, frontal):
    """A shift parallel to the picture by whole pixels at one depth; elsewhere by what the depth makes of it."""
    flat = frontal.vertices.copy()
    flat[:, 2] = 0.7
    before, after = Pose(flat, frontal.K), Pose(flat + np.float32([0.010, -0.005, 0]), frontal.K)
    picture = noise(5)
    warped = warp(before, after, avatar.faces, picture)
    expected = np.roll(picture, (-5, 10), (0, 1))
    compared = warped.covered & ~warped.hidden
    assert compared.sum() > 5000
    assert psnr(warped.picture * compared[..., None], expected * compared[..., None]) > 60
    wrong = warp(before, Pose(after.vertices + np.float32([0.003, 0, 0]), frontal.K), avatar.faces, picture)
    assert psnr(wrong.picture * compared[..., None], expected * compared[..., None]) < 30


def test_what_was_hidden_or_outside_is_not_compared():
    """Two parallel squares: the near one covers the left half of the far one before, and the right half after."""
    square = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    K = np.array([[100.0, 0, 32], [0, 100, 32], [0, 0, 1]])
    far = 0.3 * square + np.float32([0, 0, 1])
    near = [np.float32([0.15, 0.3, 1]) * square + np.float32([x, 0, 0.9]) for x in (-0.15, 0.15)]
    before, after = (Pose(np.concatenate([far, part]), K) for part in near)
    picture = noise(6, 64)
    warped = warp(before, after, faces, picture)
    assert warped.hidden[32, 15]  # the far square's left half has come to light
    assert not warped.hidden[32, 48]  # the near square was seen before
    assert warped.picture[32, 15].max() == 0
    gone = warp(Pose(after.vertices + np.float32([1, 0, 0]), K), after, faces, picture)
    assert gone.hidden[gone.covered].all()


def test_a_heads_own_landmarks_and_its_mesh_show_the_same_regions(avatar, frontal):
    solid = np.array(avatar.material_names)[avatar.face_material] != "lashes"
    found = drawn_regions(mesh_regions(avatar, solid, oval=True), frontal, SIDE)
    truth = landmark_regions(closed_lips(pixels_of(avatar, frontal)), SIDE)
    iou = dict(zip(CLASSES, region_iou(found, truth), strict=True))
    assert set(np.unique(found)) >= {SKIN, LOWER_LIP, UPPER_LIP, NOSE, EYES}
    assert min(iou[name] for name in ("background", "skin", "nose")) > 0.95
    assert min(iou["lower lip"], iou["upper lip"]) > 0.85
    assert iou["eyes"] > 0.75
    shifted = landmark_regions(closed_lips(pixels_of(avatar, frontal)) + 6, SIDE)
    assert region_iou(found, shifted).mean() < region_iou(found, truth).mean() - 0.1
    np.testing.assert_array_equal(region_iou(found, found), np.ones(len(CLASSES)))


def test_the_outlines_are_filled_to_the_pixel():
    landmarks = np.zeros((478, 2))
    for index, place in zip((33, 133, 159, 145), ((10, 10), (20, 10), (15, 5), (15, 15)), strict=True):
        landmarks[index] = np.add(place, (0.27, 0.06))  # no pixel's centre is on an edge
    landmarks[[7, 163, 144]] = landmarks[33]
    landmarks[[153, 154, 155]] = landmarks[133]
    landmarks[[173, 157, 158]] = landmarks[133]
    landmarks[[160, 161, 246]] = landmarks[33]
    eyes = landmark_regions(landmarks, 32) == EYES
    assert eyes.sum() == pytest.approx(50, abs=3)  # a square on its corner, with diagonals of 10
    assert eyes[9:11, 11:19].all()
    assert not eyes[9, 8]


def test_intersection_over_union_counts_pixels_and_leaves_out_what_is_ignored():
    truth = np.zeros((4, 4), np.uint8)
    truth[:, 2:] = SKIN
    found = np.zeros((4, 4), np.uint8)
    found[:, 1:] = SKIN
    iou = region_iou(found, truth)
    assert iou[0] == pytest.approx(4 / 8)
    assert iou[SKIN] == pytest.approx(8 / 12)
    assert (iou[2:] == 1).all()  # neither has them
    truth[:, 1] = IGNORED
    assert (region_iou(found, truth) == 1).all()


def test_a_segmentation_networks_classes_become_ours():
    assert [BISENET[k] for k in (1, 4, 10, 11, 12, 13)] == [SKIN, EYES, NOSE, MOUTH, UPPER_LIP, LOWER_LIP]
    assert all(BISENET[k] == IGNORED for k in (7, 8, 17, 18, 19, 255))


def test_without_the_oval_all_skin_is_skin_and_ears_are_left_out(avatar, frontal):
    whole = np.ones(len(avatar.faces), bool)
    found = drawn_regions(mesh_regions(avatar, whole, oval=False), frontal, SIDE)
    with_oval = drawn_regions(mesh_regions(avatar, whole, oval=True), frontal, SIDE)
    assert (found == IGNORED).any()
    assert not (with_oval == IGNORED).any()
    assert (found == SKIN).sum() > (with_oval == SKIN).sum()


def test_pairs_are_drawn_among_frames_with_a_face_at_both_ends():
    valid = np.ones(40, bool)
    valid[[10, 30]] = False
    frames = sample_frames(valid, 5, 100, 0)
    assert frames == [f for f in range(5, 40) if valid[f] and valid[f - 5]]
    some = sample_frames(valid, 5, 8, 0)
    assert len(some) == 8
    assert set(some) < set(frames)
    assert some == sorted(some)
    assert some == sample_frames(valid, 5, 8, 0) != sample_frames(valid, 5, 8, 1)
    assert sample_frames(valid[:4], 5, 8, 0) == []


def test_summaries_and_second_differences():
    line = summarise([np.array([1.0, np.nan, 2.0]), np.array([6.0])])
    assert (line.mean, line.median, line.count) == (3.0, 2.0, 3)
    assert line.deviation == pytest.approx(np.std([1, 2, 6], ddof=1))
    assert summarise([np.full(3, np.nan)]).count == 0
    steady = np.array([0.0, 1.0, 2.0])[:, None, None] * np.ones((3, 5, 3))
    assert second_difference(steady) == 0
    assert second_difference(steady**2) == pytest.approx(1000 * 2 * np.sqrt(3))
