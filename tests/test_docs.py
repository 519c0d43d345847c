"""The documentation site's pages: their examples run, their pictures are small, flags are known."""

import doctest
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from toymono import Hyperparams, store, usage

DOCS = Path(__file__).parents[1] / "docs"
PACKAGE = Path(usage.__file__).parent
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


def test_the_page_on_extending_runs_from_top_to_bottom(untrained, tmp_path):
    """In a process of its own, since it registers records; `runs` has two initial biases."""
    for bias in (-1.0, 0.0):
        hyperparams = Hyperparams(eps=0.25, init_bias=bias)
        store.save(tmp_path / "runs", untrained(hyperparams=hyperparams))
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "howto" / "extend.md").read_text(), re.S)
    blocks += [
        "from toymono import Config\n"
        "Config(task='square', nonlinearity='clipped', penalty='squared')\n"
        "print(store.load(store.find('runs')[0]).final.w_mk.shape)\n"
        "print(list(frames.per_neuron(store.find('runs')))[-1])"
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "MPLBACKEND": "Agg"},
    )
    assert done.returncode == 0, done.stderr
    page = (DOCS / "howto" / "extend.md").read_text()
    [table] = re.findall(r"```text\n(.*?)```", page, re.S)
    assert done.stdout.startswith(table)
    verdict, *_, last = done.stdout[len(table) :].splitlines()
    assert "(Finding(setting='all settings', measure='rank correlation of" in verdict
    assert last == "two_strongest"
    assert (tmp_path / "score_by_bias.png").stat().st_size > 0


def test_the_reference_lists_every_module_of_the_analyses_and_frames():
    listed = re.findall(r"^   (toymono\S*)$", (DOCS / "reference" / "api.md").read_text(), re.M)
    assert len(listed) == len(set(listed))
    for folder in ("analysis", "frames"):
        modules = {
            ".".join(("toymono", *path.relative_to(PACKAGE).with_suffix("").parts))
            for path in (PACKAGE / folder).rglob("*.py")
            if path.stem != "__init__"
        }
        assert modules <= set(listed), "name these in docs/reference/api.md"


def test_roles_name_what_the_reference_lists():
    listed = set(
        re.findall(r"^   (toymono\S*)$", (DOCS / "reference" / "api.md").read_text(), re.M)
    )
    for path in PAGES:
        for kind, target in re.findall(r"\{py:(\w+)\}`([\w.]+)`", path.read_text()):
            module = target if kind == "mod" else target.rpartition(".")[0]
            assert module in listed, f"{path} names {target}"
