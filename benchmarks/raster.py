"""Times of the rasteriser against a baseline in numpy, call by call in turn, and of a whole differentiable picture.

    python benchmarks/raster.py [--sizes 256 512 1024] [--batch 1] [--rounds 20] [--device cpu]

On the CPU one core works. The baseline enumerates the pixels of all triangles' bounding boxes at once and keeps the
nearest by `minimum.at`: what one would write without a compiler. Coverage of the two is compared before the timing.
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
from spark_backend.render.antialias import antialias
from spark_backend.render.draw import render_frame
from spark_backend.render.rasterizer import differentiable_barycentrics, interpolate
from spark_backend.render.shading import distant_light, shade_textured
from spark_backend.render.texture import sample_texture
from spark_backend.render.warp import WarpRasterizer


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


def shaded_step(size: int, batch: int, device: str) -> Callable[[], None]:
    """Forward and backward of a textured, lit, antialiased picture, down to vertices and map."""
    points, faces, K, uv, uv_faces = scene(size, batch, device)
    points.requires_grad_()
    texture = torch.full((1, 1024, 1024, 3), 0.5, device=device, requires_grad=True)
    light, adjacent = distant_light((-0.4, -0.6, -0.8), (0.7, 0.7, 0.7), (0.3, 0.3, 0.3)), adjacent_faces(faces)

    def step() -> None:
        clip = clip_points(points, K, (size, size))
        fragments = WarpRasterizer().rasterize(clip, faces, (size, size))
        bary = differentiable_barycentrics(clip, faces, fragments)
        normals = interpolate(vertex_normals(points, faces), faces, fragments, bary)
        albedo = sample_texture(texture, interpolate(uv[None], uv_faces, fragments, bary))
        colour = shade_textured(albedo, normals, -normals, light) * fragments.mask[..., None]
        antialias(colour, clip, faces, fragments, adjacent).square().mean().backward()
        points.grad = texture.grad = None

    return step


def report(size: int, batch: int, rounds: int, device: str) -> None:
    """One block of the table."""
    points, faces, K, *_ = scene(size, batch, device)
    clip, box = clip_points(points, K, (size, size)), (size, size)
    rows, columns = clip.cpu().double().numpy(), faces.cpu().numpy()
    ours = WarpRasterizer().rasterize(clip, faces, box).face
    same = (ours[0].cpu().numpy() == numpy_raster(rows[0], columns, box)).mean()
    print(f"{size} x {size}, batch {batch}: {len(faces)} triangles, {(ours >= 0).float().mean():.0%} covered", end="")
    print(f", {same:.3%} of the pixels as the baseline has them")
    warp, baseline, ratio = paired(
        lambda: WarpRasterizer().rasterize(clip, faces, box),
        lambda: [numpy_raster(row, columns, box) for row in rows],
        rounds,
        device,
    )
    print(f"  rasterise   warp {warp:8.2f} ms   numpy {baseline:8.2f} ms   ratio {ratio:.1f}")
    step = shaded_step(size, batch, device)
    step()
    whole = statistics.median(timed(step, device) for _ in range(rounds))
    print(f"  shaded picture, forward and backward {whole:8.2f} ms")
    if device == "cpu":
        draw = statistics.median(timed(lambda: render_frame(points[0], faces, K, box), device) for _ in range(rounds))
        print(f"  clay picture for people (2 x 2 samples) {draw:8.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for size in options.sizes:
        report(size, options.batch, options.rounds, options.device)


if __name__ == "__main__":
    main()
