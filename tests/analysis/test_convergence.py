"""Similarity of checkpoints and what training did at its end: hand examples."""

import jax.numpy as jnp
import numpy as np
import pytest

from toymono import Model
from toymono.analysis import connectivity, convergence


def responses(favourites):
    """A neuron for each entry: monosemantic for that feature of four, dead, or broad."""
    eye = jnp.eye(4)
    rows = {**{i: eye[i] for i in range(4)}, "dead": jnp.zeros(4), "broad": jnp.ones(4)}
    return jnp.stack([rows[favourite] for favourite in favourites])


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([0, 1, 2], [0, 1, 2], 1),
        ([0, 1, 2], [0, 1, 3], 2 / 4),  # neuron 2 changed its feature
        ([0, 1, 2], [1, 0, 2], 1 / 5),  # two exchanged theirs
        ([0, 1, "broad"], [0, 1, 2], 2 / 3),  # one became monosemantic
        ([0, 1, "dead"], [0, "broad", "dead"], 1 / 2),
        ([0, "broad"], ["dead", 1], 0),
    ],
)
def test_pairs_of_neurons_and_features(before, after, expected):
    both = responses(before), responses(after)
    assert convergence.jaccard(*both) == pytest.approx(expected)
    assert convergence.jaccard(*both[::-1]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([0, "broad", "broad"], [0, 1, 2], 1),  # pairs are added
        ([0, 1, 2], [0, "broad", "broad"], 1 / 3),
        ([0, 1, 2], [1, 0, 2], 1 / 3),
    ],
)
def test_pairs_that_are_retained(before, after, expected):
    both = responses(before), responses(after)
    assert convergence.retained(*both) == pytest.approx(expected)
    assert np.isnan(convergence.retained(responses(["dead"]), responses([0])))


def test_without_monosemantic_neurons_there_is_no_similarity():
    """Dead neurons, which have the index -1 in common, are no pairs."""
    assert np.isnan(convergence.jaccard(responses(["dead", "broad"]), responses(["dead", "dead"])))


@pytest.mark.parametrize(
    ("settled", "jaccard", "distance", "expected"),
    [
        (True, [0.9, 0.8], [1, 1.5], "ridge"),
        (False, [0.9, 0.8], [1, 1.5], "moving"),
        (True, [0.8, 0.9], [1, 1.5], "converged"),  # ever more alike
        (True, [0.9, 0.89], [1, 1.5], "converged"),  # it hardly falls
        (True, [0.9, 0.8], [1.5, 1], "converged"),  # it comes to rest
        (True, [0.1, 0.9, 0.8], [9, 1, 1.5], "ridge"),  # the last two octaves count
        (True, [np.nan, np.nan], [1, 1.5], "converged"),
    ],
)
def test_what_training_did_at_its_end(settled, jaccard, distance, expected):
    assert convergence.verdict(settled, jaccard, distance) == expected
    assert expected in convergence.VERDICTS


def test_one_octave_is_not_enough():
    with pytest.raises(ValueError, match="compares two octaves"):
        convergence.verdict(True, [1.0], [0.0])


def test_distance_is_that_of_all_weights():
    model = Model(jnp.ones((1, 2)), jnp.zeros(2), jnp.zeros((2, 1)))
    other = Model(jnp.zeros((1, 2)), jnp.ones(2), jnp.full((2, 1), 2.0))
    assert connectivity.distance(model, other) == pytest.approx((2 + 2 + 8) ** 0.5)
    assert connectivity.distance(model, model) == 0
