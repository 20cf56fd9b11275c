"""Frames come out complete, in order, at their true times, upright and in the right colours."""

import struct
import wave
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from video_files import number_of, numbered, set_display_matrix, write_planes, write_video

from spark_backend.protocol.errors import SparkError
from spark_backend.video.decode import probe, read_frames, read_selected


def unexpected(sentence: str) -> None:
    """A warning where none belongs."""
    raise AssertionError(sentence)


def read(path: Path) -> tuple[list[float], list[int]]:
    """Times and numbers of a video of `numbered` frames that must give no warning."""
    frames = [(frame.pts, number_of(frame.image)) for frame in read_frames(path, unexpected)]
    return [pts for pts, _ in frames], [number for _, number in frames]


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(25)])
def test_constant_rates(tmp_path, rate):
    times, numbers = read(write_video(tmp_path / "a.mp4", numbered(20), rate))
    assert numbers == list(range(20))
    np.testing.assert_allclose(times, [float(k / rate) for k in range(20)], atol=1e-9)


def test_variable_rate_keeps_every_time(tmp_path):
    ticks = np.cumsum([0, 3000, 6000, 3000, 1500, 12345, 3000, 90000, 3003])
    times, numbers = read(write_video(tmp_path / "a.mp4", numbered(9), ticks=ticks.tolist()))
    assert numbers == list(range(9))
    np.testing.assert_allclose(times, ticks / 90000, atol=1e-6)


def test_time_starts_at_the_first_shown_frame(tmp_path):
    times, numbers = read(write_video(tmp_path / "a.mkv", numbered(4), ticks=[45000, 48600, 52200, 55800]))
    assert numbers == [0, 1, 2, 3]
    np.testing.assert_allclose(times, [0, 0.04, 0.08, 0.12], atol=1e-3)


def test_edit_list_hides_the_frames_before_it(tmp_path):
    path = write_video(tmp_path / "a.mp4", numbered(20), first_shown=7, options={"g": "5"})
    with av.open(str(path)) as container:
        assert sum(packet.size > 0 for packet in container.demux(video=0)) > 13, "the hidden frames are not in the file"
    times, numbers = read(path)
    assert numbers == list(range(7, 20))
    np.testing.assert_allclose(times, np.arange(13) / 25, atol=1e-9)


def test_matroska_without_a_frame_count(tmp_path):
    path = write_video(tmp_path / "a.mkv", numbered(12))
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 0
    times, numbers = read(path)
    assert numbers == list(range(12))
    np.testing.assert_allclose(times, np.arange(12) / 25, atol=1e-3)


def test_frames_with_a_time_already_taken_are_dropped_and_told(tmp_path):
    # Matroska counts milliseconds, so times a third of one apart fall together.
    ticks = [0, 3600, 3630, 7200, 7230, 10800]
    warnings: list[str] = []
    frames = list(read_frames(write_video(tmp_path / "a.mkv", numbered(6), ticks=ticks), warnings.append))
    assert [number_of(frame.image) for frame in frames] == [0, 1, 3, 5]
    assert all(np.diff([frame.pts for frame in frames]) > 0)
    assert len(warnings) == 1
    assert warnings[0].startswith("2 frames")


def corners(width: int = 64, height: int = 32) -> np.ndarray:
    """Red, green, blue and white quarters, clockwise from the upper left."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = (255, 0, 0)
    image[: height // 2, width // 2 :] = (0, 255, 0)
    image[height // 2 :, width // 2 :] = (0, 0, 255)
    image[height // 2 :, : width // 2] = (255, 255, 255)
    return image


def quarters(image: np.ndarray) -> str:
    """The colours of the four quarters, clockwise from the upper left."""
    names = {(True, False, False): "R", (False, True, False): "G", (False, False, True): "B", (True, True, True): "W"}
    height, width = image.shape[:2]
    places = [(1, 1), (1, 3), (3, 3), (3, 1)]
    return "".join(names[tuple((image[height * y // 4, width * x // 4] > 128).tolist())] for y, x in places)


# Matrix a b c d, what is then seen, and degrees counter-clockwise; x' = a x + c y, y' = b x + d y with y down.
@pytest.mark.parametrize(
    ("matrix", "seen", "degrees"),
    [
        ((1, 0, 0, 1), "RGBW", 0),
        ((0, 1, -1, 0), "WRGB", 270),
        ((-1, 0, 0, -1), "BWRG", 180),
        ((0, -1, 1, 0), "GBWR", 90),
        ((-1, 0, 0, 1), "GRWB", 0),
        ((1, 0, 0, -1), "WBGR", 180),
        ((0, 1, 1, 0), "RWBG", 270),
    ],
)
def test_rotation_and_mirroring(tmp_path, matrix, seen, degrees):
    path = write_video(tmp_path / "a.mp4", [corners()] * 3)
    set_display_matrix(path, *matrix)
    image = next(read_frames(path, unexpected)).image
    assert quarters(image) == seen
    info = probe(path)
    assert info.size == (image.shape[1], image.shape[0])
    assert info.size == ((32, 64) if matrix[0] == 0 else (64, 32))
    if matrix[0] * matrix[3] - matrix[1] * matrix[2] > 0:
        assert info.rotation == degrees


def test_wide_pixels_are_made_square(tmp_path):
    path = write_video(tmp_path / "a.mp4", [corners()] * 3, aspect=Fraction(4, 3))
    assert probe(path).size == (85, 32)
    assert next(read_frames(path, unexpected)).image.shape == (32, 85, 3)


def test_nearly_square_pixels_stay_as_they_are(tmp_path):
    path = write_video(tmp_path / "a.mp4", [corners()] * 3, aspect=Fraction(15, 16))
    assert next(read_frames(path, unexpected)).image.shape == (32, 64, 3)


def encoded_colour(rgb: tuple[int, int, int], kr: float, kb: float, full: bool, bits: int) -> tuple[int, int, int]:
    """Y, Cb, Cr by ITU-R BT.601/709, chosen independently of any library."""
    red, green, blue = (value / 255 for value in rgb)
    y = kr * red + (1 - kr - kb) * green + kb * blue
    cb, cr = (blue - y) / (2 * (1 - kb)), (red - y) / (2 * (1 - kr))
    top, unit = 2**bits - 1, 2 ** (bits - 8)
    if full:
        return round(y * top), round(cb * top + 2 ** (bits - 1)), round(cr * top + 2 ** (bits - 1))
    return round((16 + 219 * y) * unit), round((128 + 224 * cb) * unit), round((128 + 224 * cr) * unit)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("matrix", "kr", "kb"), [(1, 0.2126, 0.0722), (6, 0.299, 0.114)])
@pytest.mark.parametrize(
    ("codec", "pix_fmt", "bits"), [("libx264", "yuv420p", 8), ("libx265", "yuv420p", 8), ("libx265", "yuv420p10le", 10)]
)
def test_colours(tmp_path, codec, pix_fmt, bits, matrix, kr, kb, full):
    wanted = (200, 120, 60)
    planes = encoded_colour(wanted, kr, kb, full, bits)
    path = write_planes(tmp_path / "a.mp4", planes, pix_fmt, matrix, full, codec)
    image = next(read_frames(path, unexpected)).image
    np.testing.assert_allclose(image[8:-8, 8:-8].reshape(-1, 3).mean(axis=0), wanted, atol=3)
    described = probe(path).colour
    assert ("full" if full else "limited") in described
    assert ("BT.709" if matrix == 1 else "BT.601") in described


# BT.2408: 75 % of HLG is reference white, 38 % is 18 % grey, which sRGB writes as 118.
@pytest.mark.parametrize(("signal", "darkest", "brightest"), [(0.75, 240, 255), (0.38, 90, 125), (0.0, 0, 2)])
def test_high_dynamic_range_becomes_ordinary(tmp_path, signal, darkest, brightest):
    planes = (round(64 + 876 * signal), 512, 512)
    path = write_planes(tmp_path / "a.mp4", planes, "yuv420p10le", 9, False, "libx265", curve=18)
    image = next(read_frames(path, unexpected)).image[8:-8, 8:-8].reshape(-1, 3).astype(int)
    assert darkest <= image.min() <= image.max() <= brightest
    assert np.ptp(image, axis=1).max() <= 2
    assert probe(path).colour == "yuv420p10le BT.2020 limited HLG"


def test_selected_frames_are_those_of_the_whole_reading(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (15, 48, 64, 3), np.uint8)
    path = write_video(tmp_path / "a.mp4", noise, first_shown=3)
    whole = list(read_frames(path, unexpected))
    picked = list(read_selected(path, [11, 2, 2, 0]))
    assert [index for index, _ in picked] == [0, 2, 11]
    for index, frame in picked:
        assert frame.pts == whole[index].pts
        np.testing.assert_array_equal(frame.image, whole[index].image)
    assert list(read_selected(path, [])) == []


def test_what_is_left_of_a_cut_file_is_kept(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (50, 48, 64, 3), np.uint8)
    path = write_video(tmp_path / "a.mp4", noise, options={"g": "5"}, container_options={"movflags": "faststart"})
    data = path.read_bytes()
    path.write_bytes(data[: int(0.6 * len(data))])
    warnings: list[str] = []
    frames = list(read_frames(path, warnings.append))
    assert 20 <= len(frames) < 40
    np.testing.assert_allclose([frame.pts for frame in frames], np.arange(len(frames)) / 25, atol=1e-9)
    assert any("ends early" in sentence for sentence in warnings)


def test_damaged_bytes_are_survived_and_told(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (50, 48, 64, 3), np.uint8)
    path = write_video(tmp_path / "a.mp4", noise, options={"g": "5"})
    data = bytearray(path.read_bytes())
    for place in np.random.default_rng(1).integers(len(data) // 3, len(data) // 2, 200):
        data[place] ^= 0xFF
    path.write_bytes(data)
    warnings: list[str] = []
    frames = list(read_frames(path, warnings.append))
    assert len(frames) > 25
    assert any("Damaged data" in sentence for sentence in warnings)
    for again, frame in zip(read_frames(path, warnings.append), frames, strict=True):
        assert again.pts == frame.pts
        np.testing.assert_array_equal(again.image, frame.image)


def write_sound(path: Path) -> None:
    """A tenth of a second of silence."""
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(struct.pack("<800h", *([0] * 800)))


def write_unopenable(path: Path) -> None:
    """An MP4 file that was never finished: its index is missing."""
    whole = write_video(path.with_name("whole.mp4"), numbered(5)).read_bytes()
    path.write_bytes(whole[: whole.index(b"moov") - 4])


def write_single_gif(path: Path) -> None:
    """A GIF file with one picture."""
    write_video(path, [corners()], codec="gif", pix_fmt="rgb8")


@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        ("missing.mp4", lambda path: None, "no such file"),
        ("folder.mp4", lambda path: path.mkdir(), "is a folder"),
        ("text.mp4", lambda path: path.write_text("not a video " * 100), "cannot be opened as a video"),
        ("empty.mp4", lambda path: path.touch(), "cannot be opened as a video"),
        ("unfinished.mp4", write_unopenable, "cannot be opened as a video"),
        ("picture.png", lambda path: cv2.imwrite(str(path), corners()), "is a picture"),
        ("picture.jpg", lambda path: cv2.imwrite(str(path), corners()), "is a picture"),
        ("picture.gif", write_single_gif, "is a picture"),
        ("sound.wav", write_sound, "has no picture"),
    ],
)
def test_what_is_no_video_is_refused_in_one_sentence(tmp_path, name, make, says):
    path = tmp_path / name
    make(path)
    for use in (probe, lambda path: list(read_frames(path, unexpected))):
        with pytest.raises(SparkError, match=says) as refusal:
            use(path)
        assert "\n" not in str(refusal.value)


def test_a_picture_with_a_videos_name_is_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), corners())
    (tmp_path / "a.png").rename(tmp_path / "a.mp4")
    with pytest.raises(SparkError, match="is a picture"):
        probe(tmp_path / "a.mp4")


def test_animated_gif_is_a_video(tmp_path):
    path = write_video(tmp_path / "a.gif", numbered(5), rate=10, codec="gif", pix_fmt="rgb8")
    assert len(list(read_frames(path, unexpected))) == 5


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "count", "warned"),
    [
        ("hard/dark_bearded_old_man.mp4", 209, False),
        ("hard/vfr_real_face1.mp4", 135, False),
        ("hard/no_face.mp4", 95, False),
        ("hard/asl_bird.mkv", 63, False),
        ("hard/broken_truncated_midstream.mp4", 59, True),
        ("hard/broken_bit_errors.mp4", 134, True),
    ],
)
def test_real_files(shared_data, name, count, warned):
    warnings: list[str] = []
    times = [frame.pts for frame in read_frames(shared_data / name, warnings.append)]
    assert len(times) == count
    assert times[0] == 0
    assert (np.diff(times) > 0).all()
    assert bool(warnings) == warned


@pytest.mark.shared
def test_real_rotation(shared_data):
    turned = next(read_frames(shared_data / "hard/phone_rotation_metadata.mp4", unexpected)).image
    original = next(read_frames(shared_data / "talking/portrait_glasses_1080.mp4", unexpected)).image
    assert turned.shape == original.shape
    assert np.abs(turned.astype(int) - original).mean() < 2
