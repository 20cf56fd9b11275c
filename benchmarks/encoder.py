"""Times of MediaPipe's landmark network on one crop in each engine, and how far the answers are apart.

    python benchmarks/encoder.py [PICTURE] [--threads 1 2] [--rounds 60]

`ms` is the median and `best` the least of the rounds, a dozen in a row and then the next engine's turn, so that other
programs slow all of them alike; `px` is the largest difference from torch over all 478 points and three coordinates.
`openvino as it likes` may choose bfloat16. LiteRT runs the published file only, not a trained network: it is the
reference. Without a picture the crop is noise. The last lines time the crop itself, a batch, and a step of training.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import torch

from spark_backend.encoders.crop import crop_around, cut_crop
from spark_backend.encoders.engines import installed_engines, open_engine
from spark_backend.encoders.export import export_onnx
from spark_backend.encoders.mediapipe import CROP_SIZE, LandmarkNetwork, crops_from_bytes, load_landmark_network
from spark_backend.models import resolve_model
from spark_backend.models.task_bundle import LANDMARKS, bundle_member
from spark_backend.video.networks import Landmarker

Run = Callable[[], np.ndarray]
IN_A_ROW = 12


def main() -> None:
    """Prints one table for each number of threads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", nargs="?", type=Path)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    bundle = resolve_model("face_landmarker", print).read_bytes()
    network = load_landmark_network(bundle)
    picture, landmarks = face_in(options.picture, bundle)
    crops = crops_from_bytes(cut_crop(picture, crop_around(landmarks), CROP_SIZE)[None]).numpy()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "network.onnx"
        export_onnx(network, path, {"crops": torch.zeros(2, CROP_SIZE, CROP_SIZE, 3)})
        for threads in options.threads:
            torch.set_num_threads(threads)
            runs = engine_runs(path, network, crops, threads) | reference_run(bundle, crops, threads)
            print_table(runs, threads, options.rounds)
    torch.set_num_threads(1)
    print_rest(network, picture, landmarks, crops)


def face_in(path: Path | None, bundle: bytes) -> tuple[np.ndarray, np.ndarray]:
    """A picture and the landmarks of its face; noise and a round face without a picture."""
    if path is None:
        angles = np.linspace(0, 2 * np.pi, 478)
        points = np.stack([320 + 90 * np.cos(angles), 240 + 110 * np.sin(angles), 0 * angles], -1)
        return np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8), points
    picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    with Landmarker(bundle, follow=False) as landmarker:
        face = landmarker(picture)
    if face is None:
        raise SystemExit(f"{path}: no face")
    return picture, face.landmarks


def engine_runs(path: Path, network: LandmarkNetwork, crops: np.ndarray, threads: int) -> dict[str, Run]:
    """The engines of the backend, and OpenVINO without its precision set."""
    runs: dict[str, Run] = {}
    for name in sorted(installed_engines(), key="torch".__ne__):
        engine = open_engine(path, lambda: network, name, threads)
        runs[name] = lambda engine=engine: engine(crops)["landmarks"]
    if find_spec("openvino") is not None:
        import openvino

        free = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_NUM_THREADS": threads})
        runs["openvino as it likes"] = lambda: free([crops])["landmarks"]
    return runs


def reference_run(bundle: bytes, crops: np.ndarray, threads: int) -> dict[str, Run]:
    """TFLite's own interpreter, when it is installed."""
    if find_spec("ai_edge_litert") is None:
        return {}
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=bundle_member(bundle, LANDMARKS), num_threads=threads)
    interpreter.allocate_tensors()
    place, result = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run() -> np.ndarray:
        interpreter.set_tensor(place, crops)
        interpreter.invoke()
        return interpreter.get_tensor(result).reshape(-1, 478, 3)

    return {"litert": run}


def print_table(runs: dict[str, Run], threads: int, rounds: int) -> None:
    """Takes turns of `IN_A_ROW` calls, after two that do not count, and prints the times."""
    expected = runs["torch"]().copy()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(0, rounds, IN_A_ROW):
        for name, run in runs.items():
            times[name] += [seconds(run) for _ in range(IN_A_ROW + 2)][2:]
    print(f"\n{f'{threads} thread(s)':22} {'ms':>7} {'best':>7} {'px':>9}")
    for name, run in runs.items():
        print(
            f"{name:22} {1e3 * np.median(times[name]):7.2f} {1e3 * min(times[name]):7.2f}"
            f" {np.abs(run() - expected).max():9.6f}"
        )


def print_rest(network: LandmarkNetwork, picture: np.ndarray, landmarks: np.ndarray, crops: np.ndarray) -> None:
    """The crop, a batch and training, on one thread."""
    batch = torch.from_numpy(crops).expand(8, -1, -1, -1).contiguous()

    def train() -> None:
        network(batch).landmarks.square().mean().backward()

    def infer() -> None:
        with torch.inference_mode():
            network(batch)

    cutting = [seconds(lambda: cut_crop(picture, crop_around(landmarks), CROP_SIZE)) for _ in range(200)]
    print(f"\ncrop from landmarks and pixels  {1e3 * np.median(cutting):7.2f} ms")
    for title, run in (("torch, batch of 8, a crop", infer), ("a training step, batch of 8", train)):
        run()
        share = 8 if run is infer else 1
        print(f"{title:31} {1e3 * np.median([seconds(run) for _ in range(7)]) / share:7.1f} ms")


def seconds(run: Callable[[], object]) -> float:
    """Wall-clock time of one call."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
