"""Warp kernel of deferred shading; Warp derives the backward one.

The annotations are Warp's own, which a type checker cannot read, hence `no_type_check`.
"""

from typing import no_type_check

import warp as wp

wp.set_module_options({"enable_backward": True})

BASIS = 16
TEXEL = wp.types.vector(length=8, dtype=float)
"""Albedo, specular, roughness, normal; see `reflectance.Maps`."""


@wp.func
@no_type_check
def corner(position: float, side: int) -> int:
    """The texel before a position along a side of the map, such that the next one exists if there are two."""
    return wp.clamp(int(wp.floor(position)), 0, wp.max(side - 2, 0))


@wp.func
@no_type_check
def texel_at(map: wp.array2d(dtype=TEXEL), uv: wp.vec2) -> TEXEL:
    """Bilinear; beyond the border its colour goes on."""
    x = wp.clamp(uv[0] * float(map.shape[1]) - 0.5, 0.0, float(map.shape[1] - 1))
    y = wp.clamp((1.0 - uv[1]) * float(map.shape[0]) - 0.5, 0.0, float(map.shape[0] - 1))
    left = corner(x, map.shape[1])
    top = corner(y, map.shape[0])
    right = wp.min(left + 1, map.shape[1] - 1)
    below = wp.min(top + 1, map.shape[0] - 1)
    fx = x - float(left)
    fy = y - float(top)
    upper = map[top, left] * (1.0 - fx) + map[top, right] * fx
    lower = map[below, left] * (1.0 - fx) + map[below, right] * fx
    return upper * (1.0 - fy) + lower * fy


@wp.func
@no_type_check
def irradiance_at(harmonics: wp.array2d(dtype=wp.vec3), image: int, n: wp.vec3) -> wp.vec3:
    """`shading.irradiance`, with the basis of `spherical_harmonics`."""
    x = n[0]
    y = n[1]
    z = n[2]
    low = 0.28209479 * harmonics[image, 0] + 0.48860251 * (
        y * harmonics[image, 1] + z * harmonics[image, 2] + x * harmonics[image, 3]
    )
    second = (
        1.09254843 * (x * y * harmonics[image, 4] + y * z * harmonics[image, 5] + x * z * harmonics[image, 7])
        + 0.31539157 * (3.0 * z * z - 1.0) * harmonics[image, 6]
        + 0.54627422 * (x * x - y * y) * harmonics[image, 8]
    )
    third = (
        0.59004359 * y * (3.0 * x * x - y * y) * harmonics[image, 9]
        + 2.89061144 * x * y * z * harmonics[image, 10]
        + 0.45704579 * y * (5.0 * z * z - 1.0) * harmonics[image, 11]
        + 0.37317633 * z * (5.0 * z * z - 3.0) * harmonics[image, 12]
        + 0.45704579 * x * (5.0 * z * z - 1.0) * harmonics[image, 13]
        + 1.44530572 * z * (x * x - y * y) * harmonics[image, 14]
        + 0.59004359 * x * (x * x - 3.0 * y * y) * harmonics[image, 15]
    )
    light = low + second + third
    return wp.vec3(wp.max(light[0], 0.0), wp.max(light[1], 0.0), wp.max(light[2], 0.0))


@wp.func
@no_type_check
def highlight_at(n: wp.vec3, view: wp.vec3, towards: wp.vec3, roughness: float) -> float:
    """`shading.highlight` under light of strength 1."""
    halfway = wp.normalize(view + towards)
    square = wp.max(roughness, 0.05) * wp.max(roughness, 0.05)
    exponent = 2.0 / (square * square) - 2.0
    lobe = wp.pow(wp.max(wp.dot(n, halfway), 1.0e-6), exponent) * (exponent + 2.0) / 8.0
    grazing = 1.0 - wp.clamp(wp.dot(view, halfway), 0.0, 1.0)
    fresnel = 0.04 + 0.96 * (grazing * grazing) * (grazing * grazing) * grazing
    return fresnel * lobe * wp.max(wp.dot(n, towards), 0.0)


@wp.kernel
@no_type_check
def shade_samples(
    image: wp.array(dtype=int),
    smooth: wp.array(dtype=wp.vec3),
    position: wp.array(dtype=wp.vec3),
    uv: wp.array(dtype=wp.vec2),
    tangent: wp.array(dtype=wp.vec4),
    texels: wp.array2d(dtype=TEXEL),
    harmonics: wp.array2d(dtype=wp.vec3),
    direction: wp.array(dtype=wp.vec3),
    strength: wp.array(dtype=wp.vec3),
    colour: wp.array(dtype=wp.vec3),
):
    """One thread a sample: `shade_textured` of the maps, with the normal that `bend` gives."""
    sample = wp.tid()
    which = image[sample]
    texel = texel_at(texels, uv[sample])
    along = tangent[sample]
    u = wp.vec3(along[0], along[1], along[2])
    v = wp.cross(smooth[sample], u) * along[3]
    n = wp.normalize(u * texel[5] + v * texel[6] + smooth[sample] * texel[7])
    shine = highlight_at(n, -wp.normalize(position[sample]), direction[which], texel[4])
    albedo = wp.vec3(texel[0], texel[1], texel[2])
    colour[sample] = wp.cw_mul(albedo, irradiance_at(harmonics, which, n)) + strength[which] * (texel[3] * shine)
