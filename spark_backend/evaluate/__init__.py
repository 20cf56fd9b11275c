"""How good a tracker is: SPARK's measures and some of our own, as pure functions of pictures, landmarks and meshes."""
