"""The program `spark`: reads the command line, does one verb, tells how it went."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

# Threads spin while they wait for each other. NumPy's and SciPy's, which read this when they are loaded, made tracking
# 150 frames take 20 to 35 s on two cores with nothing else on them; one of them takes 10. Torch's with other programs
# on the cores, Blender say, made the same take 17 minutes of which 84 s were work; asleep they took 2.5 minutes.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from .pipeline.commands import COMMANDS, job_commands, run_command
from .pipeline.console import json_lines, print_result, progress_bar
from .pipeline.jobs import DONE, USER_ERROR, outcome, run_job
from .protocol.errors import SparkError
from .protocol.job import Done, Failed

DESCRIPTION = "SPARK: a personal, animated head for Blender from ordinary video."

JsonFlag = Annotated[
    bool, tyro.conf.arg(name="json", help="Print events as JSON lines and nothing else."), tyro.conf.FlagCreatePairsOff
]


@dataclass(frozen=True)
class RunOptions:
    """Do the job of a job folder, as the add-on asks for it."""

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="JOB_DIR")]
    """Folder with job.json; the events go to events.jsonl in it."""


def request_type(options: type) -> type:
    """A verb's options together with the flags that are the same for every verb."""
    flat = Annotated[options, tyro.conf.arg(name="")]
    kind = make_dataclass("Request", [("options", flat), ("as_json", JsonFlag, False)], frozen=True)
    kind.__doc__ = options.__doc__
    return kind


def parse(arguments: Sequence[str]) -> tuple[str, Any, bool]:
    """The verb, its options and whether events are wanted as JSON. Leaves by `SystemExit` after help or a mistake."""
    verbs = {name: request_type(command.options) for name, command in COMMANDS.items()} | {"run": RunOptions}
    kinds = {kind: name for name, kind in verbs.items()}
    request = tyro.extras.subcommand_cli_from_dict(
        verbs, prog="spark", description=DESCRIPTION, args=list(arguments), config=(tyro.conf.OmitArgPrefixes,)
    )
    name = kinds[type(request)]
    return (name, request, False) if name == "run" else (name, request.options, request.as_json)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program; gives its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        name, options, as_json = parse(arguments)
    except SystemExit as stop:
        return parser_exit(stop.code, "--json" in arguments)
    if name == "run":
        return run_job_folder(options.folder)
    return run_as_json(name, options) if as_json else run_for_people(name, options)


def parser_exit(code: int | str | None, as_json: bool) -> int:
    """The exit code after the parser has printed help or what is wrong with the arguments."""
    if code in (0, None):
        return DONE
    if as_json:
        with json_lines() as report:
            report(Failed("The arguments are not understood; see `spark --help`"))
    return USER_ERROR


def run_job_folder(folder: Path) -> int:
    """Does the job of a folder; its story goes there."""
    try:
        return run_job(folder, job_commands())
    except SparkError as error:
        Console(stderr=True).print(str(error), style="red", highlight=False, soft_wrap=True)
        return USER_ERROR


def run_as_json(name: str, options: Any) -> int:
    """Does one verb for a program that reads stdout."""
    with json_lines() as report:
        end, code = outcome(lambda: Done(run_command(name, options, report)))
        report(end)
    return code


def run_for_people(name: str, options: Any) -> int:
    """Does one verb with a progress bar; the results follow as tables, an error as one sentence on stderr."""
    errors, console = Console(stderr=True), Console()
    with progress_bar(errors) as report:
        end, code = outcome(lambda: Done(run_command(name, options, report)))
    if isinstance(end, Done):
        print_result(console, end.result)
        return code
    errors.print(end.message, style="red", highlight=False, markup=False, soft_wrap=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
