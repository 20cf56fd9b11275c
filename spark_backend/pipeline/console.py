"""How a verb's events reach a person or a program: a progress bar, or one JSON line each."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ..protocol import job


@contextlib.contextmanager
def json_lines() -> Iterator[job.Report]:
    """A report that writes events to the real stdout, one JSON object a line.

    Whatever else this process or a library in it prints to stdout goes to stderr meanwhile, so that a program that
    reads the lines finds nothing between them.
    """
    sys.stdout.flush()
    real = os.dup(1)
    os.dup2(2, 1)
    try:
        with open(real, "w", encoding="utf-8", closefd=False) as stream, contextlib.redirect_stdout(sys.stderr):
            yield lambda event: print_line(stream, event)
    finally:
        sys.stdout.flush()
        os.dup2(real, 1)
        os.close(real)


def print_line(stream: IO[str], event: job.Event) -> None:
    """Writes one event and sends it off at once."""
    stream.write(job.encode_event(event) + "\n")
    stream.flush()


@contextlib.contextmanager
def progress_bar(console: Console) -> Iterator[job.Report]:
    """A report that draws one bar for the whole job; figures and warnings go above it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Starting", total=1.0)
        yield bar_report(bar, task)


def bar_report(bar: Progress, task: Any) -> Callable[[job.Event], None]:
    """The report that moves `task` of `bar`."""

    def report(event: job.Event) -> None:
        if isinstance(event, job.Progress):
            bar.update(task, description=escape(event.stage), completed=event.fraction)
        elif isinstance(event, job.Warning):
            bar.console.print(f"[yellow]Warning[/] {escape(event.message)}", highlight=False, soft_wrap=True)
        elif isinstance(event, job.Metric):
            figure = f"{event.name}: {format_number(event.value)} {event.unit}".rstrip()
            bar.console.print(figure, highlight=False, markup=False)

    return report


def print_result(console: Console, result: Mapping[str, Any]) -> None:
    """What a verb returned: plain values by name, then each list of mappings as a table, or as blocks when too wide."""
    print_values(console, {name: value for name, value in result.items() if not is_rows(value)})
    for name, rows in result.items():
        if not is_rows(rows):
            continue
        console.print(f"\n[bold]{name.capitalize()}[/]")
        table = rows_table(rows)
        if len(rows[0]) <= 3 or console.measure(table).maximum <= console.width:
            console.print(table)
        else:
            for row in rows:
                print_values(console, row)
                console.print()


def print_values(console: Console, values: Mapping[str, Any]) -> None:
    """Names and values, one a line; nothing is cut off, and no line is broken, so that a path stays one to copy."""
    pairs = list(flatten(values))
    width = max((len(name) for name, _ in pairs), default=0)
    for name, text in pairs:
        console.print(Text.assemble((name.ljust(width), "bold"), "  ", text), soft_wrap=True)


def rows_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Rows with the same names as a table."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for column in rows[0]:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(format_value(row.get(column))) for column in rows[0]))
    return table


def is_rows(value: Any) -> bool:
    """Whether a result is a list of mappings, to be shown as a table."""
    return isinstance(value, list) and bool(value) and all(isinstance(row, Mapping) for row in value)


def flatten(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and text of each value; a mapping inside a mapping gives one row for each of its own."""
    for name, value in content.items():
        if isinstance(value, Mapping):
            for inner, text in flatten(value):
                yield f"{name} {inner}", text
        else:
            yield name, format_value(value)


def format_value(value: Any) -> str:
    """A result for people."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return format_number(value)
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def format_number(value: float) -> str:
    """Three significant digits, whole above 1000."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
