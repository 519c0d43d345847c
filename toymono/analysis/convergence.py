"""Whether training ends in one solution or drifts along equally good ones.

The paper's authors saw the number of monosemantic neurons converge late in
training rather than drift, and took it as a reason to believe in separate
basins. A constant number can hide turnover: neurons that gain and lose their
features at equal rates. So consecutive checkpoints are compared by the pairs of
monosemantic neurons and features that they share, and by the distance and the
barrier between their weights.

Reference:
  Jermyn, Schiefer & Hubinger (2022), section 4.1.1, and the discussion of the post on
  LessWrong. The definitions are ours.
"""

from collections.abc import Sequence

import chex
import jax.numpy as jnp
from jaxtyping import Array, Float

from toymono import scores

VERDICTS = ("converged", "ridge", "moving")
"""What training did at its end: see `verdict`."""

JACCARD_FALL = 0.02
"""By how much the similarity of checkpoints has to fall from one octave to the next on a ridge; our
choice, as large as the change of the number of neurons at which training counts as settled."""


def jaccard(response_kn: Float[Array, "k n"], other_kn: Float[Array, "k n"]) -> Float[Array, ""]:
    """Similarity of the sets of pairs (monosemantic neuron, its strongest feature) of two models.

    The number of pairs that both have over the number that either has; NaN if
    neither has any. Neurons are compared by index: of a model at two times.

    Args:
      response_kn: From `scores.responses`.
      other_kn: Of the other model.

    Example:
      >>> one = jnp.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
      >>> other = jnp.array([[1.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
      >>> jaccard(one, other).item(), jaccard(one, one).item()
      (0.3333333432674408, 1.0)
    """
    before, after, both = _pairs(response_kn, other_kn)
    either = before + after - both
    return jnp.where(either > 0, both / jnp.maximum(either, 1), jnp.nan)


def retained(response_kn: Float[Array, "k n"], other_kn: Float[Array, "k n"]) -> Float[Array, ""]:
    """Fraction of the first model's pairs, as in `jaccard`, that the second has too.

    Unlike the similarity it does not fall if pairs are added; NaN if the first has none.

    Example:
      >>> one = jnp.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
      >>> retained(one, jnp.eye(2)[jnp.array([0, 0, 0])]).item()
      0.5
    """
    before, _, both = _pairs(response_kn, other_kn)
    return jnp.where(before > 0, both / jnp.maximum(before, 1), jnp.nan)


def _pairs(response_kn: Array, other_kn: Array) -> tuple[Array, Array, Array]:
    """Pairs of either model, and of both."""
    chex.assert_rank([response_kn, other_kn], [2, 2])
    mono_k, other_mono_k = (
        scores.classify_neurons(response).monosemantic_k for response in (response_kn, other_kn)
    )
    same_k = scores.strongest(response_kn) == scores.strongest(other_kn)
    return mono_k.sum(), other_mono_k.sum(), (mono_k & other_mono_k & same_k).sum()


def verdict(settled: bool, jaccard_c: Sequence[float], distance_c: Sequence[float]) -> str:
    """What training did at its end, one of `VERDICTS`.

    `moving` if loss or number of monosemantic neurons had not settled. `ridge` if
    they had, but from the last octave of steps but one to the last the similarity
    of its ends fell by `JACCARD_FALL` or more and the distance between them grew:
    equally good models, ever farther from each other. Otherwise `converged`.

    Args:
      settled: Whether loss and number of monosemantic neurons were constant in the last octave.
      jaccard_c: `jaccard` of the ends of each octave, the last two at least.
      distance_c: Distance between the weights at these ends.

    Raises:
      ValueError: There are fewer than two octaves.

    Example:
      >>> verdict(True, [0.9, 0.8], [1.0, 1.5]), verdict(True, [0.9, 0.95], [1.5, 1.0])
      ('ridge', 'converged')
    """
    if len(jaccard_c) < 2 or len(distance_c) < 2:
        raise ValueError("a verdict on convergence compares two octaves of steps")
    if not settled:
        return "moving"
    falls = jaccard_c[-2] - jaccard_c[-1] >= JACCARD_FALL  # False if one is NaN
    return "ridge" if falls and distance_c[-1] > distance_c[-2] else "converged"
