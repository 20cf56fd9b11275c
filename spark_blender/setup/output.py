"""What pip prints, as progress and as sentences. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .steps import Step, describe_bytes

UNITS = {"bytes": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9}
FETCHED = 0.75
"""Part of a step's bar for finding and fetching; the rest is for unpacking."""

AGAIN = "press Set Up Backend again, what has arrived is kept"
# What pip says, and what that means; the first that fits counts.
FAULTS = (
    (
        r"No space left on device|\[Errno 28\]|\[WinError 112\]",
        "The disk is full; free some space and press Set Up Backend again",
    ),
    (
        r"Permission denied|\[Errno 13\]|\[WinError 5\]|Read-only file system",
        "A file could not be written; choose an environment folder you may write to",
    ),
    (
        r"externally-managed-environment",
        "That Python belongs to the system; leave the environment empty or choose one made with venv",
    ),
    (
        r"No module named '?(?:venv|ensurepip|pip)|ensurepip is not\s+available",
        "That Python cannot make environments (venv or pip is missing); choose another Python",
    ),
    (
        r"DO NOT MATCH THE HASHES|IncompleteRead|incomplete-download|Connection broken|timed out|Connection reset"
        r"|Connection aborted|RemoteDisconnected",
        f"The download broke off; {AGAIN}",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError",
        "The server's certificate is not trusted, as behind some company networks; ask whoever runs the network, "
        "or install from a folder of wheels",
    ),
    (
        r"Wheel '(?P<name>[^']+)' located at .* is invalid|(?P<file>\S+\.whl).* is (?:invalid|corrupted)|BadZipFile",
        "{what} {damage}",
    ),
    (
        r"NewConnectionError|ProxyError|getaddrinfo failed|Name or service not known"
        r"|Temporary failure in name resolution|Failed to establish a new connection|Network is unreachable",
        f"No connection to the server; see to the network and {AGAIN}",
    ),
    (
        r"No matching distribution found for (?P<name>[^\s;]+)",
        "{what} is not to be had for this Python and computer; {where}",
    ),
    (
        r"ResolutionImpossible|conflicting dependencies",
        "Packages in this environment exclude each other; choose an empty folder for the environment",
    ),
)


@dataclass(frozen=True)
class Fetching:
    """How far a step of pip's is."""

    step: Step
    stage: str
    before: float = 0.0
    """Bytes of the files that have arrived."""
    size: float = 0.0
    """Bytes of the file that is arriving."""
    arrived: float = 0.0
    unpacking: bool = False

    @property
    def fraction(self) -> float:
        """Of the step, in [0, 1]."""
        if self.unpacking:
            return FETCHED
        return FETCHED * min((self.before + self.arrived) / self.step.download, 1.0) if self.step.download else 0.0


def begin(step: Step) -> Fetching:
    """Before the first line."""
    return Fetching(step, step.title)


def advance(state: Fetching, line: str) -> Fetching:
    """The state after one more line."""
    if found := re.match(r"Progress (\d+) of (\d+)", line):
        arrived, size = float(found[1]), float(found[2])
        name = state.stage.partition(",")[0]
        return replace(state, arrived=arrived, size=size, stage=f"{name}, {of_bytes(arrived, size)}")
    if found := re.match(r"\s*(?:Downloading|Using cached) (\S+?)(?:-\d\S*)? \(([\d.]+) (\w+)\)", line):
        done = state.before + state.size
        size = float(found[2]) * UNITS.get(found[3], 1.0)
        name = found[1].rpartition("/")[2]
        return replace(state, before=done, size=size, arrived=0.0, stage=f"Downloading {name}, {describe_bytes(size)}")
    if found := re.match(r"Collecting ([\w.-]+)", line):
        done = state.before + state.size
        return replace(state, before=done, size=0.0, arrived=0.0, stage=f"Looking for {found[1]}")
    if found := re.match(r"Processing .*?([^\\/]+?)-\d[^\\/]*$", line):
        return replace(state, stage=f"Reading {found[1]}")
    if found := re.match(r"Installing collected packages: (.*)", line):
        return replace(state, unpacking=True, stage=f"Unpacking {len(found[1].split(','))} packages")
    return state


def of_bytes(arrived: float, size: float) -> str:
    """Two numbers of bytes in the unit of the larger."""
    unit, name = (1e9, "GB") if size >= 0.95e9 else (1e6, "MB")
    return f"{arrived / unit:.{1 if name == 'GB' else 0}f} of {describe_bytes(size)}"


def is_noise(line: str) -> bool:
    """Whether a line is progress alone and has no place in the log."""
    return line.startswith("Progress ")


def explain(lines: Sequence[str], step: Step, code: int, offline: bool) -> str:
    """Why a step has failed, in one sentence with a remedy, from the last lines that it printed."""
    text = "\n".join(lines)
    for pattern, sentence in FAULTS:
        found = re.search(pattern, text)
        if found:
            names = [value for value in found.groupdict().values() if value]
            what = names[0] if names else "A package"
            where = "add it to the folder of wheels" if offline else "choose another Python, 3.11 to 3.13"
            damage = (
                "is damaged; replace it, or choose another folder of wheels, and press Set Up Backend again"
                if offline
                else f"has arrived damaged; {AGAIN}"
            )
            return sentence.format(what=what, where=where, damage=damage)
    told = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:")] or lines[-1:]
    words = f": {told[-1].strip()[:200]}" if told else ""
    return f"{step.title} failed (exit code {code}){words}; see the log, then press Set Up Backend again"
