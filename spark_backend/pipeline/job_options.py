"""A verb's options from the names and JSON values of `job.json`."""

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from ..protocol.errors import SparkError

Options = TypeVar("Options")


def options_from_mapping(kind: type[Options], content: Mapping[str, Any]) -> Options:
    """The options that a job's names and JSON values stand for; unknown names and wrong kinds are a `SparkError`."""
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(content) - set(hints))
    if unknown:
        raise SparkError(f"job.json: {kind.__name__} has no option {', '.join(unknown)}; use {', '.join(hints)}")
    required = (f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING)
    missing = [name for name in required if name not in content]
    if missing:
        raise SparkError(f"job.json: the option {', '.join(missing)} is missing; add it and start the job again")
    try:
        return kind(**{name: from_json(hints[name], value) for name, value in content.items()})
    except (TypeError, ValueError) as error:
        raise SparkError(f"job.json: {error}; correct it and start the job again") from error


def from_json(hint: Any, value: Any) -> Any:
    """A JSON value as the type `hint` asks for; `TypeError` or `ValueError` when it cannot be."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        wanted = [part for part in arguments if part is not type(None)]
        return None if value is None else from_json(wanted[0], value)
    if origin is Literal:
        if value not in arguments:
            raise ValueError(f"{value!r} is not one of {', '.join(map(str, arguments))}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise TypeError(f"{value!r} is not a list")
        return tuple(from_json(arguments[0], part) for part in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise TypeError(f"{value!r} is not of the kind {hint.__name__}")
    return value
