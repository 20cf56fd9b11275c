"""The vocabulary on the outside: ARKit's expression names, joints, regions and materials."""

# Apple's ARFaceAnchor.BlendShapeLocation, in the order of a Live Link Face recording. Left is the subject's left.
ARKIT_52 = (
    *("eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft"),
    *("eyeSquintLeft", "eyeWideLeft"),
    *("eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight"),
    *("eyeSquintRight", "eyeWideRight"),
    *("jawForward", "jawRight", "jawLeft", "jawOpen"),
    *("mouthClose", "mouthFunnel", "mouthPucker", "mouthRight", "mouthLeft"),
    *("mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight"),
    *("mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight"),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *("mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight"),
    *("mouthUpperUpLeft", "mouthUpperUpRight"),
    *("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    *("cheekPuff", "cheekSquintLeft", "cheekSquintRight"),
    *("noseSneerLeft", "noseSneerRight", "tongueOut"),
)

# A joint's parent comes before it. `root` carries the whole avatar; `head` is the skull.
JOINTS = ("root", "neck", "head", "jaw", "eye_left", "eye_right")
PARENTS = (-1, 0, 1, 2, 2, 2)

# Vertex masks every head model offers. They overlap: `face` holds lips, eyelids and nose too.
REGIONS = ("face", "lips", "eyelids", "eyes", "nose", "ears", "scalp", "neck", "mouth_interior")

KEY_REGIONS = {"brow": "brows", "eye": "eyes", "jaw": "jaw"}
"""Region of an expression by what its name begins with; all others (mouth, cheeks, nose, tongue) go with the mouth."""

MATERIALS = ("skin", "eye", "teeth", "tongue", "lashes")


def mirrored(name: str) -> str:
    """The same expression on the other side of the face; the name itself when it has no side."""
    if name.endswith("Left"):
        return name.removesuffix("Left") + "Right"
    if name.endswith("Right"):
        return name.removesuffix("Right") + "Left"
    return name


def region_of(expression: str) -> str:
    """The region that an expression, or a shape key of its name, belongs to."""
    return next((region for start, region in KEY_REGIONS.items() if expression.startswith(start)), "mouth")
