"""The clip's sound on the sequencer."""

from pathlib import Path

import bpy


def add_sound(scene: bpy.types.Scene, video: Path, start: int) -> tuple[str, ...]:
    """Puts the clip's sound, if it has any, on channel 1 from frame `start`. Returns what the user should know."""
    editor = scene.sequence_editor or scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences  # `sequences` until 4.3
    try:
        strip = strips.new_sound(video.stem, str(video), 1, start)
    except RuntimeError as error:
        # pip's bpy 4.2 is built without the library; any other refusal means a clip without sound
        return (f"{video.name}: this Blender is built without sound",) if "Audaspace" in str(error) else ()
    if strip.frame_final_duration < 2:
        strips.remove(strip)
        return ()
    scene.sync_mode = "AUDIO_SYNC"
    return ()
