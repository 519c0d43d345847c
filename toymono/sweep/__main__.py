"""Trains a grid of toy models and keeps every run.

    python -m toymono.sweep --task decoder --k 512 --init_bias -1
    python -m toymono.sweep --k 256,512 --init_bias -1,0 --learning_rate 0.003,0.01 --seeds 8
    python -m toymono.sweep --sweep LR1,LR3 --scale small --seeds 3

Each setting takes a comma list, and lists multiply into a grid. What is kept
already is not trained again. Ctrl-C stops after the running segment and keeps
the state; the same command goes on from there.
"""

import math
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from absl import flags
from tqdm import tqdm

from toymono import catalog, cli, frames, store
from toymono import config as settings
from toymono.config import Config, Hyperparams
from toymono.sweep import devices, plan
from toymono.sweep.plan import Job, Plan

FIELDS = {**settings.field_types(Config), **settings.field_types(Hyperparams)}


class _ListOf(flags.ArgumentParser):
    """Parses a comma list of one type."""

    def __init__(self, kind: type):
        super().__init__()
        self.kind = kind
        self.syntactic_help = f"a comma list of {kind.__name__}"

    def parse(self, argument: str | list) -> list:
        if isinstance(argument, list):
            return argument
        return [self._item(item.strip(), argument) for item in argument.split(",")]

    def flag_type(self) -> str:
        return self.syntactic_help

    def _item(self, item: str, argument: str) -> Any:
        if not item:
            raise ValueError(f"an empty item in {argument!r}")
        try:
            return self.kind(item)
        except ValueError:
            noun = "a whole number" if self.kind is int else "a number"
            raise ValueError(f"{item!r} is not {noun}") from None


class _Count(flags.ArgumentParser):
    """Parses a positive whole number or `auto`, which is None."""

    syntactic_help = "a whole number of at least 1, or auto"

    def parse(self, argument: str) -> int | None:
        if argument == "auto":
            return None
        if not argument.isdecimal() or int(argument) < 1:
            raise ValueError(f"not {self.syntactic_help}")
        return int(argument)


def _define_fields() -> None:
    meanings = {**settings.meanings(Config), **settings.meanings(Hyperparams)}
    for name, kind in FIELDS.items():
        choices = (
            f" One of {', '.join(settings.CHOICES[name])}." if name in settings.CHOICES else ""
        )
        flags.DEFINE(_ListOf(kind), name, None, meanings[name] + choices)


_define_fields()
_PRESET = flags.DEFINE_enum(
    "preset", "laptop", list(catalog.PRESETS), "What the settings not given are set to."
)
_SWEEP = flags.DEFINE(
    _ListOf(str),
    "sweep",
    None,
    f"Sweeps of the paper, in place of a grid: all, or some of {', '.join(catalog.SWEEPS)}. "
    f"Beside the paper: {', '.join(catalog.BEYOND)}. Settings given beside it replace the "
    "sweep's own.",
)
_SCALE = cli.scale_flag()
flags.declare_key_flag("scale")
_SEEDS = flags.DEFINE_integer("seeds", 2, "Runs of each setting, with seeds that count up.", 1)
_SEED = flags.DEFINE_integer("seed", 0, "The first seed.", 0, 2**32 - 1)
flags.declare_key_flag("runs_dir")
_GROUP_SIZE = flags.DEFINE(_Count(), "group_size", "auto", "Runs that train together.")
_COORDINATOR = flags.DEFINE_string(
    "coordinator",
    None,
    "Joins several processes: address:port of the first, or auto on Slurm, Cloud TPU and the like.",
)
_HOSTS = flags.DEFINE_integer("hosts", None, "With --coordinator: processes in all.", 1)
_HOST = flags.DEFINE_integer("host", None, "With --coordinator: this process's number, from 0.", 0)
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "Print the plan and its cost; train nothing.")


def main() -> int:
    """Plans, trains, keeps and lists what the flags ask for."""
    _refuse_idle_sizes()
    if _COORDINATOR.value is not None:
        _join()
    given = {name: flags.FLAGS[name].value for name in FIELDS if flags.FLAGS[name].present}
    try:
        jobs = [
            Job(config, hyperparams, _SEED.value + offset)
            for config, hyperparams in map(settings.split, _points(given))
            for offset in range(_SEEDS.value)
        ]
    except ValueError as error:
        raise cli.UsageError(str(error)) from None
    if _SEED.value + _SEEDS.value > 2**32:
        raise cli.UsageError(f"seed={_SEED.value} leaves no room for {_SEEDS.value} seeds")
    _refuse_unused_hyperparams(given, jobs)
    todo = plan.make(jobs, cli.RUNS_DIR.value, _GROUP_SIZE.value)
    print(describe(todo))
    if _DRY_RUN.value:
        return 0
    cli.writable(cli.RUNS_DIR.value)
    if not _train(todo):
        print(f"stopped; the same command goes on from here. StoredRun in {cli.RUNS_DIR.value}/")
        return 130
    devices.wait_for_all("trained")
    if not devices.is_first():
        return 0
    runs = (store.load(job.path(cli.RUNS_DIR.value)) for job in todo.jobs)
    print(summary(frames.per_run(runs)))
    print(f"kept in {cli.RUNS_DIR.value}/; `python -m toymono.plots` draws them")
    return 0


def _refuse_idle_sizes() -> None:
    """A grid has its sizes from a preset, a sweep from a scale."""
    if _SWEEP.value is None and flags.FLAGS["scale"].present:
        raise cli.UsageError("--scale has no part without --sweep; say --preset")
    if _SWEEP.value is not None and flags.FLAGS["preset"].present:
        raise cli.UsageError("--preset has no part beside --sweep; say --scale")


# Hyperparams that a word of the config leaves idle, by that word's field.
_IDLE = {
    "alpha": ("penalty", "none"),
    "exponent": ("feature_law", "equal"),
    "cosine_period": ("schedule", "constant"),
}


def _refuse_unused_hyperparams(given: Mapping[str, Sequence[Any]], jobs: Sequence[Job]) -> None:
    """Of such a hyperparam's values the same runs would be trained, under several names."""
    for hyperparam, (field, word) in _IDLE.items():
        changed = set(given.get(hyperparam, ())) - {getattr(Hyperparams(), hyperparam)}
        if changed and all(getattr(job.config, field) == word for job in jobs):
            raise cli.UsageError(f"--{hyperparam} has no part while {field}={word}; say --{field}")


def _join() -> None:
    if _COORDINATOR.value != "auto" and None in (_HOSTS.value, _HOST.value):
        raise cli.UsageError("--coordinator address:port needs --hosts and --host")
    try:
        devices.join(_COORDINATOR.value, _HOSTS.value, _HOST.value)
    except (RuntimeError, ValueError) as error:
        raise cli.Failure(f"coordinator {_COORDINATOR.value!r}: {error}") from error


def _points(given: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """The settings that the flags name: a sweep's, or those of a grid and a preset."""
    if _SWEEP.value is None:
        for point in settings.grid(given):
            yield {**catalog.PRESETS[_PRESET.value](point), **point}
    else:
        for point in settings.grid(given):
            yield from catalog.points(_SWEEP.value, _SCALE.value, **point)


def describe(todo: Plan) -> str:
    """The plan in words: runs, groups, and what training costs."""
    asked, left = len(todo.jobs), len(todo.jobs) - todo.kept
    lines = [f"{cli.counted(asked, 'run')} asked for, {todo.kept} kept already, {left} to train"]
    if todo.to_train < left:
        lines[0] += f", {todo.to_train} of them by this process"
    if not todo.groups:
        return lines[0]
    setups = [job.config for group in todo.groups for job in group]
    programs = {(group[0].config, len(group)) for group in todo.groups}
    flops = sum(config.steps * plan.step_flops(config) for config in setups)
    memory = max(len(group) * plan.training_bytes(group[0].config) for group in todo.groups)
    disk = sum(map(plan.stored_bytes, setups))
    sizes = ", ".join(str(len(group)) for group in todo.groups[:8])
    more = ", …" if len(todo.groups) > 8 else ""
    lines += [
        f"runs that train together: {sizes}{more}; programs to compile: {len(programs)}",
        f"{flops:.2g} floating-point operations: {_time(flops / _CPU_PACE)} at"
        f" {_CPU_PACE / 1e9:.0f} GFLOP/s, which two CPU cores reach on models of the paper's size",
        f"{_size(memory)} of memory for the largest group, {_size(disk)} on disk",
    ]
    return "\n".join(lines)


# benchmarks/results.md: a step's matrix products over its time, at the sizes
# laptop (118 to 140) and paper (126 to 143). Smaller ones are slower.
_CPU_PACE = 120e9


def _time(seconds: float) -> str:
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"about {seconds / length:.2g} {unit}"
    return f"about {seconds:.2g} s"


def _size(count: float) -> str:
    return f"{count / 2**20:.0f} MiB" if count >= 2**20 else f"{count / 2**10:.0f} KiB"


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


def _train(todo: Plan) -> bool:
    """Carries the plan out behind a progress bar; False if Ctrl-C stopped it."""
    interrupted = False

    def interrupt(signum, frame):
        nonlocal interrupted
        interrupted = True
        signal.signal(signal.SIGINT, previous)  # a second Ctrl-C is not to be argued with

    total = sum(job.config.steps for group in todo.groups for job in group)
    terminal = sys.stderr.isatty()
    previous = signal.signal(signal.SIGINT, interrupt)
    try:
        with tqdm(
            total=total,
            unit=" steps",
            unit_scale=True,
            mininterval=0.2 if terminal else 15,
            disable=not todo.groups,
            dynamic_ncols=terminal,
        ) as bar:

            def report(group: int, steps: int, loss: float) -> None:
                bar.set_description(f"group {group + 1}/{len(todo.groups)}", refresh=False)
                bar.set_postfix_str("" if math.isnan(loss) else f"loss {loss:.3f}", refresh=False)
                bar.update(steps)

            for run in plan.run_plan(todo, cli.RUNS_DIR.value, report, lambda: interrupted):
                if run.diverged is not None:
                    name = store.name(run.config, run.hyperparams, run.seed)
                    bar.write(f"run {name} diverged at step {run.diverged}: kept, and marked so")
    finally:
        signal.signal(signal.SIGINT, previous)
    return not interrupted


if __name__ == "__main__":
    cli.run(main)
