"""Runs on disk: one safetensors file each, which describes itself.

A file is named by a hash of what determines its run, so that a finished run is
never trained twice; the header lists all settings. Files are written atomically
and have a checksum.

`find` and `load` return stored runs and their arrays; `read` reads the header of
one file, `every` the headers of a folder, `named` those of given jobs. `format`
defines the file format, `runs` saves, finds and loads, `partial` stores unfinished
runs, `cache` the results of slow analyses. `python -m toymono.store check` lists
the files in a folder that cannot be read.

Names below are imported when they are first used, so that help needs no JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toymono.files import BrokenRun
    from toymono.job import fields, name
    from toymono.store.cache import cached
    from toymono.store.format import FORMAT
    from toymono.store.partial import load_partial, partial_step, save_partial
    from toymono.store.runs import (
        StoredRun,
        every,
        find,
        instead,
        load,
        named,
        parent_paths,
        partial_path,
        path,
        positions,
        read,
        run_files,
        save,
    )

__all__ = [
    "FORMAT",
    "BrokenRun",
    "StoredRun",
    "cached",
    "every",
    "fields",
    "find",
    "instead",
    "load",
    "load_partial",
    "name",
    "named",
    "parent_paths",
    "partial_path",
    "partial_step",
    "path",
    "positions",
    "read",
    "run_files",
    "save",
    "save_partial",
]

_MODULES = {
    "toymono.files": ("BrokenRun",),
    "toymono.job": ("fields", "name"),
    "toymono.store.cache": ("cached",),
    "toymono.store.format": ("FORMAT",),
    "toymono.store.partial": ("load_partial", "partial_step", "save_partial"),
    "toymono.store.runs": (
        *("StoredRun", "every", "find", "instead", "load", "named", "path", "positions", "read"),
        *("parent_paths", "partial_path", "run_files", "save"),
    ),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'toymono.store' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
