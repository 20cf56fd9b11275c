"""Times one live pose in Blender on a project's own head; `benchmarks/live.py` runs it with a Python that has bpy.

    python benchmarks/live_in_blender.py PROJECT

`set` is the time of the 52 shape keys, five bones and the root, `update` the evaluation of the scene after it;
processor time of the main thread, median of 200 poses.
"""

import os
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bpy
import numpy as np

from spark_backend.protocol.avatar import load_avatar
from spark_backend.protocol.live import POSE_PARTS, pose_from_vector
from spark_backend.protocol.take import load_take
from spark_blender.live.rig import RigDriver
from spark_blender.scene.scene import import_avatar

project = Path(sys.argv[-1])
bpy.ops.wm.read_factory_settings(use_empty=True)
avatar = load_avatar(project / "avatar")
take = load_take(next((project / "takes").glob("*.npz")))
driver = RigDriver(import_avatar(avatar, "head"), avatar)
vectors = np.concatenate([np.asarray(getattr(take, name), float) for name, _ in POSE_PARTS], axis=1)
setting, updating = [], []
for index in range(200):
    pose = pose_from_vector(vectors[index % len(vectors)])
    start = time.thread_time()
    driver.apply(pose)
    middle = time.thread_time()
    bpy.context.view_layer.update()
    setting.append(1000 * (middle - start))
    updating.append(1000 * (time.thread_time() - middle))
whole = np.array(setting) + updating
print(
    f"Blender {bpy.app.version_string}, {len(avatar.neutral)} vertices: set {statistics.median(setting):.2f} ms, "
    f"update {statistics.median(updating):.2f} ms, both p95 {np.percentile(whole, 95):.2f} ms"
)
sys.stdout.flush()
os._exit(0)  # Blender 4.5 may hang while the interpreter shuts down
