"""The table of verbs: which options each takes and which function does it, imported only when it is called."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..protocol.job import Report
from .job_options import options_from_mapping
from .options import (
    AdaptOptions,
    CamerasOptions,
    CaptureOptions,
    CompareOptions,
    DemoOptions,
    DoctorOptions,
    EvaluateOptions,
    ExportOptions,
    FitOptions,
    IngestOptions,
    LightOptions,
    LiveOptions,
    ModelsOptions,
    NewOptions,
    OverlayOptions,
    SmirkOptions,
    TrackOptions,
    TrainOptions,
)


@dataclass(frozen=True)
class Command:
    """One verb."""

    options: type
    """Its options; the docstring is the help."""
    function: str
    """`module:function` inside this package, called with (options, report)."""


COMMANDS: Mapping[str, Command] = {
    "demo": Command(DemoOptions, "demo:demo"),
    "capture": Command(CaptureOptions, "capture:capture"),
    "new": Command(NewOptions, "ingest:new"),
    "ingest": Command(IngestOptions, "ingest:ingest"),
    "fit": Command(FitOptions, "fit:fit"),
    "train": Command(TrainOptions, "train:train"),
    "adapt": Command(AdaptOptions, "adapt:adapt"),
    "smirk": Command(SmirkOptions, "pretrain:smirk"),
    "track": Command(TrackOptions, "track:track"),
    "live": Command(LiveOptions, "live_child:live"),
    "cameras": Command(CamerasOptions, "cameras:cameras"),
    "export": Command(ExportOptions, "files:export"),
    "evaluate": Command(EvaluateOptions, "evaluate:evaluate"),
    "compare": Command(CompareOptions, "compare:compare"),
    "overlay": Command(OverlayOptions, "overlay:overlay"),
    "light": Command(LightOptions, "light:light"),
    "models": Command(ModelsOptions, "doctor:models"),
    "doctor": Command(DoctorOptions, "doctor:doctor"),
}


def run_command(name: str, options: Any, report: Report) -> Mapping[str, Any]:
    """Does one verb and returns its results by name."""
    module, function = COMMANDS[name].function.split(":")
    return getattr(importlib.import_module(f".{module}", __package__), function)(options, report)


def run_named(name: str, content: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
    """Does one verb with options given by name, as a job gives them."""
    return run_command(name, options_from_mapping(COMMANDS[name].options, content), report)


def job_commands() -> dict[str, Callable[[Mapping[str, Any], Report], Mapping[str, Any]]]:
    """The verbs as a job runner calls them."""
    return {name: partial(run_named, name) for name in COMMANDS}
