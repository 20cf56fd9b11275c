"""SPARK for Blender: personal face avatars and trackers from ordinary video."""

__version__ = "0.1.0"
