"""Results of slow analyses, cached on disk by run, function and parameters."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
from joblib.func_inspect import get_func_code

from toymono.store.runs import StoredRun, load

_FOLDER = ".cache"


def cached(function: Callable[..., Any], run: Any, **parameters: Any) -> Any:
    """`function(run, **parameters)`, computed once for each stored run.

    The result of a `StoredRun` lies in a hidden folder beside the runs, by the
    run's name, the function's source and the parameters. A run in memory is
    not cached.

    Args:
      function: A module-level function of a trained run; what it returns can be pickled.
      run: A `StoredRun` or a trained run.
      parameters: What joblib can hash.
    """
    if not isinstance(run, StoredRun):
        return function(run, **parameters)
    compute = _memory(run.path.parent).cache(_compute, ignore=["run"])
    key = {
        "function": f"{function.__module__}.{function.__qualname__}",
        "source": get_func_code(function)[0],
        "name": run.name,
        "date": run.date,
    }
    return compute(**key, run=(function, run), **parameters)


def _compute(function: str, source: str, name: str, date: str, run: Any, **parameters: Any) -> Any:
    call, stored = run
    return call(load(stored), **parameters)


@functools.cache
def _memory(folder: Path) -> joblib.Memory:
    return joblib.Memory(folder / _FOLDER, verbose=0)
