"""Every neuron at every snapshot of a toy run, for pages that follow neurons through training.

Neurons and features stay in the order of the final model, so that a neuron can be
followed from snapshot to snapshot. Frames begin as those of `frames.toy`.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from einops import rearrange
from jaxtyping import Array, Float, Int, Shaped

from toymono import scores
from toymono.features import World
from toymono.frames import toy
from toymono.frames.toy import Runs
from toymono.models import AnyModel
from toymono.tasks import TASKS

AMPLITUDES = 17
"""Points of a response curve: our choice, steps of 1/16 or, of a signed feature, 1/8."""


def snapshot_responses(runs: Runs) -> pd.DataFrame:
    """One row per run and snapshot: `step`, `log2_step` and `response_kn`, an array.

    Its neurons and features are in the paper's order for the final model.
    """
    rows = []
    for run, identity in toy.each(runs):
        response_ckn = np.asarray(_responses(run.snapshots, run.final, run.world))
        for c, step in enumerate(run.config.snapshot_steps):
            when = {"step": step, "log2_step": c}
            rows.append({**identity, **when, "response_kn": response_ckn[c]})
    return pd.DataFrame(rows)


def snapshot_neurons(runs: Runs, amplitudes: int = AMPLITUDES) -> pd.DataFrame:
    """One row per run, snapshot and neuron, in the paper's order for the final model.

    Columns: `step`, `log2_step`; `rank` in that order; `neuron`;
    `monosemanticity`, `neuron_kind`, `feature_count`, `bias` at the snapshot;
    `part`, mono if the bias is not above 0, otherwise poly; `strongest_feature`
    and `second_feature`, the two to which it responds most; `curve_b` and
    `second_curve_b`, arrays, the activation on each of these alone at
    `amplitude_b`, from 0 to 1, or from -1 if features take both signs;
    `monosemanticity_s`, an array, the score of
    `scores.multi_feature_monosemanticity` with `active_s` features together, 1, 2,
    4, … up to n / 2.

    Args:
      runs: Toy runs.
      amplitudes: Points of each curve.
    """
    frames = []
    for run, identity in toy.each(runs):
        n = run.config.n
        low = -1.0 if TASKS[run.config.task].signed else 0.0
        amplitude_b = np.linspace(low, 1, amplitudes, dtype=np.float32)
        active_s = 2 ** np.arange(max(1, n.bit_length() - 1))
        found = _neurons(run.snapshots, run.final, run.world, amplitude_b, active_s)
        columns = {name: np.asarray(column) for name, column in found.items()}
        score_ck = columns["monosemanticity"]
        c, k = score_ck.shape
        step_c = np.asarray(run.config.snapshot_steps)
        alive_ck = columns["feature_count"] > 0
        kind_ck = np.select(
            [~alive_ck, score_ck > scores.THRESHOLD], ["dead", "monosemantic"], "polysemantic"
        )
        frames.append(
            pd.DataFrame(
                {
                    **identity,
                    "step": np.repeat(step_c, k),
                    "log2_step": np.repeat(np.arange(c), k),
                    "rank": np.tile(np.arange(k), c),
                    "neuron_kind": kind_ck.ravel(),
                    "part": np.where(columns["bias"] <= 0, "mono", "poly").ravel(),
                    "amplitude_b": [amplitude_b] * (c * k),
                    "active_s": [active_s] * (c * k),
                    **{name: _one_per_row(column) for name, column in columns.items()},
                }
            )
        )
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _one_per_row(column: Shaped[np.ndarray, "c k *d"]) -> list | np.ndarray:
    """The entries of snapshots and neurons one below the other; vectors stay together."""
    return column.ravel() if column.ndim == 2 else list(rearrange(column, "c k d -> (c k) d"))


@jax.jit
@functools.partial(jax.vmap, in_axes=(0, None, None))
def _responses(model: AnyModel, final: AnyModel, world: World) -> Float[Array, "k n"]:
    final_kn = scores.responses(final, world)
    rows, columns = scores.neuron_order(final_kn), scores.feature_order(final_kn)
    return scores.responses(model, world)[rows][:, columns]


@jax.jit
@functools.partial(jax.vmap, in_axes=(0, None, None, None, None))
def _neurons(
    model: AnyModel,
    final: AnyModel,
    world: World,
    amplitude_b: Float[Array, " b"],
    active_s: Int[Array, " s"],
) -> dict[str, Shaped[Array, "k *d"]]:
    order_k = scores.neuron_order(scores.responses(final, world))
    response_kn = scores.responses(model, world)
    _, feature_kd = jax.lax.top_k(response_kn, min(2, response_kn.shape[1]))

    def several(active: Int[Array, ""]) -> Float[Array, " k"]:
        # One key, so that every neuron of every model meets the same groups of features.
        key = jax.random.key(0)
        return scores.multi_feature_monosemanticity(model, world, active, key).monosemanticity_k

    columns = {
        "neuron": jnp.arange(len(order_k)),
        "monosemanticity": scores.monosemanticity(response_kn),
        "feature_count": (response_kn > 0).sum(axis=1),
        "bias": model.b_k,
        "strongest_feature": feature_kd[:, 0],
        "second_feature": feature_kd[:, -1],
        "monosemanticity_s": jax.lax.map(several, active_s).T,
    }
    for name, feature_k in (("curve_b", feature_kd[:, 0]), ("second_curve_b", feature_kd[:, -1])):
        columns[name] = scores.response_curves(model, world, feature_k, amplitude_b).T
    return {name: column[order_k] for name, column in columns.items()}
