"""Learning a person: what is learned, that it goes on where it stood, that it stops, and what is left on disk."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from astronaut import astronaut, followed
from toy_avatar import toy_avatar

from spark_backend.adapt.expressions import MIRROR, from_rest, random_weights
from spark_backend.adapt.learn import Learning, Material, begin, learn
from spark_backend.adapt.personal import Curriculum, Person, real_loss
from spark_backend.adapt.sights import Sights, Taught, joined_sights
from spark_backend.adapt.train import Lessons, Stage, fit_projection
from spark_backend.encoders.crop import crop_around, cut_crop
from spark_backend.encoders.files import Tracker, load_tracker, save_tracker
from spark_backend.encoders.generic import generic_weights, readout_from_bytes
from spark_backend.encoders.readout import Glance, Projection, Readout
from spark_backend.geometry.landmarks import LandmarkHead
from spark_backend.geometry.rotation import matrix_from_vector
from spark_backend.protocol.errors import Cancelled, SparkError
from spark_backend.protocol.names import ARKIT_52

FACING = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
REAL = {"expression": 0.5, "rotation": 10.0, "shape": 0.1, "lips": 0.1, "lids": 0.1}


def glance_of(head: LandmarkHead, weights: torch.Tensor, rotation: torch.Tensor, seed: int) -> Glance:
    """What a network would see of these expressions, its deep cues saying what they are."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(52, 256, generator=torch.Generator().manual_seed(1))
    points = head.shaped(weights) - head.rest.mean(0)
    landmarks = 900 * points @ rotation.mT + 128
    deep = weights @ mixing + 0.05 * torch.randn(len(weights), 256, generator=generator)
    return Glance(landmarks, torch.ones(len(weights)), 0.5 * weights, deep, deep.flip(-1))


@pytest.fixture(scope="module")
def person() -> Person:
    head = LandmarkHead(toy_avatar())
    return Person(head, torch.zeros_like(head.rest))


@pytest.fixture
def material(person) -> Material:
    def lessons(count: int, seed: int) -> tuple[Lessons, Sights]:
        generator = torch.Generator().manual_seed(seed)
        weights = torch.rand(count, 52, generator=generator) * (torch.rand(count, 52, generator=generator) < 0.2)
        rotation = FACING @ matrix_from_vector(0.2 * torch.randn(count, 3, generator=generator))
        glance = glance_of(person.head, weights, rotation, seed)
        rest = person.head.rest[None]
        number = torch.zeros(count, dtype=torch.long)
        truth = Lessons(glance, weights, rotation, torch.ones(count), number, rest, torch.zeros_like(rest))
        other = glance_of(person.head, weights, rotation, seed + 50)
        return truth, Sights(glance, other, Taught(weights, rotation))

    known, seen = lessons(192, 1)
    judged, judged_seen = lessons(64, 2)
    return Material(seen, known, judged_seen, judged)


def plan(epochs: int = 4, **options) -> Curriculum:
    return Curriculum(
        Stage("adapt", epochs, 1e-3, batch=64),
        REAL,
        **{"own": 1.0, "disturbed": True, "anchor": 0.0, "patience": 9, **options},
    )


def started(plan: Curriculum) -> Learning:
    torch.manual_seed(0)
    return begin(Readout(), plan, 3)


def run(learning: Learning, material: Material, person: Person, plan: Curriculum, tick=lambda part: None, after=None):
    torch.manual_seed(0)
    return learn(learning, material, person, plan, tick, after or (lambda learning: None))


def test_the_error_on_what_is_not_learned_from_falls(material, person):
    learning = started(plan(8))
    run(learning, material, person, plan(8))
    assert min(learning.errors) < 0.75 * learning.errors[0]
    assert len(learning.errors) == 9


def test_a_run_that_was_stopped_ends_with_the_same_heads(material, person):
    whole = started(plan())
    run(whole, material, person, plan())
    saved: list[dict] = []

    def stop(part: float) -> None:
        if part >= 0.6:
            raise Cancelled

    first = started(plan())
    with pytest.raises(Cancelled):
        run(first, material, person, plan(), stop, lambda learning: saved.append(learning.tensors()))
    assert len(saved) == 2
    second = started(plan())
    second.restore(saved[-1])
    run(second, material, person, plan())
    assert second.errors == pytest.approx(whole.errors, abs=1e-6)
    for name, value in whole.best.items():
        torch.testing.assert_close(second.best[name], value, atol=1e-6, rtol=1e-5)


def test_it_stops_when_nothing_is_gained(material, person):
    hopeless = Curriculum(Stage("adapt", 30, 0.0, batch=64), REAL, 1.0, True, 0.0, patience=3)
    learning = started(hopeless)
    run(learning, material, person, hopeless)
    assert learning.course.epoch == 3


def test_a_batch_that_does_not_fit_is_halved(material, person, monkeypatch):
    sizes: list[int] = []

    def crowded(readout, sights, *others):
        sizes.append(sights.count())
        if sights.count() > 20 and torch.is_grad_enabled():
            raise MemoryError
        return real_loss(readout, sights, *others)

    monkeypatch.setattr("spark_backend.adapt.learn.real_loss", crowded)
    learning = started(plan(1))
    carried_out = run(learning, material, person, plan(1))
    assert carried_out.stage.batch == 16
    assert learning.course.epoch == 1


def test_without_their_twins_only_clean_frames_are_learned_from(material, person):
    broken = material.sights.disturbed._replace(deep=torch.full_like(material.sights.disturbed.deep, torch.nan))
    sights, spread = material.sights._replace(disturbed=broken), torch.ones(52)
    readout = Readout()
    assert real_loss(readout, sights, person, spread, plan(disturbed=True)).isnan()
    assert real_loss(readout, sights, person, spread, plan(disturbed=False)) > 0


@pytest.mark.parametrize("anchor", [0.1, 1000.0])
def test_an_anchor_holds_the_last_layer_and_lets_nothing_else_move(material, person, anchor):
    learning = started(plan(3, anchor=anchor))
    run(learning, material, person, plan(3, anchor=anchor))
    state = learning.course.readout.state_dict()
    moved = {name for name, value in state.items() if not torch.equal(value, learning.start[name])}
    assert moved == {"leave.weight", "leave.bias"}
    way = (state["leave.weight"] - learning.start["leave.weight"]).norm()
    assert (way < 0.05) == (anchor > 1)


def test_clips_are_joined_in_order(material):
    joined = joined_sights([material.sights, material.judged_sights])
    assert joined.count() == material.sights.count() + material.judged_sights.count()
    last = joined.select(torch.arange(joined.count())[-5:])
    torch.testing.assert_close(last.taught.weights, material.judged_sights.taught.weights[-5:])
    torch.testing.assert_close(last.disturbed.deep, material.judged_sights.disturbed.deep[-5:])


def test_a_tracker_round_trip(tmp_path, person):
    tracker = Tracker(Readout(), person.head.rest, person.offset + 0.001, {"preset": "draft"})
    save_tracker(tmp_path, tracker)
    again = load_tracker(tmp_path)
    torch.testing.assert_close(again.rest, tracker.rest)
    torch.testing.assert_close(again.offset, tracker.offset)
    assert again.about["preset"] == "draft"
    with pytest.raises(SparkError, match="spark adapt"):
        load_tracker(tmp_path / "nowhere")


def test_random_expressions_are_possible_ones():
    random = np.random.default_rng(0)
    pool = random.uniform(0, 1, (50, 52))
    weights = random_weights(random, pool, 400)
    column = {name: weights[:, ARKIT_52.index(name)] for name in ARKIT_52}
    assert weights.min() >= 0
    assert weights.max() <= 1
    assert (column["mouthClose"] <= column["jawOpen"]).all()
    for one, other in (("jawLeft", "jawRight"), ("eyeLookUpLeft", "eyeLookDownLeft")):
        assert np.minimum(column[one], column[other]).max() == 0
    assert (MIRROR[MIRROR] == np.arange(52)).all()


def test_resting_values_are_taken_off_a_recording():
    recording = np.full((100, 52), 0.2)
    recording[90:, ARKIT_52.index("jawOpen")] = 0.7
    found = from_rest(recording)[:, ARKIT_52.index("jawOpen")]
    assert found[0] == pytest.approx(0.03)
    assert found[-1] == pytest.approx(0.53)


def test_projection_keeps_what_varies():
    directions = torch.randn(4, 40)
    values = torch.randn(500, 4) @ directions + 3
    projection = Projection(40, 4)
    fit_projection(projection, values)
    found = projection(values)
    torch.testing.assert_close(found.std(0), torch.ones(4), atol=0.02, rtol=0)
    assert found.mean(0).abs().max() < 0.05


@pytest.mark.slow
def test_pretraining_from_made_up_people_goes_on_where_it_stood(tmp_path, monkeypatch):
    """Two people, few pictures: the files are there, and a second run draws nobody anew."""
    from spark_backend.pipeline import pretrain
    from spark_backend.pipeline.options import SmirkOptions
    from spark_backend.track.network import open_cues

    monkeypatch.setattr(pretrain, "RENDERS", 8)
    monkeypatch.setattr(pretrain, "STAGE", Stage("pretrain", 1, 1e-3, batch=8))
    monkeypatch.setattr(pretrain, "open_cues", lambda bundle, report: open_cues(bundle, report, "torch"))
    options = SmirkOptions("pretrain", tmp_path, people=2)
    first = pretrain.smirk(options, lambda event: None)
    assert (tmp_path / "generic.safetensors").stat().st_size < 8_000_000
    drawn = {path: path.stat().st_mtime_ns for path in (tmp_path / "people").iterdir()}
    assert len(drawn) == 2
    assert pretrain.smirk(options, lambda event: None)["error"] == pytest.approx(first["error"], abs=1e-3)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "people").iterdir()} == drawn


TURNS = ((0.0, 1.0), (0.1, 1.1), (-0.15, 0.9))
"""Radians and sizes of three crops of a face."""


@pytest.mark.slow
def test_an_encoders_files_give_what_torch_gives(tmp_path, monkeypatch):
    """Both ONNX files in every installed engine, a face alone and among others, to 1e-4 of each output's range; on
    noise in place of faces OpenVINO's weights may differ by a tenth more."""
    from spark_backend.encoders.engines import installed_engines
    from spark_backend.models import cache_folder, resolve_model
    from spark_backend.track.network import open_encoder, somebody

    bundle = resolve_model("face_landmarker", lambda sentence: None).read_bytes()
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    person, readout = somebody(LandmarkHead(toy_avatar()).rest), readout_from_bytes(generic_weights())
    crop = crop_around(followed().landmarks)
    turned = [replace(crop, angle=crop.angle + turn, side=crop.side * size) for turn, size in TURNS]
    crops = np.stack([cut_crop(astronaut(), each, 256) for each in turned])
    expected = None
    for name in ("torch", *(name for name in installed_engines() if name != "torch")):
        encoder = open_encoder(bundle, readout, tmp_path / "heads.onnx", person, lambda event: None, name)
        for count in (3, 1):
            cues = encoder.cues(crops[:count])
            found = cues | encoder.heads(*cues.values())
            expected = expected or found
            for key, value in expected.items():
                reach = max(1.0, float(np.abs(value).max()))
                assert np.abs(found[key] - value[:count]).max() < 1e-4 * reach, (name, key)
    assert list((cache_folder() / "encoders").iterdir())
