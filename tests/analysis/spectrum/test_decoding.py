"""Units as detectors of features: planted units, noise, random projections."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from toymono.analysis import spectrum

RNG = np.random.default_rng(0)
PRESENT_BN = RNG.random((2000, 6)) < 0.1


def test_areas_are_those_of_scikit_learn():
    activations_bd = np.maximum(RNG.normal(size=(2000, 3)), 0)  # with ties
    found = spectrum.unit_auc(activations_bd, PRESENT_BN)
    for d in range(3):
        for n in range(6):
            expected = roc_auc_score(PRESENT_BN[:, n], activations_bd[:, d])
            assert found[d, n] == pytest.approx(expected)


def test_neurons_tell_their_features_and_projections_less():
    neurons_bd = PRESENT_BN * 1.0
    neurons_bd[:, 0] *= -1  # the sign does not matter
    assert spectrum.best_unit_auc(neurons_bd, PRESENT_BN).tolist() == [1.0] * 6
    mixed_bd = spectrum.random_projections(neurons_bd)
    np.testing.assert_allclose(mixed_bd @ mixed_bd.T, neurons_bd @ neurons_bd.T, atol=1e-12)
    assert spectrum.best_unit_auc(mixed_bd, PRESENT_BN).mean() < 0.99


def test_the_best_of_many_useless_units_is_useless():
    noise_bd = RNG.normal(size=(2000, 200))
    assert np.abs(spectrum.best_unit_auc(noise_bd, PRESENT_BN) - 0.5).mean() < 0.05


def test_features_that_do_not_vary_have_no_area():
    assert np.isnan(spectrum.unit_auc(np.ones((4, 2)), np.ones((4, 1), bool))).all()
    assert np.isnan(spectrum.best_unit_auc(np.ones((4, 2)), np.zeros((4, 1), bool))).all()
    with pytest.raises(ValueError, match="4 samples of units, 3"):
        spectrum.unit_auc(np.ones((4, 2)), np.ones((3, 1), bool))
