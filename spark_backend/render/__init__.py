"""Meshes to pictures: visibility, differentiable attributes and silhouettes, shading, drawing."""
