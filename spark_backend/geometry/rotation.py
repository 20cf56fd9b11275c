"""Rotations in torch: vectors (axis times angle, radians), matrices, quaternions wxyz.

Everything is differentiable where it is smooth, at the identity too. A rotation by pi has two vectors; either comes.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

# Below this squared angle a Taylor series replaces the closed form: exact to 1e-15 there, and smooth.
SMALL = 1e-2

Vector = Float[Tensor, "*batch 3"]
Matrix = Float[Tensor, "*batch 3 3"]
Quaternion = Float[Tensor, "*batch 4"]


def sine_ratio(square: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """sin(x) / x as a smooth function of x squared."""
    small = square < SMALL
    x = torch.where(small, torch.ones_like(square), square).sqrt()
    series = 1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72)))
    return torch.where(small, series, x.sin() / x)


def matrix_from_vector(vector: Vector) -> Matrix:
    """Rodrigues: (0, 0, pi / 2) turns +X to +Y."""
    square = vector.square().sum(-1)[..., None, None]
    cross = cross_matrix(vector)
    # (1 - cos x) / x^2 is half the squared sine ratio of x / 2, which keeps its digits near zero.
    turn = sine_ratio(square) * cross + 0.5 * sine_ratio(square / 4).square() * (cross @ cross)
    return torch.eye(3, dtype=vector.dtype, device=vector.device) + turn


def cross_matrix(vector: Vector) -> Matrix:
    """The matrix that multiplies like the cross product with `vector` from the left."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    rows = ((zero, -z, y), (z, zero, -x), (-y, x, zero))
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def quaternion_from_vector(vector: Vector) -> Quaternion:
    """(0, 0, pi / 2) becomes (0.7071, 0, 0, 0.7071)."""
    square = vector.square().sum(-1, keepdim=True) / 4
    return torch.cat([cosine(square), 0.5 * sine_ratio(square) * vector], -1)


def cosine(square: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """cos(x) as a smooth function of x squared."""
    return 1 - 0.5 * square * sine_ratio(square / 4).square()


def vector_from_quaternion(quaternion: Quaternion) -> Vector:
    """The shortest vector, at most pi long; q and -q give the same."""
    quaternion = torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    w, xyz = quaternion[..., :1], quaternion[..., 1:]
    square = xyz.square().sum(-1, keepdim=True)
    small = square < SMALL * w.square()
    sine = torch.where(small, torch.ones_like(square), square).sqrt()
    safe = torch.where(small, w, torch.ones_like(w))
    t = torch.where(small, square, torch.zeros_like(square)) / safe.square()
    series = (1 - t * (1 / 3 - t * (1 / 5 - t * (1 / 7 - t * (1 / 9 - t * (1 / 11 - t / 13)))))) / safe
    return 2 * torch.where(small, series, torch.atan2(sine, w) / sine) * xyz


def matrix_from_quaternion(quaternion: Quaternion) -> Matrix:
    """Any length but zero: the quaternion is normalised on the way."""
    w, x, y, z = normalize(quaternion, dim=-1).unbind(-1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def quaternion_from_matrix(matrix: Matrix) -> Quaternion:
    """Unit, w at least 0. From the largest of the four squares, so no digits are lost at any angle (Shepperd 1978)."""
    m00, m11, m22 = matrix[..., 0, 0], matrix[..., 1, 1], matrix[..., 2, 2]
    squares = torch.stack([1 + m00 + m11 + m22, 1 + m00 - m11 - m22, 1 - m00 + m11 - m22, 1 - m00 - m11 + m22], -1)
    x, y, z = (matrix[..., i, j] - matrix[..., j, i] for i, j in ((2, 1), (0, 2), (1, 0)))
    xy, xz, yz = (matrix[..., i, j] + matrix[..., j, i] for i, j in ((0, 1), (0, 2), (1, 2)))
    candidates = torch.stack(
        [
            torch.stack([squares[..., 0], x, y, z], -1),
            torch.stack([x, squares[..., 1], xy, xz], -1),
            torch.stack([y, xy, squares[..., 2], yz], -1),
            torch.stack([z, xz, yz, squares[..., 3]], -1),
        ],
        -2,
    )
    best = squares.argmax(-1)[..., None, None].expand(*squares.shape[:-1], 1, 4)
    quaternion = normalize(candidates.gather(-2, best)[..., 0, :], dim=-1)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def vector_from_matrix(matrix: Matrix) -> Vector:
    """The shortest vector, at most pi long."""
    return vector_from_quaternion(quaternion_from_matrix(matrix))


def multiply_quaternions(a: Quaternion, b: Quaternion) -> Quaternion:
    """First `b`, then `a`."""
    aw, ax, ay, az = a.unbind(-1)
    bw, bx, by, bz = b.unbind(-1)
    product = (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )
    return torch.stack(product, -1)


def invert_quaternion(quaternion: Quaternion) -> Quaternion:
    """The opposite rotation of a unit quaternion."""
    return torch.cat([quaternion[..., :1], -quaternion[..., 1:]], -1)


def angle_between(a: Quaternion, b: Quaternion) -> Float[Tensor, "*batch"]:
    """The angle in radians, in [0, pi], of the rotation from one unit quaternion to the other."""
    difference = multiply_quaternions(invert_quaternion(a), b)
    return 2 * torch.atan2(difference[..., 1:].norm(dim=-1), difference[..., 0].abs())


def slerp(a: Quaternion, b: Quaternion, fraction: Float[Tensor, "*#batch"]) -> Quaternion:
    """From unit `a` (at 0) to unit `b` (at 1) the short way at constant speed; beyond [0, 1] it goes on."""
    step = vector_from_quaternion(multiply_quaternions(b, invert_quaternion(a)))
    return multiply_quaternions(quaternion_from_vector(step * fraction[..., None]), a)


def continuous_quaternions(quaternions: Float[Tensor, "T *batch 4"]) -> Float[Tensor, "T *batch 4"]:
    """The same rotations with signs such that neighbours in time lie on the same side; the first keeps its sign."""
    turns = (quaternions[1:] * quaternions[:-1]).sum(-1, keepdim=True)
    signs = torch.where(turns < 0, -1.0, 1.0).to(quaternions).cumprod(0)
    return torch.cat([quaternions[:1], quaternions[1:] * signs])


def turn_towards(direction: Vector) -> Matrix:
    """The shortest turn that takes +Z to a direction of any length: (1, 0, 1) gives an eighth of a turn about +Y."""
    x, y, z = direction.unbind(-1)
    sine = torch.stack([-y, x, torch.zeros_like(x)], -1)
    length = sine.norm(dim=-1, keepdim=True)
    angle = torch.atan2(length, z[..., None])
    return matrix_from_vector(sine / length.clamp(min=1e-9) * angle)


def as_looked_at(
    rotation: Float[Tensor, "B 3 3"], place: Float[Tensor, "B 3"], angle: Float[Tensor, "B"]
) -> Float[Tensor, "B 3 3"]:
    """A rotation to camera axes, to those of a camera that looks along the ray to `place`, its picture turned clockwise
    by `angle` (radians): how a crop shows it."""
    zero = torch.zeros_like(angle)
    return matrix_from_vector(torch.stack([zero, zero, -angle], -1)) @ turn_towards(place).mT @ rotation
