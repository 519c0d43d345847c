"""Facets: what a neuron responds to, and how much of it a set of visualised inputs shows.

The facets of a unit are the single features (or classes) that drive it to at
least a fraction `THRESHOLD` of its largest response. An input of a batch counts
if the unit is active on it by the same standard; its label is its strongest
feature, or the class that a classifier assigns to it.
"""

from typing import NamedTuple

import chex
import numpy as np
from jaxtyping import Bool, Float, Int

THRESHOLD = 0.1
"""Fraction of a unit's largest response that counts as a response; our choice."""

AMBIGUOUS = 0.5
"""An input is ambiguous if its second feature is above this fraction of its first; our choice."""


class Score(NamedTuple):
    """What a batch of inputs shows of each unit's facets."""

    found_u: Int[np.ndarray, " u"]
    """Facets among the labels of the active inputs."""
    invented_u: Int[np.ndarray, " u"]
    """Labels of active inputs that are no facets."""
    precision_u: Float[np.ndarray, " u"]
    """Fraction of the labels that are facets; NaN if no input is active."""
    recall_u: Float[np.ndarray, " u"]
    """Facets found, of those that the batch has room for; NaN for a unit without facets."""
    active_u: Float[np.ndarray, " u"]
    """Fraction of the inputs on which the unit is active."""


def facets(
    response_un: Float[np.ndarray, "u n"], threshold: float = THRESHOLD
) -> Bool[np.ndarray, "u n"]:
    """Which features are facets of each unit: responses of at least `threshold` of its largest.

    A unit without a positive response has none. The threshold is relative,
    because responses above 0 may be as small as 1e-7.

    Args:
      response_un: Response of each unit to each feature presented alone.
      threshold: In (0, 1].

    Raises:
      ValueError: The threshold is outside (0, 1].
      AssertionError: `response_un` is not a matrix.

    Example:
      >>> facets(np.array([[1.0, 0.5, 0.01], [0.0, 0.0, -1.0]])).tolist()
      [[True, True, False], [False, False, False]]
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold={threshold} is not in (0, 1]")
    chex.assert_rank(response_un, 2)
    largest_u1 = response_un.max(axis=1, keepdims=True)
    return (response_un >= threshold * largest_u1) & (response_un > 0)


def score(
    label_ub: Int[np.ndarray, "u b"],
    active_ub: Bool[np.ndarray, "u b"],
    facet_un: Bool[np.ndarray, "u n"],
) -> Score:
    """Precision and recall of the labels of each unit's active inputs.

    Precision is `|found and T| / |found|`, recall `|found and T| / min(B, |T|)`,
    with T the facets and B the inputs.

    Args:
      label_ub: Strongest feature, or class, of each input.
      active_ub: Whether the unit is active on it.
      facet_un: From `facets`.

    Raises:
      AssertionError: An argument is not a matrix.

    Example:
      >>> facet_un = np.array([[True, True, False]])
      >>> found = score(np.array([[0, 0, 2]]), np.array([[True, True, True]]), facet_un)
      >>> found.precision_u.item(), found.recall_u.item()
      (0.5, 0.5)
    """
    chex.assert_rank([label_ub, active_ub, facet_un], 2)
    units, images = label_ub.shape
    named_un = np.zeros(facet_un.shape, bool)
    rows = np.broadcast_to(np.arange(units)[:, None], label_ub.shape)
    named_un[rows[active_ub], label_ub[active_ub]] = True
    found_u = (named_un & facet_un).sum(axis=1)
    named_u = named_un.sum(axis=1)
    possible_u = np.minimum(images, facet_un.sum(axis=1))
    return Score(
        found_u=found_u,
        invented_u=named_u - found_u,
        precision_u=np.where(named_u > 0, found_u / np.maximum(named_u, 1), np.nan),
        recall_u=np.where(possible_u > 0, found_u / np.maximum(possible_u, 1), np.nan),
        active_u=active_ub.mean(axis=1),
    )


def ambiguous(
    features_ubn: Float[np.ndarray, "u b n"], fraction: float = AMBIGUOUS
) -> Bool[np.ndarray, "u b"]:
    """Inputs whose strongest feature is a poor label: the second is above `fraction` of it.

    Example:
      >>> ambiguous(np.array([[[0.5, 0.4, 0.1], [0.9, 0.1, 0.0]]])).tolist()
      [[True, False]]
    """
    chex.assert_rank(features_ubn, 3)
    second_ub, first_ub = np.moveaxis(np.sort(features_ubn, axis=2)[..., -2:], 2, 0)
    return second_ub > fraction * first_ub
