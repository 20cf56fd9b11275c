"""Head models: linear blendshape heads with joints, one dataclass whatever their origin."""
