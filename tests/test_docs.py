"""The documentation site's pages: their examples run, their pictures are small, flags are known."""

import doctest
import re
import runpy
from pathlib import Path

import pytest
from PIL import Image

from toymono import usage

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(
    path
    for path in DOCS.rglob("*.md")
    if not {"_build", "generated", "commands"} & set(path.relative_to(DOCS).parts)
)


def name(path):
    return str(path.relative_to(DOCS))


@pytest.mark.parametrize("path", [p for p in PAGES if ">>> " in p.read_text()], ids=name)
def test_examples(path):
    failed, tried = doctest.testfile(str(path), module_relative=False)
    assert tried
    assert not failed


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_pictures_are_there_and_small(path):
    for picture in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", path.read_text()):
        assert (path.parent / picture).stat().st_size < 300_000, picture


def test_the_pictures_of_the_zoo_can_be_drawn_again(tmp_path):
    script = runpy.run_path(str(DOCS / "zoo_figures.py"))
    for path in script["draw"](tmp_path):
        with Image.open(path) as drawn, Image.open(DOCS / "figures" / path.name) as stored:
            assert drawn.size == stored.size


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_commands_exist(path):
    for command in re.findall(r"python -m toymono\.(\w+)", path.read_text()):
        assert command in {*usage.COMMANDS, "reproduction", "labelled"}, command  # old names


def test_every_concept_says_when_it_misleads():
    for path in (DOCS / "concepts").glob("*.md"):
        assert path.stem == "index" or "misleads" in path.read_text(), path
