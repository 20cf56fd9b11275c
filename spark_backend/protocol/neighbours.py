"""Files with companions (maps, material files), written to a neighbouring place first and then moved into theirs."""

import tempfile
from pathlib import Path

from .storage import filesystem_errors


def make_neighbour(output: Path) -> Path:
    """A new folder beside a file that is to be written, on the same disk. Whoever makes it removes it."""
    with filesystem_errors(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=".spark-", dir=output.parent))


def move_into_place(place: Path, output: Path) -> None:
    """Moves a written file to its final name, its companions (maps, material files) first."""
    with filesystem_errors(output):
        if place.parent != output.parent:
            for companion in sorted(path for path in place.parent.rglob("*") if path.is_file() and path != place):
                target = output.parent / companion.relative_to(place.parent)
                target.parent.mkdir(parents=True, exist_ok=True)
                companion.replace(target)
        place.replace(output)
