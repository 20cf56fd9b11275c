"""Warp kernels of the rasteriser. Compiled at run time for the CPU or the GPU.

The annotations are Warp's own, which a type checker cannot read, hence `no_type_check`.
"""

from typing import no_type_check

import warp as wp

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
    row_a = wedge(c - b, start - b)
    row_b = wedge(a - c, start - c)
    row_c = wedge(b - a, start - a)
    scale = 1.0 / float(row_a + row_b + row_c)
    slope_b = (z[1] - z[0]) * scale
    slope_c = (z[2] - z[0]) * scale
    z_low = wp.min(z)
    z_high = wp.max(z)
    bias_a = edge_bias(c - b)
    bias_b = edge_bias(a - c)
    bias_c = edge_bias(b - a)
    for row in range(top, bottom + 1):
        ea = row_a
        eb = row_b
        ec = row_c
        entered = bool(False)  # noqa: UP018 - to Warp a bare literal is a constant
        for column in range(left, right + 1):
            if ((ea + bias_a) | (eb + bias_b) | (ec + bias_c)) >= wp.int64(0):
                entered = True
                depth = wp.clamp(z[0] + float(eb) * slope_b + float(ec) * slope_c, z_low, z_high)
                if depth <= 1.0:
                    write(packed, first_pixel + row * width + column, depth, face)
            elif entered:
                break
            ea -= (c[1] - b[1]) * SUBPIXELS
            eb -= (a[1] - c[1]) * SUBPIXELS
            ec -= (b[1] - a[1]) * SUBPIXELS
        row_a += (c[0] - b[0]) * SUBPIXELS
        row_b += (a[0] - c[0]) * SUBPIXELS
        row_c += (b[0] - a[0]) * SUBPIXELS


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
    count = int(in_a) + int(in_b) + int(in_c)
    # Turn the triangle until `a` is the odd one out: alone in front with one, alone behind with two.
    lone = count == 1
    if count == 1 or count == 2:
        if in_b == lone:
            t = a
            a = b
            b = c
            c = t
        elif in_c == lone:
            t = c
            c = b
            b = a
            a = t
    pieces = 1
    if count == 0:
        pieces = 0
    second = c
    if count == 1:
        b = cut(a, b)
        c = cut(a, c)
    if count == 2:
        second = cut(c, a)
        a = cut(b, a)
        pieces = 2
    first_pixel = image * width * height
    for piece in range(pieces):
        if piece == 1:
            b = c
            c = second
        fill(a, b, c, face, first_pixel, width, height, packed)


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
        ax = a[0] - x * a[3]
        ay = a[1] - y * a[3]
        bx = b[0] - x * b[3]
        by = b[1] - y * b[3]
        cx = c[0] - x * c[3]
        cy = c[1] - y * c[3]
        weights = wp.vec3(bx * cy - cx * by, cx * ay - ax * cy, ax * by - bx * ay)
        total = weights[0] + weights[1] + weights[2]
        if wp.abs(total) < 1.0e-30:
            weights = wp.vec3(1.0, 1.0, 1.0)
            total = 3.0
        scale = 1.0 / total
        weights = wp.vec3(
            wp.clamp(weights[0] * scale, 0.0, 1.0),
            wp.clamp(weights[1] * scale, 0.0, 1.0),
            wp.clamp(weights[2] * scale, 0.0, 1.0),
        )
        weights = weights * (1.0 / (weights[0] + weights[1] + weights[2]))
        face_out[index] = face
        bary_out[index] = weights
        w = weights[0] * a[3] + weights[1] * b[3] + weights[2] * c[3]
        depth_out[index] = (weights[0] * a[2] + weights[1] * b[2] + weights[2] * c[2]) / w
