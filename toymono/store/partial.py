"""Unfinished runs on disk: what a run needs to continue from where it was stopped."""

from pathlib import Path
from typing import Any

import numpy as np

from toymono.files import BrokenRun
from toymono.job import Job
from toymono.store import format as files
from toymono.store import runs
from toymono.store.format import FORMAT, PARTIAL, broken


def save_partial(runs_dir: str | Path, job: Job, step: int, tensors: dict[str, np.ndarray]) -> None:
    """Stores the arrays of an unfinished run after `step` steps."""
    header = {**files.describe(job), "step": step, "versions": runs.versions()}
    files.write(runs.path(runs_dir, job).with_suffix(PARTIAL), tensors, header)


def partial_step(runs_dir: str | Path, job: Job) -> int:
    """Steps that the stored part of a run has taken, from its header alone; 0 if there is none.

    Raises:
      BrokenRun: The file is damaged, or of another run.
    """
    source = runs.path(runs_dir, job).with_suffix(PARTIAL)
    return _header(source, job)["step"] if source.exists() else 0


def load_partial(runs_dir: str | Path, job: Job) -> dict[str, np.ndarray]:
    """What `save_partial` stored.

    Raises:
      BrokenRun: The file is damaged, or of another run.
    """
    source = runs.path(runs_dir, job).with_suffix(PARTIAL)
    return files.read_tensors(source, _header(source, job))


def _header(source: Path, job: Job) -> dict[str, Any]:
    header = files.read_header(source)
    if header.get("format") != FORMAT:
        raise BrokenRun(f"{source} is an unfinished run of format 1; delete it to start again")
    try:
        same = files.read_job(header).name == job.name
        step = header["step"]
    except (KeyError, TypeError, ValueError) as error:
        raise broken(source, error) from error
    if not same or type(step) is not int or not 0 <= step < job.config.steps:
        raise broken(source, "it belongs to another run")
    return header
