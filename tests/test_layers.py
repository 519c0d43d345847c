"""Imports point down only, in the layers of this table, which docs/layout.md shows."""

import ast
import graphlib
import re
from pathlib import Path

import pytest

import toymono

PACKAGE = Path(toymono.__file__).parent

LAYERS = {
    "report": 8,
    "papers": 7,
    "sweep": 6,
    "plots": 6,
    "frames": 5,
    "quantities": 5,
    "where": 5,
    "cli": 5,
    "markdown": 5,
    "zoo": 5,
    "usage": 5,
    "completion": 5,
    "kinds": 4,
    "job": 4,
    "store": 4,
    "torch_io": 4,
    "catalog": 4,
    "analysis": 4,
    "train": 3,
    "fitting": 3,
    "classifiers": 3,
    "autoencoders": 3,
    "scores": 3,
    "tasks": 2,
    "feature_laws": 2,
    "alignment": 2,
    "biases": 2,
    "origins": 2,
    "masks": 2,
    "pruning": 2,
    "batching": 2,
    "features": 2,
    "models": 2,
    "penalties": 2,
    "optimizers": 2,
    "precision": 1,
    "fields": 1,
    "config": 1,
    "records": 1,
    "files": 1,
    "signals": 1,
}
COMMANDS = 9
"""The layer of every `__main__`."""


def unit(path: Path) -> str:
    """The module or package that a file belongs to; commands stand by themselves."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "/".join(parts) if parts[-1] == "__main__" else parts[0].removesuffix("__init__")


def layer(name: str) -> int:
    return COMMANDS if name.endswith("__main__") else LAYERS[name]


FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {
    ".".join(("toymono", *path.relative_to(PACKAGE).with_suffix("").parts)) for path in FILES
}
UNITS = sorted({unit(path) for path in FILES} - {""})


def imported_modules(path: Path):
    """Modules of the package that a file imports, wherever it does."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("toymono"))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            if (node.module or "").split(".")[0] == "toymono":
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    known = full in MODULES or f"{full}.__init__" in MODULES
                    yield full if known else node.module


def imported_units(name: str) -> set[str]:
    """The other units that a unit imports; the package's own front door counts as none."""
    found = set()
    for path in FILES:
        if unit(path) == name:
            for module in imported_modules(path):
                parts = module.split(".")[1:]
                if parts:
                    found.add("/".join(parts) if parts[-1] == "__main__" else parts[0])
    return found - {name}


def test_the_page_shows_this_table():
    page = (PACKAGE.parent / "docs" / "layout.md").read_text()
    shown = {
        name: int(number)
        for number, names in re.findall(r"^\| (\d+) \| (.+) \|$", page, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names)
    }
    assert shown == {**LAYERS, "__main__": COMMANDS}


@pytest.mark.parametrize("name", UNITS)
def test_imports_point_down_only(name):
    for other in imported_units(name):
        assert layer(other) <= layer(name), f"{name} imports {other}, which stands higher"


def test_no_import_cycles_between_packages():
    graph = {name: imported_units(name) for name in UNITS}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def test_no_import_cycles_between_modules():
    graph = {
        ".".join(("toymono", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
            ".__init__"
        ): {module for module in imported_modules(path)}
        for path in FILES
    }
    for name, modules in graph.items():
        # A package's front door re-exports what lies within it.
        modules -= {module for module in modules if name.startswith(f"{module}.")} | {name}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def test_plots_papers_and_report_compute_no_science():
    for name in ("plots", "papers", "report"):
        assert not imported_units(name) & {"scores", "analysis", "models", "features", "train"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_are_short(path):
    assert len(path.read_text().splitlines()) <= 400


def test_exports_can_be_imported():
    assert all(hasattr(toymono, name) for name in toymono.__all__)
    assert sorted(toymono.__all__) == list(toymono.__all__)
