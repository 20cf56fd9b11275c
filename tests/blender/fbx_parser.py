"""Parses a binary FBX file into its tree of records: no SDK, no Blender.

The layout is the one that Autodesk never published and Blender's developers wrote down
(code.blender.org, 2013, "FBX binary file format specification"). Reads versions up to 7.4, whose offsets have 32 bits.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

MAGIC = b"Kaydara FBX Binary  \x00\x1a\x00"
SCALARS = {b"Y": "<h", b"C": "<?", b"I": "<i", b"F": "<f", b"D": "<d", b"L": "<q"}
ARRAYS = {b"f": "<f4", b"d": "<f8", b"l": "<i8", b"i": "<i4", b"b": "<u1"}
SENTINEL = 13
"""Bytes of the empty record that ends a list."""


@dataclass(frozen=True)
class Record:
    """One record."""

    name: str
    values: tuple[Any, ...]
    """Numbers, bytes, strings or arrays. Of an object's record: id, name with its class after a NUL and \\x01, kind."""
    children: tuple["Record", ...]

    def all(self, name: str) -> Iterator["Record"]:
        """The children of that name."""
        return (child for child in self.children if child.name == name)

    def first(self, *path: str) -> "Record":
        """A child, or a child's child. Raises `StopIteration`-free `KeyError` when it is not there."""
        record = self
        for name in path:
            found = next(record.all(name), None)
            if found is None:
                raise KeyError(f"{record.name}: no {name}")
            record = found
        return record

    def properties(self) -> dict[str, tuple[Any, ...]]:
        """The values of `Properties70`, by name."""
        block = next(self.all("Properties70"), None)
        return {} if block is None else {entry.values[0]: entry.values[4:] for entry in block.children}


def parse(path: Path) -> Record:
    """The whole file as one record without a name."""
    content = path.read_bytes()
    assert content.startswith(MAGIC), f"{path.name}: not a binary FBX"
    (version,) = struct.unpack_from("<I", content, len(MAGIC))
    assert version <= 7400, f"{path.name}: version {version} has offsets of 64 bits"
    records, position = [], len(MAGIC) + 4
    while (found := parse_record(content, position)) is not None:
        record, position = found
        records.append(record)
    return Record("", (), tuple(records))


def parse_record(content: bytes, position: int) -> tuple[Record, int] | None:
    """A record and where the next one begins; None at the end of a list."""
    end, count, length, name_length = struct.unpack_from("<IIIB", content, position)
    if end == 0:
        return None
    position += SENTINEL
    name = content[position : position + name_length].decode()
    position += name_length
    values_end, values = position + length, []
    for _ in range(count):
        value, position = parse_value(content, position)
        values.append(value)
    assert position == values_end, f"{name}: its values end at {position}, not at {values_end}"
    children = []
    while position < end and (found := parse_record(content, position)) is not None:
        child, position = found
        children.append(child)
    return Record(name, tuple(values), tuple(children)), end


def parse_value(content: bytes, position: int) -> tuple[Any, int]:
    """One value and where the next one begins."""
    kind, position = content[position : position + 1], position + 1
    if kind in SCALARS:
        (value,) = struct.unpack_from(SCALARS[kind], content, position)
        return value, position + struct.calcsize(SCALARS[kind])
    if kind in ARRAYS:
        count, compressed, size = struct.unpack_from("<III", content, position)
        position += 12
        data = content[position : position + size]
        return np.frombuffer(zlib.decompress(data) if compressed else data, ARRAYS[kind], count), position + size
    (size,) = struct.unpack_from("<I", content, position)
    position += 4
    data = content[position : position + size]
    return (data.decode() if kind == b"S" else data), position + size
