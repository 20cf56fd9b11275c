"""Who a MakeHuman head can be: its targets as one decorrelated basis with a Gaussian prior.

The targets cannot say everything about a face, so smooth random displacements of its surface are added: modes of a
Gaussian process (Luethi et al., Gaussian Process Morphable Models, 2018), mostly symmetric.

A target pair (nose-width incr/decr) gives one direction, a left and a right target give a symmetric one and a much
weaker antisymmetric one. What a camera cannot see, position, orientation and size of the whole face, is taken out of
each direction. The directions, scaled by how much people differ along them, are decorrelated by a singular value
decomposition: coefficients are then independent with standard deviation 1.
"""

import re

import numpy as np

from .makehuman import MakeHuman

FOLDERS = ("head", "forehead", "eyebrows", "eyes", "nose", "mouth", "ears", "chin", "cheek", "neck", "asym")
OPPOSITES = {
    **{"incr": "decr", "up": "down", "in": "out", "forward": "backward", "convex": "concave"},
    **{"uncompress": "compress", "round": "square", "pointed": "triangle"},
}
IGNORED = re.compile(r"head-trans|neck-trans|mouth-trans-(in|out)|nose-trans-(in|out)|asymm-(breast|trunk)|measure")

# Standard deviations in units of the target's full range. Targets at full range are caricatures; left-right
# differences of real faces are a few per cent of the differences between faces.
SIGMA_PAIR, SIGMA_SINGLE, SIGMA_ANTISYMMETRIC, SIGMA_ASYMMETRIC = 0.25, 0.15, 0.03, 0.03
SIGMA_MACRO = {"gender": 0.8, "age": 0.5, "weight": 0.6, "muscle": 0.4, "race": 0.6}

AGES = ("young",)

# The Gaussian process: standard deviation and correlation length (metres), how alike the two sides are, modes an axis.
SMOOTH_SIGMA, SMOOTH_LENGTH, SMOOTH_SYMMETRY, SMOOTH_MODES = 0.0016, 0.022, 0.95, 26


def average_adult(data: MakeHuman) -> np.ndarray:
    """(N, 3) mean of both sexes and three populations of young adults, decimetres."""
    mean = data.base.vertices.copy()
    for sex in ("male", "female"):
        mean += universal(data, sex, "young", "average", "average") / 2
        for race in ("african", "asian", "caucasian"):
            mean += data.modifier(f"macrodetails/{race}-{sex}-young") / 6
    return mean


def universal(data: MakeHuman, sex: str, age: str, muscle: str, weight: str) -> np.ndarray:
    """(N, 3) MakeHuman's body-wide target of one combination."""
    return data.modifier(f"macrodetails/universal-{sex}-{age}-{muscle}muscle-{weight}weight")


def macro_directions(data: MakeHuman) -> list[np.ndarray]:
    """Directions of sex, age, weight, muscle and population, each scaled to one standard deviation."""
    sexes, races = ("male", "female"), ("african", "asian", "caucasian")
    adult = {(s, a): universal(data, s, a, "average", "average") for s in sexes for a in ("young", "old")}
    people = {(r, s, a): data.modifier(f"macrodetails/{r}-{s}-{a}") for r in races for s in sexes for a in AGES}
    old = {(r, s): data.modifier(f"macrodetails/{r}-{s}-old") for r in races for s in sexes}

    by_sex = {s: adult[s, "young"] + sum(people[r, s, "young"] for r in races) / 3 for s in sexes}
    aged = sum(adult[s, "old"] - adult[s, "young"] for s in sexes) / 2
    aged = aged + sum(old[r, s] - people[r, s, "young"] for r in races for s in sexes) / 6
    result = [
        SIGMA_MACRO["gender"] * (by_sex["male"] - by_sex["female"]) / 2,
        SIGMA_MACRO["age"] * aged,
    ]
    for quantity in ("weight", "muscle"):
        extreme = {
            end: sum(
                universal(data, s, "young", *((end, "average") if quantity == "muscle" else ("average", end)))
                for s in sexes
            )
            / 2
            for end in ("max", "min")
        }
        result.append(SIGMA_MACRO[quantity] * (extreme["max"] - extreme["min"]) / 2)
    mean = sum(people[r, s, "young"] for r in races for s in sexes) / 6
    for race in races:
        result.append(SIGMA_MACRO["race"] * (sum(people[race, s, "young"] for s in sexes) / 2 - mean))
    return result


def local_directions(data: MakeHuman) -> list[np.ndarray]:
    """Directions of the detail targets of head, face and neck, each scaled to one standard deviation."""
    names = [name for folder in FOLDERS for name in data.modifiers(folder) if not IGNORED.search(name)]
    single: dict[str, tuple[np.ndarray, float]] = {}
    for name in names:
        stem, _, end = name.rpartition("-")
        if end in OPPOSITES.values() and any(f"{stem}-{e}" in names for e, o in OPPOSITES.items() if o == end):
            continue  # the other half of a pair
        opposite = f"{stem}-{OPPOSITES.get(end)}"
        if name.startswith("asym/"):
            single[name] = data.modifier(name), SIGMA_ASYMMETRIC
        elif opposite in names:
            single[name] = (data.modifier(name) - data.modifier(opposite)) / 2, SIGMA_PAIR
        else:
            single[name] = data.modifier(name), SIGMA_SINGLE
    result = []
    for name, (direction, sigma) in single.items():
        partner = name.replace("/r-", "/l-")
        if "/l-" in name:
            right = single[name.replace("/l-", "/r-")][0]
            result += [sigma * (direction + right), SIGMA_ANTISYMMETRIC * (direction - right)]
        elif partner == name:
            result.append(sigma * direction)
    return result


def smooth_directions(points: np.ndarray, strength: np.ndarray) -> list[np.ndarray]:
    """Modes (V, 3) of a Gaussian process over points (V, 3) in metres, Blender's axes; `strength` (V,) fades it out.

    Nystroem's method on points spread over where the process is strong.
    """
    candidates = points[strength > 0.5]
    spread = [0]
    distance = np.linalg.norm(candidates - candidates[0], axis=1)
    while distance.max() > SMOOTH_LENGTH / 2.5:
        spread.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(candidates - candidates[spread[-1]], axis=1))
    samples = candidates[spread]

    def kernel(a: np.ndarray, sign: float) -> np.ndarray:
        def plain(b: np.ndarray) -> np.ndarray:
            return np.exp(-((a[:, None] - b[None]) ** 2).sum(-1) / (2 * SMOOTH_LENGTH**2))

        return SMOOTH_SIGMA**2 * (plain(samples) + sign * SMOOTH_SYMMETRY * plain(samples * [-1, 1, 1]))

    result = []
    for axis, sign in enumerate((-1.0, 1.0, 1.0)):  # mirrored twins move oppositely sideways, alike otherwise
        values, vectors = np.linalg.eigh(kernel(samples, sign))
        top = np.argsort(values)[::-1][:SMOOTH_MODES]
        modes = kernel(points, sign) @ (vectors[:, top] / np.sqrt(values[top])) * strength[:, None]
        for mode in modes.T:
            direction = np.zeros_like(points)
            direction[:, axis] = mode
            result.append(direction)
    return result


def without_similarity(points: np.ndarray, directions: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(D, V, 3) directions with the translation, rotation and scale of the masked points (V, 3) taken out."""
    centred = points - points[mask].mean(0)
    x, y, z = centred.T
    zero, one = np.zeros_like(x), np.ones_like(x)
    columns = [
        *([np.stack(c, -1) for c in ((one, zero, zero), (zero, one, zero), (zero, zero, one))]),
        *([np.stack(c, -1) for c in ((zero, -z, y), (z, zero, -x), (-y, x, zero))]),
        centred,
    ]
    basis = np.stack(columns)  # (7, V, 3)
    seen = basis[:, mask].reshape(7, -1)
    weights = np.linalg.lstsq(seen.T, directions[:, mask].reshape(len(directions), -1).T, rcond=None)[0]
    return directions - np.tensordot(weights.T, basis, 1)


def principal_directions(directions: np.ndarray, importance: np.ndarray, kept: float) -> np.ndarray:
    """Decorrelates scaled directions (D, V, 3); keeps those that hold the part `kept` of the variance.

    `importance` (V,) weighs the vertices in the decomposition; the result (I, V, 3) is in the vertices' own unit.
    """
    root = np.sqrt(importance)[None, :, None]
    flat = (directions * root).reshape(len(directions), -1)
    left, singular, _ = np.linalg.svd(flat, full_matrices=False)
    energy = np.cumsum(singular**2) / np.sum(singular**2)
    count = int(np.searchsorted(energy, kept)) + 1
    return np.tensordot(left[:, :count].T, directions, 1)
