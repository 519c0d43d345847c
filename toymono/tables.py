"""Runs to tidy frames: one row per run, snapshot, neuron or stretch of the loss.

Each function takes runs as they come: a list of them, what `store.find` gives,
or one stacked `Run` from `fit_many`. Runs from disk are loaded one at a time.
Every frame begins with the columns that determine a run, the fields of `Setup`
and `Dials` and the seed, and `run`, its name.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import jax
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from toymono import scores, store
from toymono.config import Dials, Setup, field_types, unstack
from toymono.model import Model
from toymono.store import Kept
from toymono.train import Run
from toymono.world import World

Runs = Iterable[Run | Kept] | Run

RUN_FIELDS = (*field_types(Setup), *field_types(Dials), "seed")
"""The columns that determine a run."""


def swept(frame: pd.DataFrame) -> list[str]:
    """The run fields, other than the seed, that take several values in `frame`."""
    return [name for name in RUN_FIELDS if name != "seed" and frame[name].nunique() > 1]


def per_run(runs: Runs, threshold: float = scores.THRESHOLD) -> pd.DataFrame:
    """One row per run: its final loss and the counts of its final neurons.

    Columns: `loss`, the task loss averaged over the last 1/16 of the steps;
    `monosemantic`, `polysemantic`, `dead`, numbers of neurons; `mono_per_feature`,
    `mono_per_neuron`; `served_0` … `served_4`, how many features have so many
    monosemantic neurons (the last: or more); `positive_bias`, neurons with a
    bias above 0; `mean_bias`; `diverged`, the step, or NaN. A run that diverged
    has no counts: they are NaN too.
    """
    rows = []
    for run, identity in _each(runs):
        row = _census_row(run.setup, run.final, run.world, threshold)
        served = _served(run.final, run.world, threshold)
        steps = max(1, run.setup.steps // 16)
        rows.append(
            {
                **identity,
                "loss": _mean_loss(run, run.setup.steps - steps, run.setup.steps),
                **row,
                **{f"served_{count}": int(number) for count, number in enumerate(served)},
                "diverged": np.nan if run.diverged is None else run.diverged,
            }
        )
    return pd.DataFrame(rows)


def per_snapshot(runs: Runs, threshold: float = scores.THRESHOLD) -> pd.DataFrame:
    """One row per run and snapshot: `step`, `log2_step`, and the columns of `per_run`.

    `loss` is averaged over the last eighth of the steps up to the snapshot.
    """
    rows = []
    for run, identity in _each(runs):
        for c, step in enumerate(run.setup.snapshot_steps):
            model = jax.tree.map(lambda leaf: leaf[c], run.snapshots)  # noqa: B023
            rows.append(
                {
                    **identity,
                    "step": step,
                    "log2_step": c,
                    "loss": _mean_loss(run, step - max(1, step // 8), step),
                    **_census_row(run.setup, model, run.world, threshold),
                }
            )
    return pd.DataFrame(rows)


def per_neuron(runs: Runs, threshold: float = scores.THRESHOLD) -> pd.DataFrame:
    """One row per run and neuron of the final model, the most monosemantic first.

    Columns: `rank` in that order, `neuron`, `monosemanticity`, `kind`
    (monosemantic, polysemantic or dead), `favourite`, the feature that it
    answers to most, `features`, the number that it answers to, `bias`.
    """
    frames = []
    for run, identity in _each(runs):
        columns = {name: np.asarray(v) for name, v in _neurons(run.final, run.world).items()}
        alive, mono = columns["features"] > 0, columns["monosemanticity"] > threshold
        kind = np.select([~alive, mono], ["dead", "monosemantic"], "polysemantic")
        ranks = np.arange(run.setup.k)
        frames.append(pd.DataFrame({**identity, "rank": ranks, **columns, "kind": kind}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def per_stretch(runs: Runs, per_octave: int = 8) -> pd.DataFrame:
    """The loss curve, averaged over stretches of equal length on a log axis.

    Columns: `step`, the last of the stretch, `log2_step`, `loss`.
    """
    frames = []
    for run, identity in _each(runs):
        octaves = np.arange(run.setup.log2_steps * per_octave + 1) / per_octave
        ends = np.unique(np.round(2**octaves).astype(int))
        starts = np.concatenate([[0], ends[:-1]])
        loss = [_mean_loss(run, start, end) for start, end in zip(starts, ends, strict=True)]
        frames.append(
            pd.DataFrame({**identity, "step": ends, "log2_step": np.log2(ends), "loss": loss})
        )
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _each(runs: Runs) -> Iterator[tuple[Run, dict[str, Any]]]:
    """Each run with the columns that identify it."""
    if isinstance(runs, Run):
        runs = unstack(runs) if np.ndim(runs.loss_t) == 2 else [runs]
    for run in runs:
        if isinstance(run, Kept):
            run = store.load(run)
        name = store.name(run.setup, run.dials, run.seed)
        yield run, {**store.fields(run.setup, run.dials, run.seed), "run": name}


def _mean_loss(run: Run, start: int, end: int) -> float:
    return float(np.asarray(run.loss_t)[start:end].mean(dtype=np.float64))


def _census_row(setup: Setup, model: Model, world: World, threshold: float) -> dict[str, Any]:
    counts = {name: v.item() for name, v in _census(model, world, threshold).items()}
    return {
        **counts,
        "mono_per_feature": counts["monosemantic"] / setup.n,
        "mono_per_neuron": counts["monosemantic"] / setup.k,
    }


@jax.jit
def _census(model: Model, world: World, threshold: float) -> dict[str, Array]:
    kinds = scores.census(scores.responses(model, world), threshold)
    return {
        "monosemantic": kinds.monosemantic_k.sum(),
        "polysemantic": kinds.polysemantic_k.sum(),
        "dead": kinds.dead_k.sum(),
        "positive_bias": (model.b_k > 0).sum(),
        "mean_bias": model.b_k.mean(),
    }


@jax.jit
def _served(model: Model, world: World, threshold: float) -> Array:
    return scores.features_by_service(scores.responses(model, world), threshold)


@jax.jit
def _neurons(model: Model, world: World) -> dict[str, Float[Array, " k"]]:
    response_kn = scores.responses(model, world)
    order_k = scores.neuron_order(response_kn)
    sorted_kn = response_kn[order_k]
    return {
        "neuron": order_k,
        "monosemanticity": scores.monosemanticity(sorted_kn),
        "favourite": sorted_kn.argmax(axis=1),
        "features": (sorted_kn > 0).sum(axis=1),
        "bias": model.b_k[order_k],
    }
