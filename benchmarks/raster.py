"""Times of every rasteriser that is installed, of one in numpy for comparison, and of whole differentiable pictures.

    python benchmarks/raster.py [--sizes 256 512 1024] [--batches 1 4 16] [--rounds 10] [--device cpu]

`forward` is visibility alone; `and back` adds interpolated attributes and antialiased silhouettes with their gradients
to the vertices; `shaded` is a textured, lit picture with gradients to vertices and maps. Median milliseconds a batch.
On the CPU one core works. The numpy rasteriser enumerates the pixels of all triangles' bounding boxes at once and keeps
the nearest by `minimum.at`: what one would write without a compiler; `ratio` is its time over the other's, called in
turn. Coverage is compared before the timing. On a GPU: `--device cuda`.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from spark_backend.geometry.camera import camera_matrix, clip_points
from spark_backend.geometry.mesh import adjacent_faces, vertex_normals
from spark_backend.heads.anny import load_anny
from spark_backend.protocol.errors import SparkError
from spark_backend.render.antialias import antialias
from spark_backend.render.choice import RASTERIZERS, rasterizer_by_name
from spark_backend.render.deferred import render_batch, topology
from spark_backend.render.rasterizer import Rasterizer, differentiable_barycentrics, interpolate
from spark_backend.render.reflectance import Maps
from spark_backend.render.shading import Light, distant_light


def numpy_raster(clip: np.ndarray, faces: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) nearest face, -1 where there is none, of one picture of a mesh in front of the camera."""
    width, height = size
    point = (clip[:, :2] / clip[:, 3:] + 1) / 2 * size - 0.5
    depth = clip[:, 2] / clip[:, 3]
    corner, z = point[faces], depth[faces]
    low = np.maximum(np.ceil(corner.min(1)), 0).astype(int)
    extent = np.maximum(np.minimum(np.floor(corner.max(1)).astype(int), np.array(size) - 1) - low + 1, 0)
    count = extent.prod(1)
    face = np.repeat(np.arange(len(faces)), count)
    within = np.arange(len(face)) - np.repeat(count.cumsum() - count, count)
    pixel = low[face] + np.stack([within % extent[face, 0], within // extent[face, 0]], 1)
    offset = corner[face] - pixel[:, None]
    following, last = offset[:, [1, 2, 0]], offset[:, [2, 0, 1]]
    area = following[..., 0] * last[..., 1] - following[..., 1] * last[..., 0]
    total = area.sum(1)
    inside = (area * np.sign(total)[:, None] > 0).all(1)
    nearness = ((area * z[face]).sum(1)[inside] / total[inside] + 1) * 2.0**30
    key = (nearness.astype(np.int64) << 32) | face[inside]
    nearest = np.full(width * height, np.iinfo(np.int64).max)
    np.minimum.at(nearest, pixel[inside, 1] * width + pixel[inside, 0], key)
    found = nearest != np.iinfo(np.int64).max
    return np.where(found, nearest & 0x7FFFFFFF, -1).reshape(height, width)


def timed(function: Callable[[], object], device: str) -> float:
    """Milliseconds of one call; on the CPU those that this process worked, so that other programs hardly count."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    start = clock()
    function()
    if device == "cuda":
        torch.cuda.synchronize()
    return 1e3 * (clock() - start)


def paired(first: Callable, second: Callable, rounds: int, device: str) -> tuple[float, float, float]:
    """Median milliseconds of both, called in turn, and the median of their ratios: load on the machine cancels out."""
    first(), second()
    times = [(timed(first, device), timed(second, device)) for _ in range(rounds)]
    ratios = [b / a for a, b in times]
    return (*(statistics.median(column) for column in zip(*times, strict=True)), statistics.median(ratios))


def scene(size: int, batch: int, device: str) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Points (B, V, 3) in camera axes, faces, K, UVs and UV faces of the default head, filling the picture."""
    head = load_anny().avatar()
    points = torch.tensor(head.neutral[:, [0, 2, 1]] * [1, -1, 1], dtype=torch.float32)
    centre = (points.amin(0) + points.amax(0)) / 2
    points = (points - centre + torch.tensor([0, 0, 0.9])).repeat(batch, 1, 1).to(device)
    arrays = (torch.tensor(array).to(device) for array in (head.faces, head.uv, head.uv_faces))
    faces, uv, uv_faces = arrays
    return points, faces.long(), camera_matrix(2.9 * size, (size, size)).to(device), uv.float(), uv_faces.long()


def steps(rasterizer: Rasterizer, size: int, batch: int, device: str) -> tuple[Callable, Callable, Callable]:
    """Visibility; attributes and silhouettes with gradients; a shaded picture with gradients."""
    points, faces, K, uv, uv_faces = scene(size, batch, device)
    points.requires_grad_()
    mesh, adjacent, box = topology(faces, uv, uv_faces, points.shape[1]), adjacent_faces(faces), (size, size)
    texel = torch.tensor([0.5, 0.5, 0.5, 0.5, 0.5, 0, 0, 1], device=device)
    texels = texel.repeat(1024, 1024, 1).requires_grad_()
    light = distant_light((-0.4, -0.6, -0.8), (0.7, 0.7, 0.7), (0.3, 0.3, 0.3))
    light = Light(*(part.to(device) for part in (light.harmonics, light.direction, light.strength)))
    clip = clip_points(points.detach(), K, box)

    def forward() -> None:
        rasterizer.rasterize(clip, faces, box)

    def attributes() -> None:
        moving = clip_points(points, K, box)
        fragments = rasterizer.rasterize(moving, faces, box)
        bary = differentiable_barycentrics(moving, faces, fragments)
        colour = interpolate(vertex_normals(points, faces), faces, fragments, bary)
        antialias(colour, moving, faces, fragments, adjacent).square().mean().backward()
        points.grad = None

    def shaded() -> None:
        colour, _ = render_batch(points, K, box, mesh, Maps(texels), [light] * batch, rasterizer)
        colour.square().mean().backward()
        points.grad = texels.grad = None

    return forward, attributes, shaded


def installed() -> dict[str, Rasterizer]:
    """By name; says which are not."""
    found = {}
    for name in RASTERIZERS:
        try:
            found[name] = rasterizer_by_name(name)
        except SparkError as error:
            print(f"left out: {error}")
    return found


def report(rasterizers: dict[str, Rasterizer], size: int, batch: int, rounds: int, device: str) -> None:
    """One block of the table."""
    points, faces, K, *_ = scene(size, batch, device)
    clip, box = clip_points(points, K, (size, size)), (size, size)
    rows, columns = clip.cpu().double().numpy(), faces.cpu().numpy()
    baseline = numpy_raster(rows[0], columns, box)
    for name, rasterizer in rasterizers.items():
        same = (rasterizer.rasterize(clip, faces, box).face[0].cpu().numpy() == baseline).mean()
        forward, attributes, shaded = steps(rasterizer, size, batch, device)
        ours, _, ratio = paired(forward, lambda: [numpy_raster(row, columns, box) for row in rows], rounds, device)
        slow = []
        for step in (attributes, shaded):
            step()
            slow.append(statistics.median(timed(step, device) for _ in range(rounds)))
        print(
            f"{size:5} {batch:5} {name:11} {ours:8.1f} {slow[0]:9.1f} {slow[1]:9.1f} {ratio:8.1f} {same:9.3%}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rasterizers = installed()
    print(f"{'size':>5} {'batch':>5} {'':11} {'forward':>8} {'and back':>9} {'shaded':>9} {'ratio':>8} {'as numpy':>9}")
    for size in options.sizes:
        for batch in options.batches:
            report(rasterizers, size, batch, options.rounds, options.device)


if __name__ == "__main__":
    main()
