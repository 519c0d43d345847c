"""What every frame accepts as runs, and what it says to anything else."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from toymono.store import StoredRun


def checked(runs: Any, kind: type) -> Iterator[Any]:
    """Each of the runs, stored or in memory, if it is of the kind.

    Args:
      runs: Runs, or a single one.
      kind: `Run`, or that of another kind of run.

    Raises:
      TypeError: It is something else, such as the name of a folder.
      ValueError: There are none.

    Example:
      >>> from toymono import Run
      >>> list(checked("runs", Run))
      Traceback (most recent call last):
      TypeError: runs is a str, not runs; store.find(folder) lists those of a folder
    """
    if isinstance(runs, kind | StoredRun):
        runs = [runs]
    if isinstance(runs, str | Path | Mapping) or not isinstance(runs, Iterable):
        name = type(runs).__name__
        raise TypeError(f"runs is a {name}, not runs; store.find(folder) lists those of a folder")
    empty = True
    for run in runs:
        empty = False
        found = run.kind.run if isinstance(run, StoredRun) else type(run)
        if not issubclass(found, kind):
            raise TypeError(f"runs holds a {found.__name__}, not a {kind.__name__}")
        yield run
    if empty:
        raise ValueError("runs is empty: a frame is of at least one run")
