"""Densities of pairs of examples: between classes against within, and what chance gives.

Pairs share examples, so that tests permute the labels of examples, not of pairs
(Mantel's test).
"""

from typing import NamedTuple

import chex
import numpy as np
from jaxtyping import Float, Int, Real

from toymono.analysis.polytopes.lines import pair_lengths
from toymono.analysis.polytopes.networks import AnyArray


class Gap(NamedTuple):
    """Means over pairs of one class and over pairs of two."""

    within: float
    between: float

    @property
    def ratio(self) -> float:
        """Between over within; NaN if within is 0."""
        return self.between / self.within if self.within else float("nan")

    @property
    def difference(self) -> float:
        """Between minus within."""
        return self.between - self.within


def gap(value_bb: Float[AnyArray, "b b"], label_b: Int[AnyArray, " b"]) -> Gap:
    """Mean of a quantity of pairs, such as their density, within and between classes.

    Pairs with NaN, such as equal points, are left out.

    Args:
      value_bb: Symmetric; the diagonal is not used.
      label_b: The class of each example.

    Returns:
      Both means; `within` is NaN if every class has one example.

    Raises:
      ValueError: All examples are of one class.

    Example:
      >>> gap(np.array([[0.0, 1, 3], [1, 0, 3], [3, 3, 0]]), np.array([0, 0, 1]))
      Gap(within=1.0, between=3.0)
    """
    chex.assert_rank([value_bb, label_b], [2, 1])
    value_p, one_p, other_p = _pairs(value_bb)
    return Gap(*_means(value_p, one_p, other_p, _checked_labels(label_b)))


def _pairs(value_bb) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value and examples of each pair with a value."""
    value_bb = np.asarray(value_bb, np.float64)
    one_p, other_p = np.triu_indices(len(value_bb), 1)
    valid_p = np.isfinite(value_bb[one_p, other_p])
    one_p, other_p = one_p[valid_p], other_p[valid_p]
    return value_bb[one_p, other_p], one_p, other_p


def _checked_labels(label_b) -> np.ndarray:
    label_b = np.asarray(label_b)
    if len(np.unique(label_b)) < 2:
        raise ValueError("all examples are of one class: there are no pairs of two")
    return label_b


def _means(value_p, one_p, other_p, label_b) -> tuple[float, float]:
    same_p = label_b[one_p] == label_b[other_p]
    total, within, count = value_p.sum(), value_p[same_p].sum(), int(same_p.sum())
    rest = len(value_p) - count
    nan = float("nan")
    return (
        float(within / count) if count else nan,
        float((total - within) / rest) if rest else nan,
    )


def mantel(
    value_bb: Float[AnyArray, "b b"], label_b: Int[AnyArray, " b"], rounds: int = 199, seed: int = 0
) -> float:
    """p-value of `gap`'s difference when the labels are permuted over examples; right-tailed.

    (rounds with at least the difference + 1) / (rounds + 1).

    Raises:
      ValueError: All examples are of one class.
    """
    chex.assert_rank([value_bb, label_b], [2, 1])
    pairs, label_b = _pairs(value_bb), _checked_labels(label_b)
    rng = np.random.default_rng(seed)
    within, between = _means(*pairs, label_b)
    if np.isnan(between - within):
        return float("nan")
    permuted = [_means(*pairs, rng.permutation(label_b)) for _ in range(rounds)]
    # A tie up to rounding is as much.
    margin = 1e-12 * (abs(within) + abs(between))
    as_much = sum(b - w >= between - within - margin for w, b in permuted)
    return (as_much + 1) / (rounds + 1)


def gap_at_equal_length(
    value_bb: Float[AnyArray, "b b"],
    length_bb: Float[AnyArray, "b b"],
    label_b: Int[AnyArray, " b"],
    bins: int = 10,
) -> float:
    """`gap`'s difference among pairs of about the same length: mean over quantiles of length.

    Bins with pairs of one kind alone are left out; NaN if all are.
    """
    chex.assert_rank([value_bb, length_bb, label_b], [2, 2, 1])
    label_b = _checked_labels(label_b)
    value_p, one_p, other_p = _pairs(value_bb)
    rank_p = np.argsort(np.argsort(np.asarray(length_bb)[one_p, other_p], kind="stable"))
    bin_p = rank_p * bins // max(1, len(rank_p))
    differences = []
    for number in range(bins):
        mask_p = bin_p == number
        within, between = _means(value_p[mask_p], one_p[mask_p], other_p[mask_p], label_b)
        differences.append(between - within)
    finite = [value for value in differences if np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")


class Flow(NamedTuple):
    """Fractions of pairs of examples that a part of a network brings together or apart."""

    convergence: float
    """In the farthest quantile of pairs before, in the nearest after."""
    divergence: float
    """The reverse. Without any relation both are the square of the quantile's share."""


def flow(
    before_bd: Real[AnyArray, "b d"], after_be: Real[AnyArray, "b e"], share: float = 0.25
) -> Flow:
    """Which pairs of examples move from far to near, and from near to far.

    Args:
      before_bd: The examples where they enter, for instance the input of a layer.
      after_be: The same examples where they leave.
      share: The fraction of pairs that counts as near, and as far.

    Raises:
      ValueError: There are fewer than three examples, or `share` is not in (0, 1/2].
    """
    chex.assert_rank([before_bd, after_be], 2)
    if len(before_bd) < 3 or not 0 < share <= 0.5:
        raise ValueError(f"{len(before_bd)} examples with share={share}: three, and (0, 1/2]")
    one_p, other_p = np.triu_indices(len(before_bd), 1)
    rank_2p = np.stack(
        [
            np.argsort(np.argsort(pair_lengths(x)[one_p, other_p], kind="stable"))
            for x in (before_bd, after_be)
        ]
    ) / len(one_p)
    near_2p, far_2p = rank_2p < share, rank_2p >= 1 - share
    return Flow(float((far_2p[0] & near_2p[1]).mean()), float((near_2p[0] & far_2p[1]).mean()))
