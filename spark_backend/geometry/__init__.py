"""Cameras, rotations, meshes and skinning, in torch. See docs/conventions.md."""
