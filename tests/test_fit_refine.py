"""The fit to pictures: a rendered person is found again, a stopped fit goes on alike, parts stay rigid."""

import typing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from astronaut import bundle
from scipy.spatial import cKDTree

from spark_backend.encoders.mediapipe import load_landmark_network
from spark_backend.fit.refine import training
from spark_backend.fit.refine.checkpoint import load_run, save_run
from spark_backend.fit.refine.losses import LOSSES
from spark_backend.fit.refine.personal import bent, corrections, flexible_head
from spark_backend.fit.refine.prediction import Setup, make_batch, predict, prepare
from spark_backend.fit.refine.preview import preview_picture
from spark_backend.fit.refine.shots import Album, Shots
from spark_backend.fit.refine.smoothing import smoother
from spark_backend.fit.refine.stages import CURRICULA, EXTRA, Stage, also, without
from spark_backend.fit.refine.training import Run, Told, fresh_run, stage_smoother, train
from spark_backend.geometry.rotation import matrix_from_vector
from spark_backend.heads.anny import load_anny
from spark_backend.pipeline import refining
from spark_backend.pipeline.options import ExtraLossName, LossName
from spark_backend.protocol.avatar import Avatar
from spark_backend.protocol.errors import Cancelled
from spark_backend.protocol.job import Event, Preview, Progress
from spark_backend.render.colour import bytes_from_linear
from spark_backend.render.warp import WarpRasterizer

SIZE, FRAMES, FOCAL = 72, 4, 180.0
FACING = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
STIFFNESS = 30.0
LOOK, SHAPE = {"photometric": 1.0, "white_light": 0.01}, {"photometric": 1.0, "bending": 0.01}
STAGES = (
    Stage("light", 6, {"albedo": 0.04, "light": 0.03}, LOOK, STIFFNESS, 2),
    Stage("neutral", 6, {"albedo": 0.02, "offsets": 0.003}, SHAPE, STIFFNESS),
)


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return load_anny().avatar()


@pytest.fixture(scope="module")
def shots(avatar: Avatar) -> Shots:
    """Four frames of one clip: the head at half a metre, turned from side to side, the mouth opening."""
    yaw = torch.linspace(-0.5, 0.5, FRAMES)
    rotation = FACING @ matrix_from_vector(torch.stack([0 * yaw, 0 * yaw, yaw], -1))
    centre = torch.as_tensor(avatar.neutral[avatar.regions["face"]].mean(0)).float()
    weights = torch.zeros(FRAMES, len(avatar.expression_names))
    weights[:, avatar.expression_names.index("jawOpen")] = torch.linspace(0, 0.4, FRAMES)
    return Shots(
        clip=torch.zeros(FRAMES, dtype=torch.long),
        left_top=torch.zeros(FRAMES, 2),
        zoom=torch.ones(FRAMES),
        middle=torch.full((FRAMES, 2), SIZE / 2),
        landmarks=torch.zeros(FRAMES, 478, 2),
        unit=torch.full((FRAMES,), 20.0),
        weights=weights,
        rotation=rotation,
        translation=torch.tensor([0, 0, 0.5]) - rotation @ centre,
        neck=torch.eye(3).expand(FRAMES, 3, 3),
        focal=torch.tensor([FOCAL]),
    )


@pytest.fixture(scope="module")
def setup(avatar: Avatar, shots: Shots) -> Setup:
    head = load_anny()
    return prepare(flexible_head(avatar, head, np.zeros(len(head.identity))), shots, WarpRasterizer())


def album_of(setup: Setup, pictures: np.ndarray) -> Album:
    """Crops that are in memory already."""
    return Album((), setup.shots, SIZE, 0, dict(enumerate(pictures)))


@pytest.fixture(scope="module")
def truth(setup: Setup) -> dict[str, torch.Tensor]:
    """A person with a longer nose and chin and a spotted skin."""
    blank = album_of(setup, np.full((FRAMES, SIZE, SIZE, 4), 255, np.uint8))
    parameters = fresh_run(setup, blank, 64).parameters
    spots = (
        torch.rand(16, 16, generator=torch.Generator().manual_seed(1)).repeat_interleave(4, 0).repeat_interleave(4, 1)
    )
    parameters["albedo"] = (0.45 + 0.3 * spots[..., None] * torch.tensor([1.0, 0.8, 0.7])).float()
    neutral = setup.model.head.neutral
    bump = torch.exp(-((neutral - nose_tip(neutral)) / 0.02).square().sum(-1))
    offsets = bump[:, None] * torch.tensor([0.0, -0.006, 0.0])
    parameters["offsets"] = smoother(setup.model.avatar.faces, len(neutral), STIFFNESS).inverse(offsets)
    return parameters


def nose_tip(neutral: torch.Tensor) -> torch.Tensor:
    return neutral[neutral[:, 1].argmin()]


@pytest.fixture(scope="module")
def album(setup: Setup, truth: dict[str, torch.Tensor]) -> Album:
    """The true person's pictures, everything inside the mask."""
    black = make_batch(range(FRAMES), np.full((FRAMES, SIZE, SIZE, 4), (0, 0, 0, 255), np.uint8), 1)
    smooth = smoother(setup.model.avatar.faces, len(setup.model.avatar.neutral), STIFFNESS)
    with torch.no_grad():
        colour = bytes_from_linear(predict(setup, smooth, truth, black).picture.square()).numpy()
    mask = np.where(colour.max(-1, keepdims=True) > 20, 255, 0).astype(np.uint8)
    return album_of(setup, np.concatenate([colour, mask], -1))


def quiet(told: Told, run: Run) -> None:
    """A report for nobody."""


def test_smooth_coordinates_are_undone_by_their_inverse_and_spread_a_spike(avatar: Avatar) -> None:
    smooth = smoother(avatar.faces, len(avatar.neutral), STIFFNESS)
    offsets = torch.randn(len(avatar.neutral), 3)
    torch.testing.assert_close(smooth(smooth.inverse(offsets)), offsets, atol=1e-4, rtol=1e-4)
    spike = torch.zeros_like(offsets)
    spike[int(np.argmin(avatar.neutral[:, 1]))] = 1
    spread = smooth(spike)
    assert spread.max() < 0.1
    assert spread.min() > -1e-6
    torch.testing.assert_close(spread.sum(0), torch.ones(3))


def test_the_gradient_of_smoothing_is_right(avatar: Avatar) -> None:
    small = smoother(avatar.faces[:40], int(avatar.faces[:40].max()) + 1, STIFFNESS)
    used = torch.randn(int(avatar.faces[:40].max()) + 1, 3, dtype=torch.float64, requires_grad=True)
    direction = torch.randn_like(used)
    (small(used) * direction).sum().backward()
    torch.testing.assert_close(used.grad, small(direction.detach()))


def test_a_rendered_person_is_found_again(setup: Setup, album: Album, truth: dict[str, torch.Tensor]) -> None:
    run = fresh_run(setup, album, 64)
    run.parameters["light"] = truth["light"].clone()
    stages = tuple(replace(stage, steps=24) for stage in STAGES)
    first: list[float] = []
    last: list[float] = []

    def watch(told: Told, run: Run) -> None:
        (first if told.stage == 0 and told.step < 3 else last).append(told.losses["photometric"])

    done = train(setup, album, stages, run, watch, batch_size=2)
    smooth = stage_smoother(setup.model, stages[-1])
    tip = int(setup.model.head.neutral[:, 1].argmin())
    found, known = smooth(done.parameters["offsets"])[tip], smooth(truth["offsets"])[tip]
    assert np.mean(last[-4:]) < 0.3 * np.mean(first)
    assert (found - known).norm() < 0.7 * known.norm()


def test_a_fit_that_was_stopped_goes_on_alike(setup: Setup, album: Album, tmp_path: Path) -> None:
    whole = train(setup, album, STAGES, fresh_run(setup, album, 64), quiet, batch_size=2)

    class Stopped(Exception):
        pass

    def stop(told: Told, run: Run) -> None:
        if (told.stage, told.step) == (1, 2):
            save_run(tmp_path / "checkpoint.npz", run, "key")
            raise Stopped

    with pytest.raises(Stopped):
        train(setup, album, STAGES, fresh_run(setup, album, 64), stop, batch_size=2)
    assert load_run(tmp_path / "checkpoint.npz", "another key") is None
    run = load_run(tmp_path / "checkpoint.npz", "key")
    assert (run.stage, run.step) == (1, 3)
    resumed = train(setup, album, STAGES, run, quiet, batch_size=2)
    for name, value in whole.parameters.items():
        torch.testing.assert_close(resumed.parameters[name], value, rtol=0, atol=0, msg=name)


def test_a_full_gpu_halves_the_batch(setup: Setup, album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, told = [], []

    def crowded(setup: Setup, smooth: object, stage: Stage, run: Run, batch: training.Batch) -> None:
        sizes.append(len(batch.rows))
        if len(batch.rows) > 1:
            raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(training, "one_step", crowded)
    train(setup, album, STAGES[:1], fresh_run(setup, album, 64), lambda *_: None, batch_size=4, halved=told.append)
    assert sizes == [4, 2, 1, 1, 1, 1, 1, 1]
    assert told == [2, 1]


def test_every_frame_comes_once_before_any_comes_again() -> None:
    rows = [row for step in range(7) for row in training.batch_rows(14, 4, step)]
    assert sorted(rows[:14]) == sorted(rows[14:]) == list(range(14))
    assert rows[:14] != rows[14:]


def test_eyeballs_and_teeth_move_as_a_whole(setup: Setup, avatar: Avatar) -> None:
    parameters = {
        "identity": torch.zeros(len(setup.model.identity)),
        "expressions": torch.zeros(len(avatar.expression_names), setup.model.fields.bells.shape[1], 3),
    }
    offsets = 0.003 * torch.randn(len(avatar.neutral), 3)
    moved = bent(setup.model, parameters, offsets)
    step = (moved.neutral - setup.model.head.neutral).numpy()
    for name in ("eye_left", "eye_right"):
        ball = avatar.skinning[:, avatar.joint_names.index(name)] > 0.5
        assert np.ptp(step[ball], axis=0).max() < 1e-6
        joint = (moved.joints - setup.model.head.joints).numpy()[avatar.joint_names.index(name)]
        np.testing.assert_allclose(joint, step[ball].mean(0), atol=1e-6)
    teeth = np.unique(avatar.faces[avatar.face_material == avatar.material_names.index("teeth")])
    assert len(np.unique(step[teeth].round(7), axis=0)) <= 4


def test_corrections_stay_where_the_expression_is(setup: Setup, avatar: Avatar) -> None:
    amounts = torch.ones(len(avatar.expression_names), setup.model.fields.bells.shape[1], 3)
    moved = corrections(setup.model.fields, amounts).norm(dim=-1).numpy()
    smile = avatar.expression_names.index("mouthSmileLeft")
    still = np.linalg.norm(avatar.expressions[smile], axis=-1) < 1e-7
    still &= ~avatar.regions["mouth_interior"]  # goes with the skin before it
    assert moved[smile].max() > 1e-3
    assert moved[smile][still].max() == 0
    assert moved[avatar.expression_names.index("tongueOut")].max() == 0


def test_the_table_of_losses_is_what_can_be_asked_for() -> None:
    assert {*typing.get_args(LossName), *typing.get_args(ExtraLossName)} == set(LOSSES)
    assert set(typing.get_args(ExtraLossName)) == set(EXTRA)
    for stages in CURRICULA.values():
        assert not any("redetected" in stage.loss_weights for stage in stages)
        assert ["redetected" in stage.loss_weights for stage in also(stages, "redetected")] == [
            number > 0 for number in range(len(stages))
        ]
        assert {name for stage in stages for name in stage.loss_weights} <= set(LOSSES)
        assert not any("landmarks" in stage.loss_weights for stage in without(stages, "landmarks"))


def test_a_head_found_again_elsewhere_is_drawn_there(
    setup: Setup, album: Album, truth: dict[str, torch.Tensor]
) -> None:
    network = load_landmark_network(bundle()).requires_grad_(False)
    watched, smooth = (
        replace(setup, detector=network),
        smoother(setup.model.avatar.faces, len(truth["offsets"]), STIFFNESS),
    )
    batch = make_batch(range(FRAMES), album.pictures(range(FRAMES)), 1)

    def loss(across: float) -> tuple[float, float]:
        place = torch.tensor([across, 0, 0]).expand(FRAMES, 3)
        moved = {**truth, "place": place.clone().requires_grad_(True)}
        value = LOSSES["redetected"](predict(watched, smooth, moved, batch), batch)
        (slope,) = torch.autograd.grad(value, moved["place"])
        return value.item(), slope[:, 0].sum().item()

    (there, _), (right, back), (left, forth) = loss(0.0), loss(0.006), loss(-0.006)
    assert there < 0.1 * min(right, left)
    assert back > 0 > forth


def test_the_preview_shows_input_render_and_error(setup: Setup, album: Album) -> None:
    seen: list[np.ndarray] = []

    def watch(told: Told, run: Run) -> None:
        seen.append(preview_picture(told.prediction, told.batch))

    train(setup, album, STAGES[1:], fresh_run(setup, album, 64), watch, batch_size=2)
    first = album.pictures(training.batch_rows(FRAMES, 2, 0))[0][..., :3]
    assert seen[0].shape == (2 * SIZE, 3 * SIZE, 3)
    assert np.abs(seen[0][:SIZE, :SIZE].astype(int) - first).max() <= 8


def test_the_watch_shows_pictures_keeps_the_fit_safe_and_lets_cancel_through(
    setup: Setup, album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refining, "PREVIEW_EVERY", 0.0)
    monkeypatch.setattr(refining, "CHECKPOINT_EVERY", 0.0)
    events: list[Event] = []

    def report(event: Event) -> None:
        events.append(event)
        if sum(isinstance(event, Progress) for event in events) == 4:
            raise Cancelled

    watch = refining.Watch(report, STAGES, tmp_path, "key")
    with pytest.raises(Cancelled):
        train(setup, album, STAGES, fresh_run(setup, album, 64), watch, batch_size=2)
    previews = [Path(event.path) for event in events if isinstance(event, Preview)]
    assert len(set(previews)) == 2
    assert all(path.stat().st_size > 1000 for path in previews)
    progress = [event.fraction for event in events if isinstance(event, Progress)]
    np.testing.assert_allclose(progress, np.arange(1, 5) / 12)
    assert load_run(tmp_path / "checkpoint.npz", "key").step == 4


def test_the_mouths_inside_stays_behind_the_lips(setup: Setup, avatar: Avatar) -> None:
    parameters = {
        "identity": torch.zeros(len(setup.model.identity)),
        "expressions": torch.zeros(len(avatar.expression_names), setup.model.fields.bells.shape[1], 3),
    }
    chin = avatar.neutral[avatar.regions["lips"]].mean(0) - [0, 0, 0.015]
    distance = torch.as_tensor(avatar.neutral - chin).norm(dim=1)
    dent = torch.exp(-((distance / 0.015) ** 2))[:, None] * torch.tensor([0.0, 0.004, 0.0])
    dent[torch.as_tensor(avatar.regions["mouth_interior"])] = 0
    moved = bent(setup.model, parameters, dent.float()).neutral.numpy()
    skin = avatar.face_material == avatar.material_names.index("skin")
    inside = np.flatnonzero(avatar.regions["mouth_interior"] & (distance.numpy() < 0.012))
    outer = np.unique(avatar.faces[skin])
    outer = outer[~avatar.regions["mouth_interior"][outer]]
    nearest = outer[cKDTree(avatar.neutral[outer]).query(avatar.neutral[inside])[1]]
    before = (avatar.neutral[inside] - avatar.neutral[nearest])[:, 1]
    after = (moved[inside] - moved[nearest])[:, 1]
    assert len(inside) > 10
    # Of the rim of the lips some lie nearest to the other lip, which is not dented.
    assert np.quantile(np.abs(after - before), 0.9) < 0.0015
