"""What is inside MediaPipe's `face_landmarker.task`: a zip archive of networks."""

import io
import zipfile

DETECTOR = "face_detector.tflite"
LANDMARKS = "face_landmarks_detector.tflite"
SCORES = "face_blendshapes.tflite"


def bundle_member(bundle: bytes, name: str) -> bytes:
    """One file of the bundle."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        return archive.read(name)
