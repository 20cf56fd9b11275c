"""Pictures of the walk and the page that shows them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import fill

from PIL import Image
from window import Window

TITLE = """# Walkthrough

From the zip to an exported animation, in Blender's window. The pictures and this page are made by
`SPARK_WRITE_DOCS=1 pytest tests/gui/test_walkthrough.py`, which goes this way by itself with a real mouse; the person
is rendered and does not exist. The look is Debian's Blender 4.3 without a graphics card.
"""
CAPTIONS = {
    "install": (
        "Install",
        "*Preferences → Get Extensions → Install from Disk* takes the zip. The add-on's own preferences say where the "
        "backend is, or make its environment.",
    ),
    "set-up": (
        "Set up the backend",
        "*Set Up Backend* makes the environment, from the network or, as here, from a folder of wheels. Bar and "
        "step tell how far it is, in the preferences the log too. It can be cancelled and goes on from there.",
    ),
    "ready": (
        "Check",
        "In the sidebar (N), tab *SPARK*: the row *Backend* says whether the environment works and on which device. "
        "The steps of the work follow below, from top to bottom; the dot marks the next one.",
    ),
    "models": (
        "What it has",
        "What the check has found, in words, and every model with its licence, its size and where it is.",
    ),
    "new-project": ("Make a project", "*New* asks for the person's name: a project is a folder for one person."),
    "clips": (
        "Add clips",
        "By the plus, or by dragging video files into the viewport.",
    ),
    "training": (
        "Train",
        "*Train* fits the head to all clips. Bar, stage and picture tell how far it is; Blender stays free meanwhile.",
    ),
    "cancelled": ("Cancel", "The cross stops the training. What is done is kept: *Resume* goes on."),
    "trained": (
        "The head",
        "It arrives in the scene by itself: mesh, 52 shape keys, armature, materials. The panel shows it too, and says "
        "how well it meets its clips and what they lack.",
    ),
    "captured": (
        "Capture",
        "*Capture* follows the selected clip on that head. The scene gets the clip's rate, range, camera and picture, "
        "and the view is fitted beside the sidebar.",
    ),
    "scrubbed": ("Look", "Any frame of the timeline: the head lies over the face that it was taken from."),
    "adjusted": (
        "Adjust",
        "Sliders change the take where it plays: strength by region or by shape key, smoothing, fewer keys, trim, a "
        "loop. What was captured is kept; *Reset All* brings it back.",
    ),
    "exported": (
        "Export",
        "Choose a kind of file and a place. Another Blender writes it; this one stays free meanwhile.",
    ),
    "reopened": ("Come back", "A saved .blend finds its project, clips and takes again."),
}
"""Heading and words of each picture, in the order of the page."""
LIVE = (
    "A camera drives the same head at once, and what it sees can be recorded as a take; see [live.md](live.md). Here a "
    "rendered person stands before a camera that is a file."
)
"""The words to the picture that tests/gui/test_live_real.py takes."""
QUALITY = 82
BESIDE = ("clips", "trained", "exported")
"""Pictures whose sidebars docs/addon.md shows."""
SIDEBAR, GAP = (775, 82, 1030, 864), 8
"""Where the sidebar is in a window of 1280 by 960 pixels, without its tabs; pixels between two."""


@dataclass
class Page:
    """The pictures that were taken."""

    folder: Path
    taken: dict[str, Path] = field(default_factory=dict)

    def picture(self, name: str, window: Window) -> None:
        """Takes a picture of the window, which must show something."""
        window.type("mousemove 300 700")  # away from buttons, whose tooltip would come up
        number = list(CAPTIONS).index(name) + 1
        self.taken[name] = window.screenshot(self.folder / f"{number:02d}-{name}.png")
        with Image.open(self.taken[name]) as picture:
            colours = picture.convert("RGB").quantize(256).getcolors()
        assert len(colours) > 60, f"{self.taken[name]}: blank"

    def write(self, docs: Path) -> None:
        """Writes the page and its pictures."""
        place = docs / "images" / "walkthrough"
        place.mkdir(parents=True, exist_ok=True)
        text = TITLE
        for name, (heading, words) in CAPTIONS.items():
            if name in self.taken:
                with Image.open(self.taken[name]) as picture:
                    picture.convert("RGB").save(place / f"{name}.jpg", quality=QUALITY, optimize=True)
            elif not (place / f"{name}.jpg").exists():  # of a walk with SPARK_GUI_FULL
                continue
            text += f"\n## {heading}\n\n{fill(words, 120)}\n\n![{heading}](images/walkthrough/{name}.jpg)\n"
        text += f"\n## Live\n\n{fill(LIVE, 120)}\n\n![Live](images/live.jpg)\n"
        (docs / "walkthrough.md").write_text(text, encoding="utf-8")
        sidebars([self.taken[name] for name in BESIDE]).save(docs / "images" / "addon.png", optimize=True)


def sidebars(pictures: Sequence[Path]) -> Image.Image:
    """The sidebars of some pictures beside each other."""
    left, top, right, bottom = SIDEBAR
    strip = Image.new("RGB", (len(pictures) * (right - left) + (len(pictures) - 1) * GAP, bottom - top), "white")
    for index, path in enumerate(pictures):
        with Image.open(path) as picture:
            strip.paste(picture.convert("RGB").crop(SIDEBAR), (index * (right - left + GAP), 0))
    return strip
