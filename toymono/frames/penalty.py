"""What polysemantic penalties do to trained models: losses of their parts, outputs by amplitude.

The mono part here is Wright's: the neurons that respond to at most one feature.
Frames begin as those of `frames.toy`.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from toymono import features, scores
from toymono.analysis import parts
from toymono.config import Config, Hyperparams
from toymono.features import World
from toymono.frames import toy
from toymono.frames.toy import Runs
from toymono.models import Model

# Features that are active together where neurons of one feature are tested: our
# choice, the mean number of features in an input at the paper's small scale.
_GROUP = 4


def part_losses(runs: Runs, samples: int = 2**13) -> pd.DataFrame:
    """One row per run: task losses of the final model and of its mono part alone.

    Columns: `sampled_loss` and `sampled_loss_mono`, on a batch that no run was
    trained on, the same for all; `single_feature_loss` and
    `single_feature_loss_mono`, on single features at full strength;
    `features_per_neuron`, the mean number of features that a neuron responds to;
    `multi_feature_share`, the fraction of the living neurons that respond to more
    than one; `activated_by_others`, of the neurons that respond to exactly one
    feature the fraction that fires on some of n random groups of four features
    without it; `pair_monosemanticity`, the mean over the living neurons of
    `scores.multi_feature_monosemanticity` with two active features. The last
    three are NaN where there are no such neurons.

    Args:
      runs: Toy runs.
      samples: Inputs in the batch; Wright has 2**13.

    Reference:
      Wright, polysemantic-neurons, branch `polysemantic_penalisation`, notebooks.
    """
    rows = []
    for run, identity in toy.each(runs):
        config = dataclasses.replace(run.config, batch_size=samples, penalty="none")
        key = jax.random.key(samples)
        losses = _part_losses(config, run.hyperparams, run.world, run.final, key)
        rows.append({**identity, **{name: float(v) for name, v in losses.items()}})
    return pd.DataFrame(rows)


def mean_outputs(runs: Runs, amplitudes: int = 41) -> pd.DataFrame:
    """The final model's output for a single feature, averaged over all features.

    One row per run and amplitude, from 0 to 1. Columns: `amplitude`; along the
    feature's readout `mean_output`, `mean_output_mono` and `mean_output_poly`,
    those of the two parts, which add up to it, and `mean_target`.
    """
    frames = []
    amplitude_b = np.linspace(0, 1, amplitudes, dtype=np.float32)
    for run, identity in toy.each(runs):
        columns = jax.device_get(_mean_outputs(run.final, run.world, amplitude_b))
        frames.append(pd.DataFrame({**identity, "amplitude": amplitude_b, **columns}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _mono_k(model: Model, world: World) -> Bool[Array, " k"]:
    return (scores.responses(model, world) > 0).sum(axis=1) <= 1


@jax.jit
@scores.precise
def _part_losses(
    config: Config, hyperparams: Hyperparams, world: World, model: Model, key: PRNGKeyArray
) -> dict[str, Float[Array, ""]]:
    mono = parts.split(model, _mono_k(model, world)).mono
    sampled_bn = features.sample(config, hyperparams, key)
    inputs = {"sampled_loss": sampled_bn, "single_feature_loss": jnp.eye(config.n)}

    def loss(model: Model, features_bn: Float[Array, "b n"]) -> Float[Array, ""]:
        error_bo = model(world.inputs(features_bn)) - world.targets(features_bn)
        return (error_bo**2).sum(axis=1).mean()

    whole = {name: loss(model, features_bn) for name, features_bn in inputs.items()}
    mono_losses = {f"{name}_mono": loss(mono, features_bn) for name, features_bn in inputs.items()}
    feature_count_k = (scores.responses(model, world) > 0).sum(axis=1)
    four, two = (
        scores.multi_feature_monosemanticity(model, world, active, jax.random.fold_in(key, active))
        for active in (_GROUP, 2)
    )
    one_k, living_k = feature_count_k == 1, feature_count_k > 0
    return {
        **whole,
        **mono_losses,
        "features_per_neuron": feature_count_k.mean(),
        "multi_feature_share": (feature_count_k > 1).sum() / living_k.sum(),
        "activated_by_others": (one_k & (four.silent_k < 1)).sum() / one_k.sum(),
        "pair_monosemanticity": (living_k * two.monosemanticity_k).sum() / living_k.sum(),
    }


@jax.jit
@scores.precise
def _mean_outputs(
    model: Model, world: World, amplitude_b: Float[Array, " b"]
) -> dict[str, Float[Array, " b"]]:
    mono_k = _mono_k(model, world)
    read_no = parts.readouts(world)

    def at(feature: Int[Array, ""]) -> parts.Profile:
        profile = parts.along(model, world, feature, amplitude_b, mono_k=mono_k)
        return jax.tree.map(lambda output_bo: output_bo @ read_no[feature], profile)

    profile_nb = jax.lax.map(at, jnp.arange(len(read_no)))
    return {
        "mean_output": profile_nb.full_bo.mean(axis=0),
        "mean_output_mono": profile_nb.mono_bo.mean(axis=0),
        "mean_output_poly": profile_nb.poly_bo.mean(axis=0),
        "mean_target": profile_nb.target_bo.mean(axis=0),
    }
