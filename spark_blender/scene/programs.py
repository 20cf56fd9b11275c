"""What the programs that read our files expect where a format leaves it open: the unit and the upward axis."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Program:
    """How a program reads Alembic, USD and OBJ. FBX is in centimetres and glTF in metres, +Y up, for all of them."""

    title: str
    description: str
    centimetres: bool = False
    """Alembic and OBJ hold bare numbers, which the program takes for centimetres."""
    y_up: bool = False
    """The program does not turn a USD stage whose upward axis is Z."""
    smoothing: str = "OFF"
    """FBX: what the program wants to know of smooth edges; Unreal and Maya warn when they are told nothing."""


PROGRAMS = {
    "ANY": Program("Any Program", "Metres, +Z up in USD; Blender's own settings"),
    "UNREAL": Program("Unreal Engine", "Centimetres, smoothing groups in FBX", centimetres=True, smoothing="FACE"),
    "UNITY": Program("Unity", "Metres, +Y up in USD", y_up=True),
    "MAYA": Program("Maya", "Centimetres, +Y up, smoothing in FBX", centimetres=True, y_up=True, smoothing="FACE"),
}
