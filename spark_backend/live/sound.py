"""The computer's microphone: blocks of sound, each with the time at which it was heard."""

import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Int16

from ..protocol.errors import SparkError

BLOCK = 0.05
"""Seconds of sound that come at a time."""
LONGEST_DELAY = 1.0
"""Seconds; a block that claims to be older than that has no time of its own, as with some drivers."""

Hear = Callable[[float, Int16[np.ndarray, "N"]], None]
"""Takes `time.perf_counter()` of a block's first sample, and its samples; called from the sound library's thread."""


class Microphone:
    """The microphone that the system has chosen, one channel, at its own rate."""

    def __init__(self, hear: Hear, sound: ModuleType | Any | None = None) -> None:
        """Begins to listen; `SparkError` when there is nothing to listen with. `sound` is the library sounddevice."""
        sound = library() if sound is None else sound
        self._hear = hear
        try:
            self.rate = round(sound.query_devices(kind="input")["default_samplerate"])
            self._stream = sound.InputStream(
                samplerate=self.rate,
                blocksize=round(BLOCK * self.rate),
                channels=1,
                dtype="int16",
                callback=self._heard,
            )
            self._stream.start()
        except (sound.PortAudioError, ValueError) as error:
            raise SparkError(
                f"No sound: the microphone does not open ({error}); plug one in, choose it in the settings and "
                "allow it to desktop programs"
            ) from error

    def close(self) -> None:
        """Lets go of the microphone; nothing is heard any more."""
        self._stream.close()

    def _heard(self, samples: np.ndarray, count: int, times: Any, flags: Any) -> None:
        """What the library calls with a block, in its own memory."""
        delay = times.currentTime - times.inputBufferAdcTime
        if not 0 < delay < LONGEST_DELAY:
            delay = count / self.rate
        self._hear(time.perf_counter() - delay, samples[:, 0].copy())


def library() -> ModuleType:
    """The library sounddevice; `SparkError` when it or PortAudio below it is missing."""
    try:
        import sounddevice
    except ImportError as error:
        raise SparkError("No sound: run `pip install sounddevice`, or leave the sound out") from error
    except OSError as error:  # on Linux its library is the system's
        raise SparkError(
            "No sound: PortAudio is missing; on Debian and Ubuntu `apt install libportaudio2`, or leave the sound out"
        ) from error
    return sounddevice
