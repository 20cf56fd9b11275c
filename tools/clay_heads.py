"""Draws fitted heads in grey clay, geometry alone, from the front and from 45 degrees, one row a project.

python tools/clay_heads.py PROJECT... -o PICTURE.jpg [--side PIXELS]
"""

import argparse
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from spark_backend.pipeline.sheet import save_picture
from spark_backend.protocol.avatar import Avatar, load_avatar
from spark_backend.protocol.project import open_project
from spark_backend.render.draw import render_frame

TURNS = (0.0, 45.0)
"""Degrees."""
DISTANCE, FILL = 1.3, 4.0
"""Metres to the face; focal length in sides of the picture."""
HEIGHT = 0.03
"""Metres by which the picture's middle lies above the face's."""


def main() -> None:
    """Writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("projects", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--side", type=int, default=300)
    options = parser.parse_args()
    avatars = [load_avatar(open_project(project).avatar_folder) for project in options.projects]
    rows = [np.concatenate([clay(avatar, turn, options.side) for turn in TURNS], 1) for avatar in avatars]
    save_picture(options.output, np.concatenate(rows))


def clay(avatar: Avatar, degrees: float, side: int) -> UInt8[np.ndarray, "S S 3"]:
    """The head at rest, turned to its right; lashes are left out."""
    camera = turned(np.asarray(avatar.neutral - avatar.neutral[avatar.regions["face"]].mean(0), float), degrees)
    points = np.stack([camera[:, 0], HEIGHT - camera[:, 2], camera[:, 1] + DISTANCE], 1)
    faces = avatar.faces[avatar.face_solid]
    K = np.array([[FILL * side, 0, side / 2], [0, FILL * side, side / 2], [0, 0, 1]])
    return render_frame(points.astype(np.float32), faces, K, (side, side))


def turned(points: Float[np.ndarray, "V 3"], degrees: float) -> Float[np.ndarray, "V 3"]:
    """About the vertical axis."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return points @ np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]).T


if __name__ == "__main__":
    main()
