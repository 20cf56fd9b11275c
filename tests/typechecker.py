"""The type checker that the tests run the backend under: shapes by jaxtyping, the rest by beartype."""

from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeDecorHintPep673Exception

# An int is good where a float is asked for, as everywhere else in Python.
decorate = beartype(conf=BeartypeConf(is_pep484_tower=True))


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its types checked at every call.

    One that returns `Self` is left alone, because only a class can check that.
    """
    try:
        return decorate(function)
    except BeartypeDecorHintPep673Exception:
        return function
