"""What penalties do to trained models, as frames: losses of their parts, outputs by amplitude.

As `toymono.frames`, whose columns every frame begins with. The mono part here
is that of Wright: the neurons that answer to one feature alone, and those that
answer to none.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from toymono import features, frames, scores
from toymono.analysis import parts
from toymono.config import Config, Hyperparams
from toymono.features import World
from toymono.frames import Runs
from toymono.models import Model

# Features that come together, where neurons of one feature are put to the test: our
# choice, the mean number of features in an input of the paper's small scale.
_GROUP = 4


def part_losses(runs: Runs, samples: int = 2**13) -> pd.DataFrame:
    """One row per run: task losses of the final model, whole and with its mono part alone.

    Columns: `sampled` and `sampled_mono`, on a batch that no run was trained
    on, the same for all; `alone` and `alone_mono`, on the features one at a
    time at full strength; `features_per_neuron`, how many features a neuron
    answers to when each is alone, in the mean; `several`, the share of the
    living neurons that answer to more than one; `activated_by_others`, of the neurons that
    answer to exactly one the share that fires on some of n random groups of
    four features, the one left out; `pairs`, the mean score of the living
    neurons by `scores.multi_feature_monosemanticity` with two features at a
    time. The last three are NaN where there are none.

    Args:
      samples: In the batch; Wright has 2**13.

    Reference:
      Wright, polysemantic-neurons, branch `polysemantic_penalisation`, notebooks.
    """
    rows = []
    for run, identity in frames.each(runs):
        config = dataclasses.replace(run.config, batch_size=samples, penalty="none")
        key = jax.random.key(samples)
        losses = _part_losses(config, run.hyperparams, run.world, run.final, key)
        rows.append({**identity, **{name: float(v) for name, v in losses.items()}})
    return pd.DataFrame(rows)


def mean_outputs(runs: Runs, amplitudes: int = 41) -> pd.DataFrame:
    """How the final model answers to a feature that comes alone, in the mean over all features.

    One row per run and amplitude, from 0 to 1. Columns: `amplitude`; along the
    feature's readout the output `full`, that of the `mono` part and of the
    `poly` part, which add up to it, and `truth`.
    """
    frames = []
    amplitude_b = np.linspace(0, 1, amplitudes, dtype=np.float32)
    for run, identity in frames.each(runs):
        columns = jax.device_get(_mean_outputs(run.final, run.world, amplitude_b))
        frames.append(pd.DataFrame({**identity, "amplitude": amplitude_b, **columns}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _mono_k(model: Model, of: World) -> Bool[Array, " k"]:
    return (scores.responses(model, of) > 0).sum(axis=1) <= 1


@jax.jit
def _part_losses(
    config: Config, hyperparams: Hyperparams, of: World, model: Model, key: PRNGKeyArray
) -> dict[str, Float[Array, ""]]:
    mono = parts.split(model, _mono_k(model, of)).mono
    inputs = {"sampled": features.sample(config, hyperparams, key), "alone": jnp.eye(config.n)}

    def loss(model: Model, features_bn: Float[Array, "b n"]) -> Float[Array, ""]:
        error_bo = model(of.inputs(features_bn)) - of.targets(features_bn)
        return (error_bo**2).sum(axis=1).mean()

    whole = {name: loss(model, features_bn) for name, features_bn in inputs.items()}
    mono_losses = {f"{name}_mono": loss(mono, features_bn) for name, features_bn in inputs.items()}
    answered_k = (scores.responses(model, of) > 0).sum(axis=1)
    four, two = (
        scores.multi_feature_monosemanticity(model, of, active, jax.random.fold_in(key, active))
        for active in (_GROUP, 2)
    )
    one_k, living_k = answered_k == 1, answered_k > 0
    return {
        **whole,
        **mono_losses,
        "features_per_neuron": answered_k.mean(),
        "several": (answered_k > 1).sum() / living_k.sum(),
        "activated_by_others": (one_k & (four.silent_k < 1)).sum() / one_k.sum(),
        "pairs": (living_k * two.monosemanticity_k).sum() / living_k.sum(),
    }


@jax.jit
def _mean_outputs(
    model: Model, of: World, amplitude_b: Float[Array, " b"]
) -> dict[str, Float[Array, " b"]]:
    mono_k = _mono_k(model, of)
    read_no = parts.readouts(of)

    def at(feature: Int[Array, ""]) -> parts.Profile:
        profile = parts.along(model, of, feature, amplitude_b, mono_k=mono_k)
        return jax.tree.map(lambda output_bo: output_bo @ read_no[feature], profile)

    profile_nb = jax.lax.map(at, jnp.arange(len(read_no)))
    return {
        "full": profile_nb.full_bo.mean(axis=0),
        "mono": profile_nb.mono_bo.mean(axis=0),
        "poly": profile_nb.poly_bo.mean(axis=0),
        "truth": profile_nb.target_bo.mean(axis=0),
    }
