"""Boundaries on lines and in planes: hand examples, closed forms, brute force."""

import itertools
import math

import numpy as np
import pytest
from relu_layers import (
    BOX,
    DEEP,
    NETWORKS,
    OUT,
    PLANE,
    SHALLOW,
    TWO,
    K,
    M,
    bits,
    lines_of,
    network,
    random_layers,
)

from toymono.analysis import polytopes

RNG = np.random.default_rng(0)


def test_two_neurons_on_a_line():
    zero, one = np.zeros(1), np.ones(1)
    assert polytopes.crossings(TWO, zero, one).tolist() == [0.5, -3]
    assert polytopes.ray_density(TWO, zero, one[None], np.array([0, 4])).tolist() == [[0.25]]
    assert polytopes.density(TWO, zero, 4 * one) == 0.25
    assert polytopes.spline_code(TWO, np.array([[0.0], [4.0], [0.5]])).tolist() == [
        [0, 1],
        [1, 1],
        [0, 1],  # exactly on the boundary counts as off
    ]
    # The slope along the line is 1 in the second output, and 2 more in the first after x = 1/2.
    assert polytopes.slope_variation(TWO, zero, 4 * one) == 2
    np.testing.assert_allclose(polytopes.hyperplane_distances(TWO), [0.5, 3])
    assert polytopes.crossings(TWO, zero, zero).tolist() == [math.inf] * 2


@pytest.mark.parametrize(
    ("lines", "regions"),
    [
        ([(1, 0, 0.3), (0, 1, 0.2), (1, 1, -3)], 7),  # general position
        ([(1, 2, 0), (1, 2, 1), (-1, -2, 3)], 4),  # parallel
        ([(1, 0, 0), (0, 1, 0), (1, 1, 0), (1, -1, 0)], 8),  # through one point
        ([(1, 2, 1), (-2, -4, -2), (0, 1, 0)], 4),  # one line twice
        ([(1, 0, 20), (0, 1, 0)], 2),  # one misses the box
        ([(0, 0, 1)], 1),  # no line at all
    ],
)
def test_regions_of_a_slice(lines, regions):
    assert polytopes.slice_regions(lines_of(*lines), PLANE, *BOX) == regions


def test_regions_of_a_random_slice_are_those_of_a_fine_grid():
    layers = random_layers((M, 12, OUT), seed=4)
    plane = polytopes.through_points(*np.random.default_rng(5).normal(size=(3, M)))
    exact = polytopes.slice_regions(layers, plane, (-1.0, -1.0), (2.0, 2.0))
    fine = np.linspace(-1, 2, 401)[1:-1]
    grid = polytopes.slice_grid(layers, plane, fine, fine)
    assert exact - 4 <= grid.regions <= exact  # regions smaller than a pixel are missed
    assert exact > 20
    middle_m = plane.origin_m + fine[5] * plane.first_m + fine[7] * plane.second_m
    assert grid.output_ts[7, 5] == network(layers, middle_m[None]).argmax()


def test_points_on_a_line_span_no_plane():
    with pytest.raises(ValueError, match="no plane"):
        polytopes.through_points(np.zeros(3), np.ones(3), 2 * np.ones(3))


def test_three_codes():
    soft = polytopes.code_distance(np.array([0.5, 0.2]), np.array([0.25, 0.2]))
    assert soft == 0.25
    assert polytopes.code_distance(np.array([0.5, 0.2]), np.array([0.5, 0.2])) == 0


def test_the_closed_form_of_a_density_is_that_of_counting():
    start_m, direction_rm = RNG.normal(size=M), RNG.normal(size=(3, M))
    edge_e = np.array([-2.0, -0.3, 0.0, 0.1, 1.7, 5])
    closed = polytopes.ray_density(SHALLOW, start_m, direction_rm, edge_e)
    for u_m, density_e in zip(direction_rm, closed, strict=True):
        breaks = polytopes.line_breaks(SHALLOW, start_m, u_m, -2.0, 5.0)
        for low, high, density in zip(edge_e, edge_e[1:], density_e, strict=False):
            inside = (breaks.position_p > low) & (breaks.position_p <= high)
            assert density == pytest.approx(inside.sum() / (high - low) / np.linalg.norm(u_m))
    assert closed.sum() > 5


@NETWORKS
def test_breaks_are_where_the_code_changes_by_one_bit(layers):
    start_m, direction_m = RNG.normal(size=M), RNG.normal(size=M)
    breaks = polytopes.line_breaks(layers, start_m, direction_m, -3.0, 3.0)
    assert len(breaks.position_p) > 8
    edge_p = np.array([-3.0, *breaks.position_p, 3.0])
    middle_p = (edge_p[1:] + edge_p[:-1]) / 2
    code_pk = [bits(layers, start_m + s * direction_m) for s in middle_p]
    starts = np.cumsum([0, *(len(bias) for _, bias in layers[:-1])])
    for before, after, layer, neuron in zip(
        code_pk, code_pk[1:], breaks.layer_p, breaks.neuron_p, strict=False
    ):
        assert np.flatnonzero(np.array(before) != after).tolist() == [starts[layer] + neuron]


@NETWORKS
def test_bits_that_flip_an_odd_number_of_times_differ_at_the_ends(layers):
    for seed in range(10):
        x_m, y_m = 2 * np.random.default_rng(seed).normal(size=(2, M))
        breaks = polytopes.line_breaks(layers, x_m, y_m - x_m)
        starts = np.cumsum([0, *(len(bias) for _, bias in layers[:-1])])
        flips = np.bincount(starts[breaks.layer_p] + breaks.neuron_p, minlength=starts[-1])
        different = np.array(bits(layers, x_m)) != bits(layers, y_m)
        assert (flips % 2 == different).all()
        assert polytopes.density(layers, x_m, y_m) == pytest.approx(
            different.sum() / np.linalg.norm(x_m - y_m)
        )
        assert different.sum() <= len(breaks.position_p)
        if layers is SHALLOW:
            assert different.sum() == len(breaks.position_p)


def test_some_neuron_of_a_deep_network_flips_twice_and_breaks_are_dense_enough():
    start_m, direction_m = np.random.default_rng(3).normal(size=(2, M))
    breaks = polytopes.line_breaks(DEEP, start_m, direction_m, -5.0, 5.0)
    pairs = list(zip(breaks.layer_p.tolist(), breaks.neuron_p.tolist(), strict=True))
    assert len(set(pairs)) < len(pairs)
    s = np.linspace(-5, 5, 20001)
    code_sk = np.array([bits(DEEP, start_m + t * direction_m) for t in s])
    assert (code_sk[1:] != code_sk[:-1]).sum() in range(len(pairs) - 2, len(pairs) + 1)


def test_the_density_of_a_deep_network_is_that_of_its_breaks():
    edge_e = np.array([0.0, 0.5, 2.0])
    direction_m = np.random.default_rng(6).normal(size=M)
    [density_e] = polytopes.ray_density(DEEP, np.zeros(M), direction_m[None], edge_e)
    position_p = polytopes.line_breaks(DEEP, np.zeros(M), direction_m, 0.0, 2.0).position_p
    length = np.linalg.norm(direction_m)
    expected = [(position_p <= 0.5).sum() / 0.5, (position_p > 0.5).sum() / 1.5]
    np.testing.assert_allclose(density_e, np.array(expected) / length)


def test_without_biases_a_ray_from_the_origin_crosses_nothing():
    layers = [(weight, 0 * bias) for weight, bias in DEEP]
    ray_rm, edge_e = RNG.normal(size=(2, M)), np.array([0.0, 1, 10])
    assert polytopes.ray_density(layers, np.zeros(M), ray_rm, edge_e).max() == 0
    # In one layer all neurons meet at s = 0, which is in no bin.
    shallow = [layers[0], (np.eye(9), np.zeros(9))]
    assert polytopes.crossings(shallow, np.zeros(M), ray_rm[0]).tolist() == [0.0] * 9
    assert polytopes.ray_density(shallow, np.zeros(M), ray_rm, edge_e).max() == 0


def test_hyperplanes_at_one_distance_are_densest_in_a_shell():
    m, k, distance = 64, 512, 0.4
    rng = np.random.default_rng(0)
    weight_mk = rng.normal(size=(m, k))
    bias_k = -distance * np.linalg.norm(weight_mk, axis=0)
    layers = [(weight_mk, bias_k), (rng.normal(size=(k, 2)), np.zeros(2))]
    ray_rm = rng.normal(size=(200, m))
    ray_rm /= np.linalg.norm(ray_rm, axis=1, keepdims=True)
    edge_e = np.linspace(0, 6, 25)
    profile_e = polytopes.ray_density(layers, np.zeros(m), ray_rm, edge_e).mean(axis=0)
    peak = edge_e[profile_e.argmax()] + edge_e[1] / 2
    assert peak == pytest.approx(distance * math.sqrt(m / 2), abs=0.3)


def test_pair_densities():
    x_bm = RNG.normal(size=(7, M))
    x_bm[3] = x_bm[0]
    value_bb = polytopes.pair_densities(SHALLOW, x_bm)
    assert np.isnan(np.diag(value_bb)).all()
    assert np.isnan(value_bb[0, 3])
    for i, j in itertools.combinations(range(7), 2):
        expected = polytopes.density(SHALLOW, x_bm[i], x_bm[j])
        np.testing.assert_allclose([value_bb[i, j], value_bb[j, i]], expected)
    partner_b = polytopes.partner_densities(SHALLOW, x_bm, x_bm[::-1])
    np.testing.assert_allclose(partner_b, [value_bb[i, 6 - i] for i in range(7)])
    distance_bb = polytopes.pair_distances(polytopes.spline_code(SHALLOW, x_bm))
    for i, j, k in itertools.permutations(range(7), 3):
        assert distance_bb[i, j] <= distance_bb[i, k] + distance_bb[k, j]


@NETWORKS
def test_slope_variation_is_that_of_finite_differences(layers):
    x_m, y_m = np.random.default_rng(8).normal(size=(2, M))
    t = np.linspace(0, 1, 40001)
    output_to = network(layers, x_m[None] + t[:, None] * (y_m - x_m)[None])
    slope_to = np.diff(output_to, axis=0) / np.diff(t)[:, None] / np.linalg.norm(y_m - x_m)
    # A step across a boundary has a slope between those of its sides.
    expected = np.linalg.norm(slope_to[2:] - slope_to[:-2], axis=1)[::2].sum()
    expected += np.linalg.norm(slope_to[2:] - slope_to[:-2], axis=1)[1::2].sum()
    found = polytopes.slope_variation(layers, x_m, y_m)
    assert found == pytest.approx(expected / 2, rel=2e-2)
    assert math.isnan(polytopes.slope_variation(layers, x_m, x_m))


def test_slope_variation_of_a_layer_equals_that_of_the_deep_form():
    x_m, y_m = np.random.default_rng(9).normal(size=(2, M))
    identity = [SHALLOW[0], (np.eye(K), np.zeros(K)), SHALLOW[1]]  # relu of a relu
    closed = polytopes.slope_variation(SHALLOW, x_m, y_m)
    assert polytopes.slope_variation(identity, x_m, y_m) == pytest.approx(closed)
