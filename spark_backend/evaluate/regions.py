"""Which part of the face each pixel shows: from landmarks, from a mesh, or from a segmentation network's picture."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Num, UInt8

from ..protocol.avatar import Avatar
from ..render.warp import WarpRasterizer
from .warp import Pose, draw

CLASSES = ("background", "skin", "lower lip", "upper lip", "nose", "eyes", "mouth interior")
BACKGROUND, SKIN, LOWER_LIP, UPPER_LIP, NOSE, EYES, MOUTH = range(len(CLASSES))
IGNORED = 255
"""Ears, hair and what else is not compared."""

OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
NOSE_OUTLINE = (
    *(168, 193, 188, 174, 217, 198, 131, 49, 129, 64, 98, 97, 2),
    *(326, 327, 294, 358, 279, 360, 420, 437, 399, 412, 417),
)
LEFT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
RIGHT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
# From the subject's right corner to the left one.
OUTER_UPPER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
OUTER_LOWER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
INNER_UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
INNER_LOWER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)

FINE = 8
"""The outlines are drawn as many times larger, then sampled at the pixels' centres."""
REST_SIZE = 512
FACE_ENDS = 0.01
"""Metres behind the outermost points of the face's oval at which the head is no longer the face."""

# The 19 classes of CelebAMask-HQ, in the order of the usual BiSeNet (zllrunning's): background, skin, brows (2), eyes
# (2), glasses, ears (2), earring, nose, mouth, upper lip, lower lip, neck, necklace, cloth, hair, hat.
BISENET = np.full(256, IGNORED, np.uint8)
BISENET[:19] = (
    *(BACKGROUND, SKIN, SKIN, SKIN, EYES, EYES, IGNORED, IGNORED, IGNORED, IGNORED, NOSE),
    *(MOUTH, UPPER_LIP, LOWER_LIP, BACKGROUND, BACKGROUND, BACKGROUND, IGNORED, IGNORED),
)


def landmark_regions(landmarks: Num[np.ndarray, "478 2"], size: int) -> UInt8[np.ndarray, "size size"]:
    """The built-in labelling: outlines of MediaPipe's landmarks, in pixels, filled one over the other.

    The face is the hull of all landmarks, not their oval alone: seen from aside, nose and cheek stand out beyond it.
    """
    outlines = (
        (NOSE_OUTLINE, NOSE),
        ((*OUTER_UPPER, *INNER_UPPER[::-1]), UPPER_LIP),
        ((*OUTER_LOWER, *INNER_LOWER[::-1]), LOWER_LIP),
        ((*INNER_UPPER, *INNER_LOWER[::-1]), MOUTH),
        (LEFT_EYE, EYES),
        (RIGHT_EYE, EYES),
    )
    # OpenCV counts from pixel centres; four more bits keep the places exact.
    places = np.round((landmarks * FINE - 0.5) * 16).astype(np.int32)
    large = np.zeros((size * FINE, size * FINE), np.uint8)
    cv2.fillPoly(large, [cv2.convexHull(places)], SKIN, shift=4)
    for outline, label in outlines:
        cv2.fillPoly(large, [places[list(outline)]], label, shift=4)
    return large[FINE // 2 :: FINE, FINE // 2 :: FINE].copy()


@dataclass(frozen=True)
class MeshRegions:
    """The parts of a head's surface."""

    faces: Int[np.ndarray, "F 3"]
    """The triangles to draw."""
    label: Int[np.ndarray, "F"]
    """Their class; -1 where `picture` tells."""
    place: Float[np.ndarray, "V 3"]
    """Pixels of `picture` at which the vertices lie, and metres by which they lie in front of where the face ends."""
    picture: UInt8[np.ndarray, "_ _"]
    """The head at rest from the front, labelled by its own landmarks, lips closed."""
    beyond: int
    """The class of what lies behind the face's end."""


def mesh_regions(avatar: Avatar, chosen: Bool[np.ndarray, "F"], oval: bool) -> MeshRegions:
    """The parts of the `chosen` triangles of an avatar.

    The skin's parts are outlined by the same landmarks as in `landmark_regions`, so that the two agree where the
    tracking is right. With `oval` the face ends at the landmarks' oval and the rest of the head is background;
    without, as segmentation networks see it, all skin is skin, and ears are not compared.
    """
    corners = avatar.faces[avatar.landmark_face]
    landmarks = np.einsum("lc,lcx->lx", avatar.landmark_bary, avatar.neutral[corners])
    front = avatar.neutral[:, [0, 2]] * (1, -1)
    low, high = front.min(0), front.max(0)
    scale = (REST_SIZE - 2) / float((high - low).max())
    at_rest = closed_lips((landmarks[:, [0, 2]] * (1, -1) - low) * scale + 1)
    picture = landmark_regions(at_rest, REST_SIZE)
    if not oval:
        picture[picture == BACKGROUND] = SKIN
    ahead = landmarks[list(OVAL), 1].max() + FACE_ENDS - avatar.neutral[:, 1]
    place = np.concatenate([(front - low) * scale + 1, ahead[:, None]], 1)
    label = triangle_labels(avatar, oval)[chosen]
    return MeshRegions(avatar.faces[chosen], label, place, picture, BACKGROUND if oval else SKIN)


def triangle_labels(avatar: Avatar, oval: bool) -> Int[np.ndarray, "F"]:
    """The class of each triangle of the avatar; -1 for those of the face's skin."""

    def within(region: str) -> np.ndarray:
        return avatar.regions[region][avatar.faces].sum(1) >= 2

    material = np.array(avatar.material_names)[avatar.face_material]
    label = np.full(len(avatar.faces), -1)
    label[within("ears")] = BACKGROUND if oval else IGNORED
    label[within("neck")] = BACKGROUND
    label[within("mouth_interior") | np.isin(material, ("teeth", "tongue"))] = MOUTH
    label[material == "eye"] = EYES
    return label


def closed_lips(landmarks: Float[np.ndarray, "478 2"]) -> Float[np.ndarray, "478 2"]:
    """The landmarks with the gap between the lips closed in its middle: at rest no skin lies in it."""
    closed = landmarks.copy()
    upper, lower = list(INNER_UPPER), list(INNER_LOWER)
    closed[upper] = closed[lower] = (landmarks[upper] + landmarks[lower]) / 2
    return closed


def drawn_regions(regions: MeshRegions, pose: Pose, size: int) -> UInt8[np.ndarray, "size size"]:
    """The class seen in each pixel of a crop; background beside the mesh."""
    fragments = draw(pose, torch.as_tensor(regions.faces).long(), size, 1, WarpRasterizer())
    face, seen = fragments.face[0].numpy(), fragments.mask[0].numpy()
    rows = face[seen]
    label = regions.label[rows]
    place = np.einsum("nc,ncx->nx", fragments.bary[0].numpy()[seen], regions.place[regions.faces[rows]])
    column, row = place[:, :2].astype(int).clip(0, len(regions.picture) - 1).T
    skin = np.where(place[:, 2] > 0, regions.picture[row, column], regions.beyond)
    result = np.full((size, size), BACKGROUND, np.uint8)
    result[seen] = np.where(label < 0, skin, label)
    return result


def region_iou(found: UInt8[np.ndarray, "H W"], truth: UInt8[np.ndarray, "H W"]) -> Float[np.ndarray, "C"]:
    """Intersection over union of each of `CLASSES`; 1 for a class that neither has.

    Pixels that either side ignores do not count.
    """
    compared = (found != IGNORED) & (truth != IGNORED)
    a, b = found[compared], truth[compared]
    both = [np.count_nonzero((a == k) & (b == k)) for k in range(len(CLASSES))]
    either = [np.count_nonzero((a == k) | (b == k)) for k in range(len(CLASSES))]
    return np.array([x / y if y else 1.0 for x, y in zip(both, either, strict=True)])
