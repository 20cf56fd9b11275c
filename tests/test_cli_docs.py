"""The README and the pages say what is so: links lead somewhere, commands are understood, the test line is CI's."""

import re
import shlex
from pathlib import Path

import pytest

from spark_backend import __main__ as program
from spark_backend.pipeline.commands import COMMANDS

CHECKOUT = Path(__file__).resolve().parents[1]
PAGES = sorted([CHECKOUT / "README.md", CHECKOUT / "benchmarks" / "README.md", *(CHECKOUT / "docs").rglob("*.md")])


def commands_of(text: str) -> list[list[str]]:
    """The arguments of every `spark` command in a page's shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("spark ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_links_lead_to_files(page: Path):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8"))
    local = [link for link in links if not link.startswith(("http:", "https:"))]
    missing = [link for link in local if not (page.parent / link).exists()]
    assert not missing


def test_every_page_is_reachable_from_the_index():
    index = (CHECKOUT / "docs" / "index.md").read_text("utf-8")
    for page in (CHECKOUT / "docs").rglob("*.md"):
        assert page.name == "index.md" or page.relative_to(CHECKOUT / "docs").as_posix() in index, page


def test_the_readmes_commands_are_understood():
    commands = commands_of((CHECKOUT / "README.md").read_text("utf-8"))
    assert len(commands) >= 4
    for arguments in commands:
        name, options, _ = program.parse(arguments)
        assert isinstance(options, COMMANDS[name].options)


def test_the_command_lines_page_has_every_verb_and_no_other():
    text = (CHECKOUT / "docs" / "cli.md").read_text("utf-8")
    named = set(re.findall(r"^    spark (\w+) ", text, re.MULTILINE))
    assert named == {*COMMANDS, "run"}


def test_ci_runs_the_readmes_test_line():
    readme = (CHECKOUT / "README.md").read_text("utf-8")
    lines = re.findall(r"^python3\.11 .*pytest -n 2$", readme, re.MULTILINE)
    assert len(lines) == 1
    assert "constraints.txt" in lines[0]
    assert r"^python3\.11 .*pytest -n 2$" in (CHECKOUT / ".ci" / "run").read_text("utf-8")


def test_constraints_are_portable_and_agree():
    pins = dict(
        line.split("==")
        for line in (CHECKOUT / "constraints.txt").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    )
    assert pins["torch"] == "2.13.0"
    assert all(re.fullmatch(r"[\w.]+", version) for version in pins.values())
    assert len({version for name, version in pins.items() if name.startswith("opencv")}) == 1
