"""SPARK's add-on for Blender. `scene` works without registration; the rest is imported when the add-on is enabled."""


def register() -> None:
    """Called by Blender when the add-on is enabled."""
    from .registration import register_all

    register_all()


def unregister() -> None:
    """Called by Blender when the add-on is disabled and when Blender ends."""
    from .registration import unregister_all

    unregister_all()
