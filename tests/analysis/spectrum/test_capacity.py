"""Closed forms of capacity and survival, against numerical optimisation and simulation."""

import math

import numpy as np
import pytest

from toymono.analysis import spectrum

# Of the lab's own calculation: bits, dropout, and what was published and is exact.
TABLE = [
    (1, 0.2, 0, 0.618, 0.8),
    (1, 0.5, 0, 0.322, 0.5),
    (1, 0.8, 0, 0.114, 0.2),
    (3, 0.2, 1.938, 2.246, 2.4),
    (3, 0.5, 1.211, 1.404, 1.5),
    (3, 0.8, 0.484, 0.561, 0.6),
    (8, 0.2, 6.364, 6.395, 6.4),
    (8, 0.5, 3.977, 3.997, 4.0),
    (8, 0.8, 1.591, 1.599, 1.6),
]


def blahut_arimoto(values, dropout, rounds=3000):
    """Capacity in bits of a channel that sets its input to value 0 with some probability."""
    channel = (1 - dropout) * np.eye(values)
    channel[:, 0] += dropout
    share = np.full(values, 1 / values)
    for _ in range(rounds):
        with np.errstate(divide="ignore", invalid="ignore"):
            gain = np.nansum(channel * np.log(channel / (share @ channel)), axis=1)
        share = share * np.exp(gain)
        total = share.sum()
        share /= total
    return math.log2(total)


@pytest.mark.parametrize(("bits", "dropout", "lower", "exact", "upper"), TABLE)
def test_capacity_of_one_layer(bits, dropout, lower, exact, upper):
    bounds = spectrum.dropout_capacity_bounds(bits, dropout)
    found = float(spectrum.dropout_capacity(bits, dropout))
    assert found == pytest.approx(exact, abs=1e-3)
    assert (bounds.lower, bounds.upper) == pytest.approx((lower, upper), abs=1e-3)
    assert bounds.proven <= found + 1e-12


@pytest.mark.parametrize("values", [2, 3, 4, 8])
@pytest.mark.parametrize("dropout", [0.1, 0.5, 0.9])
def test_capacity_is_that_of_blahut_and_arimoto(values, dropout):
    found = float(spectrum.dropout_capacity(math.log2(values), dropout))
    assert found == pytest.approx(blahut_arimoto(values, dropout), abs=1e-3)


def test_the_exact_capacity_lies_within_the_bounds():
    bits, dropout = np.meshgrid(np.linspace(0, 24, 49), np.linspace(0, 1, 41))
    exact, bounds = (
        spectrum.dropout_capacity(bits, dropout),
        spectrum.dropout_capacity_bounds(bits, dropout),
    )
    assert np.isfinite(exact).all()
    assert (bounds.lower <= exact + 1e-9).all()
    assert (bounds.proven <= exact + 1e-9).all()
    assert (exact <= bounds.upper + 1e-9).all()


def test_limits_of_capacity():
    assert float(spectrum.dropout_capacity(5, 0)) == pytest.approx(5)
    assert float(spectrum.dropout_capacity(5, 1)) == 0
    assert float(spectrum.dropout_capacity(0, 0.3)) == 0
    assert float(spectrum.dropout_capacity(5000, 0.25)) == pytest.approx(3750)
    assert float(spectrum.dropout_capacity(1, 0.5)) == pytest.approx(math.log2(1.25))
    for bits, dropout in ((-1, 0.5), (1, 1.5), (1, math.nan)):
        with pytest.raises(ValueError, match=r"is not in|is negative"):
            spectrum.dropout_capacity(bits, dropout)


@pytest.mark.parametrize(
    ("absent", "bits", "expected"),
    [
        (0.5, 23, 0.5435),
        (0.7, 23, 0.3383),
        (0.9, 23, 0.1204),
        (0.97, 23, 0.0385),
        (0.99, 23, 0.0135),
        (0.999, 23, 0.0015),
        (0.5, 8, 0.6250),
        (0.9, 8, 0.1586),
        (0.99, 8, 0.0201),
        (0.0, 8, 1.0),
        (1.0, 8, 0.0),
    ],
)
def test_dimensions_per_feature(absent, bits, expected):
    assert float(spectrum.dimensions_per_feature(absent, bits)) == pytest.approx(expected, abs=1e-4)


def test_dimensions_of_the_lab_s_own_world():
    needed = 512 * spectrum.dimensions_per_feature(63 / 64, np.array([23.0, 8.0]))
    assert needed.round(1).tolist() == [10.6, 15.4]
    with pytest.raises(ValueError, match=r"absent=1\.5"):
        spectrum.dimensions_per_feature(1.5, 8)
    with pytest.raises(ValueError, match="bits=0"):
        spectrum.dimensions_per_feature(0.5, 0)


def test_dimensions_per_feature_of_weights():
    assert spectrum.weight_dimensions_per_feature(np.eye(3)) == 1
    digons_mn = np.array([[1.0, -1, 0, 0], [0, 0, 1, -1]])
    assert spectrum.weight_dimensions_per_feature(digons_mn) == 0.5
    assert spectrum.weight_dimensions_per_feature(np.zeros((2, 3))) == math.inf


@pytest.mark.parametrize(
    ("code", "dropout", "expected"),
    [
        ((1, 1), 0.2, 0.107),
        ((2, 1), 0.2, 0.665),
        ((4, 1), 0.2, 0.984),
        ((16, 8), 0.2, 0.985),
        ((64, 32), 0.2, 1.000),
        ((64, 32), 0.5, 0.003),
        ((64, 16), 0.5, 0.9999),
    ],
)
def test_survival_of_ten_layers(code, dropout, expected):
    assert spectrum.survives(*code, dropout, 10) == pytest.approx(expected, abs=5e-4)


def test_survival_of_one_neuron_and_of_copies():
    assert spectrum.survives(1, 1, 0.3, 5) == pytest.approx(0.7**5)
    assert spectrum.survives(3, 1, 0.3, 5) == pytest.approx((1 - 0.3**3) ** 5)
    apart = spectrum.survives(3, 1, 0.3, 5, rewritten=False)
    assert apart == pytest.approx(1 - (1 - 0.7**5) ** 3)
    assert spectrum.survives(3, 4, 0.3, 1) == 0
    with pytest.raises(ValueError, match="dropout=2"):
        spectrum.survives(1, 1, 2, 1)


@pytest.mark.parametrize(("code", "layers"), [((1, 1), 3), ((4, 4), 2), ((2, 1), 4), ((8, 4), 4)])
def test_simulated_codes_survive_as_often(code, layers):
    expected, draws = spectrum.survives(*code, 0.3, layers), 600
    found = spectrum.simulated_survival(*code, 0.3, layers, draws)
    assert found[0] == 1
    assert abs(found[-1] - expected) < 4 * math.sqrt(expected * (1 - expected) / draws)
