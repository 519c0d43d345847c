"""Reads and writes PyTorch files: `.pt` through PyTorch itself, state dicts as safetensors.

A `.pt` file is a zip archive whose main part is a pickle. It is read by
`torch.load` with `weights_only`, which builds arrays, numbers, strings and
containers only; nothing here unpickles by itself.
"""

import importlib
import json
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toymono.files import BrokenRun, atomic_write
from toymono.job import job_of
from toymono.store.format import save_tensors
from toymono.torch_io import authors
from toymono.train import Run


class NoTorch(ImportError):
    """PyTorch is not installed."""


def read(path: str | Path) -> Run:
    """The run in a `.pt` file of the authors' program.

    Raises:
      FileNotFoundError: There is no such file.
      NoTorch: PyTorch is not installed.
      BrokenRun: It is not a file of their program.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    torch = _torch(f"to read {path}")
    try:
        if not zipfile.is_zipfile(path):
            raise ValueError("it is not a zip archive")
        contents = _plain(torch, torch.load(path, map_location="cpu", weights_only=True))
        if not isinstance(contents, Mapping):
            raise ValueError(f"it holds a {type(contents).__name__}, not a dict")
        return authors.run_of(contents)
    except pickle.UnpicklingError as error:
        reason = "it holds more than arrays, numbers, strings and containers"
        raise _broken(path, reason) from error
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise _broken(path, error) from error
    except (RuntimeError, OSError, EOFError, MemoryError, AttributeError, IndexError) as error:
        reason = (str(error) or type(error).__name__).partition("\n")[0]
        raise _broken(path, f"PyTorch cannot read it: {reason}") from error


def write(path: str | Path, run: Run) -> Path:
    """Writes a run as the authors' program does, with all its snapshots, to a new `.pt` file.

    Raises:
      FileExistsError: There is such a file.
      NoTorch: PyTorch is not installed.
      ValueError: Their program has no such run.
      OSError: The file cannot be written.
    """
    path = new(path)
    contents = authors.contents_of(run)
    torch = _torch(f"to write {path}")
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        torch.save(_tensors(torch, contents), file)
    return path


def write_state_dict(path: str | Path, run: Run) -> Path:
    """Writes the trained network of a run as a state dict, to a new safetensors file.

    It has the authors' key names, for `torch.nn.Sequential(Linear, activation,
    Linear)`; its metadata holds the run's name and settings.

    Raises:
      FileExistsError: There is such a file.
      ValueError: It is not a two-layer model.
      OSError: The file cannot be written.
    """
    path, job = new(path), job_of(run)
    metadata = {"format": "pt", "run": job.name, "settings": json.dumps(job.fields)}
    save_tensors(path, authors.state_dict(run.final), metadata)
    return path


def new(path: str | Path) -> Path:
    """The path, if nothing is there: an export never replaces a file.

    Raises:
      FileExistsError: Something is.
    """
    if Path(path).exists():
        raise FileExistsError(f"{path} exists and is not overwritten")
    return Path(path)


def _torch(purpose: str) -> Any:
    try:
        torch: Any = importlib.import_module("torch")  # here: most users have no use for it
    except ImportError as error:
        raise NoTorch(f"{purpose} takes PyTorch: pip install torch") from error
    return torch


def _plain(torch: Any, value: Any) -> Any:
    """The value with its tensors as numpy arrays."""
    if isinstance(value, torch.Tensor):
        value = value.detach()
        return (value.float() if value.is_floating_point() else value).numpy()
    if isinstance(value, Mapping):
        return {name: _plain(torch, item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(torch, item) for item in value]
    return value


def _tensors(torch: Any, value: Any) -> Any:
    """The inverse of `_plain`; state dicts are ordered, as PyTorch's are."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    if isinstance(value, dict):
        kind = OrderedDict if "0.weight" in value else dict
        return kind((name, _tensors(torch, item)) for name, item in value.items())
    if isinstance(value, list):
        return [_tensors(torch, item) for item in value]
    return value


def _broken(path: Path, reason: object) -> BrokenRun:
    return BrokenRun(f"{path} is not a file of the authors' program: {reason}")
