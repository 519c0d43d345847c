"""One row of numbers per run: everything that the claims of a paper read about it.

`row` joins the columns of `frames.per_run` with those of training's second half
and, on request, with the paper's section 5 in numbers.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from toymono import scores
from toymono.analysis import kinks, parts
from toymono.features import World
from toymono.frames import toy
from toymono.models import Model
from toymono.store import StoredRun
from toymono.train import Run

SETTLED_LOSS_FALL, SETTLED_MONO_RISE = 0.02, 0.02
"""A run has settled if, from half of its training to the end, its loss changed by at most this
fraction and its monosemantic neurons per feature by at most that number; our choices."""

# The paper's band for the singular values of M, and our margin for those that are 0.
_BAND, _ZERO = (0.99, 1.03), 0.01

# A mean bias of fewer neurons than this fraction of all is not reported; our choice.
_ENOUGH = 0.01

# Neurons that respond to at least this fraction of the features count as broad; our choice.
_BROAD = 0.25

# Above this score a neuron is nearly monosemantic; our choice.
_NEARLY = 0.9


def row(run: Run | StoredRun, decomposed: bool = False) -> dict[str, Any]:
    """The columns of `frames.per_run` and more, for one toy run.

    Columns of every run: `loss_share`, the loss over that of an output of 0;
    `loss_fall`, the fraction by which the loss fell from half of the training to
    the end, each averaged over an eighth of all steps; `mono_rise`, the rise of
    monosemantic neurons per feature in the same time; `settled`; `mono_bias` and
    `broad_bias`, mean biases of the monosemantic neurons and of those that
    respond to a quarter of the features or more, NaN where these are fewer than
    1 in 100; `nearly_mono_features`, features without a monosemantic neuron that
    have one with a score of 0.9 or more.

    Args:
      run: A single run, stored or in memory.
      decomposed: Whether to add the columns of `anatomy`; relu only.
    """
    [(run, _)] = toy.each([run])
    [numbers] = toy.per_run([run]).to_dict("records")
    neurons = toy.per_neuron([run])
    mono_k = neurons["neuron_kind"] == "monosemantic"
    broad_k = neurons["feature_count"] >= _BROAD * run.config.n
    enough = _ENOUGH * len(neurons)
    owners = neurons.loc[mono_k, "strongest_feature"]
    nearly = neurons.loc[neurons["monosemanticity"] >= _NEARLY, "strongest_feature"]
    numbers |= {
        "loss_share": numbers["loss"] / numbers["zero_loss"],
        **second_half(run),
        "mono_bias": neurons.loc[mono_k, "bias"].mean() if mono_k.sum() >= enough else np.nan,
        "broad_bias": neurons.loc[broad_k, "bias"].mean() if broad_k.sum() >= enough else np.nan,
        "nearly_mono_features": len(set(nearly) - set(owners)),
    }
    if decomposed:
        found = jax.device_get(anatomy(run.final, run.world))
        numbers |= {name: value.item() for name, value in found.items()}
    return numbers


def second_half(run: Run) -> dict[str, Any]:
    """`loss_fall`, `mono_rise` and `settled` of a loaded run, as in `row`."""
    before, after = toy.per_snapshot([run])["mono_per_feature"].iloc[[-2, -1]]
    loss_t, steps = np.asarray(run.loss_t, np.float64), run.config.steps
    window = max(1, steps // 8)
    halfway_loss, end_loss = (loss_t[at - window : at].mean() for at in (steps // 2, steps))
    fall, rise = 1 - end_loss / halfway_loss, after - before
    settled = bool(abs(fall) <= SETTLED_LOSS_FALL and abs(rise) <= SETTLED_MONO_RISE)
    return {"loss_fall": fall, "mono_rise": rise, "settled": settled}


def halfway(run: Run | StoredRun) -> Run:
    """The run as it was after half of its steps."""
    [(run, _)] = toy.each([run])
    half = dataclasses.replace(run.config, log2_steps=run.config.log2_steps - 1)
    snapshots = jax.tree.map(lambda leaf: leaf[:-1], run.snapshots)
    return run.replace(config=half, snapshots=snapshots, loss_t=run.loss_t[: half.steps])


@jax.jit
@scores.precise
def anatomy(model: Model, world: World) -> Mapping[str, Float[Array, ""]]:
    """The paper's section 5 in numbers, for a decoder with relu.

    Of M, the linear map of the positive-bias part near the origin:
    `singular_in_band`, the fraction of its singular values that are 0 or within
    the paper's band; `largest_singular`; `effective_rank`; `slope_mean`,
    `slope_q05` and `slope_q95`, mean and quantiles over features of its slope
    along the feature's own output; `slope_change`, the median over features of
    the largest change of that slope on [0, 1]; `poly_offset`, the largest output
    of that part for an input of 0. Of the other neurons: `one_kink` and
    `one_output`, medians over the features with one monosemantic neuron of its
    kink and of the output at full strength; `two_first_kink`, `two_second_kink`
    and `two_kink_features`, median kinks and number of the features with two.
    """
    n = world.embed_nm.shape[0]
    mono, poly = parts.split(model)
    linear = parts.linearise(poly, world)
    count_n = scores.mono_neurons_per_feature(scores.responses(model, world))

    def along(feature: Array) -> tuple[Array, ...]:
        bends = kinks.kinks(poly, world, feature)
        change = abs(jnp.cumsum(bends.change_k)).max()
        first, second = kinks.own_kinks(model, world, feature)
        return change, first, second, kinks.kinks(mono, world, feature)(jnp.ones(()))

    change_n, first_n, second_n, output_n = jax.vmap(along)(jnp.arange(n))
    one_n = (count_n == 1) & jnp.isfinite(first_n)
    two_n = (count_n == 2) & jnp.isfinite(second_n)
    singular_m = linear.singular_m

    def median(value_n: Array, mask_n: Array) -> Array:
        return jnp.nanmedian(jnp.where(mask_n, value_n, jnp.nan))

    low, high = _BAND
    return {
        "singular_in_band": (
            (singular_m < _ZERO) | ((singular_m >= low) & (singular_m <= high))
        ).mean(),
        "largest_singular": singular_m.max(),
        "effective_rank": parts.effective_rank(singular_m),
        "slope_mean": linear.slope_n.mean(),
        "slope_q05": jnp.quantile(linear.slope_n, 0.05),
        "slope_q95": jnp.quantile(linear.slope_n, 0.95),
        "slope_change": jnp.median(change_n),
        "poly_offset": abs(linear.offset_o).max(),
        "one_kink": median(first_n, one_n),
        "one_output": median(output_n, one_n),
        "two_first_kink": median(first_n, two_n),
        "two_second_kink": median(second_n, two_n),
        "two_kink_features": two_n.sum(),
    }
