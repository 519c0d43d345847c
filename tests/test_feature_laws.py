"""Frequencies of features against the published values."""

import jax
import numpy as np
import pytest

from toymono import Config, Hyperparams
from toymono.feature_laws import FEATURE_LAWS, frequencies
from toymono.fields import TOY_CONFIG

PAPER = {"n": 512, "m": 64}


def test_every_choice_of_the_field_has_a_law():
    assert list(FEATURE_LAWS) == list(TOY_CONFIG["feature_law"].choices)


@pytest.mark.parametrize("law", FEATURE_LAWS)
def test_frequencies_do_not_rise_with_the_index(law):
    """The sampler relies on it."""
    config = Config(n=64, m=4, feature_law=law)
    frequency_n = np.asarray(jax.jit(frequencies)(config, Hyperparams(eps=0.25)))
    assert (np.diff(frequency_n) <= 0).all()
    assert ((frequency_n > 0) & (frequency_n <= 1)).all()


def test_the_power_law_of_the_paper():
    config = Config(feature_law="power_law", **PAPER)
    frequency_n = np.asarray(frequencies(config, Hyperparams(eps=1 / 64, exponent=1.1)))
    np.testing.assert_allclose(frequency_n[[0, 1, 2, 511]], [1, 0.7141, 0.4572, 0.0016], atol=5e-5)
    assert frequency_n.sum() == pytest.approx(7.469, abs=5e-4)
    by_hand_n = np.arange(1.0, 513) ** -1.1
    by_hand_n = np.minimum(by_hand_n * 512 / 64 / by_hand_n.sum(), 1)
    np.testing.assert_allclose(frequency_n, by_hand_n, rtol=1e-5)


def test_equal_features_have_one_frequency():
    frequency_n = frequencies(Config(**PAPER), Hyperparams(eps=1 / 64))
    np.testing.assert_array_equal(frequency_n, np.full(512, 1 / 64))


def test_exponent_0_is_the_equal_law():
    config = Config(feature_law="power_law", **PAPER)
    frequency_n = frequencies(config, Hyperparams(eps=1 / 64, exponent=0.0))
    np.testing.assert_allclose(frequency_n, 1 / 64, rtol=1e-6)


def test_a_steep_power_law_has_one_feature():
    config = Config(n=8, m=4, feature_law="power_law")
    frequency_n = frequencies(config, Hyperparams(eps=0.5, exponent=1000.0))
    assert frequency_n.tolist() == [1] + [0] * 7
