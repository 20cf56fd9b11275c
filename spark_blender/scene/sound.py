"""The clip's sound on the sequencer."""

from pathlib import Path

import bpy


def add_sound(scene: bpy.types.Scene, video: Path, start: int) -> bool:
    """Puts the clip's sound on channel 1 from frame `start`; False when the clip has none that Blender can read."""
    editor = scene.sequence_editor or scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences  # `sequences` until 4.3
    try:
        strip = strips.new_sound(video.stem, str(video), 1, start)
    except RuntimeError:
        return False
    if strip.frame_final_duration < 2:  # a file without a sound stream gives an empty strip
        strips.remove(strip)
        return False
    scene.sync_mode = "AUDIO_SYNC"
    return True
