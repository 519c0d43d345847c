"""Kinks and the pieces between them, by hand and against the network itself."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toymono.analysis import kinks, parts
from toymono.analysis.kinks import LABELS
from toymono.config import CHOICES
from toymono.features import World
from toymono.models import Model

# Compiled once for each shape; run by the operation they would take far longer.
find_kinks = jax.jit(kinks.kinks)
segments = jax.jit(kinks.segments)

KEY = jax.random.key(7)
N, K = 12, 10  # of the fixture `toy`


def plain_neurons(net, x_bm):
    """Activations in plain numpy, relu only."""
    return np.maximum(np.asarray(x_bm) @ np.asarray(net.w_mk) + np.asarray(net.b_k), 0)


def test_kinks_by_hand():
    # Starts at 0.5 with gain 2; stops at 0.25, and fired before; never fires; bends at 0.
    net = Model(
        w_mk=jnp.array([[2.0, -4.0, 1.0, 1.0]]),
        b_k=jnp.array([-1.0, 1.0, -3.0, 0.0]),
        w_ko=jnp.array([[3.0], [0.5], [9.0], [1.0]]),
    )
    bends = find_kinks(net, World(jnp.ones((1, 1))), 0)
    assert bends.position_k.tolist() == [0.25, 0.5, np.inf, np.inf]
    assert bends.change_k.tolist() == [2.0, 6.0, 0.0, 0.0]
    assert bends.neuron_k.tolist() == [1, 0, -1, -1]
    assert (bends.start, bends.slope) == (0.5, -1.0)
    assert bends(jnp.array([0.0, 0.25, 0.5, 1.0])).tolist() == [0.5, 0.25, 0.5, 4.0]


@jax.jit
@functools.partial(jax.vmap, in_axes=(None, None, 0, None, None, None))
def lines(net, toys, feature, amplitude_b, others_n, sign):
    """A feature's own output, by its kinks and by the network."""
    bends = kinks.kinks(net, toys, feature, others_n, sign=sign)
    profile = parts.along(net, toys, feature, sign * amplitude_b, others_n)
    return bends, bends(amplitude_b), profile.full_bo @ parts.readouts(toys)[feature]


@pytest.mark.parametrize("task", CHOICES["task"])
@pytest.mark.parametrize("sign", [1, -1])
def test_kinks_draw_the_same_line_as_dense_sampling(task, sign, toy):
    net, toys = toy(task)
    others_n = jax.random.uniform(KEY, (N,), minval=-1.0 if task == "abs" else 0.0)
    amplitude_b = jnp.linspace(0, 1, 401)
    bends, closed_nb, sampled_nb = lines(net, toys, jnp.arange(N), amplitude_b, others_n, sign)
    chex.assert_trees_all_close(closed_nb, sampled_nb, atol=2e-6)
    count_n = jnp.isfinite(bends.position_k).sum(axis=1)
    assert count_n.min() < count_n.max()
    # Where the sampled line bends, and nowhere else, there is a kink.
    bent_nb = abs(jnp.diff(sampled_nb, 2, axis=1)) > 2e-6
    near_nb = (abs(bends.position_k[:, :, None] - amplitude_b[1:-1]) < 1 / 400).any(axis=1)
    assert bent_nb.any()
    assert not (bent_nb & ~near_nb).any()


@given(
    gains=st.lists(st.integers(-8, 8), min_size=3, max_size=3),
    biases=st.lists(st.integers(-8, 8), min_size=3, max_size=3),
    weights=st.lists(st.integers(-8, 8), min_size=3, max_size=3),
)
def test_kinks_and_segments_agree_with_the_network_whatever_its_weights(gains, biases, weights):
    net = Model(
        jnp.array([gains], jnp.float32),
        jnp.array(biases, jnp.float32) / 4,
        jnp.array(weights, jnp.float32)[:, None],
    )
    bends = find_kinks(net, World(jnp.ones((1, 1))), 0)
    amplitude_b = np.linspace(0, 1, 33, dtype=np.float32)
    truth_b = plain_neurons(net, amplitude_b[:, None]) @ np.array(weights, np.float32)
    chex.assert_trees_all_close(np.asarray(bends(jnp.asarray(amplitude_b))), truth_b, atol=1e-4)
    position_k = bends.position_k[jnp.isfinite(bends.position_k)]
    assert ((position_k > 0) & (position_k < 1)).all()
    assert (jnp.diff(position_k) >= 0).all()

    pieces = segments(bends)
    inside_pb = (pieces.start_p[:, None] <= amplitude_b) & (amplitude_b <= pieces.end_p[:, None])
    inside_pb &= (pieces.label_p != 0)[:, None]
    line_pb = pieces.intercept_p[:, None] + pieces.slope_p[:, None] * amplitude_b
    assert inside_pb.any(axis=0).all()
    assert abs(np.where(inside_pb, line_pb - truth_b, 0)).max() < 1e-4


def test_kinks_of_any_output(toy):
    net, toys = toy()
    read_o = jax.random.normal(KEY, (N,))
    amplitude_b = jnp.linspace(0, 1, 9)
    closed_b = find_kinks(net, toys, 4, read_o=read_o)(amplitude_b)
    sampled_b = parts.along(net, toys, 4, amplitude_b).full_bo @ read_o
    chex.assert_trees_all_close(closed_b, sampled_b, atol=2e-6)


def test_kinks_follow_their_neurons(toy):
    net, toys = toy()
    order_k = jax.random.permutation(KEY, K)
    shuffled = net.replace(w_mk=net.w_mk[:, order_k], b_k=net.b_k[order_k], w_ko=net.w_ko[order_k])
    bends, again = find_kinks(net, toys, 4), find_kinks(shuffled, toys, 4)
    found = int(jnp.isfinite(bends.position_k).sum())
    assert found > 2
    chex.assert_trees_all_close(bends.position_k, again.position_k)
    chex.assert_trees_all_close(bends.change_k, again.change_k)
    chex.assert_trees_all_equal(bends.neuron_k[:found], order_k[again.neuron_k[:found]])


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


def test_small_kinks_can_be_smoothed_away():
    bends = piecewise([0.1, 0.4, 0.5, np.inf], [0.01, 1.5, -0.02, 0.0])
    pieces = segments(bends, least=0.25)
    assert pieces.outline == ("zero", "rise")
    chex.assert_trees_all_close(pieces.start_p, jnp.array([0, 0.4, 1, 1, 1]))
    chex.assert_trees_all_close(pieces.end_p, jnp.ones(5).at[0].set(0.4))
    ends_p = pieces.intercept_p + pieces.slope_p * pieces.end_p
    chex.assert_trees_all_close(ends_p[:2], bends(jnp.array([0.4, 1.0])), atol=1e-6)
    assert [LABELS[label] for label in pieces.label_p[2:]] == ["empty"] * 3


def test_served_counts_up_to_most():
    strongest_k = jnp.array([0, 0, 0, 0, 1, 1, 2])
    net = Model(jnp.eye(4)[:, strongest_k], jnp.full(7, -0.5), jnp.ones((7, 4)))
    assert kinks.served(net, World(jnp.eye(4))).tolist() == [3, 2, 1, 0]
    assert kinks.served(net, World(jnp.eye(4)), most=9).tolist() == [4, 2, 1, 0]


def test_only_relu_has_kinks_and_features_are_numbered_from_0(toy):
    with pytest.raises(ValueError, match="nonlinearity='gelu' has no kinks"):
        kinks.kinks(*toy(nonlinearity="gelu"), 0)
    with pytest.raises(ValueError, match=r"feature=12 is not in \[0, 12\)"):
        kinks.kinks(*toy(), N)


def test_one_feature_or_many(toy):
    """Also of runs from disk, which hold numpy's arrays."""
    net, toys = jax.tree.map(np.asarray, toy())

    @jax.jit
    def analysis(feature):
        pieces = kinks.segments(kinks.kinks(parts.split(net).mono, toys, feature))
        return pieces, kinks.served(net, toys)

    many = jax.jit(jax.vmap(analysis))(jnp.arange(N))
    chex.assert_trees_all_close(jax.tree.map(lambda leaf: leaf[5], many), analysis(5), atol=1e-5)
