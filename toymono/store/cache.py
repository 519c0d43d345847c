"""Results of slow analyses, cached on disk by run, function, parameters and the package's code."""

import functools
import hashlib
import inspect
import os
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib

from toymono.files import FULL, cache_folder
from toymono.store.runs import StoredRun, load

_PACKAGE = Path(__file__).parents[1]
_ABOVE = ("papers", "plots", "report", "sweep")  # no analysis or frame imports these


def cached(function: Callable[..., Any], run: Any, **parameters: Any) -> Any:
    """`function(run, **parameters)`, computed once for each stored run.

    The result of a `StoredRun` is pickled in the user's cache folder, never beside the
    runs: a folder of runs may come from somebody else, and what is in it is not unpickled.
    It is computed again if the run or its folder, the parameters, the function's module, or
    any module below papers, plots, reports and sweeps changes. The result of a run in memory
    is not cached, nor is any while the cache folder cannot be written or its disk is full.

    Args:
      function: A module-level function of a trained run; what it returns can be pickled.
      run: A `StoredRun` or a trained run.
      parameters: What joblib can hash.
    """
    if not isinstance(run, StoredRun):
        return function(run, **parameters)
    memory = _memory(run.path.parent.absolute(), cache_folder() / "analyses")
    if memory is None:
        return function(load(run), **parameters)
    compute = memory.cache(_compute, ignore=["run"])
    key = {
        "function": f"{function.__module__}.{function.__qualname__}",
        "code": f"{_science()} {inspect.getsource(sys.modules[function.__module__])}",
        "name": run.name,
        "date": run.date,
    }
    try:
        return compute(**key, run=(function, run), **parameters)
    except OSError as error:
        if error.errno not in FULL:
            raise
        warnings.warn(f"results of analyses are not cached: {error.strerror}", stacklevel=2)
        return function(load(run), **parameters)


def _compute(function: str, code: str, name: str, date: str, run: Any, **parameters: Any) -> Any:
    call, stored = run
    return call(load(stored), **parameters)


@functools.cache
def _memory(runs_dir: Path, root: Path) -> joblib.Memory | None:
    """The cache of a folder of runs; None if it cannot be written."""
    digest = hashlib.sha256(os.fsencode(runs_dir)).hexdigest()[:16]
    folder = root / f"{digest}-{re.sub(r'[^A-Za-z0-9]+', '-', runs_dir.name)[:40]}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None
    return joblib.Memory(folder, verbose=0) if os.access(folder, os.W_OK) else None


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
