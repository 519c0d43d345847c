"""Toy runs to tidy frames: one row per run, snapshot, neuron, feature or bin of the loss.

Each function takes runs in any form: a list of them, the result of `store.find`,
or one stacked `Run` from `fit_many`. Stored runs are loaded one at a time. Every
frame begins with the columns that determine a run, the fields of `Config` and
`Hyperparams` and the seed, with `run`, its name, and with `diverged`, the step
at which it diverged, NaN if it did not. `toymono.quantities` describes the other
columns. Numbers of a model whose weights are not finite are NaN.
"""

import functools
from collections.abc import Iterable, Iterator
from typing import Any, SupportsIndex

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from einops import repeat
from jaxtyping import Array, Bool, Float, ScalarLike, Shaped

from toymono import scores, store
from toymono.config import Config, Hyperparams, unstack
from toymono.features import World
from toymono.frames.registered import registered
from toymono.frames.runs import checked
from toymono.frames.statistics import octave_bins
from toymono.models import MODELS, AnyModel
from toymono.store import StoredRun
from toymono.tasks import TASKS
from toymono.train import Run

Runs = Iterable[Run | StoredRun] | Run

MEAN_STEPS = 256
"""The largest number of steps over which a loss is averaged before it may be the lowest so far.

Our choice: a quarter of the schedule's period, so that the low rates in the
middle of a period still show, and enough batches that noise hardly does.
"""

# Earlier means are of so few batches that the lowest would be due to noise. Our choice.
_LOWEST_FROM = 64


def each(runs: Runs) -> Iterator[tuple[Run, dict[str, Any]]]:
    """Each run, loaded, with the columns that every frame begins with.

    Raises:
      TypeError: These are not toy runs.
      ValueError: There are none.
    """
    if isinstance(runs, Run):
        runs = unstack(runs) if np.ndim(runs.loss_t) == 2 else [runs]
    for run in checked(runs, Run):
        run = store.load(run) if isinstance(run, StoredRun) else run
        fields = store.fields(run.config, run.hyperparams, run.seed)
        name = store.name(run.config, run.hyperparams, run.seed, parents=run.parents)
        diverged = np.nan if run.diverged is None else run.diverged
        yield run, {**fields, "run": name, "diverged": diverged}


def per_run(runs: Runs, threshold: float = scores.THRESHOLD) -> pd.DataFrame:
    """One row per run: its final loss and the counts of its final neurons.

    Columns: `loss`, the task loss averaged over the last 1/16 of the steps;
    `zero_loss`, the expected task loss of an output of 0; `monosemantic`,
    `polysemantic`, `dead`, numbers of neurons; `mono_per_feature`, `mono_per_neuron`;
    `features_with_0` … `features_with_4`, the number of features
    with so many monosemantic neurons (4: or more); `positive_bias` and
    `bias_above_005`, numbers of neurons with a bias above 0 and above 0.05, the
    paper's proxy for highly polysemantic ones; `mean_bias`; `mono_per_live`, the
    monosemantic fraction of the neurons that are not dead; `nonzero_weights`, the
    weights in use, `weight_density`, their share of all, `input_density` and
    `output_density`, the shares of the input and of the output weights; then the
    registered scores (`frames.SCORES`) per run.

    Args:
      runs: Toy runs.
      threshold: Score above which a neuron counts as monosemantic.
    """
    rows = []
    for run, identity in each(runs):
        steps = max(1, run.config.steps // 16)
        final_c = jax.tree.map(lambda leaf: leaf[-1:], run.snapshots)
        [neurons] = _neuron_counts(run, final_c, threshold)
        loss = {
            "loss": _mean_loss(run, run.config.steps - steps, run.config.steps),
            "zero_loss": float(_zero_loss(run.config, run.hyperparams, run.world)),
        }
        live = neurons["monosemantic"] + neurons["polysemantic"]
        neurons["mono_per_live"] = neurons["monosemantic"] / live if live else np.nan
        neurons |= _in_use(run)
        own = registered(run.final, run.world, "run")
        rows.append({**identity, **loss, **neurons, **_nan_unless_finite(run, own)})
    return pd.DataFrame(rows)


def per_snapshot(runs: Runs, threshold: float = scores.THRESHOLD) -> pd.DataFrame:
    """One row per run and snapshot: `step`, `log2_step`, and the columns of `per_run`.

    `loss` is averaged over the last eighth of the steps up to the snapshot.
    """
    rows = []
    for run, identity in each(runs):
        neurons_c = _neuron_counts(run, run.snapshots, threshold)
        for c, step in enumerate(run.snapshot_steps):
            loss = _mean_loss(run, step - max(1, step // 8), step)
            when = {"step": step, "log2_step": step.bit_length() - 1, "loss": loss}
            rows.append({**identity, **when, **neurons_c[c]})
    return pd.DataFrame(rows)


def per_neuron(runs: Runs) -> pd.DataFrame:
    """One row per run and neuron of the final model, the most monosemantic first.

    Columns: `rank` in that order, `neuron`, `monosemanticity`, `neuron_kind`
    (monosemantic, polysemantic or dead), `strongest_feature`, `feature_count`,
    the number of features that it responds to, `bias`; then the registered scores
    (`frames.SCORES`) per neuron.
    """
    frames = []
    for run, identity in each(runs):
        found = jax.device_get(_neurons(run.final, run.world))
        alive = found["feature_count"] > 0
        mono = found["monosemanticity"] > scores.THRESHOLD
        kind = np.select([~alive, mono], ["dead", "monosemantic"], "polysemantic")
        own = registered(run.final, run.world, "neuron")
        own = {name: score_k[found["neuron"]] for name, score_k in own.items()}
        found = _nan_unless_finite(run, {**found, "neuron_kind": kind, **own})
        frames.append(pd.DataFrame({**identity, "rank": np.arange(_width(run)), **found}))
    return _joined(frames)


def sorted_responses(runs: Runs) -> pd.DataFrame:
    """One row per run; its column `response_kn` holds the final model's responses, an array.

    Neurons and features are in the paper's order: `scores.neuron_order` and
    `scores.feature_order`.
    """
    rows = []
    for run, identity in each(runs):
        response_kn = np.asarray(_sorted_responses(run.final, run.world))
        rows.append({**identity, "response_kn": response_kn})
    return pd.DataFrame(rows)


def per_bin(runs: Runs, per_octave: int = 8) -> pd.DataFrame:
    """The loss curve, averaged over bins of equal length on a log axis.

    Columns: `step`, the last of the bin, `log2_step`, `loss`.
    """
    frames = []
    for run, identity in each(runs):
        ends, loss = octave_bins(np.asarray(run.loss_t), per_octave)
        columns = {"step": ends, "log2_step": np.log2(ends), "loss": loss}
        frames.append(pd.DataFrame({**identity, **columns}))
    return _joined(frames)


def per_bin_minimum(runs: Runs) -> pd.DataFrame:
    """`per_bin` with `min_loss`, the lowest so far of means over many steps.

    A mean is over the later half of the steps so far, `MEAN_STEPS` at most.
    Before step 64 `min_loss` is the mean itself, which is not part of later
    minima. The paper draws a "min. loss" that it does not define; the lowest
    loss of a single batch would be lower, by its noise.
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
    return _joined(frames)


def per_active(runs: Runs) -> pd.DataFrame:
    """One row per run and number of features that are active together, 1, 2, 4, … up to n / 2.

    Columns, of the final model: `active`, that number; `mean_monosemanticity` and
    `silent_share`, means over the living neurons of the two scores of
    `scores.multi_feature_monosemanticity`; 0 and 1 if all neurons are dead.
    """
    frames = []
    for run, identity in each(runs):
        active_s = 2 ** np.arange(max(1, run.config.n.bit_length() - 1))
        found = jax.device_get(_multi_feature(run.final, run.world, active_s))
        columns = _nan_unless_finite(run, found)
        frames.append(pd.DataFrame({**identity, "active": active_s, **columns}))
    return _joined(frames)


def per_feature(runs: Runs) -> pd.DataFrame:
    """One row per run and feature of the final model.

    Columns: `feature`; `best_monosemanticity`, the highest score of the neurons
    that respond most to it, 0 if there are none; `mono_neurons`, how many of
    those count as monosemantic; `response_capacity` and `weight_capacity`, its
    `scores.capacity` among the responses and among the input weights.
    """
    frames = []
    for run, identity in each(runs):
        columns = _nan_unless_finite(run, jax.device_get(_features(run.final, run.world)))
        frames.append(pd.DataFrame({**identity, "feature": np.arange(run.config.n), **columns}))
    return _joined(frames)


def per_snapshot_neuron(runs: Runs) -> pd.DataFrame:
    """One row per run, snapshot and neuron: `step`, `log2_step`, `neuron`, `monosemanticity`."""
    frames = []
    for run, identity in each(runs):
        score_ck = np.asarray(_monosemanticity(run.snapshots, run.world))
        finite_c = np.asarray(_finite_per_snapshot(run.snapshots))
        score_ck = np.where(finite_c[:, None], score_ck, np.nan)
        c, k = score_ck.shape
        step_c = np.asarray(run.snapshot_steps)
        columns = {
            "step": repeat(step_c, "c -> (c k)", k=k),
            "log2_step": repeat(np.log2(step_c).astype(int), "c -> (c k)", k=k),
            "neuron": repeat(np.arange(k), "k -> (c k)", c=c),
            "monosemanticity": score_ck.ravel(),
        }
        frames.append(pd.DataFrame({**identity, **columns}))
    return _joined(frames)


def _joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _nan_unless_finite(run: Run, columns: dict[str, Any]) -> dict[str, Any]:
    """The columns of the final model; NaN in all of them if a weight is not finite."""
    return columns if _finite(run.final) else dict.fromkeys(columns, np.nan)


def _width(run: Run) -> int:
    """Number of neurons; of a tied model, of hidden dimensions."""
    return MODELS[run.config.model].neurons(run.config)


def _mean_loss(run: Run, start: SupportsIndex, end: SupportsIndex) -> float:
    return float(np.asarray(run.loss_t)[start:end].mean(dtype=np.float64))


def _neuron_counts(run: Run, models_c: AnyModel, threshold: float) -> list[dict[str, Any]]:
    """The counts of neurons in each of the models, by the columns of `per_run`."""
    counts = jax.device_get(_counts(models_c, run.world, threshold))
    finite_c = counts.pop("finite")
    features_cs = counts.pop("features_by_mono_neurons")
    counts |= {f"features_with_{i}": features_c for i, features_c in enumerate(features_cs.T)}
    counts["mono_per_feature"] = counts["monosemantic"] / run.config.n
    counts["mono_per_neuron"] = counts["monosemantic"] / _width(run)
    return [
        {name: column[c].item() if finite else np.nan for name, column in counts.items()}
        for c, finite in enumerate(finite_c)
    ]


def _in_use(run: Run) -> dict[str, Any]:
    """How many weights the run has that are not always 0, biases apart."""
    masks = {name: w for name, w in vars(run.final).items() if name.startswith("w_")}
    masks = {name: np.ones(w.shape, bool) for name, w in masks.items()}
    masks |= {} if run.masks is None else vars(run.masks)
    used = sum(int(mask.sum()) for mask in masks.values())
    share = {name: float(mask.mean()) for name, mask in masks.items()}
    return {
        "nonzero_weights": used,
        "weight_density": used / sum(mask.size for mask in masks.values()),
        "input_density": share.get("w_mk", 1.0),
        "output_density": share.get("w_ko", 1.0),
    }


@jax.jit
@functools.partial(jax.vmap, in_axes=(0, None, None))
def _counts(model: AnyModel, world: World, threshold: ScalarLike) -> dict[str, Array]:
    response_kn = scores.responses(model, world)
    kinds = scores.classify_neurons(response_kn, threshold)
    return {
        "finite": _finite(model),
        "monosemantic": kinds.monosemantic_k.sum(),
        "polysemantic": kinds.polysemantic_k.sum(),
        "dead": kinds.dead_k.sum(),
        "positive_bias": (model.b_k > 0).sum(),
        "bias_above_005": (model.b_k > 0.05).sum(),
        "mean_bias": model.b_k.mean(),
        "features_by_mono_neurons": scores.features_by_mono_neurons(response_kn, threshold),
    }


@jax.jit
def _zero_loss(config: Config, hyperparams: Hyperparams, world: World) -> Float[Array, ""]:
    return TASKS[config.task].zero_loss(config, hyperparams, world)


@jax.jit
def _finite(model: AnyModel) -> Bool[Array, ""]:
    """Whether all weights are finite: scores would take other models for dead ones."""
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(model)]).all()


_finite_per_snapshot = jax.jit(jax.vmap(_finite))


@jax.jit
def _neurons(model: AnyModel, world: World) -> dict[str, Shaped[Array, " k"]]:
    response_kn = scores.responses(model, world)
    order_k = scores.neuron_order(response_kn)
    sorted_kn = response_kn[order_k]
    return {
        "neuron": order_k,
        "monosemanticity": scores.monosemanticity(sorted_kn),
        "strongest_feature": sorted_kn.argmax(axis=1),
        "feature_count": (sorted_kn > 0).sum(axis=1),
        "bias": model.b_k[order_k],
    }


@jax.jit
@functools.partial(jax.vmap, in_axes=(None, None, 0))
def _multi_feature(model: AnyModel, world: World, active: Array) -> dict[str, Float[Array, ""]]:
    # One key, so that every model is tested on the same groups of features.
    found = scores.multi_feature_monosemanticity(model, world, active, jax.random.key(0))
    alive_k = ~scores.classify_neurons(scores.responses(model, world)).dead_k
    count = jnp.maximum(alive_k.sum(), 1)
    return {
        "mean_monosemanticity": (found.monosemanticity_k * alive_k).sum() / count,
        # Rounding can make the mean of 1 - silent_k exceed 1.
        "silent_share": jnp.maximum(1 - ((1 - found.silent_k) * alive_k).sum() / count, 0),
    }


@jax.jit
def _features(model: AnyModel, world: World) -> dict[str, Shaped[Array, " n"]]:
    response_kn = scores.responses(model, world)
    mono_k = scores.monosemanticity(response_kn)
    best_n = jax.ops.segment_max(mono_k, response_kn.argmax(axis=1), response_kn.shape[1])
    return {
        "best_monosemanticity": jnp.maximum(best_n, 0),
        "mono_neurons": scores.mono_neurons_per_feature(response_kn),
        "response_capacity": scores.capacity(response_kn),
        "weight_capacity": scores.capacity(scores.feature_weights(model, world)),
    }


@jax.jit
def _sorted_responses(model: AnyModel, world: World) -> Float[Array, "k n"]:
    response_kn = scores.responses(model, world)
    rows, columns = scores.neuron_order(response_kn), scores.feature_order(response_kn)
    return response_kn[rows][:, columns]


@jax.jit
@functools.partial(jax.vmap, in_axes=(0, None))
def _monosemanticity(model: AnyModel, world: World) -> Float[Array, " k"]:
    return scores.monosemanticity(scores.responses(model, world))
