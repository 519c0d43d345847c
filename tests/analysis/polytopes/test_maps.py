"""Affine maps, soft codes and max-affine splines."""

import itertools
import math

import jax.numpy as jnp
import numpy as np
import pytest
from relu_layers import NETWORKS, OUT, SHALLOW, M, network
from scipy.special import ndtr

from toymono import Model
from toymono.analysis import polytopes

RNG = np.random.default_rng(0)


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
