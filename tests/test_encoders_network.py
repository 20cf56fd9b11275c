"""MediaPipe's networks in torch against TFLite's own interpreter, MediaPipe itself and known answers."""

import csv
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from astronaut import astronaut, bundle, followed

from spark_backend.encoders.crop import FaceCrop, crop_around, cut_crop
from spark_backend.encoders.flatbuffer import read_graph
from spark_backend.encoders.graph import GraphNetwork
from spark_backend.encoders.mediapipe import (
    FEATURES,
    MEDIAPIPE_SCORES,
    crops_from_bytes,
    load_landmark_network,
    load_score_network,
)
from spark_backend.encoders.operators import conv_2d, max_pool_2d, strided_slice
from spark_backend.models.task_bundle import LANDMARKS, SCORES, bundle_member
from spark_backend.protocol.names import ARKIT_52
from spark_backend.video.decode import read_selected
from spark_backend.video.networks import Landmarker

SAME, VALID = 0, 1
PIXEL_TOLERANCE = 1e-3


def real_crops() -> torch.Tensor:
    """The face as it is, larger and off the middle, turned, dark, mirrored; and a part without a face."""
    crop = crop_around(followed().landmarks)
    mirrored = np.ascontiguousarray(astronaut()[:, ::-1])
    crops = [
        cut_crop(astronaut(), crop, 256),
        cut_crop(astronaut(), replace(crop, side=crop.side * 0.8, centre=crop.centre + 12), 256),
        cut_crop(astronaut(), replace(crop, angle=crop.angle + 0.5), 256),
        cut_crop(astronaut() // 4, crop, 256),
        cut_crop(mirrored, replace(crop, centre=crop.centre * [-1, 1] + [512, 0]), 256),
        cut_crop(astronaut(), FaceCrop(np.array([420.0, 420]), 150.0, 0.0), 256),
    ]
    return crops_from_bytes(np.stack(crops))


def interpreter(member: str):
    """A function that runs one network of the bundle in TFLite's interpreter, one picture at a time."""
    module = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed (extra test)")
    network = module.Interpreter(model_content=bundle_member(bundle(), member), num_threads=1)
    network.allocate_tensors()

    def run(value: np.ndarray) -> list[np.ndarray]:
        network.set_tensor(network.get_input_details()[0]["index"], value)
        network.invoke()
        return [network.get_tensor(output["index"]) for output in network.get_output_details()]

    return run


def assert_same_answers(crops: torch.Tensor) -> None:
    """The torch network's batch against the interpreter, crop by crop."""
    run = interpreter(LANDMARKS)
    with torch.inference_mode():
        reading = load_landmark_network(bundle())(crops)
    for place, crop in enumerate(crops.numpy()):
        landmarks, presence = run(crop[None])[:2]
        difference = np.abs(reading.landmarks[place].numpy() - landmarks.reshape(478, 3)).max()
        assert difference < PIXEL_TOLERANCE, f"crop {place}: {difference} px"
        assert reading.presence[place].item() == pytest.approx(1 / (1 + np.exp(-presence.item())), abs=1e-5)


def test_landmarks_of_real_crops_are_those_of_tflite():
    assert_same_answers(real_crops())


@pytest.mark.shared
@pytest.mark.parametrize("clip", ["talking/abe/abe_1.mp4", "talking/long_franck.mp4", "hard/extreme_yaw_nice.mp4"])
def test_landmarks_of_clips_are_those_of_tflite(shared_data, clip):
    crops = []
    with Landmarker(bundle(), follow=True) as landmarker:
        for _, frame in read_selected(shared_data / clip, range(0, 60, 12)):
            face = landmarker(frame.image, 60_000)
            if face is not None:
                crop = crop_around(face.landmarks)
                crops.append(cut_crop(frame.image, crop, 256))
    assert len(crops) >= 3
    assert_same_answers(crops_from_bytes(np.stack(crops)))


def test_presence_tells_a_face_from_none():
    with torch.inference_mode():
        presence = load_landmark_network(bundle())(real_crops()).presence
    assert (presence[:5] > 0.9).all()
    assert presence[5] < 0.1


def test_a_batch_gives_what_its_parts_give():
    network, crops = load_landmark_network(bundle()), real_crops()[:3]
    with torch.inference_mode():
        together, alone = network(crops), [network(crop[None]) for crop in crops]
    torch.testing.assert_close(together.landmarks, torch.cat([one.landmarks for one in alone]), atol=1e-3, rtol=0)


def test_features_are_the_last_of_each_size():
    network = load_landmark_network(bundle(), FEATURES)
    with torch.inference_mode():
        features = network(real_crops()[:2]).features
    shapes = {name: tuple(value.shape) for name, value in features.items()}
    channels = (16, 32, 64, 128, 128, 128, 128)
    sizes = (128, 64, 32, 16, 8, 4, 2)
    assert shapes == {name: (2, s, s, c) for name, s, c in zip(FEATURES, sizes, channels, strict=True)}
    assert load_landmark_network(bundle())(real_crops()[:1]).features == {}


def test_the_last_features_are_all_that_the_landmarks_come_from():
    network = load_landmark_network(bundle(), ("stride_128",))
    reading = network(real_crops()[:1])
    heads = [operation for operation in network.layers.operations.values() if hasattr(operation, "weight")]
    (head,) = (operation for operation in heads if len(operation.weight) == 3 * 478)
    last = reading.features["stride_128"]
    points = torch.einsum("bhwc,ochw->bo", last, head.weight) + head.bias
    torch.testing.assert_close(points.reshape(1, 478, 3), reading.landmarks, atol=1e-3, rtol=0)


def test_what_nobody_needs_any_more_is_let_go():
    network, alive, counts = load_landmark_network(bundle(), ("stride_2",)), [], []

    def note(module: torch.nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        alive.append(weakref.ref(output))
        counts.append(sum(value() is not None for value in alive))

    for operation in network.layers.operations.values():
        operation.register_forward_hook(note)
    with torch.inference_mode():
        network(real_crops()[:1])
    assert len(counts) > 200
    assert max(counts) <= 8, "tensors at a time"


def test_every_weight_learns():
    network, crops = load_landmark_network(bundle()), real_crops()[:2]
    assert sum(weight.numel() for weight in network.parameters()) > 1_190_000
    reading = network(crops)
    (reading.landmarks.square().mean() + reading.presence.logit().mean()).backward()
    still = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not still


def test_gradient_of_the_picture_is_the_finite_difference():
    network = load_landmark_network(bundle()).double()
    crop = real_crops()[:1].double().requires_grad_()
    direction = torch.randn(crop.shape, dtype=torch.float64)

    def nose(value: torch.Tensor) -> torch.Tensor:
        return network(value).landmarks[0, 1].sum()

    (gradient,) = torch.autograd.grad(nose(crop), crop)
    step = 1e-8  # a larger one crosses the kinks of the activations
    with torch.no_grad():
        difference = (nose(crop + step * direction) - nose(crop - step * direction)) / (2 * step)
    assert (gradient * direction).sum().item() == pytest.approx(difference.item(), rel=1e-4)


def test_scores_of_the_astronaut_are_mediapipes():
    face = followed()
    with torch.inference_mode():
        scores = load_score_network(bundle())(torch.from_numpy(face.landmarks).float()[None])[0]
    assert face.scores.max() > 0.5
    np.testing.assert_allclose(scores.numpy(), face.scores, atol=1e-4)


def test_scores_are_those_of_tflite_for_each_of_a_batch():
    points = torch.rand(3, 478, 2) * 300
    with torch.inference_mode():
        network = load_score_network(bundle())
        scores, raw = network(points), network.layers(points[:, :146])["scores"]
    run = interpreter(SCORES)
    for place in range(3):
        np.testing.assert_allclose(raw[place], run(points[place : place + 1, :146].numpy())[0], atol=1e-5)
    assert scores.shape == (3, 52)
    assert not scores[:, ARKIT_52.index("tongueOut")].any()


@pytest.mark.shared
def test_scores_of_mediapipes_own_fixture(shared_data):
    def column(name: str, *fields: str) -> np.ndarray:
        with open(shared_data / "fixtures" / name, newline="") as file:
            rows = list(csv.DictReader(file))
        return np.array([[row[field] for field in fields] for row in rows])

    points = column("mediapipe_face_landmarks_478.csv", "x", "y").astype(np.float32) * np.float32([820, 1024])
    expected = column("mediapipe_face_blendshapes_52.csv", "name", "score")
    assert tuple(expected[:, 0]) == MEDIAPIPE_SCORES
    scores = load_score_network(bundle())(torch.from_numpy(points)[None])[0].detach().numpy()
    by_name = dict(zip(ARKIT_52, scores, strict=True))
    for name, score in expected[1:]:
        assert by_name[name] == pytest.approx(float(score), abs=1e-3), name


def test_scores_do_not_depend_on_place_and_size():
    points = torch.from_numpy(followed().landmarks).float()[None, :, :2]
    network = load_score_network(bundle())
    torch.testing.assert_close(network(points), network(points * 3 + 100), atol=1e-4, rtol=0)


def test_same_padding_has_the_odd_zeros_at_the_end():
    options = {"StrideH": 2, "StrideW": 2, "Padding": SAME, "FusedActivationFunction": 0}
    sums = conv_2d(options, torch.ones(1, 1, 4, 4), torch.ones(1, 1, 3, 3), torch.zeros(1))
    assert sums[0, 0].tolist() == [[9, 6], [6, 4]]
    valid = conv_2d({**options, "Padding": VALID}, torch.ones(1, 1, 4, 4), torch.ones(1, 1, 3, 3), torch.zeros(1))
    assert valid[0, 0].tolist() == [[9]]


def test_fused_relu_is_not_forgotten():
    options = {"StrideH": 1, "StrideW": 1, "Padding": VALID, "FusedActivationFunction": 1}
    ones = torch.ones(1, 1, 1, 1)
    assert conv_2d(options, -ones, ones, torch.zeros(1)).item() == 0
    with pytest.raises(ValueError, match="activation 3"):
        conv_2d({**options, "FusedActivationFunction": 3}, ones, ones, torch.zeros(1))


def test_masks_of_a_slice_stand_for_the_axis_own_ends():
    x = torch.arange(12).reshape(1, 3, 4)
    masks = {"BeginMask": 0b010, "EndMask": 0b100, "ShrinkAxisMask": 0}
    part = strided_slice(masks, x, [9, 9, 1], [9, 2, 9], [1, 1, 2])
    assert part.tolist() == [[[1, 3], [5, 7]]]


def test_what_is_not_implemented_is_refused():
    graph = read_graph(bundle_member(bundle(), LANDMARKS))
    strange = replace(graph, nodes=(replace(graph.nodes[0], kind="LSTM"), *graph.nodes[1:]))
    with pytest.raises(ValueError, match="LSTM"):
        GraphNetwork(strange, {"landmarks": graph.outputs[0]})
    with pytest.raises(ValueError, match="padding"):
        max_pool_2d(
            {"Padding": SAME, "FilterHeight": 2, "FilterWidth": 2, "StrideH": 2, "StrideW": 2}, torch.ones(1, 1, 2, 2)
        )
