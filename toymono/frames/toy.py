"""Runs to tidy frames: one row per run, snapshot, neuron or stretch of the loss.

Each function takes runs as they come: a list of them, what `store.find` gives,
or one stacked `Run` from `fit_many`. Runs from disk are loaded one at a time.
Every frame begins with the columns that determine a run, the fields of `Config`
and `Hyperparams` and the seed, and `run`, its name.
"""

import functools
from collections.abc import Iterable, Iterator
from typing import Any, SupportsIndex

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Bool, Float, ScalarLike, Shaped

from toymono import scores, store
from toymono.config import Config, Hyperparams, field_types, unstack
from toymono.features import World
from toymono.models import Model
from toymono.store import StoredRun
from toymono.train import Run

Runs = Iterable[Run | StoredRun] | Run

RUN_FIELDS = (*field_types(Config), *field_types(Hyperparams), "seed")
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
    for run, identity in each(runs):
        steps = max(1, run.config.steps // 16)
        final_c = jax.tree.map(lambda leaf: leaf[-1:], run.snapshots)
        [neurons] = _neuron_counts(run, final_c, threshold)
        rows.append(
            {
                **identity,
                "loss": _mean_loss(run, run.config.steps - steps, run.config.steps),
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
    for run, identity in each(runs):
        neurons_c = _neuron_counts(run, run.snapshots, threshold)
        for c, step in enumerate(run.config.snapshot_steps):
            loss = _mean_loss(run, step - max(1, step // 8), step)
            at = {"step": step, "log2_step": c, "loss": loss}
            rows.append({**identity, **at, **neurons_c[c]})
    return pd.DataFrame(rows)


def per_neuron(runs: Runs, threshold: float = scores.THRESHOLD) -> pd.DataFrame:
    """One row per run and neuron of the final model, the most monosemantic first.

    Columns: `rank` in that order, `neuron`, `monosemanticity`, `kind`
    (monosemantic, polysemantic or dead), `strongest`, the feature that it
    answers to most, `features`, the number that it answers to, `bias`. Of a
    model that is not finite the ranks alone are left: all else is NaN.
    """
    frames = []
    for run, identity in each(runs):
        columns = jax.device_get(_neurons(run.final, run.world))
        alive, mono = columns["features"] > 0, columns["monosemanticity"] > threshold
        kind = np.select([~alive, mono], ["dead", "monosemantic"], "polysemantic")
        columns = _unless_lost(run, {**columns, "kind": kind})
        frames.append(pd.DataFrame({**identity, "rank": np.arange(run.config.k), **columns}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def sorted_responses(runs: Runs) -> pd.DataFrame:
    """One row per run; its column `response_kn` holds an array, the final model's responses.

    Neurons and features stand in the paper's order: those of
    `scores.neuron_order` and `scores.feature_order`.
    """
    rows = []
    for run, identity in each(runs):
        response_kn = np.asarray(_sorted_responses(run.final, run.world))
        rows.append({**identity, "response_kn": response_kn})
    return pd.DataFrame(rows)


def per_bin(runs: Runs, per_octave: int = 8) -> pd.DataFrame:
    """The loss curve, averaged over bins of equal length on a log axis.

    Columns: `step`, the last of the stretch, `log2_step`, `loss`.
    """
    frames = []
    for run, identity in each(runs):
        octaves = np.arange(run.config.log2_steps * per_octave + 1) / per_octave
        ends = np.unique(np.round(2**octaves).astype(int))
        starts = np.concatenate([[0], ends[:-1]])
        loss = [_mean_loss(run, start, end) for start, end in zip(starts, ends, strict=True)]
        frames.append(
            pd.DataFrame({**identity, "step": ends, "log2_step": np.log2(ends), "loss": loss})
        )
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


# What goes beyond the paper's scores.


def per_active(runs: Runs) -> pd.DataFrame:
    """One row per run and number of features that come together, 1, 2, 4, … up to n / 2.

    Columns, of the final model: `active`, that number; `monosemanticity` and
    `silent`, the two scores of `scores.multi_feature_monosemanticity`, means
    over the neurons that answer to some feature alone, 0 and 1 if none does.
    NaN where the model is not finite.
    """
    frames = []
    for run, identity in each(runs):
        active_s = 2 ** np.arange(max(1, run.config.n.bit_length() - 1))
        columns = _unless_lost(run, jax.device_get(_several(run.final, run.world, active_s)))
        frames.append(pd.DataFrame({**identity, "active": active_s, **columns}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def per_feature(runs: Runs) -> pd.DataFrame:
    """One row per run and feature of the final model.

    Columns: `feature`; `monosemanticity`, the highest score of the neurons that
    answer to it most, 0 if there are none; `served`, how many of those count as
    monosemantic; `response_capacity` and `weight_capacity`, its
    `scores.capacity` among the responses and among the input weights. NaN where
    the model is not finite.
    """
    frames = []
    for run, identity in each(runs):
        columns = _unless_lost(run, jax.device_get(_features(run.final, run.world)))
        frames.append(pd.DataFrame({**identity, "feature": np.arange(run.config.n), **columns}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


# What some of the paper's figures show beside the above.


MEAN_STEPS = 256
"""Over how many steps, at most, a loss is averaged before it may be the lowest so far.

Our choice: a quarter of the schedule's period, so that the low rates in the
middle of one still show, and batches enough that luck hardly does.
"""

# Earlier means are of so few batches that the luckiest would stay the lowest. Our choice.
_LOWEST_FROM = 64


def per_bin_minimum(runs: Runs) -> pd.DataFrame:
    """`per_bin` with `min_loss`, the lowest so far of means over many steps.

    A mean is over the later half of the steps so far, `MEAN_STEPS` at most.
    Before step 64 `min_loss` is the mean itself, and none of those joins the
    minimum. The paper draws a "min. loss" that it does not define; the lowest
    of single batches would be lower, by their noise.
    """
    frames = []
    for run, _ in each(runs):
        sum_t = np.concatenate([[0], np.asarray(run.loss_t, np.float64).cumsum()])
        ends = np.arange(1, run.config.steps + 1)
        widths = np.minimum(MEAN_STEPS, (ends + 1) // 2)
        with np.errstate(invalid="ignore"):  # a run that diverged
            lowest_t = (sum_t[ends] - sum_t[ends - widths]) / widths
        late = slice(_LOWEST_FROM - 1, None)
        lowest_t[late] = np.minimum.accumulate(lowest_t[late])
        frame = per_bin([run])
        frames.append(frame.assign(min_loss=lowest_t[frame["step"] - 1]))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def per_snapshot_neuron(runs: Runs) -> pd.DataFrame:
    """One row per run, snapshot and neuron: `step`, `log2_step`, `neuron`, `monosemanticity`."""
    frames = []
    for run, identity in each(runs):
        score_ck = np.asarray(_monosemanticity(run.snapshots, run.world))
        c, neuron = np.indices(score_ck.shape).reshape(2, -1)
        step = np.asarray(run.config.snapshot_steps)[c]
        columns = {"step": step, "log2_step": c, "neuron": neuron}
        frames.append(pd.DataFrame({**identity, **columns, "monosemanticity": score_ck.ravel()}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def excess(
    frame: pd.DataFrame, than: pd.DataFrame, column: str, on: tuple[str, ...]
) -> pd.DataFrame:
    """By how much `column` is larger in `frame` than in `than`, where the columns `on` agree."""
    both = frame.merge(than[[*on, column]], on=list(on), suffixes=("", "_of_other"))
    return both.assign(**{column: both[column] - both.pop(f"{column}_of_other")})


def course(frame: pd.DataFrame, column: str, by: str) -> pd.Series:
    """The mean of `column` over seeds, for each value of `by` in order."""
    return frame.groupby(by)[column].mean().sort_index()


def half_lost(frame: pd.DataFrame, column: str, by: str) -> float:
    """The first value of `by`, past the highest of `course`, where less than half of that is left.

    NaN if there is none.

    Example:
      >>> half_lost(pd.DataFrame({"k": [1, 2, 3], "dead": [4, 3, 0]}), "dead", "k")
      3.0
    """
    points = course(frame, column, by)
    points = points.iloc[points.to_numpy().argmax() :]
    low = points.index[points < points.iloc[0] / 2]
    return float(low[0]) if len(low) else np.nan


def each(runs: Runs) -> Iterator[tuple[Run, dict[str, Any]]]:
    """Each run with the columns that identify it, which every frame begins with."""
    if isinstance(runs, Run):
        runs = unstack(runs) if np.ndim(runs.loss_t) == 2 else [runs]
    for run in runs:
        run = store.load(run) if isinstance(run, StoredRun) else run
        name = store.name(run.config, run.hyperparams, run.seed)
        yield run, {**store.fields(run.config, run.hyperparams, run.seed), "run": name}


def _unless_lost(run: Run, columns: dict[str, Any]) -> dict[str, Any]:
    """The columns of the final model; NaN in all of them if it is not finite."""
    return dict.fromkeys(columns, np.nan) if _lost(run.final) else columns


def _mean_loss(run: Run, start: SupportsIndex, end: SupportsIndex) -> float:
    return float(np.asarray(run.loss_t)[start:end].mean(dtype=np.float64))


def _neuron_counts(run: Run, models_c: Model, threshold: float) -> list[dict[str, Any]]:
    """The counts of neurons in each of the models, by the columns of `per_run`."""
    counts = jax.device_get(_counts(models_c, run.world, threshold))
    lost_c = counts.pop("lost")
    counts |= {f"served_{i}": served_c for i, served_c in enumerate(counts.pop("served").T)}
    counts["mono_per_feature"] = counts["monosemantic"] / run.config.n
    counts["mono_per_neuron"] = counts["monosemantic"] / run.config.k
    return [
        {name: np.nan if lost else column[c].item() for name, column in counts.items()}
        for c, lost in enumerate(lost_c)
    ]


@jax.jit
@functools.partial(jax.vmap, in_axes=(0, None, None))
def _counts(model: Model, world: World, threshold: ScalarLike) -> dict[str, Array]:
    response_kn = scores.responses(model, world)
    kinds = scores.classify_neurons(response_kn, threshold)
    return {
        "lost": _lost(model),
        "monosemantic": kinds.monosemantic_k.sum(),
        "polysemantic": kinds.polysemantic_k.sum(),
        "dead": kinds.dead_k.sum(),
        "positive_bias": (model.b_k > 0).sum(),
        "bias_above_005": (model.b_k > 0.05).sum(),
        "mean_bias": model.b_k.mean(),
        "served": scores.features_by_mono_neurons(response_kn, threshold),
    }


@jax.jit
def _lost(model: Model) -> Bool[Array, ""]:
    """Whether a weight is not finite: scores would take such a model for a dead one."""
    return ~jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(model)]).all()


@jax.jit
def _neurons(model: Model, world: World) -> dict[str, Shaped[Array, " k"]]:
    response_kn = scores.responses(model, world)
    order_k = scores.neuron_order(response_kn)
    sorted_kn = response_kn[order_k]
    return {
        "neuron": order_k,
        "monosemanticity": scores.monosemanticity(sorted_kn),
        "strongest": sorted_kn.argmax(axis=1),
        "features": (sorted_kn > 0).sum(axis=1),
        "bias": model.b_k[order_k],
    }


@jax.jit
@functools.partial(jax.vmap, in_axes=(None, None, 0))
def _several(model: Model, world: World, active: Array) -> dict[str, Float[Array, ""]]:
    # One key: every model meets the same groups.
    several = scores.multi_feature_monosemanticity(model, world, active, jax.random.key(0))
    alive_k = ~scores.classify_neurons(scores.responses(model, world)).dead_k
    count = jnp.maximum(alive_k.sum(), 1)
    return {
        "monosemanticity": (several.monosemanticity_k * alive_k).sum() / count,
        # Rounded, the mean of what is missing to 1 can pass 1.
        "silent": jnp.maximum(1 - ((1 - several.silent_k) * alive_k).sum() / count, 0),
    }


@jax.jit
def _features(model: Model, world: World) -> dict[str, Shaped[Array, " n"]]:
    response_kn = scores.responses(model, world)
    mono_k = scores.monosemanticity(response_kn)
    best_n = jax.ops.segment_max(mono_k, response_kn.argmax(axis=1), response_kn.shape[1])
    return {
        "monosemanticity": jnp.maximum(best_n, 0),
        "served": scores.mono_neurons_per_feature(response_kn),
        "response_capacity": scores.capacity(response_kn),
        "weight_capacity": scores.capacity(scores.feature_weights(model, world)),
    }


@jax.jit
def _sorted_responses(model: Model, world: World) -> Float[Array, "k n"]:
    response_kn = scores.responses(model, world)
    rows, columns = scores.neuron_order(response_kn), scores.feature_order(response_kn)
    return response_kn[rows][:, columns]


@jax.jit
@functools.partial(jax.vmap, in_axes=(0, None))
def _monosemanticity(model: Model, world: World) -> Float[Array, " k"]:
    return scores.monosemanticity(scores.responses(model, world))
