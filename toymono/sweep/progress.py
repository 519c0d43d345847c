"""Terminal output of a sweep: plan, progress bar, warnings and final table."""

import contextlib
import math
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import pandas as pd
from tqdm import tqdm

from toymono import frames, signals
from toymono.cli import Failure, counted
from toymono.job import job_of
from toymono.sweep import machines, trainer
from toymono.sweep.plan import Plan

try:
    import resource
except ImportError:  # Windows has no limits of processes
    resource = None


def describe(plan: Plan) -> str:
    """The plan in words: runs, groups, and what training costs."""
    requested = len(plan.jobs)
    left = requested - len(plan.stored) - len(plan.blocked)
    first = f"{counted(requested, 'run')} requested, {len(plan.stored)} already on disk, "
    first += f"{left} to train"
    if plan.to_train < left:
        first += f", {plan.to_train} of them by this process"
    if plan.blocked:
        first += f", {len(plan.blocked)} skipped: an unreadable file has its name"
    if not plan.groups:
        return first
    costs = [
        (group.cost, getattr(job.config, "matmul_precision", "float32"))
        for group in plan.groups
        for job in group.jobs
    ]
    flops = sum(cost.flops for cost, _ in costs)
    seconds = sum(machines.cpu_seconds(cost) for cost, _ in costs)
    bounds = ", ".join(
        f"{_time(machine.least_seconds(costs), '')} on {machine.name}"
        for machine in machines.ACCELERATORS
    )
    memory = max(len(group.jobs) * group.cost.training_bytes for group in plan.groups)
    disk = sum(len(group.jobs) * group.cost.stored_bytes for group in plan.groups)
    programs = {(group.jobs[0].config, len(group.jobs)) for group in plan.groups}
    largest = max(len(group.jobs) for group in plan.groups)
    return "\n".join(
        [
            first,
            f"{counted(len(plan.groups), 'group')} of up to {counted(largest, 'run')}; "
            f"{counted(len(programs), 'program')} to compile",
            f"{flops:.2g} floating-point operations: {_time(seconds)} at "
            f"{flops / seconds / 1e9:.0f} GFLOP/s, measured on two CPU cores for steps of this "
            "size",
            f"not measured, bounds from peak rates: at least {bounds}",
            f"{_size(memory)} of memory for the largest group, {_size(disk)} on disk",
        ]
    )


def _time(seconds: float, about: str = "about ") -> str:
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{about}{seconds / length:.2g} {unit}"
    return f"{about}{seconds:.2g} s" if seconds >= 5 or not about else "a few seconds"


def _size(count: float) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count / 2**10:.0f} KiB"


def refuse_missing(plan: Plan, runs: Sequence[Any], runs_dir: str) -> None:
    """Raises if requested runs are not on disk after training.

    Args:
      plan: The plan, after `train`.
      runs: Its stored runs, from `store.named`.
      runs_dir: Where runs are stored.

    Raises:
      Failure: A requested run is not on disk.
    """
    stored = {run.name for run in runs}
    missing = {job.name for job in plan.jobs} - stored
    unreadable = missing & {job.name for job in plan.blocked}
    reasons = []
    if others := len(missing) - len(unreadable):
        reasons.append(
            f"{counted(others, 'run')} could not start, see the warnings of each process"
        )
    if unreadable:
        reasons.append(
            f"{counted(len(unreadable), 'run')} with an existing file that cannot be read, run "
            f"`python -m toymono.store check --runs_dir {runs_dir} --quarantine`"
        )
    if missing:
        raise Failure(f"{counted(len(missing), 'run')} not trained: {'; '.join(reasons)}")


def refuse_too_large(plan: Plan) -> None:
    """Checks memory on CPU backends; does nothing on others.

    Raises:
      Failure: A group needs more memory than is free.
    """
    if jax.default_backend() != "cpu" or not plan.groups:
        return
    free = _free_memory()
    needed = max(len(group.jobs) * group.cost.training_bytes for group in plan.groups)
    if needed > free:
        raise Failure(f"out of memory: a group needs {_size(needed)}, and {_size(free)} are free")


def _free_memory(groups: Path = Path("/sys/fs/cgroup")) -> float:
    """Bytes that the process may take, by the machine, its control group and its own limit."""
    bounds = [math.inf]
    with contextlib.suppress(OSError, AttributeError, ValueError):
        bounds.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with contextlib.suppress(OSError):
        found = re.search(r"MemAvailable: *(\d+) kB", Path("/proc/meminfo").read_text())
        bounds += [1024 * int(found[1])] if found else []
    # A container sees its own group at the root, of either version of control groups.
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # "max": there is no limit
            bounds.append(int((groups / name).read_text()))
    if resource is not None:
        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        bounds += [limit] if limit != resource.RLIM_INFINITY else []
    return min(bounds)


def train(plan: Plan, runs_dir: str, save_every: float | None = None) -> bool:
    """Trains the runs of the plan with a progress bar; False if a signal stopped it.

    Args:
      plan: From `plan.make`.
      runs_dir: Where runs are stored.
      save_every: Seconds between saves of unfinished runs, see `trainer.run_plan`.

    Raises:
      Failure: A group needs more memory than is free.
    """
    refuse_too_large(plan)
    total = sum(job.config.steps for group in plan.groups for job in group.jobs)
    units = {group.jobs[0].kind.unit for group in plan.groups}
    terminal = sys.stderr.isatty()
    with (
        signals.deferred() as stopped,
        tqdm(
            total=total,
            file=_Lasting(sys.stderr),
            unit=f" {' or '.join(sorted(units))}",
            unit_scale=True,
            mininterval=0.2 if terminal else 15,
            disable=not plan.groups,
            dynamic_ncols=terminal,
        ) as bar,
    ):

        def report(group: int, taken: int, loss: float) -> None:
            bar.set_description(f"group {group + 1}/{len(plan.groups)}", refresh=False)
            bar.set_postfix_str("" if math.isnan(loss) else f"loss {loss:.3f}", refresh=False)
            bar.update(taken)

        for run in trainer.run_plan(plan, runs_dir, report, stopped, save_every):
            if run.diverged is not None:
                name = job_of(run).name
                message = f"run {name} diverged at step {run.diverged}: saved and flagged"
                bar.write(message, file=_Lasting(sys.stderr))
    return not stopped()


class _Lasting:
    """A stream that a vanished terminal does not break: training and saving go on without it."""

    def __init__(self, stream: Any):
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


def summary(runs: pd.DataFrame) -> str:
    """The table at the end of a sweep: one line per run."""
    columns = [*frames.swept(runs), "seed", "loss", "mono_per_feature", "dead", "mean_bias"]
    names = {"mono_per_feature": "mono/feature", "mean_bias": "mean bias"}
    table = runs[columns].rename(columns=names)
    if runs["diverged"].notna().any():
        table["diverged"] = [
            "" if pd.isna(step) else f"at step {int(step)}" for step in runs["diverged"]
        ]
    return table.to_string(index=False, float_format="{:.4g}".format)
