"""What every head model offers, whatever its origin."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..protocol.avatar import Avatar, Rig, triangulate
from ..protocol.names import ARKIT_52
from .lids import closing_weight

BLINK_RANGE = (0.5, 2.0)
"""How far a person's blink may differ from the model's."""


@dataclass(frozen=True)
class HeadModel:
    """A head whose shape is linear in identity coefficients and in ARKit's expressions, with joints.

    All arrays are numpy; lengths in metres; Blender's axes (+Z up, the face looks along -Y, +X is the subject's left).
    """

    name: str
    neutral: np.ndarray
    """(V, 3) the average person at rest."""
    polygons: np.ndarray
    """(P, 4) quads, -1 in the last column of a triangle."""
    uv: np.ndarray
    """(U, 2)"""
    uv_polygons: np.ndarray
    """(P, 4)"""
    polygon_material: np.ndarray
    """(P,) indices into `material_names`."""
    material_names: tuple[str, ...]
    identity: np.ndarray
    """(I, V, 3) principal directions; a coefficient of 1 is one standard deviation."""
    expressions: np.ndarray
    """(52, V, 3) in the order of `ARKIT_52`, without what the joints do."""
    joint_names: tuple[str, ...]
    joints: np.ndarray
    """(J, 3)"""
    joint_identity: np.ndarray
    """(I, J, 3) how the joints move with the identity."""
    parents: np.ndarray
    """(J,)"""
    skinning: np.ndarray
    """(V, J)"""
    regions: Mapping[str, np.ndarray]
    """Name to (V,) bool, the names of `REGIONS` at least."""
    rig: Rig
    landmark_face: np.ndarray
    """(478,) triangle of each MediaPipe landmark."""
    landmark_bary: np.ndarray
    """(478, 3)"""
    landmark_sigma: np.ndarray
    """(478,) how far (metres) the landmark strays from its triangle from view to view; the solver's noise."""
    lid_margins: Mapping[str, np.ndarray]
    """`upper_left`, `lower_left`, `upper_right`, `lower_right`: vertex indices along the lids' edges."""
    licences: tuple[str, ...] = ()

    @property
    def faces(self) -> np.ndarray:
        """(F, 3) triangles."""
        return triangulate(self.polygons)

    def shaped(self, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Neutral vertices (V, 3) and joints (J, 3) of an identity (I,)."""
        return (
            self.neutral + np.tensordot(coefficients, self.identity, 1),
            self.joints + np.tensordot(coefficients, self.joint_identity, 1),
        )

    def avatar(self, coefficients: np.ndarray | None = None) -> Avatar:
        """A person of this model: identity coefficients (I,), the average when None. Without textures.

        The blinks are scaled so that this person's lids just meet at weight 1.
        """
        chosen = np.zeros(len(self.identity)) if coefficients is None else np.asarray(coefficients, float)
        neutral, joints = self.shaped(chosen)
        expressions = self.expressions.copy()
        for side in ("Left", "Right"):
            margins = (self.lid_margins[f"{lid}_{side.lower()}"] for lid in ("upper", "lower"))
            blink = expressions[ARKIT_52.index(f"eyeBlink{side}")]
            blink *= np.clip(closing_weight(neutral, blink, *margins), *BLINK_RANGE)
        return Avatar(
            neutral=neutral.astype(np.float32),
            polygons=self.polygons,
            uv=self.uv,
            uv_polygons=self.uv_polygons,
            polygon_material=self.polygon_material,
            material_names=self.material_names,
            expression_names=ARKIT_52,
            expressions=expressions,
            joint_names=self.joint_names,
            joints=joints,
            parents=self.parents,
            skinning=self.skinning,
            landmark_face=self.landmark_face,
            landmark_bary=self.landmark_bary,
            regions=self.regions,
            rig=self.rig,
            head_model=self.name,
            licences=self.licences,
        )
