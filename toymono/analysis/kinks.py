"""The output as a piecewise linear function of one feature's amplitude.

Under relu the output along one feature's amplitude a is piecewise linear, and
its kinks follow in closed form from the weights. The paper reads two algorithms
off these functions: one monosemantic neuron gives "zero, then rise", two give
"zero, rise, track". The axis p counts the pieces of such a function.

Reference:
  Jermyn, Schiefer & Hubinger (2022), section 5, figures 24 and 25.
"""

import itertools
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, ScalarLike

from toymono import scores
from toymono.analysis import parts
from toymono.analysis.parts import Feature
from toymono.features import World
from toymono.models import NONLINEARITIES, Model, SkipModel

LABELS = ("empty", "zero", "lag", "track", "rise")
"""Labels of the pieces of `Segments`; `label_p` holds indices into them."""

# Our choices, with features at full strength being 1: the largest value of a
# `zero` piece, and the largest errors of value and slope of a `track` piece.
_ZERO_TOLERANCE, _VALUE_TOLERANCE, _SLOPE_TOLERANCE = 0.02, 0.2, 0.25

# Breaks of the nonlinearities that the closed form covers: one kink for each neuron.
_AT_0 = (0.0,)


class Kinks(NamedTuple):
    """A piecewise linear function of a in [0, 1], given by its kinks in order of position.

    Unused entries at the end have position inf, change 0 and neuron -1.
    """

    position_k: Float[Array, " k"]
    """Amplitude at which a neuron becomes active or inactive, in (0, 1)."""
    change_k: Float[Array, " k"]
    """Change of the slope there."""
    neuron_k: Int[Array, " k"]
    """Index of that neuron."""
    start: Float[Array, ""]
    """Value at a = 0."""
    slope: Float[Array, ""]
    """Slope just above a = 0."""

    @scores.precise
    def __call__(self, amplitude_b: Float[Array, "*b"]) -> Float[Array, "*b"]:
        """The function's value at the given amplitudes."""
        chex.assert_rank(self.position_k, 1)
        past_bk = jnp.maximum(jnp.subtract.outer(amplitude_b, self.position_k), 0)
        return self.start + self.slope * amplitude_b + past_bk @ self.change_k


@scores.precise
def kinks(
    model: Model,
    world: World,
    feature: Feature,
    others_n: Float[Array, " n"] | None = None,
    read_o: Float[Array, " o"] | None = None,
    sign: ScalarLike = 1,
) -> Kinks:
    """The output along one feature's amplitude, in closed form from the weights.

    On the input `x0 + a e`, e the feature's embedding, neuron k has the
    pre-activation `p + a g`, with `p = b + x0 W_in` and `g = e W_in`. Its kink
    is at `a = -p / g`, where it changes the slope of the output by |g| times its
    output weight (under relu).

    Args:
      model: Usually `parts.split(model).mono`.
      world: Its world.
      feature: Index of the feature.
      others_n: As in `parts.along`.
      read_o: Weights of the outputs, by default the feature's `parts.readouts`.
      sign: -1 for negative amplitudes, if features take both signs; a is then
        the absolute value.

    Raises:
      ValueError: The nonlinearity is not linear on either side of 0.

    Example:
      >>> model = Model(jnp.ones((1, 2)), jnp.array([-0.5, 0.25]), jnp.array([[4.0], [1.0]]))
      >>> found = kinks(model, World(jnp.ones((1, 1))), 0)
      >>> found.position_k.tolist(), found.change_k.tolist(), found.slope.item()
      ([0.5, inf], [4.0, 0.0], 1.0)
    """
    scores.assert_one_model(model, world)
    nonlinearity = NONLINEARITIES[model.nonlinearity]
    if nonlinearity.breaks != _AT_0:
        choices = [name for name, record in NONLINEARITIES.items() if record.breaks == _AT_0]
        raise ValueError(
            f"nonlinearity={model.nonlinearity!r} has no kinks at 0 alone; use {', '.join(choices)}"
        )
    read_o = parts.readouts(world)[feature] if read_o is None else read_o
    chex.assert_rank(read_o, 1)
    x_m = world.inputs(parts.background(world, feature, others_n))
    start_k = x_m @ model.w_mk + model.b_k
    gain_k = sign * jnp.asarray(world.embed_nm)[feature] @ model.w_mk
    weight_k = model.w_ko @ read_o

    position_k = -start_k / jnp.where(gain_k == 0, jnp.nan, gain_k)
    inside_k = (position_k > 0) & (position_k < 1)
    position_k = jnp.where(inside_k, position_k, jnp.inf)
    order_k = jnp.argsort(position_k)
    positive_k = (start_k > 0) | ((start_k == 0) & (gain_k > 0))
    # Slopes of the nonlinearity on either side of its kink at 0.
    above, below = nonlinearity.function(jnp.ones(())), -nonlinearity.function(-jnp.ones(()))
    start = nonlinearity.function(start_k) @ weight_k
    slope = (jnp.where(positive_k, above, below) * gain_k) @ weight_k
    if isinstance(model, SkipModel):
        skip_m = model.skip_ms @ (model.skip_so @ read_o)
        start += x_m @ skip_m
        slope += sign * jnp.asarray(world.embed_nm)[feature] @ skip_m
    return Kinks(
        position_k=position_k[order_k],
        change_k=jnp.where(inside_k, (above - below) * abs(gain_k) * weight_k, 0)[order_k],
        neuron_k=jnp.where(inside_k[order_k], order_k, -1),
        start=start,
        slope=slope,
    )


def own_kinks(model: Model, world: World, feature: Feature) -> Float[Array, "2"]:
    """Smallest two amplitudes at which a feature's monosemantic neurons become active.

    These are the monosemantic neurons whose strongest feature it is. Missing
    ones are NaN, as are all under a nonlinearity that `kinks` refuses.

    Example:
      >>> model = Model(jnp.eye(2), jnp.array([-0.5, -0.25]), jnp.eye(2))
      >>> own_kinks(model, World(jnp.eye(2)), 1).tolist()
      [0.25, nan]
    """
    none = jnp.full(2, jnp.nan)
    scores.assert_one_model(model, world)
    if NONLINEARITIES[model.nonlinearity].breaks != _AT_0:
        return none
    response_kn = scores.responses(model, world)
    mono_k = scores.classify_neurons(response_kn).monosemantic_k
    own_k = mono_k & (scores.strongest(response_kn) == feature)
    found = kinks(model, world, feature)
    own_k = own_k[found.neuron_k] & (found.neuron_k >= 0)
    return jnp.sort(jnp.append(jnp.where(own_k, found.position_k, jnp.nan), none))[:2]


class Segments(NamedTuple):
    """Pieces of a piecewise linear function: on each the value is `intercept + slope a`."""

    start_p: Float[Array, " k+1"]
    end_p: Float[Array, " k+1"]
    slope_p: Float[Array, " k+1"]
    intercept_p: Float[Array, " k+1"]
    label_p: Int[Array, " k+1"]
    """Index into `LABELS`; unused entries at the end are `empty`."""

    @property
    def outline(self) -> tuple[str, ...]:
        """The labels of the pieces in order, adjacent repetitions merged; not under `jit`."""
        labels = [LABELS[label] for label in np.asarray(self.label_p) if label]
        return tuple(label for label, _ in itertools.groupby(labels))


def segments(function: Kinks, min_change: ScalarLike = 0) -> Segments:
    """The labelled pieces of a feature's own output on [0, 1].

    The target is the line a. A piece is `zero` if it stays within 0.02 of 0, and
    `track` if it stays within 0.2 of the target with a slope within 0.25 of 1.
    Otherwise it is `rise` if its slope is above 1, and `lag` if not. One
    monosemantic neuron gives zero and rise; a second one can add track (Jermyn
    et al. 2022, section 5). Tolerances and labels are our choice.

    Args:
      function: From `kinks`.
      min_change: Kinks with a smaller change of slope do not end a piece. The
        piece then has its mean slope, so that the values at its ends are exact.

    Example:
      >>> model = Model(jnp.ones((1, 2)), jnp.array([-0.5, -0.75]), jnp.array([[2.0], [-1.0]]))
      >>> pieces = segments(kinks(model, World(jnp.ones((1, 1))), 0))
      >>> pieces.outline, pieces.start_p.tolist(), pieces.slope_p.tolist()
      (('zero', 'rise', 'lag'), [0.0, 0.5, 0.75], [0.0, 2.0, 1.0])
    """
    chex.assert_rank([function.position_k, function.change_k], 1)
    ends_piece_k = jnp.isfinite(function.position_k) & (abs(function.change_k) >= min_change)
    piece_p = jnp.append(0, jnp.cumsum(ends_piece_k))
    position_p = jnp.append(0.0, jnp.minimum(function.position_k, 1))
    slope_p = jnp.cumsum(jnp.append(function.slope, function.change_k))

    count = len(piece_p)
    increase_p = jax.ops.segment_sum(slope_p * jnp.diff(position_p, append=1), piece_p, count)
    start_p = jnp.minimum(jax.ops.segment_min(position_p, piece_p, count), 1)
    end_p = jnp.append(start_p[1:], 1)
    start_value_p = function.start + jnp.cumsum(increase_p) - increase_p
    end_value_p = start_value_p + increase_p
    slope_p = increase_p / jnp.where(end_p > start_p, end_p - start_p, 1)

    error_p = jnp.maximum(abs(start_value_p - start_p), abs(end_value_p - end_p))
    label_p = jnp.select(
        [
            start_p == end_p,
            jnp.maximum(abs(start_value_p), abs(end_value_p)) <= _ZERO_TOLERANCE,
            (error_p <= _VALUE_TOLERANCE) & (abs(slope_p - 1) <= _SLOPE_TOLERANCE),
            slope_p > 1,
        ],
        [LABELS.index(label) for label in ("empty", "zero", "track", "rise")],
        LABELS.index("lag"),
    )
    return Segments(start_p, end_p, slope_p, start_value_p - slope_p * start_p, label_p)
