"""The polytope lens: hand examples, brute force, planted networks, invariances, bad input."""

import itertools
import math

import jax.numpy as jnp
import numpy as np
import planted
import pytest
from scipy.special import ndtr
from scipy.stats import ortho_group

from toymono import Model
from toymono.analysis import polytopes

RNG = np.random.default_rng(0)
M, K, OUT = 5, 14, 6


def random_layers(widths=(M, K, OUT), seed=0, bias=0.5):
    rng = np.random.default_rng(seed)
    return [
        (rng.normal(size=(a, b)), bias * rng.normal(size=b)) for a, b in itertools.pairwise(widths)
    ]


SHALLOW, DEEP = random_layers(), random_layers((M, 9, 8, 7, OUT), seed=1)
NETWORKS = pytest.mark.parametrize("layers", [SHALLOW, DEEP], ids=["shallow", "deep"])
TWO = [(np.array([[2.0, 1.0]]), np.array([-1.0, 3.0])), (np.eye(2), np.zeros(2))]
"""Two neurons on a line: 2x - 1 and x + 3."""


def network(layers, x_bm):
    """The outputs in plain numpy."""
    for weight, bias in layers[:-1]:
        x_bm = np.maximum(x_bm @ weight + bias[None], 0)
    weight, bias = layers[-1]
    return x_bm @ weight + bias[None]


def bits(layers, x_m):
    found = []
    for weight, bias in layers[:-1]:
        z = x_m @ weight + bias
        found += (z > 0).tolist()
        x_m = np.maximum(z, 0)
    return found


# By hand.


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


def lines_of(*normal_and_offset):
    normal_k2 = np.array([line[:2] for line in normal_and_offset], float)
    offset_k = np.array([line[2] for line in normal_and_offset], float)
    return [(normal_k2.T, offset_k), (np.eye(len(offset_k)), np.zeros(len(offset_k)))]


PLANE = polytopes.Slice(np.zeros(2), np.array([1.0, 0]), np.array([0, 1.0]))
BOX = (-10.0, -10.0), (10.0, 10.0)


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


# Lines: closed forms, counting and brute force.


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


# Affine maps.


@NETWORKS
def test_the_affine_map_is_the_network_inside_its_polytope(layers):
    for x_m in RNG.normal(size=(5, M)):
        matrix_om, offset_o = polytopes.affine_map(layers, x_m)
        assert matrix_om.shape == (OUT, M)
        near_bm = x_m[None] + 1e-7 * RNG.normal(size=(3, M))
        np.testing.assert_allclose(
            near_bm @ matrix_om.T + offset_o[None], network(layers, near_bm), atol=1e-10
        )


@NETWORKS
def test_values_are_continuous_across_a_boundary(layers):
    start_m, direction_m = np.random.default_rng(2).normal(size=(2, M))
    s = polytopes.line_breaks(layers, start_m, direction_m, -3.0, 3.0).position_p[2]
    x_m = start_m + s * direction_m
    (one, one_offset), (other, other_offset) = (
        polytopes.affine_map(layers, x_m + side * 1e-6 * direction_m) for side in (-1, 1)
    )
    assert np.linalg.norm(one - other) > 1e-3
    np.testing.assert_allclose(one @ x_m + one_offset, other @ x_m + other_offset, atol=1e-10)


@NETWORKS
def test_the_transformation_distance_is_that_of_built_maps(layers):
    code_bk = polytopes.spline_code(layers, 2 * RNG.normal(size=(6, M)))
    for code_k, other_k in itertools.combinations(code_bk, 2):
        one, other = (polytopes.map_of_code(layers, c)[0] for c in (code_k, other_k))
        found = polytopes.transformation_distance(layers, code_k, other_k)
        assert found == pytest.approx(np.linalg.norm(one - other))
    assert polytopes.transformation_distance(layers, code_bk[0], code_bk[0]) == 0


def test_one_flip_is_the_product_of_the_neurons_norms():
    code_k = polytopes.spline_code(SHALLOW, RNG.normal(size=(1, M)))[0]
    for j, size in enumerate(polytopes.flip_sizes(SHALLOW)):
        other_k = code_k.copy()
        other_k[j] = 1 - other_k[j]
        assert polytopes.transformation_distance(SHALLOW, code_k, other_k) == pytest.approx(size)
        norms = np.linalg.norm(SHALLOW[0][0][:, j]) * np.linalg.norm(SHALLOW[1][0][j])
        assert size == pytest.approx(norms)


@NETWORKS
def test_outputs_along_the_own_path_are_the_networks(layers):
    x_bm = RNG.normal(size=(6, M))
    code_bk = polytopes.spline_code(layers, x_bm)
    np.testing.assert_allclose(
        polytopes.outputs_with_codes(layers, x_bm, code_bk), network(layers, x_bm)
    )
    image_co = polytopes.direction_images(layers, x_bm[0], code_bk)
    maps = [polytopes.map_of_code(layers, code_k)[0] for code_k in code_bk]
    np.testing.assert_allclose(image_co, [matrix @ x_bm[0] for matrix in maps])
    unit = image_co / np.linalg.norm(image_co, axis=1, keepdims=True)
    pairs = [one @ other for one, other in itertools.combinations(unit, 2)]
    assert polytopes.mean_cosine(image_co) == pytest.approx(np.mean(pairs))
    assert math.isnan(polytopes.mean_cosine(image_co[:1]))


@NETWORKS
def test_loss_gradients_are_finite_differences(layers):
    x_bm, label_b = RNG.normal(size=(3, M)), np.array([0, 3, 5])
    gradient_bm = polytopes.loss_gradients(layers, x_bm, label_b)

    def loss(x_m, label):
        output_o = network(layers, x_m[None])[0]
        return math.log(np.exp(output_o).sum()) - output_o[label]

    for x_m, label, gradient_m in zip(x_bm, label_b, gradient_bm, strict=True):
        steps = 1e-6 * np.eye(M)
        expected = [(loss(x_m + h, label) - loss(x_m - h, label)) / 2e-6 for h in steps]
        np.testing.assert_allclose(gradient_m, expected, rtol=1e-4, atol=1e-6)
    moved_bm = polytopes.adversarial_steps(layers, x_bm, label_b, 1e-3)
    np.testing.assert_allclose(np.linalg.norm(moved_bm - x_bm, axis=1), 1e-3)
    assert all(loss(*a) > loss(*b) for a, b in zip(zip(moved_bm, label_b), zip(x_bm, label_b)))  # noqa: B905


def test_steering_flips_the_bits_that_tell_classes_apart():
    code_bk = np.array([[1, 0, 0, 1], [0, 0, 1, 1]])
    source_k, target_k = np.array([0.9, 0.1, 0.2, 1.0]), np.array([0.4, 0.9, 0.6, 1.0])
    one = polytopes.steered(code_bk, source_k, target_k, 1)
    assert one.tolist() == [[1, 1, 0, 1], [0, 1, 1, 1]]
    every = polytopes.steered(code_bk, source_k, target_k, 9)
    assert every.tolist() == [[0, 1, 1, 1]] * 2
    assert polytopes.steered(code_bk, source_k, target_k, 0).tolist() == code_bk.tolist()
    assert polytopes.bit_shares(code_bk).tolist() == [0.5, 0, 0.5, 1]


# Soft codes and max-affine splines.


def test_soft_codes():
    x_bm = RNG.normal(size=(4, M))
    input_bk = x_bm @ SHALLOW[0][0] + SHALLOW[0][1][None]
    w_mk, b_k = (jnp.asarray(a, jnp.float32) for a in SHALLOW[0])
    gelu = Model(w_mk, b_k, jnp.asarray(SHALLOW[1][0], jnp.float32), "gelu")
    soft_bk = polytopes.soft_code(gelu, x_bm)
    np.testing.assert_allclose(soft_bk, ndtr(input_bk), atol=1e-6)
    # Of a large multiple of the input the probabilities are the bits.
    large = gelu.replace(w_mk=1e4 * w_mk, b_k=1e4 * b_k)
    np.testing.assert_allclose(polytopes.soft_code(large, x_bm), input_bk > 0, atol=1e-6)
    # Their mean map has the value of the network.
    for x_m in x_bm:
        matrix_om, offset_o = polytopes.affine_map(gelu, x_m)
        expected_o = gelu(jnp.asarray(x_m, jnp.float32))
        np.testing.assert_allclose(matrix_om @ x_m + offset_o, expected_o, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="no spline code"):
        polytopes.spline_code(gelu, x_bm)
    with pytest.raises(ValueError, match="no soft code"):
        polytopes.soft_code(gelu.replace(nonlinearity="solu"), x_bm)
    with pytest.raises(ValueError, match="soft code of its own"):
        polytopes.soft_code(gelu, x_bm, beta=0.5)


def test_soft_codes_of_relu_interpolate():
    x_bm = RNG.normal(size=(4, M))
    input_bk = x_bm @ SHALLOW[0][0] + SHALLOW[0][1][None]
    bits_bk = input_bk > 0
    np.testing.assert_array_equal(polytopes.soft_code(SHALLOW, x_bm), bits_bk)
    np.testing.assert_allclose(polytopes.soft_code(SHALLOW, x_bm, 0.5), 1 / (1 + np.exp(-input_bk)))
    np.testing.assert_allclose(polytopes.soft_code(SHALLOW, x_bm, 0.0), 0.5)
    np.testing.assert_allclose(polytopes.soft_code(SHALLOW, x_bm, 1 - 1e-7), bits_bk, atol=1e-6)
    with pytest.raises(ValueError, match="beta=1"):
        polytopes.soft_code(SHALLOW, x_bm, 1.0)


@pytest.mark.parametrize(
    ("slopes", "function"),
    [
        ((0, 1), lambda z: np.maximum(z, 0)),
        ((0.1, 1), lambda z: np.where(z > 0, z, 0.1 * z)),
        ((-1, 1), abs),
    ],
)
def test_max_affine_splines(slopes, function):
    z = np.array([-2.0, -0.3, 0.7, 5])
    value_b, piece_b = polytopes.max_affine(z, np.array(slopes), np.zeros(2))
    np.testing.assert_allclose(value_b, function(z))
    assert piece_b.tolist() == [0, 0, 1, 1]
    soft_b, probability_br = polytopes.soft_max_affine(z, np.array(slopes), np.zeros(2), 0.9999)
    np.testing.assert_allclose(soft_b, value_b, atol=1e-6)
    np.testing.assert_allclose(probability_br.sum(axis=1), 1)
    half_b, _ = polytopes.soft_max_affine(z, np.array(slopes), np.zeros(2), 0.5)
    weight_br = np.exp(z[:, None] * np.array(slopes)[None])
    weight_br /= weight_br.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(half_b, (weight_br * z[:, None] * np.array(slopes)).sum(axis=1))


# Pairs.


def blobs(classes=3, size=12, spread=0.1):
    rng = np.random.default_rng(1)
    center_cd = rng.normal(size=(classes, 4))
    label_b = np.repeat(np.arange(classes), size)
    return center_cd[label_b] + spread * rng.normal(size=(len(label_b), 4)), label_b


def test_gaps_are_means_over_pairs():
    value_bb = RNG.random((8, 8))
    value_bb = value_bb + value_bb.T
    value_bb[0, 4] = value_bb[4, 0] = np.nan
    label_b = np.array([0, 0, 0, 1, 1, 2, 2, 3])
    pairs = [(i, j) for i, j in itertools.combinations(range(8), 2) if (i, j) != (0, 4)]
    same = [value_bb[i, j] for i, j in pairs if label_b[i] == label_b[j]]
    other = [value_bb[i, j] for i, j in pairs if label_b[i] != label_b[j]]
    found = polytopes.gap(value_bb, label_b)
    assert (found.within, found.between) == pytest.approx((np.mean(same), np.mean(other)))
    assert found.ratio == pytest.approx(np.mean(other) / np.mean(same))
    assert math.isnan(polytopes.gap(value_bb, np.arange(8)).within)
    assert math.isnan(polytopes.mantel(value_bb, np.arange(8)))
    for refused in (polytopes.gap, polytopes.mantel):
        with pytest.raises(ValueError, match="one class"):
            refused(value_bb, np.zeros(8, int))


def test_planted_classes_have_the_least_p():
    x_bd, label_b = blobs()
    assert polytopes.mantel(polytopes.pair_lengths(x_bd), label_b, rounds=39) == 1 / 40


def test_exchangeable_labels_have_a_uniform_p():
    x_bd, label_b = blobs(spread=1.0)
    rng = np.random.default_rng(2)
    length_bb = polytopes.pair_lengths(x_bd)
    p = [polytopes.mantel(length_bb, rng.permutation(label_b), 19, seed) for seed in range(200)]
    # The p are uniform on 1/20 … 1: mean 0.525, standard deviation 0.288.
    assert np.mean(p) == pytest.approx(0.525, abs=4 * 0.288 / math.sqrt(200))
    assert np.mean(np.array(p) <= 0.1) == pytest.approx(0.1, abs=4 * 0.3 / math.sqrt(200))


def test_a_gap_that_is_due_to_length_alone_vanishes_at_equal_length():
    x_bd, label_b = blobs(spread=0.7)
    length_bb = polytopes.pair_lengths(x_bd)
    whole = polytopes.gap(length_bb, label_b).difference
    assert whole > 0.3
    assert abs(polytopes.gap_at_equal_length(length_bb, length_bb, label_b)) < 0.2 * whole
    marked_bb = length_bb + (label_b[:, None] != label_b[None])
    assert polytopes.gap_at_equal_length(marked_bb, length_bb, label_b) > 0.8


def test_flow():
    before_bd, _ = blobs()
    assert polytopes.flow(before_bd, 3 * before_bd) == (0, 0)
    # Of four points A to D on a line, AD is among the two farthest pairs before and the two
    # nearest after; AB the reverse.
    before_b1, after_b1 = np.array([[0, 1, 10, 12.0]]).T, np.array([[0, 7, 3, 0.1]]).T
    assert polytopes.flow(before_b1, after_b1, 1 / 3) == (1 / 6, 1 / 6)
    random = polytopes.flow(RNG.normal(size=(60, 3)), RNG.normal(size=(60, 3)))
    assert np.allclose(random, 1 / 16, atol=0.03)
    with pytest.raises(ValueError, match="share"):
        polytopes.flow(before_bd, before_bd, 0.7)


# Clusters and directions.


def test_clusters_of_codes_follow_planted_features():
    """One neuron per feature: the code of a strong feature is its own bit."""
    net = planted.monosemantic()
    label_b = np.repeat(np.arange(6), 8)
    x_bm = np.linspace(0.5, 1, 48)[:, None] * np.asarray(net.world.embed_nm)[label_b]
    code_bk = polytopes.spline_code(net.model, x_bm)
    assert polytopes.distinct(code_bk)[0] == 6
    found = polytopes.agreement(polytopes.cluster(code_bk), label_b)
    assert found == (pytest.approx(1), 0, 6)
    # Below the threshold of 1/4 all codes are the empty one: noise, by our convention.
    empty = polytopes.cluster(polytopes.spline_code(net.model, 0.3 * x_bm[:8]))
    assert set(empty) == {polytopes.NOISE}


def test_a_neuron_of_many_features_lies_on_many_clusters():
    label_b = np.repeat(np.arange(4), 8)
    cluster_b = np.where(np.arange(32) % 8 == 0, polytopes.NOISE, label_b)
    on_two = polytopes.clusters_on_direction(cluster_b, (label_b < 2).astype(float), label_b)
    assert on_two == (2, 2, 1.0)
    mixed = polytopes.clusters_on_direction(cluster_b // 2, np.ones(32), label_b)
    assert (mixed.clusters, mixed.purity) == (2, 0.5)
    none = polytopes.clusters_on_direction(cluster_b, np.zeros(32), label_b)
    assert none[:2] == (0, 0)
    assert math.isnan(none.purity)


def test_scalar_projections():
    rng = np.random.default_rng(0)
    label_b = np.repeat([0, 1, 2], 20)
    apart = polytopes.projection_clusters(label_b + 0.01 * rng.normal(size=60), label_b)
    assert (apart.clusters, apart.purity) == (3, 1.0)
    merged = polytopes.projection_clusters(
        np.minimum(label_b, 1) + 0.01 * rng.normal(size=60), label_b
    )
    assert merged.purity < 0.75
    equal = polytopes.projection_clusters(np.ones(60), label_b)
    assert equal.clusters == 0
    assert math.isnan(equal.purity)


def test_nonnegative_directions_find_planted_ones():
    rng = np.random.default_rng(3)
    response_dn = np.kron(np.eye(4), np.ones((3, 1)))  # three neurons for each of four features
    weight_bn = rng.random((200, 4)) * (rng.random((200, 4)) < 0.4)
    found = polytopes.nonnegative_directions(weight_bn @ response_dn.T, 4)
    matched = polytopes.match(found.component_cd, response_dn)
    assert matched.cosine_c.min() > 0.97
    assert matched.distinct == 4
    np.testing.assert_allclose(
        found.weight_bc @ found.component_cd, weight_bn @ response_dn.T, atol=0.05
    )
    assert polytopes.match(np.zeros((1, 12)), response_dn).distinct == 0


def test_bad_input_of_clusters():
    with pytest.raises(ValueError, match="not negative"):
        polytopes.nonnegative_directions(-np.ones((5, 3)), 2)
    with pytest.raises(ValueError, match="at least 5"):
        polytopes.cluster(np.ones((3, 2)))
    with pytest.raises(ValueError, match="one label"):
        polytopes.agreement(np.zeros(5, int), np.zeros(5, int))


# Invariances, ranges of layers, baselines.


def test_codes_are_invariant_under_permuting_and_rescaling_neurons():
    order_k, scale_k = RNG.permutation(K), RNG.uniform(0.5, 2, K)
    (w_mk, b_k), (w_ko, c_o) = SHALLOW
    other = [
        ((w_mk * scale_k[None])[:, order_k], (b_k * scale_k)[order_k]),
        ((w_ko / scale_k[:, None])[order_k], c_o),
    ]
    x_bm = RNG.normal(size=(5, M))
    code_bk = polytopes.spline_code(SHALLOW, x_bm)
    np.testing.assert_array_equal(polytopes.spline_code(other, x_bm), code_bk[:, order_k])
    np.testing.assert_allclose(
        polytopes.crossings(other, x_bm[0], x_bm[1]),
        polytopes.crossings(SHALLOW, x_bm[0], x_bm[1])[order_k],
    )
    np.testing.assert_allclose(
        polytopes.transformation_distance(other, code_bk[0][order_k], code_bk[1][order_k]),
        polytopes.transformation_distance(SHALLOW, code_bk[0], code_bk[1]),
    )
    np.testing.assert_allclose(polytopes.flip_sizes(other), polytopes.flip_sizes(SHALLOW)[order_k])


def test_codes_of_a_range_of_layers():
    x_bm = RNG.normal(size=(5, M))
    whole = polytopes.spline_code(DEEP, x_bm)
    parts = [polytopes.spline_code(DEEP, x_bm, layer, layer) for layer in range(3)]
    assert [part.shape[1] for part in parts] == [9, 8, 7]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)
    np.testing.assert_array_equal(polytopes.spline_code(DEEP, x_bm, first=1), whole[:, 9:])
    # The tail of the network partitions the input space of its first layer.
    tail = polytopes.layers_from(DEEP, 1)
    hidden_bd = polytopes.layer_inputs(DEEP, x_bm)[1]
    np.testing.assert_array_equal(polytopes.spline_code(tail, hidden_bd), whole[:, 9:])
    with pytest.raises(ValueError, match="layers 1 to 3"):
        polytopes.spline_code(DEEP, x_bm, 1, 3)
    with pytest.raises(ValueError, match="first=3"):
        polytopes.layers_from(DEEP, 3)


def test_a_model_and_its_layers_are_the_same():
    (w_mk, b_k), (w_ko, _) = (tuple(jnp.asarray(a, jnp.float32) for a in ly) for ly in SHALLOW)
    x_m = RNG.normal(size=M)
    layers = [(w_mk, b_k), (w_ko, np.zeros(OUT))]
    model = Model(w_mk, b_k, w_ko)
    for one, other in zip(
        polytopes.affine_map(model, x_m), polytopes.affine_map(layers, x_m), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(
        polytopes.affine_map(model, x_m)[0] @ x_m + polytopes.affine_map(model, x_m)[1],
        model(jnp.asarray(x_m, jnp.float32)),
        rtol=1e-4,
        atol=1e-5,
    )


def test_a_planted_classifier():
    net = planted.classifier()
    layers = polytopes.of_classifier(net.params)
    code_bk = polytopes.spline_code(layers, np.asarray(net.images_bhw).reshape(10, -1))
    expected = np.concatenate(
        [np.asarray(net.label_b)[:, None] == of_k[None] for of_k in net.class_lk], axis=1
    )
    np.testing.assert_array_equal(code_bk, expected)
    convolution = {"hidden_0": {"kernel": np.ones((3, 3, 1, 2))}, "output": net.params["output"]}
    with pytest.raises(ValueError, match="not dense layers"):
        polytopes.of_classifier(convolution)


def test_rotating_weights_moves_the_data_and_nothing_else():
    turned = polytopes.rotated(SHALLOW, seed=1)
    weight_mk = turned.layers[0][0]
    np.testing.assert_allclose(weight_mk.T @ weight_mk, SHALLOW[0][0].T @ SHALLOW[0][0])
    assert abs(weight_mk - SHALLOW[0][0]).max() > 0.1
    np.testing.assert_allclose(
        polytopes.hyperplane_distances(turned), polytopes.hyperplane_distances(SHALLOW)
    )
    bare = polytopes.with_biases(SHALLOW, [np.zeros(K)])
    assert polytopes.hyperplane_distances(bare).max() == 0
    with pytest.raises(ValueError, match="biases of"):
        polytopes.with_biases(SHALLOW, [np.zeros(K + 1)])
    basis_mm = ortho_group.rvs(M, random_state=0)
    np.testing.assert_allclose(
        polytopes.density(SHALLOW, np.ones(M), np.zeros(M)),
        polytopes.density([(basis_mm @ SHALLOW[0][0], SHALLOW[0][1]), SHALLOW[1]],
                          basis_mm @ np.ones(M), np.zeros(M)),
    )  # fmt: skip


# Bad input.


def test_bad_input():
    x_m = np.ones(M)
    assert math.isnan(polytopes.density(SHALLOW, x_m, x_m))
    with pytest.raises(ValueError, match="closed form"):
        polytopes.crossings(DEEP, x_m, x_m)
    with pytest.raises(ValueError, match="not below"):
        polytopes.line_breaks(DEEP, x_m, x_m, 1.0, 1.0)
    with pytest.raises(ValueError, match="do not increase"):
        polytopes.ray_density(SHALLOW, x_m, x_m[None], np.array([0.0, 0.0]))
    with pytest.raises(ValueError, match="a direction is 0"):
        polytopes.ray_density(SHALLOW, x_m, 0 * x_m[None], np.array([0.0, 1.0]))
    with pytest.raises(ValueError, match="a network has a hidden layer"):
        polytopes.spline_code(SHALLOW[:1], x_m[None])
    with pytest.raises(ValueError, match="do not fit"):
        polytopes.spline_code([SHALLOW[1], SHALLOW[0]], np.ones((1, K)))
    with pytest.raises(ValueError, match="symbols"):
        polytopes.map_of_code(SHALLOW, np.ones(3, int))
    with pytest.raises(ValueError, match="is not below high"):
        polytopes.slice_regions(lines_of((1, 0, 0)), PLANE, (0.0, 0.0), (0.0, 1.0))
