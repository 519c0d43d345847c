"""How a feature's own output is computed: one neuron, two, and the lines that they draw.

Under relu a part of the output along one feature's amplitude a is piecewise
linear, and its kinks follow in closed form from the weights. The paper reads
two algorithms off such lines: one monosemantic neuron gives "zero, then rise",
two give "zero, rise, track". The axis p counts the pieces of such a function.

Reference:
  Jermyn, Schiefer & Hubinger (2022), section 5, figures 24 and 25.
"""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, ScalarLike

from toymono import scores
from toymono.analysis import parts
from toymono.analysis.parts import Feature
from toymono.features import World
from toymono.models import Model

LABELS = ("empty", "zero", "lag", "track", "rise")
"""What a piece of `Segments` can do; its `label_p` counts along these."""

# Our choices, in units of a feature at full strength: what counts as silent, as
# near the truth, and as having the truth's slope.
_SILENT, _NEAR, _SLOPE = 0.02, 0.2, 0.25


def served(
    model: Model, world: World, threshold: ScalarLike = scores.THRESHOLD, most: int = 3
) -> Int[Array, " n"]:
    """By how many monosemantic neurons each feature is served: 0, 1, 2, or `most` and more.

    One and two are the algorithms of the paper's section 5. For `abs` a feature
    counts with both its signs, which often have a neuron each.
    """
    response_kn = scores.responses(model, world)
    return jnp.minimum(scores.mono_neurons_per_feature(response_kn, threshold), most)


class Kinks(NamedTuple):
    """A piecewise linear function of a in [0, 1], by its kinks in order of position.

    Where no kink is left the position is inf, the change 0 and the neuron -1.
    """

    position_k: Float[Array, " k"]
    """Amplitude at which a neuron starts or stops firing, in (0, 1)."""
    change_k: Float[Array, " k"]
    """By how much that changes the slope."""
    neuron_k: Int[Array, " k"]
    """Which neuron it is."""
    start: Float[Array, ""]
    """Value at a = 0."""
    slope: Float[Array, ""]
    """Slope just above a = 0."""

    @scores.precise
    def __call__(self, amplitude_b: Float[Array, "*b"]) -> Float[Array, "*b"]:
        """The function's value, put together from the kinks."""
        past_bk = jnp.maximum(amplitude_b[..., None] - self.position_k, 0)
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
    """The output along one feature's amplitude, in closed form from the weights; relu only.

    On the way `x0 + a e`, e the feature's embedding, neuron k has the
    pre-activation `p + a g`, with `p = b + x0 W_in` and `g = e W_in`. Its kink
    is at `a = -p / g`, where it changes the slope by |g| times its weight in
    the output.

    Args:
      model: Most often `parts.split(model).mono`.
      others_n: As in `parts.along`.
      read_o: Weights of the outputs, by default the feature's of `parts.readouts`.
      sign: -1 for the way along the negative feature, for `abs`.

    Raises:
      ValueError: The nonlinearity is not relu, and has no kinks.

    Example:
      >>> model = Model(jnp.ones((1, 2)), jnp.array([-0.5, 0.25]), jnp.array([[4.0], [1.0]]))
      >>> bends = kinks(model, World(jnp.ones((1, 1))), 0)
      >>> bends.position_k.tolist(), bends.change_k.tolist(), bends.slope.item()
      ([0.5, inf], [4.0, 0.0], 1.0)
    """
    if model.nonlinearity != "relu":
        raise ValueError(f"nonlinearity={model.nonlinearity!r} has no kinks; only relu has")
    x_m = world.inputs(parts.background(world, feature, others_n))
    start_k = x_m @ model.w_mk + model.b_k
    gain_k = sign * jnp.asarray(world.embed_nm)[feature] @ model.w_mk
    weight_k = model.w_ko @ (parts.readouts(world)[feature] if read_o is None else read_o)

    position_k = -start_k / jnp.where(gain_k == 0, jnp.nan, gain_k)
    bends_k = (position_k > 0) & (position_k < 1)
    position_k = jnp.where(bends_k, position_k, jnp.inf)
    order_k = jnp.argsort(position_k)
    firing_k = (start_k > 0) | ((start_k == 0) & (gain_k > 0))
    return Kinks(
        position_k=position_k[order_k],
        change_k=jnp.where(bends_k, abs(gain_k) * weight_k, 0)[order_k],
        neuron_k=jnp.where(bends_k[order_k], order_k, -1),
        start=jnp.maximum(start_k, 0) @ weight_k,
        slope=jnp.where(firing_k, gain_k, 0) @ weight_k,
    )


def own_kinks(model: Model, world: World, feature: Feature) -> Float[Array, "2"]:
    """Amplitudes at which a feature's first two monosemantic neurons start to fire.

    They are those whose strongest it is. NaN stands where there is none, and
    under another nonlinearity than relu, which has no kinks.

    Example:
      >>> model = Model(jnp.eye(2), jnp.array([-0.5, -0.25]), jnp.eye(2))
      >>> own_kinks(model, World(jnp.eye(2)), 1).tolist()
      [0.25, nan]
    """
    none = jnp.full(2, jnp.nan)
    if model.nonlinearity != "relu":
        return none
    response_kn = scores.responses(model, world)
    own_k = scores.classify_neurons(response_kn).monosemantic_k & (
        response_kn.argmax(axis=1) == feature
    )
    bends = kinks(model, world, feature)
    own_k = own_k[bends.neuron_k] & (bends.neuron_k >= 0)
    return jnp.sort(jnp.append(jnp.where(own_k, bends.position_k, jnp.nan), none))[:2]


class Segments(NamedTuple):
    """Pieces of a feature's own output: on each the value is `intercept + slope a`."""

    start_p: Float[Array, " k+1"]
    end_p: Float[Array, " k+1"]
    slope_p: Float[Array, " k+1"]
    intercept_p: Float[Array, " k+1"]
    label_p: Int[Array, " k+1"]
    """What the piece does, an index into `LABELS`; `empty` pieces fill up the array."""

    @property
    def outline(self) -> tuple[str, ...]:
        """The labels in words and in order, without repetition; not under `jit`."""
        said = [LABELS[label] for label in np.asarray(self.label_p) if label]
        return tuple(label for label, _ in itertools.groupby(said))


def segments(bends: Kinks, least: ScalarLike = 0) -> Segments:
    """The pieces of a feature's own output on [0, 1], each with a label.

    The truth is the line a. A piece is `zero` if it stays within 0.02 of 0, and
    `track` if it stays within 0.2 of the truth with a slope within 0.25 of 1.
    Else it gains on the truth, `rise`, or loses ground, `lag`. One mono neuron
    makes zero and rise, and a second one can add track (Jermyn et al. 2022,
    section 5); limits and names are ours.

    Args:
      bends: From `kinks`.
      least: Kinks that change the slope by less do not end a piece, which then
        has its mean slope: values at its ends stay exact.

    Example:
      >>> model = Model(jnp.ones((1, 2)), jnp.array([-0.5, -0.75]), jnp.array([[2.0], [-1.0]]))
      >>> pieces = segments(kinks(model, World(jnp.ones((1, 1))), 0))
      >>> pieces.outline, pieces.start_p.tolist(), pieces.slope_p.tolist()
      (('zero', 'rise', 'lag'), [0.0, 0.5, 0.75], [0.0, 2.0, 1.0])
    """
    ends_piece_k = jnp.isfinite(bends.position_k) & (abs(bends.change_k) >= least)
    piece_p = jnp.append(0, jnp.cumsum(ends_piece_k))
    position_p = jnp.append(0.0, jnp.minimum(bends.position_k, 1))
    slope_p = jnp.cumsum(jnp.append(bends.slope, bends.change_k))

    count = len(piece_p)
    climb_p = jax.ops.segment_sum(slope_p * jnp.diff(position_p, append=1), piece_p, count)
    start_p = jnp.minimum(jax.ops.segment_min(position_p, piece_p, count), 1)
    end_p = jnp.append(start_p[1:], 1)
    low_p = bends.start + jnp.cumsum(climb_p) - climb_p
    high_p = low_p + climb_p
    slope_p = climb_p / jnp.where(end_p > start_p, end_p - start_p, 1)

    off_p = jnp.maximum(abs(low_p - start_p), abs(high_p - end_p))
    label_p = jnp.select(
        [
            start_p == end_p,
            jnp.maximum(abs(low_p), abs(high_p)) <= _SILENT,
            (off_p <= _NEAR) & (abs(slope_p - 1) <= _SLOPE),
            slope_p > 1,
        ],
        [LABELS.index(label) for label in ("empty", "zero", "track", "rise")],
        LABELS.index("lag"),
    )
    return Segments(start_p, end_p, slope_p, low_p - slope_p * start_p, label_p)
