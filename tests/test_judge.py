"""`spark evaluate` on a clip that was rendered from the avatar itself, so that the right answers are known."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from rendered_project import COUNT, NO_FACE, PTS, SIZE

from spark_backend import __main__ as program
from spark_backend.evaluate.measures import MEASURES
from spark_backend.evaluate.regions import NOSE
from spark_backend.pipeline import trackers as table
from spark_backend.pipeline.plots import Line, plot
from spark_backend.pipeline.sights import read_labels
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.project import load_clip, open_project
from spark_backend.protocol.take import load_take, save_take

PAIRS = ["--frame-interval", "2"]


@pytest.fixture(scope="module")
def project(rendered_project):
    """The project with its true take, one that drifts aside, and one in which the mouth stays shut."""
    folder, avatar, take = rendered_project
    # The aside take drifts: a constant shift would carry the same wrong point along.
    drift = 0.002 * np.sin(np.arange(COUNT) * 2.2)[:, None] * [1.0, 0.3, 0]
    save_take(folder / "takes" / "aside.npz", replace(take, head_translation=take.head_translation + drift))
    still = np.array([1.0, 0, 0, 0])
    shut = replace(take, jaw=np.tile(still, (COUNT, 1)), weights=np.zeros_like(take.weights))
    save_take(folder / "takes" / "shut.npz", shut)
    return folder, avatar, take


@pytest.fixture(scope="module")
def evaluation(project, tmp_path_factory: pytest.TempPathFactory):
    """Page, figures and means by measure of the three takes."""
    folder, _, _ = project
    page = tmp_path_factory.mktemp("page") / "page.html"
    names = ["true", "aside", "shut"]
    assert program.main(["evaluate", str(folder), "film", "--trackers", *names, *PAIRS, "-o", str(page)]) == 0
    figures = json.loads(page.with_suffix(".json").read_text("utf-8"))
    return page.read_text("utf-8"), figures["clips"]["film"]


def mean(figures: dict, take: str, measure: str) -> float:
    return figures[take]["measures"][measure]["mean"]


def test_a_perfect_track_scores_best_and_nearly_perfectly(evaluation):
    _, figures = evaluation
    assert mean(figures, "true", "psnr") > 32
    assert mean(figures, "true", "ssim") > 0.93
    assert mean(figures, "true", "iou") > 0.85
    assert mean(figures, "true", "landmarks_105") < 1e-4
    assert mean(figures, "true", "lips") < 0.01
    assert mean(figures, "true", "lids") < 0.01
    assert mean(figures, "true", "redetected") < 0.02
    for name, measure in MEASURES.items():
        if name != "jitter":
            better = mean(figures, "true", name) - mean(figures, "aside", name)
            assert name in ("lips", "lids") or better * (1 if measure.larger_is_better else -1) > 0, name


def test_a_shift_is_seen_as_one(evaluation, project):
    _, figures = evaluation
    assert mean(figures, "aside", "psnr") < mean(figures, "true", "psnr") - 1
    assert mean(figures, "aside", "jitter") > mean(figures, "true", "jitter") + 0.5
    assert mean(figures, "aside", "lips") < 0.2  # it opens nothing
    counts = {name: figures["true"]["measures"][name]["count"] for name in MEASURES}
    assert counts["landmarks_68"] == COUNT - 1  # but for the one without a face
    assert counts["psnr"] == counts["redetected"] == COUNT - 2 - 1


def test_a_mouth_that_stays_shut_is_seen_as_one(evaluation):
    _, figures = evaluation
    assert mean(figures, "shut", "lips") > 1
    assert figures["shut"]["iou_by_region"]["mouth interior"] < figures["true"]["iou_by_region"]["mouth interior"]
    assert mean(figures, "shut", "iou") < mean(figures, "true", "iou")


def test_the_page_stands_alone(evaluation):
    page, _ = evaluation
    assert page.count("<svg") == len(MEASURES)
    assert page.count("data:image/jpeg;base64,") == 3 * 3
    assert "http" not in page.replace("http-equiv", "")
    assert page.count('class="best"') >= len(MEASURES)


def test_a_networks_label_pictures_are_used(project, tmp_path, capfd):
    folder, _, _ = project
    labels = tmp_path / "labels" / "film"
    labels.mkdir(parents=True)
    picture = np.full(SIZE[::-1], 10, np.uint8)  # a nose as large as the picture
    for index in range(COUNT):
        Image.fromarray(picture).save(labels / f"{index:06d}.png")
    arguments = ["evaluate", str(folder), "film", "--trackers", "true", *PAIRS, "--json"]
    assert program.main([*arguments, "--labels", str(labels.parent), "-o", str(tmp_path / "a.html")]) == 0
    capfd.readouterr()
    regions = json.loads((tmp_path / "a.json").read_text("utf-8"))["clips"]["film"]["true"]["iou_by_region"]
    assert 0 < regions["nose"] < 0.1
    assert regions["skin"] == 0
    assert NOSE == 4
    (labels / f"{NO_FACE - 2:06d}.png").unlink()
    assert program.main([*arguments, "--labels", str(labels.parent), "-o", str(tmp_path / "b.html")]) == 1
    assert "no such label picture" in capfd.readouterr().out
    assert not (tmp_path / "b.html").exists()


def test_label_pictures_of_another_size_are_refused(tmp_path):
    Image.new("L", (20, 10)).save(tmp_path / "x.png")
    assert read_labels(tmp_path / "x.png", (20, 10)).shape == (10, 20)
    with pytest.raises(SparkError, match="20 x 20 class numbers"):
        read_labels(tmp_path / "x.png", (20, 20))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["film", "--trackers", "telepathy"], "neither a tracker nor a take"),
        (["film", "--trackers", "true", "true"], "named twice"),
        (["nothing", "--trackers", "true"], "not an ingested clip"),
        (["film", "--trackers", "true", "--frame-interval", "0"], "1 or more"),
        (["film", "--trackers", "true", "--frame-interval", "8"], "smaller --frame-interval"),
        (["film", "--trackers", "true", "-o", "page.pdf"], "end its name in .html"),
        ([], "name at least one"),
    ],
)
def test_mistakes_are_told_in_one_sentence(project, arguments, words, capsys):
    folder, _, _ = project
    assert program.main(["evaluate", str(folder), *arguments]) == 1
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1
    assert words in errors[0]


def test_what_a_tracker_has_done_is_found_and_the_rest_is_run(project, monkeypatch):
    folder, _, take = project
    opened = open_project(folder)
    ran = []

    def run(project, clip, name, report):
        ran.append(name)
        save_take(project.take_path(name), replace(take, source={"clip": clip, "tracker": "generic"}))

    monkeypatch.setattr(table, "TRACKERS", {**table.TRACKERS, "generic": run})
    for _ in range(2):
        rivals = table.contenders(opened, "film", ("true", "generic"), lambda event: None)
        assert [rival.name for rival in rivals] == ["true", "generic"]
    assert ran == ["film_generic"]
    avatar_file = folder / "avatar" / "avatar.npz"
    avatar_file.touch()  # a new avatar: what was tracked on the old one no longer counts
    newer = avatar_file.stat().st_mtime + 1
    os.utime(avatar_file, (newer, newer))
    table.contenders(opened, "film", ("generic",), lambda event: None)
    assert ran == ["film_generic"] * 2


def test_mediapipes_scores_make_a_take(project):
    folder, _, take = project
    opened = open_project(folder)
    table.run_mediapipe(opened, "film", "film_mediapipe", lambda event: None)
    played = load_take(opened.take_path("film_mediapipe"))
    assert played.source["tracker"] == "mediapipe"
    np.testing.assert_array_equal(played.pts, PTS)
    turned = np.abs(np.sum(played.head_rotation * take.head_rotation, 1))[take.valid]
    assert np.degrees(2 * np.arccos(turned.clip(max=1))).max() < 12
    assert table.matching_take(opened.take_path("film_mediapipe"), "film", load_clip(opened.clip_folder("film"))[1])


def test_plots_show_gaps_and_single_frames():
    seconds = np.arange(10.0)
    whole = np.where(seconds == 4, np.nan, seconds)
    some = np.where(seconds % 3 == 0, 2.0, np.nan)
    drawn = plot("Error", "mm", seconds, [Line("a", whole), Line("b", some)])
    assert drawn.count("<polyline") == 3  # two runs, and one thin line through the dots
    assert drawn.count("<circle") == 4
    assert "nan" not in drawn
    assert plot("Error", "mm", seconds, [Line("a", np.full(10, np.nan))]) == ""
