"""Imports point down only, as the design's table of floors says."""

import ast
import graphlib
from pathlib import Path

import pytest

import toymono

HOUSE = Path(toymono.__file__).parent

FLOORS = {
    "config": 1,
    "files": 1,
    "world": 2,
    "model": 2,
    "penalty": 2,
    "optimizer": 2,
    "train": 3,
    "placement": 3,
    "catalog": 4,
    "store": 4,
    "scores": 4,
    "decompose": 4,
    "algorithms": 4,
    "lenses": 4,
    "tables": 5,
    "dissected": 5,
    "penalised": 5,
    "plan": 5,
    "command": 6,
    "sweep": 6,
    "plots": 6,
    "reproduction": 6,
    "report": 6,
    "labelled": 4,
}
FRONT_DOOR = 3
"""What the package itself offers comes from floors 1 to 3."""


def room(path: Path) -> str:
    """The module or subpackage that a file belongs to; `` for the front door.

    `labelled` is a house of its own: each of its files counts.
    """
    parts = path.relative_to(HOUSE).with_suffix("").parts
    return "/".join(parts) if parts[0] == "labelled" else parts[0].removesuffix("__init__")


def floor(name: str) -> int:
    house, _, file = name.partition("/")
    if file == "__main__" or file.endswith(("figures", "gallery")):
        return FLOORS["plots"]
    if file == "tables":
        return FLOORS["tables"]
    return FLOORS[house] if name else FRONT_DOOR


ROOMS = sorted({room(path) for path in HOUSE.rglob("*.py")})


def imported_names(tree: ast.AST):
    """Every dotted name that the code imports, wherever it does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_rooms(name: str) -> set[str]:
    """The other rooms that a room imports from; `` where it comes through the front door."""
    found = set()
    for path in HOUSE.rglob("*.py"):
        if room(path) == name:
            for imported in imported_names(ast.parse(path.read_text())):
                house, *parts = imported.split(".")
                if house == "toymono":
                    first = parts[0] if parts else ""
                    named = ("/".join(parts[:2]), f"{first}/__init__", first, "")
                    found.add(next(place for place in named if place in ROOMS))
    return found - {name}


@pytest.mark.parametrize("name", [name for name in ROOMS if name])
def test_imports_point_down_only(name):
    assert name.partition("/")[0] in FLOORS, "a new room: give it a floor in the design and here"
    imported = imported_rooms(name)
    for other in imported:
        assert floor(other) <= floor(name), f"{name} imports {other}, which stands higher"
    assert floor(name) > FRONT_DOOR or "" not in imported, f"{name} imports what imports it"
    assert floor(name) == 6 or "command" not in imported


def test_the_front_door_opens_on_the_first_floors():
    assert all(floor(other) <= FRONT_DOOR for other in imported_rooms(""))


def test_no_rooms_import_each_other():
    inside = {name: imported_rooms(name) - {""} for name in ROOMS if name}
    assert len(list(graphlib.TopologicalSorter(inside).static_order())) == len(inside)


def test_plots_and_reports_compute_no_scores():
    for name in {"plots", "report"} & set(ROOMS):
        assert not imported_rooms(name) & {
            "scores",
            "decompose",
            "algorithms",
            "model",
            "world",
            "train",
        }


def test_exports_are_what_is_imported():
    assert all(hasattr(toymono, name) for name in toymono.__all__)
    assert sorted(toymono.__all__) == list(toymono.__all__)
