"""Invariances of codes, ranges of layers, baselines, bad input."""

import math

import jax.numpy as jnp
import numpy as np
import planted
import pytest
from relu_layers import DEEP, OUT, PLANE, SHALLOW, K, M, lines_of
from scipy.stats import ortho_group

from toymono import Model
from toymono.analysis import polytopes

RNG = np.random.default_rng(0)


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
