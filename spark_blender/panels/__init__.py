"""The tab SPARK in the 3D viewport's sidebar: one panel for each step of the work, in its order."""

from . import avatar, backend, capture, clips, export, project
from .base import SparkPanel

CLASSES = (
    *backend.CLASSES,
    *project.CLASSES,
    *clips.CLASSES,
    *avatar.CLASSES,
    *capture.CLASSES,
    *export.CLASSES,
)

__all__ = ["CLASSES", "SparkPanel"]
