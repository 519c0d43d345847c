"""One model taken apart: a monosemantic part, a polysemantic part, and what each computes.

The second linear map has no bias, so any division of the neurons divides the
output into a sum. The paper divides by the sign of the bias: neurons with a
negative bias hold single features behind a threshold; those with a positive
bias form, as a group, a linear map close to an identity of low rank. A part is
a `Model` like any other. The axis p counts the pieces of a piecewise linear
function.

Reference:
  Jermyn, Schiefer & Hubinger (2022), section 5.
"""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, ScalarLike

from toymono import scores
from toymono.model import NONLINEARITIES, Model
from toymono.world import World

Feature = Int[Array, ""] | int
"""A feature's number; an array where functions are mapped over features."""

LABELS = ("empty", "zero", "lag", "track", "rise")
"""What a piece of `Segments` can do; its `label_p` counts along these."""

# Our choices, in units of a feature at full strength: what counts as silent, as
# near the truth, and as having the truth's slope.
_SILENT, _NEAR, _SLOPE = 0.02, 0.2, 0.25


class Parts(NamedTuple):
    """Two models whose outputs add up to the whole model's."""

    mono: Model
    poly: Model


def by_bias(model: Model) -> Bool[Array, " k"]:
    """Neurons of the mono part as the paper has it: all whose bias is not above 0.

    A bias of exactly 0 goes here: its neuron bends at the origin. The others
    are about m in the paper's most monosemantic models, 65 for m = 64. It once
    counts those above 0.05; `split(model, model.b_k <= 0.05)` divides there.
    """
    return jnp.asarray(model.b_k) <= 0


def by_score(model: Model, world: World, threshold: float = scores.THRESHOLD) -> Bool[Array, " k"]:
    """Neurons of the mono part if eq. 7 is to decide: those that count as monosemantic."""
    return scores.census(scores.responses(model, world), threshold).monosemantic_k


def split(model: Model, mono_k: Bool[Array, " k"] | None = None) -> Parts:
    """The model's mono part and poly part; their outputs sum to the model's on every input.

    Each keeps its own neurons and has zeros in place of the others, which then
    are silent under every nonlinearity.

    Args:
      mono_k: Neurons of the mono part: `by_bias`, the default, `by_score`, or
        any other choice.

    Example:
      >>> model = Model(jnp.ones((1, 2)), jnp.array([-0.5, 0.5]), jnp.ones((2, 1)))
      >>> [part(jnp.ones(1)).item() for part in (model, *split(model))]
      [2.0, 0.5, 1.5]
    """
    mono_k = by_bias(model) if mono_k is None else mono_k

    def part(kept_k):
        return model.replace(
            w_mk=jnp.where(kept_k, model.w_mk, 0),
            b_k=jnp.where(kept_k, model.b_k, 0),
            w_ko=jnp.where(kept_k[:, None], model.w_ko, 0),
        )

    return Parts(part(mono_k), part(~mono_k))


def served(
    model: Model, world: World, threshold: float = scores.THRESHOLD, most: int = 3
) -> Int[Array, " n"]:
    """By how many monosemantic neurons each feature is served: 0, 1, 2, or `most` and more.

    One and two are the algorithms of the paper's section 5. For `abs` a feature
    counts with both its signs, which often have a neuron each.
    """
    response_kn = scores.responses(model, world)
    return jnp.minimum(scores.monosemantic_per_feature(response_kn, threshold), most)


def readouts(world: World) -> Float[Array, "n o"]:
    """For each feature the direction, of length 1, that stands for it in the output.

    Its own output for the decoder and `abs`, its second embedding for the
    re-projector. `targets_bo @ readouts(world)[7]` is the amplitude of feature
    7 (`abs`: its absolute value) where it is alone.
    """
    if world.task == "reproject":
        return jnp.asarray(world.reproject_nm)
    return jnp.eye(world.embed_nm.shape[0])


class Profile(NamedTuple):
    """Outputs while one feature's amplitude varies along the batch."""

    full_bo: Float[Array, "b o"]
    mono_bo: Float[Array, "b o"]
    poly_bo: Float[Array, "b o"]
    target_bo: Float[Array, "b o"]


def along(
    model: Model,
    world: World,
    feature: Feature,
    amplitude_b: Float[Array, " b"],
    others_n: Float[Array, " n"] | None = None,
    mono_k: Bool[Array, " k"] | None = None,
) -> Profile:
    """Outputs of the model and of its parts as one feature goes through `amplitude_b`.

    Args:
      feature: Its number.
      amplitude_b: Its amplitudes; for `abs` they may be negative.
      others_n: The other features, by default absent; its entry for `feature`
        plays no part.
      mono_k: As in `split`.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), figures 24 and 25.
    """
    others_n = _others(world, feature, others_n)
    features_bn = jnp.tile(others_n, (len(amplitude_b), 1)).at[:, feature].set(amplitude_b)
    x_bm = world.inputs(features_bn)
    mono, poly = split(model, mono_k)
    return Profile(model(x_bm), mono(x_bm), poly(x_bm), world.targets(features_bn))


def _others(world: World, feature: Feature, others_n: Array | None) -> Float[Array, " n"]:
    n = world.embed_nm.shape[0]
    if isinstance(feature, int) and not 0 <= feature < n:
        raise ValueError(f"feature={feature} is not in [0, {n})")
    return jnp.zeros(n) if others_n is None else jnp.asarray(others_n).at[feature].set(0)


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

    def __call__(self, amplitude_b: Float[Array, "*b"]) -> Float[Array, "*b"]:
        """The function's value, put together from the kinks."""
        past_bk = jnp.maximum(amplitude_b[..., None] - self.position_k, 0)
        return self.start + self.slope * amplitude_b + past_bk @ self.change_k


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
      model: Most often `split(model).mono`.
      others_n: As in `along`.
      read_o: Weights of the outputs, by default the feature's of `readouts`.
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
    x_m = world.inputs(_others(world, feature, others_n))
    start_k = x_m @ model.w_mk + model.b_k
    gain_k = sign * jnp.asarray(world.embed_nm)[feature] @ model.w_mk
    weight_k = model.w_ko @ (readouts(world)[feature] if read_o is None else read_o)

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


class Linearised(NamedTuple):
    """A part near the origin: `y = offset + M f` for features f."""

    map_on: Float[Array, "o n"]
    """M, from features to outputs."""
    offset_o: Float[Array, " o"]
    """Output when no feature is present."""
    slope_n: Float[Array, " n"]
    """By how much each feature raises its own output: M along `readouts`."""
    singular_m: Float[Array, " m"]
    """Singular values of M, the largest first; there are no more, as M reads m dimensions."""


def linearise(model: Model, world: World) -> Linearised:
    """The part's outputs to first order around the input 0.

    With phi the nonlinearity, `M = (P W_in diag(phi'(b)) W_out)^T`, and the
    offset is `phi(b) W_out`. Under relu phi' is 1 for a positive bias and else
    0: M is the paper's `W_out[S+] W_in[S+] P`, its offset `W_out[S+] b[S+]`.

    Args:
      model: Most often `split(model).poly`.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), section 5 and figure 26.
    """
    phi, b_k = NONLINEARITIES[model.nonlinearity], jnp.asarray(model.b_k)
    rest_k, gain_k = jax.jvp(phi, (b_k,), (jnp.ones_like(b_k),))
    map_on = (world.embed_nm @ (model.w_mk * gain_k) @ model.w_ko).T
    return Linearised(
        map_on=map_on,
        offset_o=rest_k @ model.w_ko,
        slope_n=(readouts(world) * map_on.T).sum(axis=1),
        singular_m=jnp.linalg.svd(map_on, compute_uv=False)[: world.embed_nm.shape[1]],
    )


def linearisation_error(
    model: Model, world: World, features_bn: Float[Array, "b n"]
) -> Float[Array, ""]:
    """How far a part is from its linearisation: root mean square, relative to its outputs.

    Args:
      model: Most often `split(model).poly`.
      features_bn: Where to compare: `world.sample` for the task's own
        distribution, `a * jnp.eye(n)` for single features.

    Returns:
      0 for a linear part and for a silent one, 1 where silence would do as well.
    """
    linear = linearise(model, world)
    y_bo = model(world.inputs(features_bn))
    size = jnp.linalg.norm(y_bo)
    error = jnp.linalg.norm(y_bo - linear.offset_o - features_bn @ linear.map_on.T)
    return error / jnp.where(size > 0, size, 1)


def effective_rank(singular_m: Float[Array, " m"]) -> Float[Array, ""]:
    """Exponential of the entropy of the singular values' shares in their sum.

    d equal values and else zeros give d; no value above 0 gives 0.

    Example:
      >>> effective_rank(jnp.array([2.0, 2.0, 0.0])).item()
      2.0

    Reference:
      Roy & Vetterli (2007), The effective rank: a measure of effective dimensionality.
    """
    total = singular_m.sum()
    share_m = singular_m / jnp.where(total > 0, total, 1)
    return jnp.where(total > 0, jnp.exp(jax.scipy.special.entr(share_m).sum()), 0)


class Likeness(NamedTuple):
    """A linear map M beside the identity-like map L that is nearest to it."""

    scale: Float[Array, ""]
    """The factor c of L that M calls for, `<M, L> / <L, L>`."""
    distance: Float[Array, ""]
    """`|M - c L| / |M|` in the Frobenius norm: 0 if M is c L, 1 if the two are orthogonal."""


def identity_likeness(map_on: Float[Array, "o n"], world: World) -> Likeness:
    """How close a linear map is to an identity of rank m, up to scale.

    For the decoder and `abs`, L is the best of all orthogonal projectors Q of
    rank m. As `|M - c Q|^2 = |M|^2 - 2 c <M, Q> + c^2 m`, the best Q has the
    largest `<M, Q>`: it projects onto the leading eigenvectors of `(M + M^T)/2`.
    With S the sum of their eigenvalues, c is `S / m` and the distance
    `sqrt(1 - S^2 / (m |M|^2))`; if M is a projector of rank d < m, they are
    `d / m` and `sqrt(1 - d / m)`.

    The re-projector's outputs are no features. There L is the second embedding
    of `P^+ P f`, f as far as the first embedding P keeps it: of all linear maps
    that read P f, the one nearest to the task's own.
    """
    if world.task == "reproject":
        kept_nm, _ = jnp.linalg.qr(world.embed_nm)
        like_on = world.reproject_nm.T @ kept_nm @ kept_nm.T
    else:
        _, vectors_nn = jnp.linalg.eigh((map_on + map_on.T) / 2)
        leading_nm = vectors_nn[:, -world.embed_nm.shape[1] :]
        like_on = leading_nm @ leading_nm.T
    scale = (map_on * like_on).sum() / (like_on**2).sum()
    size = jnp.linalg.norm(map_on)
    distance = jnp.linalg.norm(map_on - scale * like_on) / jnp.where(size > 0, size, 1)
    return Likeness(scale, distance)
