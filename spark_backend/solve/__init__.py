"""Least-squares fits of a head model to landmarks: who the person is, and what every frame does."""
