"""Which build of torch a machine needs. Pure: what the machine says comes in as text."""

import re
from collections.abc import Sequence

Version = tuple[int, int]

TORCH_INDEX = "https://download.pytorch.org/whl"
"""PyTorch's own index; below it one for each build."""
CPU, APPLE = "cpu", "apple"
CUDA_BUILDS: tuple[tuple[str, Version, Version], ...] = (
    ("cu130", (13, 0), (7, 5)),
    ("cu126", (12, 0), (5, 0)),
)
"""Builds of torch 2.13, the newest first, with the least CUDA version of the driver and the least compute capability.

A build for CUDA 12.6 runs on any driver of CUDA 12 (NVIDIA's minor-version compatibility); CUDA 13 has dropped the
architectures before Turing, so that a new driver with an old card takes the older build.
"""


def parse_cuda_version(text: str) -> Version | None:
    """The newest CUDA that the driver serves, from what `nvidia-smi` prints; None when it does not say.

    Drivers from 610 on call it "CUDA UMD Version".
    """
    found = re.search(r"CUDA(?: UMD)? Version\s*:\s*(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def parse_capabilities(text: str) -> tuple[Version, ...]:
    """Compute capability of each card, from `nvidia-smi --query-gpu=compute_cap --format=csv,noheader`."""
    return tuple((int(a), int(b)) for a, b in re.findall(r"^\s*(\d+)\.(\d+)\s*$", text, re.MULTILINE))


def torch_build(system: str, cuda: Version | None, capabilities: Sequence[Version]) -> str:
    """The build for a machine: of CUDA when driver and at least one card serve it, Apple's, or the processor's.

    `system` is as `platform.system()` gives it.
    """
    if system == "Darwin":
        return APPLE
    for name, least_cuda, least_capability in CUDA_BUILDS:
        if cuda and cuda >= least_cuda and any(card >= least_capability for card in capabilities):
            return name
    return CPU


def describe_build(build: str) -> str:
    """A build in words."""
    words = {CPU: "for the processor", APPLE: "for Apple's processors"}
    return words.get(build, f"for CUDA {build[2:-1]}.{build[-1]}")
