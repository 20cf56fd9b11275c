"""The page of `spark evaluate`, in one file: the table, plots of every frame, the frames that fit least."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from ..evaluate.measures import MEASURES, Measure, Summary, summarise
from ..evaluate.regions import CLASSES
from ..protocol.storage import write_atomic
from .evidence import COLUMNS, evidence_strip
from .judge import Verdict
from .options import EvaluateOptions
from .plots import Line, key, plot
from .report import PAGE, STYLE
from .sheet import encode_picture

OWN_STYLE = """
.scores { overflow-x: auto; margin: 24px 0; }
.scores table { background: var(--card); border: 1px solid var(--line); border-radius: 12px; border-spacing: 0;
  border-collapse: separate; }
.scores th { text-align: right; font-weight: 600; padding: 10px 16px; white-space: nowrap; }
.scores td { padding: 8px 16px; text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.scores td:last-child { color: inherit; padding-right: 16px; }
.scores th:first-child, .scores td:first-child { text-align: left; }
.scores small { color: var(--soft); }
.scores td.best, .scores td.best:last-child { font-weight: 650; color: var(--found); }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(400px, 1fr)); gap: 14px; }
.tick { font-size: 10.5px; fill: var(--soft); }
.trackers span { margin-right: 18px; white-space: nowrap; }
.key.trackers i { border-top-width: 3px; margin-left: 0; }
.worst { margin: 0 0 10px; } .worst figcaption { font-size: 13px; color: var(--soft); padding: 4px 2px; }
"""


def write_evaluation(path: Path, options: EvaluateOptions, verdicts: Sequence[Verdict]) -> None:
    """Writes the page."""
    trackers = options.trackers
    body = [
        score_table(trackers, verdicts),
        "<h2>Regions, intersection over union</h2>",
        region_table(trackers, verdicts),
    ]
    for clip in options.clips:
        body.append(clip_section(clip, [verdict for verdict in verdicts if verdict.clip == clip]))
    labelling = "the built-in labelling from landmarks" if options.labels is None else "the label pictures given"
    html = PAGE.format(
        title=f"Trackers on {escape(', '.join(options.clips))}",
        style=STYLE + OWN_STYLE,
        summary=(
            f"SPARK's protocol: pairs of frames {options.frame_interval} apart, at most {options.num_frames} a clip "
            f"(seed {options.seed}), 224 pixel crops, regions by {labelling}; mean ± standard deviation (median) over "
            "frames. NDC: a crop spans 2 units. IPD: the distance between the pupils in the picture."
        ),
        body="\n".join(body),
        footer="Written by <code>spark evaluate</code>; the figures are in the .json file beside this page.",
    )
    write_atomic(path, lambda file: file.write(html.encode()))


def score_table(trackers: Sequence[str], verdicts: Sequence[Verdict]) -> str:
    """A row a measure, a column a tracker; the best mean stands out."""
    rows = []
    for name, measure in MEASURES.items():
        cells = [summarise([v.values[name] for v in verdicts if v.tracker == tracker]) for tracker in trackers]
        sign = "↑" if measure.larger_is_better else "↓"
        title = f"{escape(measure.title)} <small>{escape(measure.unit)} {sign}</small>"
        rows.append((title, [cell_text(cell, measure) for cell in cells], best(cells, measure)))
    unseen = [sum(v.unseen for v in verdicts if v.tracker == tracker) for tracker in trackers]
    rows.append(("Renders without a face <small>↓</small>", [str(count) for count in unseen], None))
    return table(trackers, rows)


def region_table(trackers: Sequence[str], verdicts: Sequence[Verdict]) -> str:
    """The mean of every region."""
    classes = [np.concatenate([v.classes for v in verdicts if v.tracker == tracker]).mean(0) for tracker in trackers]
    rows = []
    for index, name in enumerate(CLASSES):
        values = [float(one[index]) for one in classes]
        rows.append((escape(name), [f"{value:.3f}" for value in values], int(np.argmax(values))))
    return table(trackers, rows)


def table(trackers: Sequence[str], rows: Sequence[tuple[str, list[str], int | None]]) -> str:
    """Title, cells and the number of the best cell of each row. Nothing stands out beside itself alone."""
    head = "".join(f"<th>{escape(tracker)}</th>" for tracker in trackers)
    lines = []
    for title, cells, winner in rows:
        marks = [' class="best"' if index == winner and len(cells) > 1 else "" for index in range(len(cells))]
        body = "".join(f"<td{mark}>{cell}</td>" for mark, cell in zip(marks, cells, strict=True))
        lines.append(f"<tr><td>{title}</td>{body}</tr>")
    return f'<div class="scores"><table><tr><th></th>{head}</tr>{"".join(lines)}</table></div>'


def cell_text(summary: Summary, measure: Measure) -> str:
    """Mean ± deviation (median)."""
    if not summary.count:
        return "–"
    mean, deviation, median = (
        f"{value:.{measure.digits}f}" for value in (summary.mean, summary.deviation, summary.median)
    )
    return f"{mean} <small>± {deviation} ({median})</small>"


def best(cells: Sequence[Summary], measure: Measure) -> int | None:
    """The number of the best mean."""
    means = np.array([cell.mean for cell in cells])
    if not np.isfinite(means).any():
        return None
    return int(np.nanargmax(means) if measure.larger_is_better else np.nanargmin(means))


def clip_section(clip: str, verdicts: Sequence[Verdict]) -> str:
    """Plots and pictures of one clip."""
    parts = [f"<section><h2>{escape(clip)}</h2>", key([verdict.tracker for verdict in verdicts]), '<div class="plots">']
    for name, measure in MEASURES.items():
        lines = [Line(verdict.tracker, verdict.values[name]) for verdict in verdicts]
        parts.append(plot(measure.title, measure.unit, verdicts[0].seconds, lines))
    parts.append("</div><h3>Frames that fit least</h3>")
    for verdict in verdicts:
        parts += [worst_figure(verdict, number) for number in range(len(verdict.worst))]
    return "\n".join([*parts, "</section>"])


def worst_figure(verdict: Verdict, number: int) -> str:
    """One of a take's worst frames."""
    evidence = verdict.worst[number]
    data = base64.b64encode(encode_picture(".jpg", evidence_strip(evidence), 88)).decode()
    frame = evidence.sight.frame
    psnr = verdict.values["psnr"][frame]
    words = f"{verdict.tracker}, {verdict.seconds[frame]:.2f} s, PSNR {psnr:.2f} dB: {', '.join(COLUMNS)}"
    picture = f'<img src="data:image/jpeg;base64,{data}" alt="{escape(words)}">'
    return f'<figure class="worst">{picture}<figcaption>{escape(words)}</figcaption></figure>'
