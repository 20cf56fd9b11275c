"""The type checker that the tests run the backend under: shapes by jaxtyping, the rest by beartype."""

from beartype import BeartypeConf, beartype

# An int is good where a float is asked for, as everywhere else in Python.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
