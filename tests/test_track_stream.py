"""The stream over frames with a stand-in for the network, poses from crops, and the take that comes of it."""

import numpy as np
import pytest
import torch
from made_up_faces import box_at
from toy_avatar import toy_avatar

from spark_backend.encoders.crop import FaceCrop, to_crop
from spark_backend.encoders.readout import placed
from spark_backend.geometry.camera import project
from spark_backend.geometry.landmarks import LandmarkHead
from spark_backend.geometry.rotation import matrix_from_vector, turn_towards, vector_from_matrix
from spark_backend.protocol.names import ARKIT_52
from spark_backend.track.pose import Pose, PoseHead, pose_from_crop, projection_slope, refined, turns_of
from spark_backend.track.read import Seen
from spark_backend.track.stream import FaceStream, Sight
from spark_backend.track.take import Sightings, take_of
from spark_backend.video.search import Candidate

SIZE = (640, 480)
IMAGE = np.zeros((480, 640, 3), np.uint8)
FACING = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
K = torch.tensor([[800.0, 0, 320], [0, 800, 240], [0, 0, 1]])


class StandIn:
    """A network that sees a round face wherever `place` is, when the crop reaches it."""

    name = "stand-in"

    def __init__(self) -> None:
        self.place, self.looks = np.array([300.0, 200.0]), 0
        angles = np.linspace(0, 2 * np.pi, 478)
        self.shape = 50 * np.stack([np.cos(angles), np.sin(angles), 0 * angles], 1)
        self.crop: FaceCrop | None = None

    def look(self, image: np.ndarray, crop: FaceCrop) -> None:
        self.crop = crop

    def __call__(self, crops: np.ndarray) -> dict[str, np.ndarray]:
        self.looks += 1
        assert crops.dtype == np.uint8
        inside = to_crop(self.crop, self.shape + np.append(self.place, 0), 256)
        there = float(np.abs(inside[:, :2].mean(0) - 128).max() < 100)
        return {
            "landmarks": inside[None].astype(np.float32),
            "presence": np.array([there], np.float32),
            "deep": np.zeros((1, 2560), np.float32),
            "local": np.zeros((1, 3584), np.float32),
        }


@pytest.fixture
def network(monkeypatch) -> StandIn:
    """The stand-in, told which crop it looks at."""
    stand_in = StandIn()
    real = FaceStream.look

    def look(self: FaceStream, image: np.ndarray, crop: FaceCrop) -> Sight | None:
        stand_in.look(image, crop)
        return real(self, image, crop)

    monkeypatch.setattr(FaceStream, "look", look)
    return stand_in


def stream_with(network: StandIn, boxes: list[np.ndarray]) -> tuple[FaceStream, list[int]]:
    """A stream whose detector finds these boxes and counts its calls."""
    calls: list[int] = []

    def detect(image: np.ndarray) -> list[Candidate]:
        calls.append(1)
        return [Candidate(box, 0.9) for box in boxes]

    return FaceStream(network, detect), calls


def test_the_detector_runs_once_and_each_frame_is_looked_at_once(network):
    stream, calls = stream_with(network, [box_at(290)])
    for step in range(6):
        network.place = np.array([300.0 + 8 * step, 200.0])
        before = network.looks
        seen = stream(IMAGE)
        np.testing.assert_allclose(seen.landmarks.mean(0)[:2], network.place, atol=0.5)
        assert step == 0 or network.looks == before + 1
    assert len(calls) == 1


def test_a_lost_face_is_searched_and_found_where_it_is(network):
    stream, calls = stream_with(network, [box_at(290)])
    stream(IMAGE)
    stream.detector = lambda image: []
    network.place = np.array([-500.0, 0.0])
    assert stream(IMAGE) is None
    network.place = np.array([500.0, 200.0])
    stream.detector = lambda image: [Candidate(box_at(505), 0.9)]
    assert stream(IMAGE).landmarks[:, 0].mean() == pytest.approx(500, abs=1)
    assert len(calls) == 1


def test_of_two_faces_the_followed_one_is_taken_up_again(network):
    stream, _ = stream_with(network, [box_at(290, 100), box_at(550, 140)])
    stream.last = np.array([250.0, 150, 350, 250])
    assert stream(IMAGE).landmarks[:, 0].mean() == pytest.approx(300, abs=1)


def test_the_expected_person_is_followed(network):
    """Somebody else's face in the crop does not count when it is known where the person is."""
    stream, _ = stream_with(network, [box_at(290)])
    stream(IMAGE)
    assert stream(IMAGE, np.array([450.0, 150, 550, 250])) is None


def crop_view(head: LandmarkHead, weights: torch.Tensor, rotation: torch.Tensor, place: torch.Tensor):
    """What a perfect encoder says of heads at `place`: landmarks, crop pose, middle and scale in pixels."""
    points = head.shaped(weights) @ rotation.mT + place[:, None]
    landmarks = project(points, K)
    ray = rotation @ head.middle + place
    upright = turn_towards(ray).mT @ rotation
    middle, scale = placed(landmarks, head.rest, upright)
    return landmarks, upright, middle, scale


def test_a_perfect_encoder_gives_the_true_rotation():
    """The rotation belongs to the ray to the face's middle, not to that of the steady landmarks above it."""
    head = LandmarkHead(toy_avatar())
    rotation = FACING @ matrix_from_vector(0.3 * torch.randn(5, 3))
    place = torch.tensor([0.05, 0.1, 0.5]) - (rotation @ torch.tensor([0, 0, 1.6]))
    _, upright, middle, scale = crop_view(head, torch.zeros(5, 52), rotation, place)
    posed = PoseHead(toy_avatar())
    found = pose_from_crop(upright.numpy(), middle.numpy(), scale.numpy(), np.zeros(5), K.numpy(), posed)
    angle = vector_from_matrix(torch.as_tensor(found.rotation).float().mT @ rotation).norm(dim=-1)
    assert torch.rad2deg(angle).max() < 0.6


def test_pose_is_refined_to_the_true_one():
    head = LandmarkHead(toy_avatar())
    weights = torch.zeros(5, 52)
    rotation = FACING @ matrix_from_vector(0.3 * torch.randn(5, 3))
    place = torch.tensor([0.05, 0.1, 0.8]) - (rotation @ torch.tensor([0, 0, 1.6]))
    landmarks, upright, middle, scale = crop_view(head, weights, rotation, place)
    wrong = upright @ matrix_from_vector(torch.full((5, 3), 0.02))
    posed, angle = PoseHead(toy_avatar()), np.zeros(5)
    start = pose_from_crop(wrong.numpy(), middle.numpy(), scale.numpy(), angle, K.numpy(), posed)
    found = refined(start, posed, weights.numpy(), landmarks.numpy(), K.numpy())

    def error(pose: Pose) -> float:
        points = posed.shaped(weights.numpy()) @ np.swapaxes(pose.rotation, 1, 2) + pose.translation[:, None]
        return float((project(torch.as_tensor(points).float(), K) - landmarks).norm(dim=-1).mean())

    assert error(found) < 0.3 * error(start)


def test_the_landmarks_in_numpy_are_those_in_torch():
    head, twin, weights = LandmarkHead(toy_avatar()), PoseHead(toy_avatar()), np.random.default_rng(1).random((6, 52))
    np.testing.assert_allclose(twin.shaped(weights), head.shaped(torch.as_tensor(weights).float()), atol=1e-6)
    np.testing.assert_allclose(twin.normals, head.normals, atol=1e-5)
    assert twin.interocular == pytest.approx(head.interocular)


def test_the_slope_of_a_pose_is_that_of_small_differences():
    random = np.random.default_rng(2)
    points, place = random.normal(size=(1, 9, 3)), np.array([0.3, -0.2, 4.0])

    def flat(turn: np.ndarray, move: np.ndarray) -> np.ndarray:
        rotation = matrix_from_vector(torch.as_tensor(turn)).numpy()
        camera = points @ rotation.T + place + move
        return camera[..., :2] / camera[..., 2:]

    first = np.swapaxes(flat(np.zeros(3), np.zeros(3)), 1, 2)
    slope = projection_slope(np.swapaxes(points, 1, 2), first, 1 / (points + place)[..., 2])
    for variable, small in enumerate(1e-6 * np.eye(6)):
        change = (flat(small[:3], small[3:]) - flat(-small[:3], -small[3:])) / 2e-6
        np.testing.assert_allclose(np.swapaxes(slope[:, variable], 1, 2), change, atol=1e-6)


def test_small_and_large_turns_are_those_of_torch():
    vectors = np.random.default_rng(3).normal(size=(9, 3)) * np.logspace(-12, 0.5, 9)[:, None]
    vectors[0] = 0
    np.testing.assert_allclose(turns_of(vectors), matrix_from_vector(torch.as_tensor(vectors)).numpy(), atol=1e-14)


def sightings(valid: list[bool]) -> Sightings:
    """A toy head that nods and opens its mouth."""
    head, seen = LandmarkHead(toy_avatar()), []
    for index, there in enumerate(valid):
        weights = torch.zeros(1, 52)
        weights[0, ARKIT_52.index("jawOpen")] = 0.02 * index
        rotation = (FACING @ matrix_from_vector(torch.tensor([0.01 * index, 0, 0])))[None]
        place = torch.tensor([[0.0, 0, 0.9]]) - (rotation @ torch.tensor([0, 0, 1.6]))
        landmarks, upright, middle, scale = crop_view(head, weights, rotation, place)
        deep = torch.nn.functional.pad(landmarks[0], (0, 1)).numpy()
        numbers = (weights[0].numpy(), upright[0].numpy(), middle[0].numpy(), float(scale[0]), 0.9, deep, 0.0)
        seen.append(Seen(*numbers) if there else None)
    return Sightings(np.arange(len(valid)) / 30, seen, SIZE)


@pytest.mark.parametrize("fill", [False, True])
def test_take_marks_frames_without_a_face(fill):
    valid = [False, *[True] * 10, *[False] * 5, *[True] * 8]
    take = take_of(toy_avatar(), sightings(valid), K.double().numpy(), {}, fill_gaps=fill)
    assert take.valid.tolist() == valid
    np.testing.assert_array_equal(take.confidence > 0, valid)
    jaw = take.weight("jawOpen")
    np.testing.assert_allclose(jaw[1:11], 0.02 * np.arange(1, 11), atol=0.01)
    assert np.abs(np.diff(jaw)).max() < 0.06
    assert np.isfinite(take.head_translation).all()
    np.testing.assert_allclose(np.linalg.norm(take.head_rotation, axis=1), 1)
