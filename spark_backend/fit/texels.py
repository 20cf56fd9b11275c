"""The texture map seen from the surface: which triangle lies under each texel, and pictures made from texel values.

Row 0 of a map is its top: the texel of row r and column c has its centre at u = (c + 0.5) / size and
v = 1 - (r + 0.5) / size.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Num
from scipy.ndimage import distance_transform_edt

from ..geometry.mesh import vertex_normals
from ..protocol.avatar import Avatar
from ..render.warp import WarpRasterizer


@dataclass(frozen=True)
class TexelMap:
    """The `N` texels whose centres lie on an island of the atlas."""

    size: int
    """Width and height of the map."""
    texel: Int[np.ndarray, "N"]
    """Flat index (row * size + column), rising."""
    face: Int[np.ndarray, "N"]
    """Triangle under the centre."""
    bary: Float[np.ndarray, "N 3"]

    @cached_property
    def nearest(self) -> Int[np.ndarray, "S S"]:
        """For every texel of the map the row of these arrays: its own on an island, outside that of the nearest one."""
        row = np.full(self.size * self.size, -1, np.int32)
        row[self.texel] = np.arange(len(self.texel))
        row = row.reshape(self.size, self.size)
        indices = distance_transform_edt(row < 0, return_distances=False, return_indices=True)
        return row[tuple(indices)]

    def at(self, values: Num[np.ndarray, "V C"], faces: Int[np.ndarray, "F 3"]) -> Float[np.ndarray, "N C"]:
        """Values of the triangles' corners, interpolated; `faces` are those the map was made with, or row for row."""
        corner = faces[self.face]
        return sum(values[corner[:, k]].astype(np.float32) * self.bary[:, k, None] for k in range(3))

    def picture(self, values: Num[np.ndarray, "N *C"]) -> Num[np.ndarray, "S S *C"]:
        """The whole map; between the islands the nearest colour goes on, so that filtering mixes no background in."""
        return values[self.nearest]

    def chosen(self, keep: Bool[np.ndarray, "N"] | Int[np.ndarray, "_"]) -> "TexelMap":
        """Only some of the texels."""
        return TexelMap(self.size, self.texel[keep], self.face[keep], self.bary[keep])


def texel_map(uv: Float[np.ndarray, "U 2"], uv_faces: Int[np.ndarray, "F 3"], size: int) -> TexelMap:
    """Rasterises the triangles in texture coordinates, (0, 0) the lower left corner of the map.

    Where islands overlap, the triangle that comes first is taken.
    """
    clip = torch.ones(1, len(uv), 4)
    clip[0, :, 0] = torch.as_tensor(2 * uv[:, 0] - 1)
    clip[0, :, 1] = torch.as_tensor(1 - 2 * uv[:, 1])
    clip[..., 2] = 0
    fragments = WarpRasterizer().rasterize(clip, torch.as_tensor(uv_faces).int(), (size, size))
    face = fragments.face[0].numpy().ravel()
    texel = np.flatnonzero(face >= 0)
    if not len(texel):
        raise ValueError(f"no triangle covers the centre of a texel of a map of {size}")
    return TexelMap(size, texel, face[texel], fragments.bary[0].numpy().reshape(-1, 3)[texel])


def avatar_texels(avatar: Avatar, size: int) -> TexelMap:
    """The texels of an avatar's atlas."""
    return texel_map(avatar.uv, avatar.uv_faces, size)


def surface_normals(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Float[np.ndarray, "V 3"]:
    """Unit normals of the vertices, outward for counter-clockwise triangles."""
    return vertex_normals(torch.as_tensor(vertices).float(), torch.as_tensor(faces).long()).numpy()
