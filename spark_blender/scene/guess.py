"""Guesses which expressions another character's shape keys and bones are meant for, from their names. No bpy."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from spark_backend.protocol.names import ARKIT_52

from .mapping import KeyMapping, Row
from .name_tables import (
    ALIASES,
    BONE_NAMES,
    METAHUMAN_DOUBLED,
    METAHUMAN_SIDED,
    METAHUMAN_SINGLE,
    VRM,
    VRM_SPELLINGS,
)

SIDES = {"l": "left", "left": "left", "r": "right", "right": "right"}
LETTERS = {"left": "L", "right": "R"}
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
HIDDEN_BONES = ("DEF-", "MCH-", "ORG-")
"""Rigify's inner bones, which its controls drive."""
BARE = ("mouth", "jaw")
"""Of these the side is all that is said (`mouthLeft`), so a key without one is not half of both."""


@dataclass(frozen=True)
class Spelling:
    """A name without case and separators."""

    base: str
    side: str
    """`left`, `right` or empty."""


def guess_mapping(keys: Sequence[str], bones: Sequence[str] = ()) -> KeyMapping:
    """The likeliest mapping to a character with these shape keys and bones.

    Of ARKit's, MetaHuman's and VRM's words the ones are taken that explain most keys, so that a character which has
    several sets of keys is not moved twice. Where keys open the jaw or turn the eyes, their bones are left alone.
    """
    rows = max((arkit_rows(keys), metahuman_rows(keys), vrm_rows(keys)), key=lambda rows: len({r.target for r in rows}))
    found = guess_bones(bones)
    sources = {row.source for row in rows}
    if "jawOpen" in sources:
        found.pop("jaw", None)
    if "eyeLookUpLeft" in sources:
        found = {bone: name for bone, name in found.items() if not bone.startswith("eye")}
    return KeyMapping(rows, found)


def words(name: str) -> tuple[str, ...]:
    """Lower-case words of a name: `blendShape1.eyeBlink_L` is blend, shape, 1, eye, blink, l."""
    return tuple(word.lower() for word in WORD.findall(name))


def spelling(parts: Sequence[str]) -> Spelling:
    """The words as one, with the side that the last or first of them says."""
    for position in (-1, 0):
        if len(parts) > 1 and parts[position] in SIDES:
            rest = parts[:-1] if position else parts[1:]
            return Spelling("".join(rest), SIDES[parts[position]])
    return Spelling("".join(parts), "")


ARKIT = {spelling(words(name)): name for name in ARKIT_52}
WHOLE = {name.lower(): name for name in ARKIT_52}


def arkit_rows(keys: Sequence[str]) -> tuple[Row, ...]:
    """Rows for keys that have ARKit's words in any spelling, with or without a beginning that most keys share."""
    prefix = shared_prefix(keys)
    rows = []
    for key in keys:
        parts = words(key)
        tries = [parts] + ([parts[len(prefix) :]] if prefix and parts[: len(prefix)] == prefix else [])
        found = next((match for match in map(arkit_match, tries) if match), ())
        rows += [Row(source, key, factor) for source, factor in found]
    return without_doubles(rows)


def arkit_match(parts: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """The expressions and their factors that a name's words mean; nothing when they mean none."""
    if "".join(parts) in WHOLE:
        return ((WHOLE["".join(parts)], 1.0),)
    name = spelling(parts)
    for base in (name.base, ALIASES.get(name.base)):
        if base is None:
            continue
        for side in (name.side, ""):
            if Spelling(base, side) in ARKIT:
                return ((ARKIT[Spelling(base, side)], 1.0),)
        both = [ARKIT.get(Spelling(base, side)) for side in ("left", "right")]
        if not name.side and base not in BARE and all(both):
            return tuple((source, 0.5) for source in both)
    return ()


def shared_prefix(keys: Sequence[str]) -> tuple[str, ...]:
    """The longest beginning, in words, that more than half of the keys have."""
    prefix: tuple[str, ...] = ()
    for length in range(1, 5):
        starts = Counter(parts[:length] for parts in map(words, keys) if len(parts) > length)
        start, count = starts.most_common(1)[0] if starts else ((), 0)
        if 2 * count <= len(keys):
            break
        prefix = start
    return prefix


def without_doubles(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Without keys for both sides at once where there is one for each side: `Blink` beside `Blink_L` and `Blink_R`."""
    rows = tuple(rows)
    sided = {row.source for row in rows if row.factor == 1}
    both = {row.target for row in rows if row.factor == 0.5}
    doubled = {key for key in both if all(row.source in sided for row in rows if row.target == key)}
    return tuple(row for row in rows if row.target not in doubled)


def metahuman_rows(keys: Sequence[str]) -> tuple[Row, ...]:
    """Rows for keys named after MetaHuman's expression curves (`CTRL_expressions_eyeBlinkL`)."""
    table = dict(metahuman_names())
    curves = {key: key.rpartition("CTRL_expressions_")[2] for key in keys if "CTRL_expressions_" in key}
    return tuple(Row(table[curve], key) for key, curve in curves.items() if curve in table)


def metahuman_names() -> Iterator[tuple[str, str]]:
    """MetaHuman's curves and the expressions that drive them."""
    yield from METAHUMAN_SINGLE.items()
    for side, letter in LETTERS.items():
        yield from ((name + letter, source + side.capitalize()) for name, source in METAHUMAN_SIDED.items())
        yield from ((name + letter, source) for name, source in METAHUMAN_DOUBLED.items())


def vrm_rows(keys: Sequence[str]) -> tuple[Row, ...]:
    """Rows for VRM's vowels, blinks and looks in their spellings; at least three vowels must be there."""
    found = {}
    for key in keys:
        name = spelling(words(key))
        whole = name.base + name.side
        meaning = VRM_SPELLINGS.get(whole, whole)
        if meaning in VRM and meaning not in found.values():
            found[key] = meaning
    if len(set(found.values()) & set("aiueo")) < 3:
        return ()
    return without_doubles(Row(source, key, factor) for key, name in found.items() for source, factor in VRM[name])


def guess_bones(bones: Sequence[str]) -> dict[str, str]:
    """The character's bone for each of ours that it has, by our names."""
    spelled = [(bone_spelling(bone), bone) for bone in bones if not bone.startswith(HIDDEN_BONES)]
    wanted = [("neck", "neck", ""), ("head", "head", ""), ("jaw", "jaw", "")]
    wanted += [(f"eye_{side}", "eye", side) for side in LETTERS]
    found = {}
    for ours, kind, side in wanted:
        ranks = {Spelling(base, side): rank for rank, base in enumerate(BONE_NAMES[kind])}
        candidates = [(ranks[name], bone) for name, bone in spelled if name in ranks]
        if candidates:
            found[ours] = min(candidates)[1]
    return found


def bone_spelling(bone: str) -> Spelling:
    """A bone's name, its side taken from wherever it stands (`FACIAL_L_Eye`)."""
    parts = words(bone)
    sides = [SIDES[part] for part in parts if part in SIDES]
    return Spelling("".join(part for part in parts if part not in SIDES), sides[0] if sides else "")
