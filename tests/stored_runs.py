"""Comparison of folders of runs, for tests that disturb training and for the soak."""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from toymono import store


def tensors(folder: str | Path) -> dict[str, dict[str, np.ndarray]]:
    """The arrays of every run in a folder, by the name of the run."""
    return {run.name: load_file(run.path) for run in store.every(folder)}


def same_arrays(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> bool:
    """Whether two runs have the same arrays, bit for bit."""
    return ours.keys() == theirs.keys() and all(
        (array.dtype, array.shape, array.tobytes())
        == (theirs[name].dtype, theirs[name].shape, theirs[name].tobytes())
        for name, array in ours.items()
    )


def assert_same_runs(folder: str | Path, other: str | Path) -> None:
    """The same runs are in both folders, with the same arrays."""
    ours, theirs = tensors(folder), tensors(other)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not same_arrays(ours[name], theirs[name])] == []
