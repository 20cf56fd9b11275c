"""report.html: the pictures, curves and figures of a run on one page that needs no other file but the video."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from ..protocol.storage import write_atomic
from .charts import Curve, chart

TYPES = {".png": "image/png", ".jpg": "image/jpeg"}

STYLE = """
:root { color-scheme: light dark; --paper: #f6f5f2; --card: #fff; --ink: #1d1c1a; --soft: #6d6a64; --line: #e2dfd8;
  --found: #d9541e; --truth: #2a7f9e; }
@media (prefers-color-scheme: dark) { :root { --paper: #161618; --card: #1f1f22; --ink: #ecebe7; --soft: #98958e;
  --line: #333236; --found: #ff8a4c; --truth: #5cc1e0; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 56px 24px 80px; }
header p { color: var(--soft); margin: 4px 0 0; max-width: 62ch; }
h1 { font-size: 34px; line-height: 1.15; letter-spacing: -0.02em; margin: 0; }
h2 { font-size: 21px; letter-spacing: -0.01em; margin: 56px 0 16px; }
h3 { font-size: 14px; font-weight: 600; color: var(--soft); margin: 32px 0 10px; }
.figures { display: flex; flex-wrap: wrap; gap: 1px; background: var(--line); border: 1px solid var(--line);
  border-radius: 12px; overflow: hidden; margin: 24px 0; }
.figures div { flex: 1 1 158px; background: var(--card); padding: 16px 18px; }
.figures b { display: block; font-size: 25px; font-weight: 600; letter-spacing: -0.01em;
  font-variant-numeric: tabular-nums; }
.figures b small { font-size: 14px; font-weight: 400; color: var(--soft); }
.figures span { font-size: 13px; line-height: 1.35; color: var(--soft); display: block; }
img, video { display: block; width: 100%; height: auto; border-radius: 12px; background: #222; }
.curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(270px, 1fr)); gap: 14px; }
.curve { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 10px 12px 8px; }
.curve figcaption { display: flex; justify-content: space-between; font-size: 13px; }
.curve figcaption span { color: var(--soft); font-variant-numeric: tabular-nums; }
.curve b { font-weight: 600; }
svg { display: block; width: 100%; height: auto; }
polyline { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.found { stroke: var(--found); } .truth { stroke: var(--truth); stroke-dasharray: 5 3; }
.zero { stroke: var(--line); stroke-width: 1; }
.key { font-size: 13px; color: var(--soft); margin: 10px 0 0; }
.key i { display: inline-block; width: 22px; border-top: 2px solid var(--found); vertical-align: middle;
  margin: 0 6px 2px 0; }
.key i + i, .key i.t { border-top: 2px dashed var(--truth); margin-left: 14px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
td { padding: 7px 12px 7px 0; border-top: 1px solid var(--line); vertical-align: top; }
td:last-child { text-align: right; color: var(--soft); white-space: nowrap; padding-right: 0; }
a { color: inherit; text-underline-offset: 3px; text-decoration-color: var(--found); }
.warnings { border-left: 3px solid var(--found); padding: 2px 0 2px 16px; margin: 24px 0; color: var(--soft); }
.warnings p { margin: 6px 0; }
footer { margin-top: 64px; color: var(--soft); font-size: 13px; }
"""

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head>
<body><main><header><h1>{title}</h1><p>{summary}</p></header>
{body}
<footer>{footer}</footer></main></body></html>
"""


@dataclass(frozen=True)
class Figure:
    """One number of the result."""

    name: str
    value: str
    unit: str = ""


@dataclass(frozen=True)
class ClipSection:
    """What the page shows of one clip. Files lie in the page's folder."""

    name: str
    figures: Sequence[Figure]
    sheet: Path
    overlay: Path
    poster: bytes
    """JPEG that stands for the overlay video until it is played."""
    curves: Sequence[Curve]


@dataclass(frozen=True)
class Page:
    """The whole page."""

    title: str
    summary: str
    figures: Sequence[Figure]
    clips: Sequence[ClipSection]
    files: Mapping[str, str]
    """File name in the page's folder to what it is for."""
    warnings: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


def write_page(path: Path, page: Page) -> Path:
    """Writes the page; pictures are put into it, the overlay videos are linked."""
    body = [figure_grid(page.figures)]
    if page.warnings:
        body.append('<div class="warnings">' + "".join(f"<p>{escape(w)}</p>" for w in page.warnings) + "</div>")
    body += [clip_section(clip) for clip in page.clips]
    body.append(file_table(path.parent, page.files))
    versions = ", ".join(f"{escape(name)} {escape(version)}" for name, version in page.versions.items())
    html = PAGE.format(
        title=escape(page.title),
        style=STYLE,
        summary=escape(page.summary),
        body="\n".join(body),
        footer=versions,
    )
    write_atomic(path, lambda file: file.write(html.encode()))
    return path


def figure_grid(figures: Sequence[Figure]) -> str:
    """Numbers with their names below."""
    if not figures:
        return ""
    cells = (
        f"<div><b>{escape(f.value)} <small>{escape(f.unit)}</small></b><span>{escape(f.name)}</span></div>"
        for f in figures
    )
    return f'<div class="figures">{"".join(cells)}</div>'


def clip_section(clip: ClipSection) -> str:
    """Video, figures, contact sheet and curves of one clip."""
    poster = f"data:image/jpeg;base64,{base64.b64encode(clip.poster).decode()}"
    key = ""
    if any(curve.truth is not None for curve in clip.curves):
        key = '<p class="key"><i></i>captured<i class="t"></i>truth</p>'
    return "\n".join(
        [
            f"<section><h2>{escape(clip.name)}</h2>",
            f'<video src="{escape(clip.overlay.name)}" poster="{poster}"',
            ' controls loop playsinline preload="none"></video>',
            figure_grid(clip.figures),
            "<h3>Frames that differ most</h3>",
            f'<img src="{inline(clip.sheet)}" alt="Contact sheet of {escape(clip.name)}">',
            "<h3>Curves over time</h3>",
            f'<div class="curves">{"".join(chart(curve) for curve in clip.curves)}</div>{key}</section>',
        ]
    )


def file_table(folder: Path, files: Mapping[str, str]) -> str:
    """Links to the files that exist, what each is for, and its size."""
    rows = (
        f'<tr><td><a href="{escape(name)}">{escape(name)}</a></td><td>{escape(purpose)}</td>'
        f"<td>{file_size(folder / name)}</td></tr>"
        for name, purpose in files.items()
        if (folder / name).exists()
    )
    return f"<h2>Files</h2><table>{''.join(rows)}</table>"


def file_size(path: Path) -> str:
    """For people; nothing for a folder."""
    if path.is_dir():
        return ""
    size = path.stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.0f} KB"


def inline(path: Path) -> str:
    """A picture as a data address."""
    return f"data:{TYPES[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"
