"""Which features a model ignores, and which it represents by monosemantic or other neurons.

With fewer neurons than features, or with features of unequal frequency, a
model cannot or need not give every feature a neuron of its own. The paper's
authors saw some features with monosemantic and some with polysemantic neurons,
not "k features monosemantic and the rest ignored". Here each feature is put
into one of three regimes, and the frequency is found at which the features
begin to have monosemantic neurons.

Reference:
  Jermyn, Schiefer & Hubinger (2022), section 4.1.4, and the discussion of the post on
  LessWrong. Scherlis et al. (2022) predict the same three regimes for the optimal
  allocation of capacity. All definitions here are ours.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from sklearn.linear_model import LogisticRegression

from toymono import scores
from toymono.features import World
from toymono.models import Model
from toymono.tasks import TASKS

REGIMES = ("monosemantic", "polysemantic", "ignored")
"""A feature is `monosemantic` if it is served, that is, has a monosemantic neuron; `ignored` if it
is not served and hardly recovered; and `polysemantic` otherwise. That no neuron fires cannot
define `ignored`: neurons of positive bias fire for every feature."""

IGNORED_BELOW = 0.05
"""A feature with a smaller recovery, and no monosemantic neuron, is ignored; our choice."""


class Regimes(NamedTuple):
    """The regime of each feature in a model, and the numbers that define it."""

    served_n: Bool[Array, " n"]
    """Whether the feature is served: some monosemantic neuron responds most to it."""
    recovery_n: Float[Array, " n"]
    """`R = 1 - E[(y - f)²] / E[f²]` over inputs in which it is present: 1 if its output is right,
    0 if it is no better than an output of 0; negative if it is worse."""
    interference_n: Float[Array, " n"]
    """E[y²] over inputs in which it is absent."""
    capacity_n: Float[Array, " n"]
    """Its `scores.capacity` among the responses."""
    best_n: Float[Array, " n"]
    """The highest score of the neurons that respond most to it; 0 if there are none."""
    regime_n: Int[Array, " n"]
    """Index into `REGIMES`."""


@jax.jit
@scores.precise
def regimes(model: Model, world: World, features_bn: Float[Array, "b n"]) -> Regimes:
    """The regime of each feature, with the numbers that decide it.

    The inputs in which feature i is present are the given samples with entry i
    replaced by the amplitudes (j + 1/2) / b, j = 0 … b - 1, one per sample: the
    features are independent, and a present one is uniform on [0, 1), for which
    E[f²] = 1/3. Each feature is thus measured on b inputs, however rare it is.
    In the same way entry i is set to 0 where it has to be absent. With p the
    frequencies, the expected task loss is
    `sum_i p_i (1 - R_i) / 3 + (1 - p_i) interference_i`.

    Args:
      model: One model.
      world: Its world.
      features_bn: Samples of the task's own distribution; zeros for single
        features. At 2048 samples the standard error of a recovery was at most
        0.012 at the small scale.

    Raises:
      ValueError: The task's outputs are not the features themselves.

    Reference:
      `features.sample` for the distribution.
    """
    scores.assert_one_model(model, world)
    chex.assert_rank(features_bn, 2)
    check_task(world)
    b, n = features_bn.shape
    amplitude_b = (jnp.arange(b) + 0.5) / b
    features_bn = jnp.asarray(features_bn)

    def of(feature: Array) -> tuple[Array, Array]:
        own = model.to_output(feature)

        def output(value_b: Array) -> Array:
            return own(world.inputs(features_bn.at[:, feature].set(value_b)))[:, 0]

        error_b = output(amplitude_b) - amplitude_b
        recovery = 1 - (error_b**2).mean() / (amplitude_b**2).mean()
        return recovery, (output(jnp.zeros(b)) ** 2).mean()

    recovery_n, interference_n = jax.lax.map(of, jnp.arange(n))  # activations take memory
    response_kn = scores.responses(model, world)
    served_n = scores.mono_neurons_per_feature(response_kn) > 0
    score_k, favourite_k = scores.monosemanticity(response_kn), response_kn.argmax(axis=1)
    best_n = jnp.maximum(jax.ops.segment_max(score_k, favourite_k, n), 0)
    ignored_n = ~served_n & (recovery_n < IGNORED_BELOW)
    return Regimes(
        served_n=served_n,
        recovery_n=recovery_n,
        interference_n=interference_n,
        capacity_n=scores.capacity(response_kn),
        best_n=best_n,
        regime_n=jnp.where(served_n, 0, jnp.where(ignored_n, 2, 1)),
    )


def check_task(world: World) -> None:
    """Refuses tasks in which output i is not feature i.

    Raises:
      ValueError: The outputs are an embedding or an absolute value of the features.
    """
    task = TASKS[world.task]
    if not task.reads_features or task.signed:
        raise ValueError(
            f"task={world.task}: regimes are of features that are outputs themselves, as in "
            "decoder and identity"
        )


class Edge(NamedTuple):
    """Where along the frequency ranks features begin or cease to be served, see `Regimes`."""

    half_rank: float
    """The rank, from 1 for the most frequent feature, at which half of the features are served.
    If none or all are, ½ plus their number; within ½ and n + ½ in any case. NaN if frequencies
    are equal."""
    width: float
    """Ratio of frequencies, as a natural logarithm, over which the odds of being served change by
    a factor e; 0 if a rank separates served features from the others. NaN if none or all are
    served, or if frequencies are equal."""
    direction: int
    """1 if the more frequent features are served, -1 if the rarer ones are, 0 if neither."""


def edge(served_n: Bool[np.ndarray, " n"], frequency_n: Float[np.ndarray, " n"]) -> Edge:
    """A logistic regression of `served_n` on the logarithm of the frequency.

    The fit is not regularised: where it has no finite optimum, `Edge` says what
    is returned. It finds one edge; features that are served in the middle of the
    ranks alone have two. Ranks between features are interpolated in the logarithms
    of rank and frequency.

    Args:
      served_n: From `regimes`.
      frequency_n: From `features.frequencies`; it must not rise with the index.

    Raises:
      ValueError: Frequencies rise.

    Example:
      >>> frequency_n = np.array([0.8, 0.4, 0.2, 0.1])
      >>> edge(np.array([False, True, True, True]), frequency_n)
      Edge(half_rank=1.4142135623730951, width=0.0, direction=-1)
      >>> edge(np.array([True, True, True, True]), frequency_n)
      Edge(half_rank=4.5, width=nan, direction=0)
    """
    chex.assert_rank([served_n, frequency_n], [1, 1])
    served_n, log_n = np.asarray(served_n, bool), np.log(np.asarray(frequency_n, np.float64))
    if (np.diff(log_n) > 0).any():
        raise ValueError("frequency_n rises: features are ordered by frequency, the highest first")
    n, count = len(log_n), int(served_n.sum())
    if log_n[0] == log_n[-1]:
        return Edge(np.nan, np.nan, 0)
    if count in (0, n):
        return Edge(count + 0.5, np.nan, 0)
    for direction, first_n in ((1, served_n), (-1, ~served_n)):
        if log_n[first_n].min() > log_n[~first_n].max():
            last = int(first_n.sum())
            return Edge(float(np.sqrt(last * (last + 1))), 0.0, direction)
    middle, spread = log_n.mean(), log_n.std()
    fit = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)
    fit.fit((log_n[:, None] - middle) / spread, served_n)
    slope, offset = fit.coef_[0, 0], fit.intercept_[0]
    if slope == 0:  # served or not, whatever the frequency
        return Edge(np.nan, np.inf, 0)
    # Equal frequencies, clipped at 1, share the mean of their ranks.
    level, of_n = np.unique(log_n, return_inverse=True)
    log_rank = np.bincount(of_n, np.log(np.arange(1, n + 1))) / np.bincount(of_n)
    ends = {"left": np.log(n + 0.5), "right": np.log(0.5)}
    log_half = np.interp(middle - spread * offset / slope, level, log_rank, **ends)
    return Edge(float(np.exp(log_half)), float(spread / abs(slope)), int(np.sign(slope)))
