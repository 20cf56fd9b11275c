"""The file in an environment that says which steps of its making are done."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spark_backend.protocol.storage import read_json, write_json

NAME = "spark-setup.json"


@dataclass(frozen=True)
class State:
    """How far the making of an environment is."""

    made_here: bool
    """Made by SPARK, which therefore may delete it."""
    done: Mapping[str, str] = field(default_factory=dict)
    """Name of each step that is done and its mark."""
    finished: bool = False
    """All steps were done when the environment was last worked on."""


def read_state(folder: Path) -> State | None:
    """None where nothing was begun."""
    if not (folder / NAME).is_file():
        return None
    content = read_json(folder / NAME)
    return State(bool(content.get("made_here")), dict(content.get("done", {})), bool(content.get("finished")))


def write_state(folder: Path, state: State) -> None:
    """Notes how far it is."""
    write_json(folder / NAME, {"made_here": state.made_here, "done": dict(state.done), "finished": state.finished})
