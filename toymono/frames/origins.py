"""Runs that start from stored runs: what became of them, beside the runs that they started from.

The loss of a model is measured on common samples, since a run's own losses are of
other networks (points of a curve) or of few samples. The parents are read from the
folder of the run.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from toymono import features, origins, store
from toymono.alignment import square_distance
from toymono.analysis import connectivity
from toymono.frames import connectivity as pairs
from toymono.frames import toy
from toymono.frames.runs import checked
from toymono.job import Job
from toymono.origins import ORIGINS
from toymono.store import StoredRun
from toymono.train import Run

POINTS = connectivity.POINTS

HOPPED = 0.5
"""Share of the way between its parents' counts of monosemantic neurons from which a run counts as
having gone over to the second. Our choice."""

PER_RUN = (
    *("task_loss", "mono_per_feature", "start_loss", "start_mono", "target_loss", "target_mono"),
    *("line_barrier", "line_excess", "held_loss", "held_mono", "hop_share", "hopped"),
    *("pull_ratio", "distance_left", "curve_barrier", "curve_excess", "end_barrier"),
)
"""The columns of `per_run`."""


def per_run(runs: Iterable[StoredRun], points: int = POINTS) -> pd.DataFrame:
    """One row per run that started from stored runs or whose batches were forked; not masked ones.

    Columns: those that determine the run; `pair`, what its parents are, see
    `frames.connectivity.PAIRS`; `task_loss` and `mono_per_feature` of its final model;
    `start_loss`, `start_mono`, `target_loss` and `target_mono` of its parents, aligned;
    `line_barrier` and `line_excess` on the straight line between these, in shares of the
    zero-output loss. Of a pull: `held_loss` and `held_mono` at the end of the pull,
    `hop_share`, how far the free model's count of monosemantic neurons has gone from the
    first parent's to the second's, and `hopped`, 1 if that is at least half and its
    loss is no higher than both parents'; `pull_ratio`, the pull's term of the loss at its
    start over the barrier; `distance_left` to the target, over the distance at the start. Of
    a curve: `curve_barrier` and `curve_excess`. `end_barrier`, of the others: the
    barrier between the final model and the target, aligned anew; of a forked run,
    between it and the run that it forks from. NaN where a column is about other origins.

    Args:
      runs: Stored toy runs; others than the above are left out.
      points: Points of a line or curve, with its ends.

    Raises:
      FileNotFoundError: A run that one of them started from is not in its folder.
    """
    return pd.DataFrame(
        {**identity, "pair": found["pair"], **found["numbers"]}
        for identity, found in _each(runs, points)
    )


def paths(runs: Iterable[StoredRun], points: int = POINTS) -> pd.DataFrame:
    """One row per curve, kind of path between its ends (`path_kind`: line or curve) and point.

    Columns: those that determine the run, `pair`, `path_kind`, `path_position`,
    `path_loss`, `path_mono`. A mixed pair begins at the monosemantic model.

    Args:
      runs: As in `per_run`; those that are not curves are left out.
      points: As in `per_run`.
    """
    rows = []
    for identity, found in _each(runs, points):
        for kind, line in found["paths"].items():
            for t, loss, mono in zip(*line, strict=True):
                on_path = {"path_position": t, "path_loss": loss, "path_mono": mono}
                rows.append({**identity, "pair": found["pair"], "path_kind": kind, **on_path})
    return pd.DataFrame(rows)


def _each(
    runs: Iterable[StoredRun], points: int
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for stored in checked(runs, Run):
        forked = stored.config.fork_seed >= 0
        if stored.diverged is not None or not (stored.parents or forked):
            continue
        # Masked runs have no target, or a shape of their own: `frames.per_run` measures them.
        if ORIGINS[stored.config.origin].masked is not None:
            continue
        others = _original(stored) if forked else store.parent_paths(stored.path.parent, stored)
        for path in others:
            if not path.exists():
                raise FileNotFoundError(f"{stored.path} starts from {path}, which does not exist")
        found = store.cached(_measured, stored, others=tuple(map(str, others)), points=points)
        _, identity = next(toy.each([stored]))
        yield identity, found


def _original(stored: StoredRun) -> list[Any]:
    """The run that a forked run shares its first steps with."""
    config = dataclasses.replace(stored.config, fork_seed=-1)
    return [store.path(stored.path.parent, Job(config, stored.hyperparams, stored.seed))]


def _measured(run: Run, others: Sequence[str], points: int) -> dict[str, Any]:
    parents = [store.load(path) for path in others]
    config, world = run.config, run.world
    samples = features.sample(
        dataclasses.replace(config, batch_size=pairs.SAMPLES), run.hyperparams, jax.random.key(0)
    )
    zero = float((world.targets(samples) ** 2).sum(axis=1).mean())

    def loss(model: Any) -> float:
        return float(connectivity.loss(model, world, samples))

    def mono(model: Any) -> float:
        return pairs.monosemantic(model, world) / config.n

    def barrier(model: Any, other: Any) -> connectivity.Path:
        return connectivity.path(*connectivity.aligned(model, other), world, samples, points)

    numbers = dict.fromkeys(PER_RUN, np.nan)
    numbers |= {"task_loss": loss(run.final), "mono_per_feature": mono(run.final)}
    numbers |= {"start_loss": loss(parents[0].final), "start_mono": mono(parents[0].final)}
    kinds = [pairs.kind(mono(parent.final)) for parent in parents]
    if len(parents) == 1:
        # A continued run beside its parent, a forked one beside its original.
        numbers["end_barrier"] = float(barrier(run.final, parents[0].final).barrier) / zero
        return {"pair": kinds[0], "numbers": numbers, "paths": {}}
    start, target = origins.gather(config, parents).models
    line = connectivity.path(start, target, world, samples, points)
    numbers |= {"target_loss": loss(target), "target_mono": mono(target)}
    numbers |= {"line_barrier": float(line.barrier) / zero}
    numbers |= {"line_excess": float(line.excess) / zero}
    found = {"line": line}
    if config.origin == "curve":
        t_p = jnp.linspace(0, 1, points)
        models = jax.vmap(lambda t: origins.bezier(start, run.final, target, t))(t_p)
        found["curve"] = curve = connectivity.path_of(models, t_p, world, samples)
        numbers |= {"curve_barrier": float(curve.barrier) / zero}
        numbers |= {"curve_excess": float(curve.excess) / zero}
    else:
        numbers["end_barrier"] = float(barrier(run.final, target).barrier) / zero
    if config.origin in ("pull", "decoupled_pull"):
        numbers |= _pulled(run, start, target, numbers, loss, mono, float(line.barrier))
    pair = pairs.kinds_of_pair(*kinds)
    columns = {
        kind: [np.asarray(column).tolist() for column in (path.t_p, path.loss_p, path.mono_p)]
        for kind, path in (found.items() if config.origin == "curve" else ())
    }
    return {"pair": pair, "numbers": numbers, "paths": columns}


def _pulled(run: Run, start, target, numbers, loss, mono, barrier: float) -> dict[str, float]:
    half = run.snapshot_steps.index(max(1, run.config.steps // 2))
    held = jax.tree.map(lambda leaf: leaf[half], run.snapshots)
    way = numbers["target_mono"] - numbers["start_mono"]
    share = (numbers["mono_per_feature"] - numbers["start_mono"]) / way if way else np.nan
    worse = max(numbers["start_loss"], numbers["target_loss"])
    distance = float(square_distance(start, target))
    term = float(run.hyperparams.attraction) / 2 * distance
    left = float(square_distance(run.final, target))
    return {
        "held_loss": loss(held),
        "held_mono": mono(held),
        "hop_share": share,
        "hopped": float(share >= HOPPED and numbers["task_loss"] <= worse),
        "pull_ratio": term / barrier if barrier > 0 else np.nan,
        "distance_left": float(np.sqrt(left / distance)) if distance else np.nan,
    }
