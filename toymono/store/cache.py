"""Results of slow analyses, cached on disk by run, function, parameters and the package's code."""

import functools
import hashlib
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib

from toymono.store.runs import StoredRun, load

_FOLDER = ".cache"

_PACKAGE = Path(__file__).parents[1]
_ABOVE = ("papers", "plots", "report", "sweep")  # no analysis or frame imports these


def cached(function: Callable[..., Any], run: Any, **parameters: Any) -> Any:
    """`function(run, **parameters)`, computed once for each stored run.

    The result of a `StoredRun` is stored in a hidden folder beside the runs. It is
    computed again if the run, the parameters, the function's module, or any module below
    papers, plots, reports and sweeps changes. A run in memory, or in a folder that
    cannot be written, is not cached.

    Args:
      function: A module-level function of a trained run; what it returns can be pickled.
      run: A `StoredRun` or a trained run.
      parameters: What joblib can hash.
    """
    if not isinstance(run, StoredRun):
        return function(run, **parameters)
    if not os.access(run.path.parent, os.W_OK):
        return function(load(run), **parameters)
    compute = _memory(run.path.parent).cache(_compute, ignore=["run"])
    key = {
        "function": f"{function.__module__}.{function.__qualname__}",
        "code": f"{_science()} {inspect.getsource(sys.modules[function.__module__])}",
        "name": run.name,
        "date": run.date,
    }
    return compute(**key, run=(function, run), **parameters)


def _compute(function: str, code: str, name: str, date: str, run: Any, **parameters: Any) -> Any:
    call, stored = run
    return call(load(stored), **parameters)


@functools.cache
def _memory(folder: Path) -> joblib.Memory:
    return joblib.Memory(folder / _FOLDER, verbose=0)


@functools.cache
def _science() -> str:
    """A digest of all code that an analysis can depend on."""
    digest = hashlib.sha256()
    for path in _digested():
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _digested() -> list[Path]:
    """The modules of the package, without the commands and the layers above the frames."""
    return [
        path
        for path in sorted(_PACKAGE.rglob("*.py"))
        if path.relative_to(_PACKAGE).parts[0] not in _ABOVE and path.name != "__main__.py"
    ]
