"""Exponents of spectra that are known, and spectra that have none."""

import math

import numpy as np
import pytest
from sklearn.linear_model import HuberRegressor

from toymono.analysis import spectrum
from toymono.analysis.spectrum.power_law import METHODS

RANK = np.arange(1.0, 129)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scale", [1.0, 1e-9])
def test_an_exact_power_law(method, scale):
    found = spectrum.power_law_exponent(scale * RANK**-1.3, method=method)
    assert found == pytest.approx(-1.3, abs=1e-9)
    assert spectrum.curvature(scale * RANK**-1.3) == pytest.approx(0, abs=1e-9)
    straight, broken = spectrum.cross_validated_errors(scale * RANK**-1.3)
    assert max(straight, broken) < 1e-20


@pytest.mark.parametrize("method", METHODS)
def test_a_power_law_from_samples(method):
    rng, root_d = np.random.default_rng(0), RANK[:64] ** -0.65
    found = spectrum.eigenspectrum(rng.normal(size=(40_000, 64)) * root_d[None])
    assert spectrum.power_law_exponent(found, method=method) == pytest.approx(-1.3, abs=0.03)


def test_outliers_move_huber_less_than_least_squares():
    corrupted = RANK**-1.3
    corrupted[:8] *= 20
    moved = {method: spectrum.power_law_exponent(corrupted, method=method) for method in METHODS}
    assert abs(moved["huber"] + 1.3) < 0.1
    assert abs(moved["least_squares"] + 1.3) > 0.2


def test_the_slope_is_that_of_scikit_learn():
    values = RANK**-0.7 * np.exp(0.2 * np.random.default_rng(0).normal(size=len(RANK)))
    values = np.sort(values)[::-1]
    plain = HuberRegressor(epsilon=1.2, alpha=0, max_iter=1000, tol=1e-8)
    plain.fit(np.log(RANK[4:100])[:, None], np.log(values[4:100]))
    found = spectrum.power_law_exponent(values, first=5, last=100, epsilon=1.2)
    assert found == pytest.approx(plain.coef_[0], abs=1e-4)


def test_weights_make_every_octave_alike():
    broken = np.where(RANK < 16, RANK**-0.5, 16**1.5 * RANK**-2)
    weighted, plain = (spectrum.power_law_exponent(broken, method=m) for m in METHODS[1:])
    assert plain < weighted - 0.2


def test_a_broken_law():
    broken = np.where(RANK < 16, RANK**-0.5, 16**1.5 * RANK**-2)
    law = spectrum.broken_power_law(broken)
    assert law.break_rank == pytest.approx(16, rel=0.05)
    assert (law.head, law.tail) == pytest.approx((-0.5, -2), abs=0.05)
    straight, bent = spectrum.cross_validated_errors(broken)
    assert bent < 0.05 * straight
    assert spectrum.curvature(broken) < -0.1
    assert spectrum.curvature(1 / broken[::-1]) < -0.1  # bends the other way along the ranks
    assert spectrum.curvature(broken.max() * 2 - broken) != 0


def test_curvature_of_a_quadratic():
    values = np.exp(-np.log(RANK) + 0.3 * np.log(RANK) ** 2)
    assert spectrum.curvature(values[:20]) == pytest.approx(0.3)


def test_zeros_are_not_fitted():
    padded = np.concatenate([RANK**-1.3, [1e-14, 0, 0]])
    assert spectrum.usable_ranks(padded) == len(RANK)
    assert spectrum.power_law_exponent(padded) == pytest.approx(-1.3, abs=1e-9)
    assert spectrum.usable_ranks(padded, first=3, last=10) == 8
    # After a negative value everything is noise.
    assert spectrum.usable_ranks(np.array([3.0, 2, 1, -0.1, 0.5])) == 3


@pytest.mark.parametrize(
    "values",
    [[1.0, 0, 0, 0], [3.0, 2.0], [0.0] * 9, [2.0] * 9],
    ids=["rank 1", "two", "0", "equal"],
)
def test_spectra_without_an_exponent(values):
    values = np.array(values)
    for method in METHODS:
        assert math.isnan(spectrum.power_law_exponent(values, method=method))
    assert math.isnan(spectrum.curvature(values))
    assert np.isnan(spectrum.broken_power_law(values)).all()
    assert np.isnan(spectrum.cross_validated_errors(values)).all()


def test_wrong_input():
    with pytest.raises(ValueError, match="method='ridge' is not one of huber"):
        spectrum.power_law_exponent(RANK**-1.0, method="ridge")
    with pytest.raises(ValueError, match="first=0"):
        spectrum.power_law_exponent(RANK**-1.0, first=0)
    with pytest.raises(ValueError, match="not finite"):
        spectrum.power_law_exponent(np.array([1.0, math.nan, 0.5]))
