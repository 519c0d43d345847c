import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from toymono import model, scores, world
from toymono.config import CHOICES, Setup
from toymono.model import Model
from toymono.world import World

# Compiled once for each shape; run by the operation they would take far longer.
multi_feature_monosemanticity = jax.jit(scores.multi_feature_monosemanticity)
capacity = jax.jit(scores.capacity)

KEY = jax.random.key(3)
N, M, K = 12, 4, 10
BATTERY = list(itertools.product(CHOICES["task"], CHOICES["nonlinearity"]))
MATRICES = arrays(np.float32, (4, 6), elements=st.integers(-9, 9).map(float))


def toy(task="decoder", nonlinearity="relu", bias=-0.1):
    setup = Setup(task=task, n=N, m=M, k=K, nonlinearity=nonlinearity)
    world_key, model_key = jax.random.split(KEY)
    return model.init(setup, bias, model_key), world.build(setup, world_key)


@given(MATRICES)
def test_capacities_are_shares_of_the_dimensions(vector_kn):
    capacity_n = capacity(jnp.asarray(vector_kn))
    assert (capacity_n >= 0).all()
    assert (capacity_n <= 1 + 1e-5).all()
    assert capacity_n.sum() <= np.linalg.matrix_rank(vector_kn) + 1e-4
    for i, vector_k in enumerate(vector_kn.T):
        overlaps_n = vector_kn.T @ vector_k
        wanted = overlaps_n[i] ** 2 / (overlaps_n**2).sum() if vector_k.any() else 0
        assert capacity_n[i] == pytest.approx(wanted, abs=1e-5)
    if (vector_kn != 0).any(axis=0).all():  # as Elhage et al. write it
        unit_kn = vector_kn / np.linalg.norm(vector_kn, axis=0)
        dimensions_n = (vector_kn**2).sum(axis=0) / ((unit_kn.T @ vector_kn) ** 2).sum(axis=1)
        chex.assert_trees_all_close(np.asarray(capacity_n), dimensions_n, atol=1e-5)


def test_orthogonal_features_have_a_dimension_each():
    rotation, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))
    vectors_kn = jnp.asarray(rotation * [1, 2, 3, 0.01, 5, 0], jnp.float32)
    expected_n = jnp.array([1, 1, 1, 1, 1, 0.0])
    chex.assert_trees_all_close(capacity(vectors_kn), expected_n, atol=1e-5)
    opposite_kn = jnp.array([[1.0, -1.0, 0.0], [0.0, 0.0, 1.0]])
    assert capacity(opposite_kn).tolist() == [0.5, 0.5, 1.0]


def test_capacity_ignores_rotations_and_scale_and_follows_its_features():
    net, toys = toy()
    weight_kn = scores.feature_weights(net, toys)
    capacity_n = capacity(weight_kn)
    rotation_kk, _ = jnp.linalg.qr(jax.random.normal(KEY, (K, K)))
    chex.assert_trees_all_close(capacity(5 * rotation_kk @ weight_kn), capacity_n, atol=1e-5)
    order_n = jax.random.permutation(KEY, N)
    chex.assert_trees_all_close(capacity(weight_kn[:, order_n]), capacity_n[order_n], atol=1e-5)


def test_feature_weights_share_the_embeddings_dimensions():
    net, toys = toy()
    weight_kn = scores.feature_weights(net, toys)
    for k, n in ((0, 0), (3, 7)):
        assert weight_kn[k, n] == pytest.approx(float(toys.embed_nm[n] @ net.w_mk[:, k]), abs=1e-6)
    assert M / 2 < capacity(weight_kn).sum() <= M + 1e-4
    # Neurons that answer to one feature each undo the superposition.
    alone = Model(toys.embed_nm.T, jnp.full(N, -0.999), jnp.ones((N, N)))
    responses_kn = scores.responses(alone, toys)
    chex.assert_trees_all_close(capacity(responses_kn), jnp.ones(N), atol=1e-3)


@pytest.mark.parametrize(("task", "nonlinearity"), BATTERY)
def test_one_at_a_time_it_is_equation_7(task, nonlinearity):
    for bias in (-0.1, 0.1):
        net, toys = toy(task, nonlinearity, bias)
        several = scores.multi_feature_monosemanticity(net, toys, 1, KEY)
        response_kn = scores.responses(net, toys)
        chex.assert_trees_all_close(
            several.monosemanticity_k, scores.monosemanticity(response_kn), atol=1e-6
        )
        silent_k = [
            np.delete(row_n <= 0, row_n.argmax()).mean() for row_n in np.asarray(response_kn)
        ]
        chex.assert_trees_all_close(several.silent_k, jnp.array(silent_k), atol=1e-6)


@pytest.mark.parametrize("task", ["decoder", "reproject"])
def test_all_at_a_time_by_brute_force(task):
    net, toys = toy(task, bias=0.0)
    several = multi_feature_monosemanticity(net, toys, N, KEY)
    response_kn = np.asarray(scores.responses(net, toys))
    for k, row_n in enumerate(response_kn):
        others_n = np.ones(N)
        others_n[row_n.argmax()] = 0
        before = others_n @ np.asarray(toys.embed_nm @ net.w_mk)[:, k] + float(net.b_k[k])
        fired, most = max(0.0, before), row_n.max()
        assert several.silent_k[k] == float(fired == 0)
        wanted = most / (1e-10 + most + N * fired)
        assert several.monosemanticity_k[k] == pytest.approx(wanted, abs=1e-5)


@given(st.integers(1, N), st.integers(0, 99))
def test_groups_have_the_size_asked_for(active, seed):
    # A neuron that adds up what is present counts the members of all groups.
    net = Model(jnp.ones((N, 1)), jnp.zeros(1), jnp.ones((1, N)))
    several = multi_feature_monosemanticity(net, World(jnp.eye(N)), active, jax.random.key(seed))
    members = 1 / several.monosemanticity_k[0] - 1
    assert abs(members - jnp.round(members)) < 1e-3
    # The favourite is left out of its own group, and where it was drawn.
    assert N * active - N - 0.1 <= members <= N * active - 1 + 0.1


def test_groups_are_drawn_anew_and_leave_the_favourite_out():
    # Fires if its favourite, or both of two other features, are present.
    w_mk = jnp.zeros((N, 1)).at[jnp.array([0, 4, 9]), 0].set(jnp.array([2.0, 0.75, 0.75]))
    net = Model(w_mk, -jnp.ones(1), jnp.ones((1, N)))
    silent = [
        multi_feature_monosemanticity(net, World(jnp.eye(N)), 3, jax.random.key(seed)).silent_k[0]
        for seed in range(40)
    ]
    # Groups 4 and 9 draw the other with 2 chances of 11, the other ten both with 1 of 55.
    expected = 1 - (2 * 2 / 11 + 10 / 55) / N
    assert np.std(silent) > 0
    assert np.mean(silent) == pytest.approx(expected, abs=4 * np.std(silent) / np.sqrt(40))


def test_several_features_meet_the_dead_the_deaf_and_the_opposed():
    w_mk = jnp.stack([jnp.full(N, -1.0), jnp.eye(N)[0], -jnp.eye(N)[0]], axis=1)
    net = Model(w_mk, jnp.array([0.0, -0.5, -0.5]), jnp.ones((3, N)))
    several = scores.multi_feature_monosemanticity(net, World(jnp.eye(N)), 5, KEY)
    assert several.monosemanticity_k.tolist() == [0, 1, 0]
    assert several.silent_k.tolist() == [1, 1, 1]
    several = scores.multi_feature_monosemanticity(net, World(jnp.eye(N), task="abs"), 5, KEY)
    assert several.monosemanticity_k[1:].tolist() == [1, 1]
    assert several.monosemanticity_k[0] < 0.1  # any sign other than its own wakes it


def test_multi_feature_monosemanticity_follows_its_neurons():
    net, toys = toy()
    order_k = jax.random.permutation(KEY, K)
    shuffled = net.replace(w_mk=net.w_mk[:, order_k], b_k=net.b_k[order_k], w_ko=net.w_ko[order_k])
    several = multi_feature_monosemanticity(net, toys, 3, KEY)
    chex.assert_trees_all_close(
        multi_feature_monosemanticity(shuffled, toys, 3, KEY),
        jax.tree.map(lambda leaf_k: leaf_k[order_k], several),
        atol=1e-6,
    )


def test_the_curve_is_mapped_over_active():
    net, toys = toy("abs")
    active_s = jnp.array([1, 2, 5, N])
    curve = jax.jit(jax.vmap(scores.multi_feature_monosemanticity, (None, None, 0, None)))(
        net, toys, active_s, KEY
    )
    for s, active in enumerate(active_s):
        chex.assert_trees_all_close(
            jax.tree.map(lambda leaf_sk: leaf_sk[s], curve),  # noqa: B023
            multi_feature_monosemanticity(net, toys, int(active), KEY),
            atol=1e-6,
        )
    for active in (0, N + 1):
        with pytest.raises(ValueError, match=rf"active={active} is not in \[1, 12\]"):
            scores.multi_feature_monosemanticity(net, toys, active, KEY)
