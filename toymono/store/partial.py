"""Unfinished runs on disk: what a run needs to continue from where it was stopped."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toymono.files import BrokenRun
from toymono.job import Job
from toymono.store import format as files
from toymono.store import runs
from toymono.store.format import FORMAT, broken


def save_partial(runs_dir: str | Path, job: Job, step: int, tensors: dict[str, np.ndarray]) -> None:
    """Stores the arrays of an unfinished run after `step` steps."""
    header = {**files.describe(job), "step": step, "versions": runs.versions()}
    files.write(runs.partial_path(runs_dir, job), tensors, header)


def partial_step(runs_dir: str | Path, job: Job) -> int:
    """Steps that the stored part of a run has taken, from its header alone; 0 if there is none.

    Raises:
      BrokenRun: The file is damaged, or of another run.
    """
    source = runs.partial_path(runs_dir, job)
    return _header(source, job)["step"] if os.path.lexists(source) else 0


def load_partial(
    runs_dir: str | Path, job: Job, like: Mapping[str, Any] | None = None
) -> dict[str, np.ndarray]:
    """What `save_partial` stored.

    Args:
      runs_dir: The folder.
      job: What is being trained.
      like: The shapes that the arrays must have, as in `format.read_tensors`.

    Raises:
      BrokenRun: The file is damaged, or of another run.
    """
    source = runs.partial_path(runs_dir, job)
    return files.read_tensors(source, _header(source, job), like)


def _header(source: Path, job: Job) -> dict[str, Any]:
    header = files.read_header(source)
    if header.get("format") != FORMAT:
        raise BrokenRun(f"{source} is an unfinished run of format 1; delete it to start again")
    try:
        if "seal" not in header:  # finished runs of older versions may lack it
            raise KeyError("seal")
        same = files.read_job(header).name == job.name
        step = header["step"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise broken(source, error) from error
    if not same:
        raise broken(source, "its header describes another run")
    if type(step) is not int or not 0 <= step < job.config.steps:
        raise broken(source, f"its step {step!r} is not in [0, {job.config.steps})")
    return header
