"""Warp kernels of the rasteriser. Compiled at run time for the CPU or the GPU.

The annotations are Warp's own, which a type checker cannot read, hence `no_type_check`.
"""

from typing import no_type_check

import warp as wp

wp.set_module_options({"enable_backward": False})

SUBPIXELS = wp.constant(256)
HALF = wp.constant(128)
# Far enough beyond any picture, near enough that products of differences fit into 64 bits.
GUARD = wp.constant(2.0e6)


@wp.func
@no_type_check
def snap(position: float, extent: float) -> wp.int64:
    """Normalised device coordinate to 1/256 pixel."""
    pixels = wp.clamp((position + 1.0) * 0.5 * extent, -GUARD, GUARD)
    return wp.int64(wp.rint(pixels * float(SUBPIXELS)))


@wp.func
@no_type_check
def edge_bias(dx: wp.int64, dy: wp.int64) -> wp.int64:
    """0 on a top or left edge (y down, interior to the right of the direction of travel), else -1."""
    bias = wp.int64(-1)
    if dy < wp.int64(0) or (dy == wp.int64(0) and dx > wp.int64(0)):
        bias = wp.int64(0)
    return bias


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
    """Writes one triangle that lies wholly in front of the near plane."""
    sub = wp.int64(SUBPIXELS)
    ax = snap(a[0] / a[3], float(width))
    ay = snap(a[1] / a[3], float(height))
    bx = snap(b[0] / b[3], float(width))
    by = snap(b[1] / b[3], float(height))
    cx = snap(c[0] / c[3], float(width))
    cy = snap(c[1] / c[3], float(height))
    za = a[2] / a[3]
    zb = b[2] / b[3]
    zc = c[2] / c[3]
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    if area < wp.int64(0):
        area = -area
        tx = bx
        ty = by
        tz = zb
        bx = cx
        by = cy
        zb = zc
        cx = tx
        cy = ty
        zc = tz
    if area > wp.int64(0):
        half = wp.int64(HALF)
        # floor((x + 127) / 256) is the first column whose centre is not left of x; shifts round down.
        left = wp.max(int((wp.min(ax, wp.min(bx, cx)) + half - wp.int64(1)) >> wp.int64(8)), 0)
        right = wp.min(int((wp.max(ax, wp.max(bx, cx)) - half) >> wp.int64(8)), width - 1)
        top = wp.max(int((wp.min(ay, wp.min(by, cy)) + half - wp.int64(1)) >> wp.int64(8)), 0)
        bottom = wp.min(int((wp.max(ay, wp.max(by, cy)) - half) >> wp.int64(8)), height - 1)
        px = wp.int64(left) * sub + half
        py = wp.int64(top) * sub + half
        row_a = (cx - bx) * (py - by) - (cy - by) * (px - bx)
        row_b = (ax - cx) * (py - cy) - (ay - cy) * (px - cx)
        row_c = (bx - ax) * (py - ay) - (by - ay) * (px - ax)
        scale = 1.0 / float(area)
        slope_b = (zb - za) * scale
        slope_c = (zc - za) * scale
        z_low = wp.min(za, wp.min(zb, zc))
        z_high = wp.max(za, wp.max(zb, zc))
        bias_a = edge_bias(cx - bx, cy - by)
        bias_b = edge_bias(ax - cx, ay - cy)
        bias_c = edge_bias(bx - ax, by - ay)
        step_a = (cy - by) * sub
        step_b = (ay - cy) * sub
        step_c = (by - ay) * sub
        for row in range(top, bottom + 1):
            ea = row_a
            eb = row_b
            ec = row_c
            entered = bool(False)  # noqa: UP018 - to Warp a bare literal is a constant
            for column in range(left, right + 1):
                if ((ea + bias_a) | (eb + bias_b) | (ec + bias_c)) >= wp.int64(0):
                    entered = True
                    z = wp.clamp(za + float(eb) * slope_b + float(ec) * slope_c, z_low, z_high)
                    if z <= 1.0:
                        bits = wp.int64(wp.cast(wp.max(z * 0.5 + 0.5, 0.0), wp.int32))
                        key = (bits << wp.int64(32)) | wp.int64(face)
                        index = first_pixel + row * width + column
                        if key < packed[index]:
                            wp.atomic_min(packed, index, key)
                elif entered:
                    break
                ea -= step_a
                eb -= step_b
                ec -= step_c
            row_a += (cx - bx) * sub
            row_b += (ax - cx) * sub
            row_c += (bx - ax) * sub


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
        depth_out[index] = wp.cast(wp.int32(key >> wp.int64(32)), wp.float32) * 2.0 - 1.0
