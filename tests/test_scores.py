"""Scores of single features by hand, as laws, and against plain loops."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from toymono import Model, World, scores

# Of one shape, so that little is compiled.
K, N = 5, 4
amounts = st.sampled_from([-2.0, -0.25, 0.0, 0.25, 1.0, 3.0])
response_tables = hnp.arrays(np.float32, (K, N), elements=amounts)
monosemanticity = jax.jit(scores.monosemanticity)
census = jax.jit(scores.census)


# By hand.


def test_responses_by_hand():
    model = Model(
        w_mk=jnp.array([[1.0, -1.0, 2.0], [1.0, 3.0, 0.0]]),
        b_k=jnp.array([0.0, -1.0, 0.5]),
        w_ko=jnp.ones((3, 2)),
    )
    world = World(jnp.array([[1.0, 0.0], [0.6, 0.8]]))
    expected_kn = [[1, 1.4], [0, 0.8], [2.5, 1.7]]
    np.testing.assert_allclose(scores.responses(model, world), expected_kn, atol=1e-6)


def test_responses_of_abs_add_the_negative_side():
    model = Model(jnp.array([[1.0, -2.0]]), jnp.array([0.5, 0.5]), jnp.ones((2, 1)))
    world = World(jnp.array([[1.0]]))
    assert scores.responses(model, world).tolist() == [[1.5], [0]]
    # On +1: 1.5 and 0; on -1: 0 and 2.5.
    assert scores.responses(model, world.replace(task="abs")).tolist() == [[1.5], [2.5]]


@pytest.mark.parametrize("task", ["decoder", "reproject", "abs"])
@pytest.mark.parametrize("nonlinearity", ["relu", "gelu", "solu"])
def test_responses_are_the_activations_on_each_feature_alone(task, nonlinearity, run):
    world, model = run.world.replace(task=task), run.final.replace(nonlinearity=nonlinearity)
    wanted_kn = np.zeros((24, 16))
    for n, feature_m in enumerate(np.asarray(world.embed_nm)):
        for sign in (1, -1) if task == "abs" else (1,):
            wanted_kn[:, n] += model.neurons(sign * feature_m)
    np.testing.assert_allclose(scores.responses(model, world), wanted_kn, atol=1e-6)


@pytest.mark.parametrize(
    ("response_k", "score"),
    [
        ([0, 7, 0, 0], 1),
        ([2, 2, 2, 2], 1 / 4),
        ([0, 0, 0, 0], 0),
        ([3, 1, 0, 0], 3 / 4),
        ([3, -1, -1, 0], 1),
        ([-3, -1, -2, -0.1], 0),
        ([1e-3, 0, 0, 0], 1),
    ],
    ids=["one", "all alike", "dead", "two", "gelu, one above 0", "gelu, all below 0", "faint"],
)
def test_monosemanticity_by_hand(response_k, score):
    assert scores.monosemanticity(jnp.array([response_k], float))[0] == pytest.approx(score)


def test_the_threshold_is_strict_and_a_parameter():
    response_kn = jnp.array([[999.0, 1.0], [9999.0, 1.0], [3.0, 1.0]])
    assert census(response_kn).monosemantic_k.tolist() == [False, True, False]
    assert census(response_kn, 0.7).monosemantic_k.tolist() == [True, True, True]
    assert census(response_kn, 0.75).monosemantic_k.tolist() == [True, True, False]
    assert scores.THRESHOLD == 0.999


def test_who_serves_which_feature_by_hand():
    response_kn = jnp.array(
        [[2.0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 5, 0], [0, 1, 1, 0], [0, 0, 0, 0], [-1, -1, -1, -2]]
    )
    assert scores.monosemantic_per_feature(response_kn).tolist() == [2, 0, 1, 0]
    assert scores.features_by_service(response_kn).tolist() == [2, 1, 1, 0, 0]
    assert scores.features_by_service(response_kn, most=1).tolist() == [2, 2]
    assert [mask.sum() for mask in census(response_kn)] == [3, 1, 2]


# Laws.


@given(response_tables)
def test_scores_are_those_of_eq_7(response_kn):
    for found, response_n in zip(monosemanticity(response_kn), response_kn, strict=True):
        positive = [r for r in response_n if r > 0]
        wanted = max(positive) / (1e-10 + math.fsum(positive)) if positive else 0
        assert found == pytest.approx(wanted, rel=1e-6)


@given(response_tables)
def test_scores_are_bounded(response_kn):
    mono_k = monosemanticity(response_kn)
    assert ((mono_k >= 0) & (mono_k <= 1)).all()
    fires_k = (response_kn > 0).any(axis=1)
    assert (mono_k[fires_k] >= 1 / N - 1e-6).all()
    assert (mono_k[~fires_k] == 0).all()


@given(response_tables, st.permutations(range(K)), st.permutations(range(N)))
def test_scores_follow_their_neurons_and_ignore_the_order_of_features(response_kn, rows, columns):
    mono_k = monosemanticity(response_kn)
    shuffled_k = monosemanticity(response_kn[rows][:, columns])
    np.testing.assert_allclose(shuffled_k, mono_k[jnp.array(rows)], rtol=1e-6)
    for mask_k, shuffled in zip(
        census(response_kn), census(response_kn[rows][:, columns]), strict=True
    ):
        assert (shuffled == mask_k[jnp.array(rows)]).all()


@given(scale=st.floats(0.01, 100))
def test_scaling_a_relu_neuron_leaves_its_score(run, scale):
    model = run.final
    scaled = model.replace(w_mk=scale * model.w_mk, b_k=scale * model.b_k)
    mono_k, scaled_k = (
        scores.monosemanticity(scores.responses(model, run.world)) for model in (model, scaled)
    )
    np.testing.assert_allclose(scaled_k, mono_k, rtol=1e-4)


@given(response_tables)
def test_every_neuron_is_of_one_kind(response_kn):
    kinds = census(response_kn)
    assert (sum(mask.astype(int) for mask in kinds) == 1).all()
    assert (kinds.dead_k == (response_kn <= 0).all(axis=1)).all()
    only_one_k = (response_kn > 0).sum(axis=1) == 1
    assert (kinds.monosemantic_k == only_one_k).all()  # of these amounts none is negligible


@given(response_tables)
def test_every_monosemantic_neuron_serves_one_feature(response_kn):
    served_n = jax.jit(scores.monosemantic_per_feature)(response_kn)
    wanted_n = [0] * N
    for response_n in response_kn:
        if (response_n > 0).sum() == 1:
            wanted_n[int(response_n.argmax())] += 1
    assert served_n.tolist() == wanted_n
    histogram = jax.jit(scores.features_by_service)(response_kn)
    assert histogram.sum() == N
    assert histogram.tolist() == [sum(min(w, 4) == i for w in wanted_n) for i in range(5)]


# Orders.


@given(response_tables)
def test_orders_are_orders(response_kn):
    rows, columns = (
        jax.jit(scores.neuron_order)(response_kn),
        jax.jit(scores.feature_order)(response_kn),
    )
    assert sorted(rows.tolist()) == list(range(K))
    assert sorted(columns.tolist()) == list(range(N))
    assert (jnp.diff(monosemanticity(response_kn)[rows]) <= 0).all()


def test_sorted_monosemantic_neurons_make_a_diagonal():
    rng = np.random.default_rng(0)
    response_kn = np.concatenate([3 * np.eye(6), np.full((2, 6), 0.1), np.zeros((2, 6))])
    response_kn = jnp.asarray(response_kn[rng.permutation(10)][:, rng.permutation(6)])
    rows, columns = scores.neuron_order(response_kn), scores.feature_order(response_kn)
    sorted_kn = response_kn[rows][:, columns]
    np.testing.assert_allclose(sorted_kn[:6], 3 * np.eye(6))
    assert (sorted_kn[6:8] > 0).all()
    assert (sorted_kn[8:] == 0).all()


def test_the_order_of_neurons_is_the_authors(key):
    """They sort by max / (1e-10 + mean), which for relu is the order of eq. 7."""
    response_kn = np.asarray(jax.nn.relu(jax.random.normal(key, (24, 16))))
    theirs_k = np.argsort(-response_kn.max(1) / (1e-10 + response_kn.mean(1)), kind="stable")
    np.testing.assert_array_equal(scores.neuron_order(jnp.asarray(response_kn)), theirs_k)
    sorted_kn = response_kn[theirs_k]
    theirs_n = np.argsort(sorted_kn.argmax(0), kind="stable")
    np.testing.assert_array_equal(scores.feature_order(jnp.asarray(response_kn)), theirs_n)


def test_scores_of_many_models_are_those_of_each(runs):
    together = jax.vmap(lambda model, world: scores.monosemanticity(scores.responses(model, world)))
    mono_rk = together(runs.final, runs.world)
    for r in range(3):
        model, world = jax.tree.map(lambda leaf: leaf[r], (runs.final, runs.world))  # noqa: B023
        alone_k = scores.monosemanticity(scores.responses(model, world))
        np.testing.assert_allclose(mono_rk[r], alone_k, rtol=1e-4, atol=1e-6)
