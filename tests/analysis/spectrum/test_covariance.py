"""Eigenspectra, participation ratios and cross-validated PCA on covariances that are known."""

import numpy as np
import pytest
from scipy.stats import ortho_group

from toymono.analysis import spectrum


def gaussian(eigenvalues, samples, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(samples, len(eigenvalues))) * np.sqrt(eigenvalues)[None]


def test_the_spectrum_of_a_hand_example():
    activations_bd = np.array([[1.0, 5.0], [3.0, 5.0], [1.0, 1.0], [3.0, 1.0]])
    assert spectrum.eigenspectrum(activations_bd).tolist() == [4.0, 1.0]
    mean_d = np.array([2.0, 3.0])
    uncentred = np.diag([1.0, 4.0]) + np.outer(mean_d, mean_d)
    expected = np.linalg.eigvalsh(uncentred)[::-1]
    np.testing.assert_allclose(spectrum.eigenspectrum(activations_bd, centered=False), expected)


@pytest.mark.parametrize("centered", [True, False])
def test_batches_rotation_and_float32_change_nothing(centered):
    activations_bd = 3 + gaussian(np.arange(1.0, 7), 100)
    expected = spectrum.eigenspectrum(activations_bd, centered)
    batches = [activations_bd[:7], activations_bd[7:7], activations_bd[7:]]
    found = spectrum.eigenvalues(spectrum.covariance(batches, centered))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    rotated_bd = activations_bd @ ortho_group.rvs(6, random_state=3)
    np.testing.assert_allclose(spectrum.eigenspectrum(rotated_bd, centered), expected, rtol=1e-10)


def test_small_eigenvalues_of_float32_activations_survive():
    direction_d = np.array([1.0, 0.0], np.float32)
    activations_bd = 1000 * np.array([[1.0], [-1.0]], np.float32) * direction_d[None]
    activations_bd = np.concatenate([activations_bd, [[0, 0.01], [0, -0.01]]]).astype(np.float32)
    found = spectrum.eigenspectrum(activations_bd)
    np.testing.assert_allclose(found, [5e5, 5e-5], rtol=1e-5)


def test_participation_ratio_and_effective_rank():
    for measure in (spectrum.participation_ratio, spectrum.effective_rank):
        assert measure(np.array([5.0, 0, 0])) == pytest.approx(1)
        assert measure(np.full(7, 0.3)) == pytest.approx(7)
        assert measure(np.zeros(7)) == 0
    assert spectrum.participation_ratio(np.array([2.0, 1.0])) == pytest.approx(9 / 5)


@pytest.mark.parametrize("centered", [True, False])
def test_moments_are_unbiased_with_fewer_samples_than_units(centered):
    eigenvalues = np.arange(1.0, 201) ** -0.5
    expected = [(eigenvalues**power).sum() for power in (1, 2, 3)]
    found = np.array(
        [
            spectrum.spectral_moments(gaussian(eigenvalues, 100, seed) + centered, 3, centered)
            for seed in range(24)
        ]
    )
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - expected) < 4 * error).all()
    assert (error < 0.1 * np.array(expected)).all()
    # The plain second moment is far off.
    plain = (spectrum.eigenspectrum(gaussian(eigenvalues, 100)) ** 2).sum()
    assert plain > 1.5 * expected[1]


def test_the_unbiased_participation_ratio_of_few_samples():
    eigenvalues = np.ones(200)
    few_bd = gaussian(eigenvalues, 100) + 5
    assert spectrum.participation_ratio(spectrum.eigenspectrum(few_bd)) < 80
    found = [
        spectrum.unbiased_participation_ratio(gaussian(eigenvalues, 100, s) + 5) for s in range(8)
    ]
    assert np.mean(found) == pytest.approx(200, rel=0.05)
    assert spectrum.unbiased_participation_ratio(np.full((9, 3), 2.0)) == 0
    with pytest.raises(ValueError, match="3 samples"):
        spectrum.unbiased_participation_ratio(np.zeros((3, 2)))


def test_cv_pca_recovers_the_exponent_under_noise():
    eigenvalues = np.arange(1.0, 41) ** -1.5
    signal_bd, rng = gaussian(eigenvalues, 8000), np.random.default_rng(1)
    first, second = (signal_bd + 0.15 * rng.normal(size=signal_bd.shape) for _ in range(2))
    shared = spectrum.cv_pca(first, second)
    found = spectrum.power_law_exponent(shared, last=20)
    noisy = spectrum.power_law_exponent(spectrum.eigenspectrum(first), last=20)
    assert found == pytest.approx(-1.5, abs=0.1)
    assert noisy > -1.2
    np.testing.assert_allclose(
        spectrum.cv_pca(signal_bd, signal_bd), spectrum.eigenspectrum(signal_bd), rtol=1e-8
    )


def test_wrong_input():
    with pytest.raises(ValueError, match="at least one sample"):
        spectrum.covariance([np.zeros((0, 3))])
    for stacked in (spectrum.eigenspectrum, spectrum.unbiased_participation_ratio):
        with pytest.raises((AssertionError, TypeError)):
            stacked(np.zeros((2, 3, 4)))
