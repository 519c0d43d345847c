"""Runs to tidy frames: one row per run, snapshot, neuron or stretch of the loss.

Each function takes runs as they come: a list of them, what `store.find` gives,
or one stacked `Run` from `fit_many`. Runs from disk are loaded one at a time.
Every frame begins with the columns that determine a run, the fields of `Setup`
and `Dials` and the seed, and `run`, its name.
"""

import functools
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
    bias above 0; `bias_above_005`, those above 0.05, the paper's proxy for
    highly polysemantic ones; `mean_bias`; `diverged`, the step, or NaN. A run that diverged
    has no counts: they are NaN too.
    """
    rows = []
    for run, identity in _each(runs):
        steps = max(1, run.setup.steps // 16)
        final_c = jax.tree.map(lambda leaf: leaf[-1:], run.snapshots)
        [neurons] = _neuron_counts(run, final_c, threshold)
        rows.append(
            {
                **identity,
                "loss": _mean_loss(run, run.setup.steps - steps, run.setup.steps),
                **neurons,
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
        neurons_c = _neuron_counts(run, run.snapshots, threshold)
        for c, step in enumerate(run.setup.snapshot_steps):
            loss = _mean_loss(run, step - max(1, step // 8), step)
            at = {"step": step, "log2_step": c, "loss": loss}
            rows.append({**identity, **at, **neurons_c[c]})
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


def sorted_responses(runs: Runs) -> pd.DataFrame:
    """One row per run; its column `response_kn` holds an array, the final model's responses.

    Neurons and features stand in the paper's order: those of
    `scores.neuron_order` and `scores.feature_order`.
    """
    rows = []
    for run, identity in _each(runs):
        response_kn = np.asarray(_sorted_responses(run.final, run.world))
        rows.append({**identity, "response_kn": response_kn})
    return pd.DataFrame(rows)


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
        run = store.load(run) if isinstance(run, Kept) else run
        name = store.name(run.setup, run.dials, run.seed)
        yield run, {**store.fields(run.setup, run.dials, run.seed), "run": name}


def _mean_loss(run: Run, start: int, end: int) -> float:
    return float(np.asarray(run.loss_t)[start:end].mean(dtype=np.float64))


def _neuron_counts(run: Run, models_c: Model, threshold: float) -> list[dict[str, Any]]:
    """The counts of neurons in each of the models, by the columns of `per_run`."""
    counts = jax.device_get(_counts(models_c, run.world, threshold))
    counts |= {f"served_{i}": served_c for i, served_c in enumerate(counts.pop("served").T)}
    counts["mono_per_feature"] = counts["monosemantic"] / run.setup.n
    counts["mono_per_neuron"] = counts["monosemantic"] / run.setup.k
    lost_c = ~np.isfinite(models_c.w_ko).all(axis=(1, 2))
    return [
        {name: np.nan if lost else column[c].item() for name, column in counts.items()}
        for c, lost in enumerate(lost_c)
    ]


@jax.jit
@functools.partial(jax.vmap, in_axes=(0, None, None))
def _counts(model: Model, world: World, threshold: float) -> dict[str, Array]:
    response_kn = scores.responses(model, world)
    kinds = scores.census(response_kn, threshold)
    return {
        "monosemantic": kinds.monosemantic_k.sum(),
        "polysemantic": kinds.polysemantic_k.sum(),
        "dead": kinds.dead_k.sum(),
        "positive_bias": (model.b_k > 0).sum(),
        "bias_above_005": (model.b_k > 0.05).sum(),
        "mean_bias": model.b_k.mean(),
        "served": scores.features_by_service(response_kn, threshold),
    }


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


@jax.jit
def _sorted_responses(model: Model, world: World) -> Float[Array, "k n"]:
    response_kn = scores.responses(model, world)
    rows, columns = scores.neuron_order(response_kn), scores.feature_order(response_kn)
    return response_kn[rows][:, columns]
