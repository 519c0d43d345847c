"""The commands as real processes, for tests that kill, limit and contradict them."""

import importlib.util
import itertools
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location("commands", Path(__file__).with_name("commands.py"))
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)


@pytest.fixture(scope="session")
def commands(tmp_path_factory):
    """Starts commands of the package; see `commands.Commands`."""
    commands = _MODULE.Commands(tmp_path_factory.mktemp("commands"))
    yield commands
    commands.close()


@pytest.fixture(scope="session")
def tiny():
    """Flags of a sweep of tiny runs: 2**13 steps of them take a second or two."""
    sizes = {"n": 16, "m": 4, "k": 24, "batch_size": 8, "eps": 0.25}
    return [f"--{name}={value}" for name, value in sizes.items()]


@pytest.fixture
def numbered(tmp_path):
    """New folders' names."""
    count = itertools.count()
    return lambda: tmp_path / f"runs{next(count)}"
