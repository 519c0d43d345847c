"""Kinks and segments: by hand, on planted networks, against the network's output."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted import LADDER
from settings import EMBEDDED

from toymono.analysis import kinks, parts
from toymono.analysis.kinks import LABELS
from toymono.features import World
from toymono.models import Model
from toymono.tasks import TASKS

# Compiled once for each shape, which is far faster than eager evaluation.
find_kinks = jax.jit(kinks.kinks)
segments = jax.jit(kinks.segments)

KEY = jax.random.key(7)
N = 12  # features of the fixture `toy`


def plain_neurons(net, x_bm):
    """Activations in plain numpy, relu only."""
    return np.maximum(np.asarray(x_bm) @ np.asarray(net.w_mk) + np.asarray(net.b_k), 0)


def test_kinks_by_hand():
    # Active from 0.5 with gain 2; active up to 0.25; never active; active from 0.
    net = Model(
        w_mk=jnp.array([[2.0, -4.0, 1.0, 1.0]]),
        b_k=jnp.array([-1.0, 1.0, -3.0, 0.0]),
        w_ko=jnp.array([[3.0], [0.5], [9.0], [1.0]]),
    )
    found = find_kinks(net, World(jnp.ones((1, 1))), 0)
    assert found.position_k.tolist() == [0.25, 0.5, np.inf, np.inf]
    assert found.change_k.tolist() == [2.0, 6.0, 0.0, 0.0]
    assert found.neuron_k.tolist() == [1, 0, -1, -1]
    assert (found.start, found.slope) == (0.5, -1.0)
    assert found(jnp.array([0.0, 0.25, 0.5, 1.0])).tolist() == [0.5, 0.25, 0.5, 4.0]


@jax.jit
@functools.partial(jax.vmap, in_axes=(None, None, 0, None, None, None))
def lines(net, toys, feature, amplitude_b, others_n, sign):
    """A feature's own output, from its kinks and from the network."""
    found = kinks.kinks(net, toys, feature, others_n, sign=sign)
    profile = parts.along(net, toys, feature, sign * amplitude_b, others_n)
    return found, found(amplitude_b), profile.full_bo @ parts.readouts(toys)[feature]


@pytest.mark.parametrize("task", EMBEDDED)
@pytest.mark.parametrize("sign", [1, -1])
def test_kinks_agree_with_dense_sampling(task, sign, toy):
    net, toys = toy(task)
    others_n = jax.random.uniform(KEY, (N,), minval=-1.0 if TASKS[task].signed else 0.0)
    amplitude_b = jnp.linspace(0, 1, 401)
    found, closed_nb, sampled_nb = lines(net, toys, jnp.arange(N), amplitude_b, others_n, sign)
    chex.assert_trees_all_close(closed_nb, sampled_nb, atol=2e-6)
    count_n = jnp.isfinite(found.position_k).sum(axis=1)
    assert count_n.min() < count_n.max()
    # The sampled function bends nowhere but at a kink.
    bent_nb = abs(jnp.diff(sampled_nb, 2, axis=1)) > 2e-6
    distance_nkb = abs(found.position_k[:, :, None] - amplitude_b[None, None, 1:-1])
    near_nb = (distance_nkb < 1 / 400).any(axis=1)
    assert bent_nb.any()
    assert not (bent_nb & ~near_nb).any()


@given(
    gains=st.lists(st.integers(-8, 8), min_size=3, max_size=3),
    biases=st.lists(st.integers(-8, 8), min_size=3, max_size=3),
    weights=st.lists(st.integers(-8, 8), min_size=3, max_size=3),
)
def test_kinks_and_segments_agree_with_the_network_for_any_weights(gains, biases, weights):
    net = Model(
        jnp.array([gains], jnp.float32),
        jnp.array(biases, jnp.float32) / 4,
        jnp.array(weights, jnp.float32)[:, None],
    )
    found = find_kinks(net, World(jnp.ones((1, 1))), 0)
    amplitude_b = np.linspace(0, 1, 33, dtype=np.float32)
    truth_b = plain_neurons(net, amplitude_b[:, None]) @ np.array(weights, np.float32)
    chex.assert_trees_all_close(np.asarray(found(jnp.asarray(amplitude_b))), truth_b, atol=1e-4)
    position_k = found.position_k[jnp.isfinite(found.position_k)]
    assert ((position_k > 0) & (position_k < 1)).all()
    assert (jnp.diff(position_k) >= 0).all()

    pieces = jax.tree.map(np.asarray, segments(found))
    amplitude_1b = amplitude_b[None]
    inside_pb = (pieces.start_p[:, None] <= amplitude_1b) & (amplitude_1b <= pieces.end_p[:, None])
    inside_pb &= (pieces.label_p != 0)[:, None]
    line_pb = pieces.intercept_p[:, None] + pieces.slope_p[:, None] * amplitude_1b
    assert inside_pb.any(axis=0).all()
    assert abs(np.where(inside_pb, line_pb - truth_b[None], 0)).max() < 1e-4


def test_kinks_of_any_output(toy):
    net, toys = toy()
    read_o = jax.random.normal(KEY, (N,))
    amplitude_b = jnp.linspace(0, 1, 9)
    closed_b = find_kinks(net, toys, 4, read_o=read_o)(amplitude_b)
    sampled_b = parts.along(net, toys, 4, amplitude_b).full_bo @ read_o
    chex.assert_trees_all_close(closed_b, sampled_b, atol=2e-6)


def piecewise(positions, changes, start=0.0, slope=0.0):
    return kinks.Kinks(
        jnp.array(positions), jnp.array(changes), jnp.arange(len(positions)), start, slope
    )


def test_segments_are_labelled_by_rule():
    def outline(*args, **kwargs):
        return segments(piecewise(*args, **kwargs)).outline

    assert outline([0.4], [1.4]) == ("zero", "rise")  # one neuron
    assert outline([0.4, 0.5], [2.0, -1.0]) == ("zero", "rise", "lag")  # 0.3 below the truth
    assert outline([0.4, 0.8], [2.0, -1.0]) == ("zero", "rise", "track")  # two neurons
    assert outline([0.4, np.inf], [0.5, 0.0]) == ("zero", "lag")
    assert outline([np.inf], [0.0], slope=1.0) == ("track",)
    assert outline([0.3, 0.3], [1.0, 0.4]) == ("zero", "rise")


def test_small_kinks_can_be_ignored():
    found = piecewise([0.1, 0.4, 0.5, np.inf], [0.01, 1.5, -0.02, 0.0])
    pieces = segments(found, min_change=0.25)
    assert pieces.outline == ("zero", "rise")
    chex.assert_trees_all_close(pieces.start_p, jnp.array([0, 0.4, 1, 1, 1]))
    chex.assert_trees_all_close(pieces.end_p, jnp.ones(5).at[0].set(0.4))
    ends_p = pieces.intercept_p + pieces.slope_p * pieces.end_p
    chex.assert_trees_all_close(ends_p[:2], found(jnp.array([0.4, 1.0])), atol=1e-6)
    assert [LABELS[label] for label in pieces.label_p[2:]] == ["empty"] * 3


def test_only_relu_has_kinks_and_features_are_numbered_from_0(toy):
    with pytest.raises(ValueError, match="nonlinearity='gelu' has no kinks"):
        kinks.kinks(*toy(nonlinearity="gelu"), 0)
    with pytest.raises(ValueError, match=r"feature=12 is not in \[0, 12\)"):
        kinks.kinks(*toy(), N)


@pytest.mark.parametrize("name", LADDER)
def test_own_kinks_of_planted_networks(name):
    planted = LADDER[name]()
    own = jax.jit(kinks.own_kinks)
    for feature, expected in enumerate(planted.own_kinks_n2):
        found = own(planted.model, planted.world, feature)
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "feature", "outline", "start_p"),
    [
        ("monosemantic", 3, ("zero", "rise"), [0, 0.25]),
        ("several_neurons_per_feature", 0, ("zero", "lag", "rise"), [0, 0.25, 0.5, 0.75]),
        ("several_neurons_per_feature", 1, ("zero", "rise", "track"), [0, 0.25, 0.5]),
        ("several_neurons_per_feature", 2, ("zero", "rise"), [0, 0.5]),
        ("several_neurons_per_feature", 3, ("zero",), [0]),
        ("antipodal", 2, ("zero", "rise"), [0, 0.5]),
        ("pentagon", 4, ("track",), [0]),
        ("dead", 0, ("zero",), [0]),
        ("uniform", 1, ("lag",), [0]),
    ],
)
def test_segments_of_planted_networks(name, feature, outline, start_p):
    planted = LADDER[name]()
    pieces = segments(find_kinks(planted.model, planted.world, feature))
    assert pieces.outline == outline
    used_p = pieces.label_p > 0
    np.testing.assert_allclose(pieces.start_p[used_p], start_p, rtol=1e-6)


def test_the_monosemantic_part_of_a_planted_network_has_one_kink_per_feature():
    planted = LADDER["half_linear"]()
    mono, poly = parts.split(planted.model)
    for feature in range(4):
        found = find_kinks(mono, planted.world, feature)
        np.testing.assert_allclose(found.position_k, [0.75] + [np.inf] * 5, rtol=1e-6)
        np.testing.assert_allclose(found.change_k[0], 1, rtol=1e-6)
        assert found.neuron_k[0] == feature
        found = find_kinks(poly, planted.world, feature)
        assert not jnp.isfinite(found.position_k).any()
        np.testing.assert_allclose(found.slope, 1 / 2, rtol=1e-6)
