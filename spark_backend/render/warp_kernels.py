"""Warp kernels of the rasteriser. Compiled at run time for the CPU or the GPU.

The annotations are Warp's own, which a type checker cannot read, hence `no_type_check`.
"""

from typing import no_type_check

import warp as wp

from .attribute_kernels import perspective_weights

wp.set_module_options({"enable_backward": False})

SUBPIXELS = wp.constant(wp.int64(256))
HALF = wp.constant(wp.int64(128))
# Far enough beyond any picture, near enough that products of differences fit into 64 bits.
GUARD = wp.constant(2.0e6)


@wp.func
@no_type_check
def snap(position: wp.vec4, width: int, height: int) -> wp.vec2l:
    """Clip space to 1/256 pixel."""
    x = wp.clamp((position[0] / position[3] + 1.0) * 0.5 * float(width), -GUARD, GUARD)
    y = wp.clamp((position[1] / position[3] + 1.0) * 0.5 * float(height), -GUARD, GUARD)
    return wp.vec2l(wp.int64(wp.rint(x * 256.0)), wp.int64(wp.rint(y * 256.0)))


@wp.func
@no_type_check
def wedge(u: wp.vec2l, v: wp.vec2l) -> wp.int64:
    """Twice the area of the triangle between two vectors; positive where v is clockwise of u (y down)."""
    return u[0] * v[1] - u[1] * v[0]


@wp.func
@no_type_check
def edge_bias(edge: wp.vec2l) -> wp.int64:
    """0 on a top or left edge of a clockwise triangle (y down), else -1: a centre on it belongs to the neighbour."""
    bias = wp.int64(-1)
    if edge[1] < wp.int64(0) or (edge[1] == wp.int64(0) and edge[0] > wp.int64(0)):
        bias = wp.int64(0)
    return bias


@wp.func
@no_type_check
def first_centre(position: wp.int64) -> int:
    """The first pixel whose centre is not left of (above) a position in 1/256 pixel; shifts round down."""
    return int((position + HALF - wp.int64(1)) >> wp.int64(8))


@wp.func
@no_type_check
def last_centre(position: wp.int64) -> int:
    """The last pixel whose centre is not right of (below) a position in 1/256 pixel."""
    return int((position - HALF) >> wp.int64(8))


@wp.func
@no_type_check
def scan(
    a: wp.vec2l,
    b: wp.vec2l,
    c: wp.vec2l,
    z: wp.vec3,
    face: int,
    first_pixel: int,
    width: int,
    height: int,
    packed: wp.array(dtype=wp.int64),
):
    """Writes a clockwise triangle given in 1/256 pixel, with z / w of its corners."""
    left = wp.max(first_centre(wp.min(a[0], wp.min(b[0], c[0]))), 0)
    right = wp.min(last_centre(wp.max(a[0], wp.max(b[0], c[0]))), width - 1)
    top = wp.max(first_centre(wp.min(a[1], wp.min(b[1], c[1]))), 0)
    bottom = wp.min(last_centre(wp.max(a[1], wp.max(b[1], c[1]))), height - 1)
    start = wp.vec2l(wp.int64(left) * SUBPIXELS + HALF, wp.int64(top) * SUBPIXELS + HALF)
    # The edge functions at the first centre; a step to the right or down adds the edge's own slope.
    edges = wp.vec3l(wedge(c - b, start - b), wedge(a - c, start - c), wedge(b - a, start - a))
    right_step = wp.vec3l(b[1] - c[1], c[1] - a[1], a[1] - b[1]) * SUBPIXELS
    down_step = wp.vec3l(c[0] - b[0], a[0] - c[0], b[0] - a[0]) * SUBPIXELS
    bias = wp.vec3l(edge_bias(c - b), edge_bias(a - c), edge_bias(b - a))
    scale = 1.0 / float(edges[0] + edges[1] + edges[2])
    slope = wp.vec2((z[1] - z[0]) * scale, (z[2] - z[0]) * scale)
    for row in range(top, bottom + 1):
        index = first_pixel + row * width
        scan_row(edges, right_step, bias, z, slope, face, index + left, index + right, packed)
        edges += down_step


@wp.func
@no_type_check
def scan_row(
    edges: wp.vec3l,
    step: wp.vec3l,
    bias: wp.vec3l,
    z: wp.vec3,
    slope: wp.vec2,
    face: int,
    first: int,
    last: int,
    packed: wp.array(dtype=wp.int64),
):
    """Writes the pixels of one row, from index `first` to `last`, that the triangle covers."""
    e = edges
    low = wp.min(z)
    high = wp.max(z)
    entered = bool(False)  # noqa: UP018 - to Warp a bare literal is a constant
    for index in range(first, last + 1):
        if ((e[0] + bias[0]) | (e[1] + bias[1]) | (e[2] + bias[2])) >= wp.int64(0):
            entered = True
            depth = wp.clamp(z[0] + float(e[1]) * slope[0] + float(e[2]) * slope[1], low, high)
            if depth <= 1.0:
                write(packed, index, depth, face)
        elif entered:
            break
        e += step


@wp.func
@no_type_check
def write(packed: wp.array(dtype=wp.int64), index: int, depth: float, face: int):
    """Keeps the nearest: depth in [0, 1] has bits that order like integers, the index decides between equals."""
    bits = wp.int64(wp.cast(wp.max(depth * 0.5 + 0.5, 0.0), wp.int32))
    key = (bits << wp.int64(32)) | wp.int64(face)
    # Most pixels of hidden triangles are refused here without an atomic operation.
    if key < packed[index]:
        wp.atomic_min(packed, index, key)


@wp.func
@no_type_check
def fill(
    a: wp.vec4,
    b: wp.vec4,
    c: wp.vec4,
    face: int,
    first_pixel: int,
    width: int,
    height: int,
    packed: wp.array(dtype=wp.int64),
):
    """Writes one triangle that lies wholly in front of the near plane, whichever way round."""
    p = snap(a, width, height)
    q = snap(b, width, height)
    r = snap(c, width, height)
    z = wp.vec3(a[2] / a[3], b[2] / b[3], c[2] / c[3])
    area = wedge(q - p, r - p)
    if area < wp.int64(0):
        swapped = q
        q = r
        r = swapped
        z = wp.vec3(z[0], z[2], z[1])
    if area != wp.int64(0):
        scan(p, q, r, z, face, first_pixel, width, height, packed)


@wp.func
@no_type_check
def cut(inside: wp.vec4, outside: wp.vec4) -> wp.vec4:
    """The point of the segment on the near plane z = -w."""
    near_inside = inside[2] + inside[3]
    near_outside = outside[2] + outside[3]
    return inside + (outside - inside) * (near_inside / (near_inside - near_outside))


@wp.func
@no_type_check
def fill_cut(
    a: wp.vec4,
    b: wp.vec4,
    c: wp.vec4,
    in_front: int,
    face: int,
    first_pixel: int,
    width: int,
    height: int,
    packed: wp.array(dtype=wp.int64),
):
    """Writes what of a triangle is in front of the near plane. With one or two corners in front, `a` is the odd one."""
    pieces = 1
    fourth = c
    if in_front == 1:
        b = cut(a, b)
        c = cut(a, c)
    if in_front == 2:
        fourth = cut(c, a)
        a = cut(b, a)
        pieces = 2
    for piece in range(pieces):
        if piece == 1:
            b = c
            c = fourth
        fill(a, b, c, face, first_pixel, width, height, packed)


@wp.kernel
@no_type_check
def splat_triangles(
    positions: wp.array(dtype=wp.vec4),
    triangles: wp.array(dtype=wp.vec3i),
    vertices: int,
    width: int,
    height: int,
    packed: wp.array(dtype=wp.int64),
):
    """One thread for each triangle of each picture."""
    image, face = wp.tid()
    corner = triangles[face]
    a = positions[image * vertices + corner[0]]
    b = positions[image * vertices + corner[1]]
    c = positions[image * vertices + corner[2]]
    in_a = a[2] >= -a[3] and a[3] > 0.0
    in_b = b[2] >= -b[3] and b[3] > 0.0
    in_c = c[2] >= -c[3] and c[3] > 0.0
    in_front = int(in_a) + int(in_b) + int(in_c)
    first_pixel = image * width * height
    # Turned until the odd corner comes first: alone in front with one there, alone behind with two.
    lone = in_front == 1
    if in_front < 3 and in_b == lone:
        first = a
        a = b
        b = c
        c = first
    elif in_front < 3 and in_c == lone:
        first = a
        a = c
        c = b
        b = first
    if in_front > 0:
        fill_cut(a, b, c, in_front, face, first_pixel, width, height, packed)


@wp.kernel
@no_type_check
def resolve_pixels(
    positions: wp.array(dtype=wp.vec4),
    triangles: wp.array(dtype=wp.vec3i),
    vertices: int,
    width: int,
    height: int,
    packed: wp.array(dtype=wp.int64),
    face_out: wp.array(dtype=int),
    bary_out: wp.array(dtype=wp.vec3),
    depth_out: wp.array(dtype=float),
):
    """Unpacks one pixel and computes its perspective-correct barycentrics."""
    index = wp.tid()
    key = packed[index]
    if key == wp.int64(9223372036854775807):
        face_out[index] = -1
        bary_out[index] = wp.vec3(0.0, 0.0, 0.0)
        depth_out[index] = 1.0
    else:
        face = int(key & wp.int64(2147483647))
        image = index // (width * height)
        pixel = index - image * width * height
        row = pixel // width
        x = (float(pixel - row * width) + 0.5) * (2.0 / float(width)) - 1.0
        y = (float(row) + 0.5) * (2.0 / float(height)) - 1.0
        corner = triangles[face]
        a = positions[image * vertices + corner[0]]
        b = positions[image * vertices + corner[1]]
        c = positions[image * vertices + corner[2]]
        free = perspective_weights(a, b, c, x, y)
        weights = wp.vec3(wp.clamp(free[0], 0.0, 1.0), wp.clamp(free[1], 0.0, 1.0), wp.clamp(free[2], 0.0, 1.0))
        weights = weights * (1.0 / (weights[0] + weights[1] + weights[2]))
        face_out[index] = face
        bary_out[index] = weights
        w = weights[0] * a[3] + weights[1] * b[3] + weights[2] * c[3]
        depth_out[index] = (weights[0] * a[2] + weights[1] * b[2] + weights[2] * c[2]) / w
