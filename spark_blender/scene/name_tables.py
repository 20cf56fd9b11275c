"""What other characters call ARKit's expressions, written without case and separators. Data only."""

from collections.abc import Mapping

ALIASES: Mapping[str, str] = {
    "blink": "eyeblink",
    "wink": "eyeblink",
    "eyeclose": "eyeblink",
    "eyesclosed": "eyeblink",
    "smile": "mouthsmile",
    "frown": "mouthfrown",
    "mouthopen": "jawopen",
    "jawdrop": "jawopen",
    "pucker": "mouthpucker",
    "funnel": "mouthfunnel",
}
"""Everyday words for an expression, without its side."""

VRM: Mapping[str, tuple[tuple[str, float], ...]] = {
    "a": (("jawOpen", 1.0),),
    "i": (("mouthStretchLeft", 0.5), ("mouthStretchRight", 0.5)),
    "u": (("mouthPucker", 1.0),),
    "e": (("mouthLowerDownLeft", 0.5), ("mouthLowerDownRight", 0.5)),
    "o": (("mouthFunnel", 1.0),),
    "blink": (("eyeBlinkLeft", 0.5), ("eyeBlinkRight", 0.5)),
    "blinkleft": (("eyeBlinkLeft", 1.0),),
    "blinkright": (("eyeBlinkRight", 1.0),),
    "lookup": (("eyeLookUpLeft", 0.5), ("eyeLookUpRight", 0.5)),
    "lookdown": (("eyeLookDownLeft", 0.5), ("eyeLookDownRight", 0.5)),
    "lookleft": (("eyeLookOutLeft", 0.5), ("eyeLookInRight", 0.5)),
    "lookright": (("eyeLookInLeft", 0.5), ("eyeLookOutRight", 0.5)),
}
"""VRM's vowels, blinks and looks; its emotions move the whole face and have no one expression here."""

VRM_SPELLINGS: Mapping[str, str] = {
    **{"aa": "a", "ih": "i", "ou": "u", "ee": "e", "oh": "o"},  # VRM 1.0
    **{f"fclmth{vowel}": vowel for vowel in "aiueo"},  # VRoid
    **{"fcleyeclose": "blink", "fcleyecloseleft": "blinkleft", "fcleyecloseright": "blinkright"},
    **{"vrcvaa": "a", "vrcvih": "i", "vrcvou": "u", "vrcve": "e", "vrcvoh": "o"},  # VRChat
    **{"vrcblink": "blink", "vrcblinkleft": "blinkleft", "vrcblinkright": "blinkright"},
}

METAHUMAN_SIDED: Mapping[str, str] = {
    "eyeBlink": "eyeBlink",
    "eyeWiden": "eyeWide",
    "eyeSquintInner": "eyeSquint",
    "eyeCheekRaise": "cheekSquint",
    "eyeLookUp": "eyeLookUp",
    "eyeLookDown": "eyeLookDown",
    "noseWrinkle": "noseSneer",
    "browDown": "browDown",
    "browRaiseOuter": "browOuterUp",
    "mouthCornerPull": "mouthSmile",
    "mouthCornerDepress": "mouthFrown",
    "mouthDimple": "mouthDimple",
    "mouthStretch": "mouthStretch",
    "mouthUpperLipRaise": "mouthUpperUp",
    "mouthLowerLipDepress": "mouthLowerDown",
    "mouthPressU": "mouthPress",
    "mouthPressD": "mouthPress",
}
"""Curves that end in L and R, for expressions with Left and Right."""

METAHUMAN_DOUBLED: Mapping[str, str] = {
    "browRaiseIn": "browInnerUp",
    "mouthCheekBlow": "cheekPuff",
    "mouthUpperLipRollIn": "mouthRollUpper",
    "mouthLowerLipRollIn": "mouthRollLower",
    "jawChinRaiseD": "mouthShrugLower",
    "jawChinRaiseU": "mouthShrugUpper",
    **{f"mouthFunnel{part}": "mouthFunnel" for part in "UD"},
    **{f"mouthLipsPurse{part}": "mouthPucker" for part in "UD"},
    **{f"mouthLipsTogether{part}": "mouthClose" for part in "UD"},
}
"""Curves that end in L and R, for one expression without sides."""

METAHUMAN_SINGLE: Mapping[str, str] = {
    **{name: name for name in ("jawOpen", "jawLeft", "jawRight", "mouthLeft", "mouthRight", "tongueOut")},
    "jawFwd": "jawForward",
    "eyeLookLeftL": "eyeLookOutLeft",
    "eyeLookRightL": "eyeLookInLeft",
    "eyeLookLeftR": "eyeLookInRight",
    "eyeLookRightR": "eyeLookOutRight",
}

BONE_NAMES: Mapping[str, tuple[str, ...]] = {
    "jaw": ("jawmaster", "jaw", "facialcjaw", "ccbasejawroot", "jawroot", "mixamorigjaw", "lowerjaw"),
    "eye": ("mastereye", "eye", "facialeye", "ccbaseeye", "jadjfaceeye", "mixamorigeye", "eyeball"),
    "head": ("head", "ccbasehead", "jbipchead", "mixamorighead", "spine006"),
    "neck": ("neck", "neck01", "jbipcneck", "mixamorigneck", "ccbasenecktwist01", "spine004"),
}
"""Bones that turn what ours turn, likeliest first, without their side: Rigify, MetaHuman, Character Creator, VRoid,
Mixamo."""
