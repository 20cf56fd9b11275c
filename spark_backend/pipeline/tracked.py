"""What a tracker gives, and where a take comes from."""

from dataclasses import dataclass
from typing import Any

from ..protocol.project import Frames
from ..protocol.take import Take
from .options import TrackOptions


@dataclass(frozen=True)
class Tracked:
    """A take and the landmarks that it is measured against."""

    take: Take
    frames: Frames
    name: str


def source_of(video: str, digest: str, options: TrackOptions, smoothing: str) -> dict[str, Any]:
    """Where a take comes from."""
    return {
        "path": video,
        "digest": digest,
        "clip": options.clip,
        "tracker": options.tracker,
        "smoothing": smoothing,
    }
