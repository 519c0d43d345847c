"""Trains a grid of toy models and stores every run.

    toymono sweep --task decoder --k 512 --init_bias -1
    toymono sweep --k 256,512 --init_bias -1,0 --learning_rate 0.003,0.01 --seeds 8
    toymono sweep --sweep LR1,LR3 --scale small --seeds 3

Each setting takes a comma-separated list, and lists multiply into a grid. Runs on
disk are not trained again. Ctrl-C, SIGTERM or SIGHUP stops training within about a
second and saves the unfinished runs; the same command resumes them. Unfinished runs
are also saved every minute, see --save_every.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from toymono import catalog, cli
from toymono.fields import TOY, grid

if TYPE_CHECKING:
    from toymono.job import Job
    from toymono.store import StoredRun


def _titles(sweeps: Mapping[str, catalog.Sweep]) -> str:
    return "; ".join(f"{name}: {sweep.title}" for name, sweep in sweeps.items())


cli.define_fields(TOY)
_PRESET = flags.DEFINE_enum(
    "preset", "laptop", list(catalog.PRESETS), "Values of the settings that are not given."
)
_SWEEP = flags.DEFINE_list(
    "sweep",
    None,
    "Named sweeps instead of a grid, such as LR1,LR3; --helpfull lists them. Settings given with "
    f"--sweep replace the sweep's own. Those of the paper (`all`): {_titles(catalog.SWEEPS)}. "
    f"Further sweeps: {_titles(catalog.BEYOND)}.",
)
_SCALE = flags.DEFINE_enum(
    "scale",
    "small",
    list(catalog.SCALES),
    "Size of the paper's sweeps. paper: as published; paper512: batches of 512; paper14: those, "
    "with 2^14 steps and higher rates and decays; half: half of n, m and k, batches of 256; small: "
    "half, with 2^13 steps and higher rates and decays, for two CPU cores.",
    allow_override=True,
)
_seeds = cli.seeds(2)
flags.declare_key_flag("runs_dir")
_PARENTS = flags.DEFINE_list(
    "parents",
    None,
    "With --origin: names of the stored runs to start from (file names without .safetensors). "
    "Settings that are not given are taken from the first.",
)
_GROUP_SIZE = cli.count_or_auto(
    "group_size", "auto", "Number of runs per compiled program; does not change results."
)
_SAVE_EVERY = cli.save_every()
_COORDINATOR = flags.DEFINE_string(
    "coordinator",
    None,
    "Joins several processes: address:port of process 0, or auto on Slurm, Cloud TPU and others.",
)
_HOSTS = flags.DEFINE_integer("hosts", None, "With --coordinator: number of processes.", 1)
_HOST = flags.DEFINE_integer("host", None, "With --coordinator: this process's number, from 0.", 0)
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "Print the plan and its cost; train nothing.")


def main() -> int:
    """Plans, trains, stores and lists what the flags request."""
    _check_flag_combinations()
    cli.prepare_jax()
    from toymono import frames, store  # after the flags: these import JAX
    from toymono.sweep import devices, plan, progress

    if _COORDINATOR.value is not None:
        _join(_COORDINATOR.value)
    given = cli.given(TOY)
    seeds = _seeds()
    runs_dir = cli.RUNS_DIR.value
    try:
        jobs = cli.limited(_jobs(given, seeds, runs_dir))
        cli.refuse_unused(TOY, given, [job.fields for job in jobs])
        todo = plan.make(jobs, runs_dir, _GROUP_SIZE.value)
    except ValueError as error:
        raise cli.UsageError(str(error)) from None
    print(progress.describe(todo))
    if _DRY_RUN.value:
        return 0
    cli.writable(runs_dir)
    if not progress.train(todo, runs_dir, _SAVE_EVERY.value):
        return cli.stopped(runs_dir)
    devices.wait_for_all("trained")
    if not devices.is_process_0():
        return 0
    runs = store.named(runs_dir, todo.jobs)
    if runs:
        print(progress.summary(frames.per_run(runs)))
    progress.refuse_missing(todo, runs, runs_dir)
    print(f"runs are in {runs_dir}/; `python -m toymono.plots` draws them")
    return 0


def _check_flag_combinations() -> None:
    """Refuses combinations of flags that would be ignored."""
    if _SWEEP.value == []:
        raise cli.UsageError("--sweep is empty; it takes all, or names of sweeps")
    if _PARENTS.value is not None:
        if not _PARENTS.value:
            raise cli.UsageError("--parents is empty; it takes names of stored runs")
        if not flags.FLAGS["origin"].present:
            raise cli.UsageError("--parents requires --origin")
        for name in ("sweep", "preset"):
            if flags.FLAGS[name].present:
                raise cli.UsageError(f"--{name} does not go with --parents")
    if _COORDINATOR.value is None and (_HOSTS.value, _HOST.value) != (None, None):
        raise cli.UsageError("--hosts and --host require --coordinator")
    if _SWEEP.value is None and flags.FLAGS["scale"].present:
        raise cli.UsageError("--scale requires --sweep; use --preset")
    if _SWEEP.value is not None and flags.FLAGS["preset"].present:
        raise cli.UsageError("--preset does not go with --sweep; use --scale")


def _join(coordinator: str) -> None:
    from toymono.sweep import devices

    hosts, host = _HOSTS.value, _HOST.value
    address, _, port = coordinator.rpartition(":")
    if coordinator != "auto" and not (address and port.isdecimal()):
        raise cli.UsageError(f"--coordinator={coordinator!r} is neither address:port nor auto")
    if coordinator != "auto" and (hosts is None or host is None):
        raise cli.UsageError("--coordinator address:port requires --hosts and --host")
    if hosts is not None and host is not None and host >= hosts:
        raise cli.UsageError(f"--host={host} is not less than --hosts={hosts}")
    if _DRY_RUN.value:  # the plan of all hosts; there is nothing to wait for
        return
    try:
        devices.join(coordinator, _HOSTS.value, _HOST.value)
    except (RuntimeError, ValueError) as error:
        raise cli.Failure(f"coordinator {coordinator!r}: {error}") from error


def _jobs(
    given: Mapping[str, Sequence[Any]], seeds: Sequence[int], runs_dir: str
) -> "Iterator[Job]":
    """What the flags request: a sweep, a grid of a preset, or a grid that starts from runs."""
    from toymono.config import split
    from toymono.job import Job
    from toymono.sweep import jobs

    if _SWEEP.value is None:
        _check_parents(given.get("origin", ()))
    if _SWEEP.value is not None:
        for point in grid(given):
            yield from jobs.of_sweeps(_SWEEP.value, _SCALE.value, seeds, **point)
    elif _PARENTS.value:
        yield from jobs.from_runs(list(grid(given)), _parents(_PARENTS.value, runs_dir), seeds)
    else:
        for point in grid(given):
            config, hyperparams = split({**catalog.PRESETS[_PRESET.value](point), **point})
            yield from (Job(config, hyperparams, seed) for seed in seeds)


def _check_parents(given: Sequence[str]) -> None:
    """Refuses origins that start from more stored runs than --parents names, or fewer."""
    from toymono.origins import ORIGINS

    names = _PARENTS.value or ()
    for origin in given:
        wanted = ORIGINS[origin].parents
        if wanted not in (0, len(names)):
            raise cli.UsageError(
                f"--origin={origin} requires --parents naming {cli.counted(wanted, 'stored run')}, "
                f"not {len(names)}"
            )


def _parents(names: Sequence[str], runs_dir: str) -> "list[StoredRun]":
    from toymono import store
    from toymono.files import BrokenRun

    found = []
    for name in names:
        if not re.fullmatch("[0-9a-f]{16}", name):
            raise cli.UsageError(f"--parents: {name!r} is not the name of a run, 16 digits 0 to f")
        path = Path(runs_dir) / f"{name}.safetensors"
        if not path.exists():
            raise cli.UsageError(f"--parents: there is no run {name} in {runs_dir}")
        try:
            found.append(store.read(path))
        except BrokenRun as error:
            raise cli.UsageError(f"--parents: {error}") from None
    return found


if __name__ == "__main__":
    cli.run(main)
