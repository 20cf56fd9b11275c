"""Warp kernels for attributes at pixels and for barycentrics, forward and backward.

The annotations are Warp's own, which a type checker cannot read, hence `no_type_check`.
"""

from typing import no_type_check

import warp as wp

wp.set_module_options({"enable_backward": False})


@wp.kernel
@no_type_check
def blend_corners(
    attributes: wp.array2d(dtype=float),
    faces: wp.array(dtype=wp.vec3i),
    face: wp.array(dtype=int),
    image: wp.array(dtype=int),
    stride: int,
    bary: wp.array(dtype=wp.vec3),
    result: wp.array2d(dtype=float),
):
    """One thread a sample: the mean of the attributes of its face's corners, weighted by `bary`."""
    sample = wp.tid()
    corner = faces[face[sample]]
    first = image[sample] * stride
    weight = bary[sample]
    for channel in range(attributes.shape[1]):
        result[sample, channel] = (
            weight[0] * attributes[first + corner[0], channel]
            + weight[1] * attributes[first + corner[1], channel]
            + weight[2] * attributes[first + corner[2], channel]
        )


@wp.kernel
@no_type_check
def blend_corners_backward(
    attributes: wp.array2d(dtype=float),
    faces: wp.array(dtype=wp.vec3i),
    face: wp.array(dtype=int),
    image: wp.array(dtype=int),
    stride: int,
    bary: wp.array(dtype=wp.vec3),
    gradient: wp.array2d(dtype=float),
    attributes_gradient: wp.array2d(dtype=float),
    bary_gradient: wp.array(dtype=wp.vec3),
):
    """Adds to the attributes' gradient, unless that has no rows; writes the barycentrics'."""
    sample = wp.tid()
    corner = faces[face[sample]]
    a = image[sample] * stride + corner[0]
    b = image[sample] * stride + corner[1]
    c = image[sample] * stride + corner[2]
    weight = bary[sample]
    slope = wp.vec3(0.0, 0.0, 0.0)
    for channel in range(attributes.shape[1]):
        g = gradient[sample, channel]
        slope += g * wp.vec3(attributes[a, channel], attributes[b, channel], attributes[c, channel])
        if attributes_gradient.shape[0] > 0:
            wp.atomic_add(attributes_gradient, a, channel, g * weight[0])
            wp.atomic_add(attributes_gradient, b, channel, g * weight[1])
            wp.atomic_add(attributes_gradient, c, channel, g * weight[2])
    bary_gradient[sample] = slope


@wp.func
@no_type_check
def perspective_weights(a: wp.vec4, b: wp.vec4, c: wp.vec4, x: float, y: float) -> wp.vec3:
    """Perspective-correct barycentrics of a triangle in clip space at a point in x / w, y / w, not clamped.

    A triangle seen exactly edge-on has no area; its pixels, if any, take the mean of the corners.
    """
    ax = a[0] - x * a[3]
    ay = a[1] - y * a[3]
    bx = b[0] - x * b[3]
    by = b[1] - y * b[3]
    cx = c[0] - x * c[3]
    cy = c[1] - y * c[3]
    area = wp.vec3(bx * cy - cx * by, cx * ay - ax * cy, ax * by - bx * ay)
    total = area[0] + area[1] + area[2]
    if wp.abs(total) < 1.0e-30:
        area = wp.vec3(1.0, 1.0, 1.0)
        total = 3.0
    return area * (1.0 / total)


@wp.kernel
@no_type_check
def barycentrics(
    clip: wp.array(dtype=wp.vec4),
    faces: wp.array(dtype=wp.vec3i),
    face: wp.array(dtype=int),
    image: wp.array(dtype=int),
    stride: int,
    centre: wp.array(dtype=wp.vec2),
    result: wp.array(dtype=wp.vec3),
):
    """One thread a sample."""
    sample = wp.tid()
    corner = faces[face[sample]]
    first = image[sample] * stride
    p = centre[sample]
    a = clip[first + corner[0]]
    b = clip[first + corner[1]]
    c = clip[first + corner[2]]
    result[sample] = perspective_weights(a, b, c, p[0], p[1])


@wp.kernel
@no_type_check
def barycentrics_backward(
    clip: wp.array(dtype=wp.vec4),
    faces: wp.array(dtype=wp.vec3i),
    face: wp.array(dtype=int),
    image: wp.array(dtype=int),
    stride: int,
    centre: wp.array(dtype=wp.vec2),
    bary: wp.array(dtype=wp.vec3),
    gradient: wp.array(dtype=wp.vec3),
    clip_gradient: wp.array2d(dtype=float),
):
    """Adds to the gradient of x, y and w of the corners. `bary` is the forward kernel's result."""
    sample = wp.tid()
    corner = faces[face[sample]]
    first = image[sample] * stride
    p = centre[sample]
    a = clip[first + corner[0]]
    b = clip[first + corner[1]]
    c = clip[first + corner[2]]
    x = wp.vec3(a[0] - p[0] * a[3], b[0] - p[0] * b[3], c[0] - p[0] * c[3])
    y = wp.vec3(a[1] - p[1] * a[3], b[1] - p[1] * b[3], c[1] - p[1] * c[3])
    total = x[1] * y[2] - x[2] * y[1] + x[2] * y[0] - x[0] * y[2] + x[0] * y[1] - x[1] * y[0]
    if wp.abs(total) >= 1.0e-30:
        # bary = area / total, area[k] = x[k+1] y[k+2] - x[k+2] y[k+1]
        mean = wp.dot(gradient[sample], bary[sample])
        g = (gradient[sample] - wp.vec3(mean, mean, mean)) * (1.0 / total)
        gx = wp.vec3(g[2] * y[1] - g[1] * y[2], g[0] * y[2] - g[2] * y[0], g[1] * y[0] - g[0] * y[1])
        gy = wp.vec3(g[1] * x[2] - g[2] * x[1], g[2] * x[0] - g[0] * x[2], g[0] * x[1] - g[1] * x[0])
        for k in range(3):
            vertex = first + corner[k]
            wp.atomic_add(clip_gradient, vertex, 0, gx[k])
            wp.atomic_add(clip_gradient, vertex, 1, gy[k])
            wp.atomic_add(clip_gradient, vertex, 3, -p[0] * gx[k] - p[1] * gy[k])
