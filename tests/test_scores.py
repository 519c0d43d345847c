"""Scores by hand, on planted networks and against plain loops; `test_laws` has the laws."""

import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from planted import LADDER

from toymono import Model, World, scores

KEY = jax.random.key(3)
N, M, K = 12, 4, 10  # of the fixture `toy`

# Of one shape, so that little is compiled.
ROWS, COLUMNS = 5, 4
amounts = st.sampled_from([-2.0, -0.25, 0.0, 0.25, 1.0, 3.0])
response_tables = hnp.arrays(np.float32, (ROWS, COLUMNS), elements=amounts)
matrices = hnp.arrays(np.float32, (4, 6), elements=st.integers(-9, 9).map(float))
monosemanticity = jax.jit(scores.monosemanticity)
classify_neurons = jax.jit(scores.classify_neurons)
capacity = jax.jit(scores.capacity)
multi_feature_monosemanticity = jax.jit(scores.multi_feature_monosemanticity)


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
    assert classify_neurons(response_kn).monosemantic_k.tolist() == [False, True, False]
    assert classify_neurons(response_kn, 0.7).monosemantic_k.tolist() == [True, True, True]
    assert classify_neurons(response_kn, 0.75).monosemantic_k.tolist() == [True, True, False]
    assert scores.THRESHOLD == 0.999


def test_mono_neurons_per_feature_by_hand():
    response_kn = jnp.array(
        [[2.0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 5, 0], [0, 1, 1, 0], [0, 0, 0, 0], [-1, -1, -1, -2]]
    )
    assert scores.mono_neurons_per_feature(response_kn).tolist() == [2, 0, 1, 0]
    assert scores.features_by_mono_neurons(response_kn).tolist() == [2, 1, 1, 0, 0]
    assert scores.features_by_mono_neurons(response_kn, most=1).tolist() == [2, 2]
    assert [mask.sum() for mask in classify_neurons(response_kn)] == [3, 1, 2]


@pytest.mark.parametrize("name", LADDER)
def test_scores_of_planted_networks(name):
    planted = LADDER[name]()
    response_kn = scores.responses(planted.model, planted.world)
    score_k = scores.monosemanticity(response_kn)
    np.testing.assert_allclose(score_k, planted.monosemanticity_k, rtol=1e-6)
    assert scores.strongest(response_kn).tolist() == planted.strongest_k
    assert scores.mono_neurons_per_feature(response_kn).tolist() == planted.mono_neurons_n

    classes = classify_neurons(response_kn)
    assert classes.monosemantic_k.sum() == sum(planted.mono_neurons_n)
    assert classes.dead_k.sum() == planted.strongest_k.count(-1)
    assert classes.polysemantic_k.sum() == len(score_k) - classes[0].sum() - classes[2].sum()
    histogram = scores.features_by_mono_neurons(response_kn)
    assert histogram.tolist() == [planted.mono_neurons_n.count(i) for i in range(5)]

    for vector_kn, capacity_n in (
        (response_kn, planted.response_capacity_n),
        (scores.feature_weights(planted.model, planted.world), planted.weight_capacity_n),
    ):
        np.testing.assert_allclose(scores.capacity(vector_kn), capacity_n, atol=1e-6)


@pytest.mark.parametrize("name", ["monosemantic", "several_neurons_per_feature", "antipodal"])
@pytest.mark.parametrize("active", [1, 2, 4])
def test_separate_features_stay_monosemantic_together(name, active):
    planted = LADDER[name]()
    several = scores.multi_feature_monosemanticity(planted.model, planted.world, active, KEY)
    np.testing.assert_allclose(several.monosemanticity_k, 1, rtol=1e-6)
    np.testing.assert_array_equal(several.silent_k, 1)


def test_planted_uniform_neurons_add_up_several_features():
    planted = LADDER["uniform"]()
    several = scores.multi_feature_monosemanticity(planted.model, planted.world, 4, KEY)
    # Four groups, each with the three features other than the strongest.
    np.testing.assert_allclose(several.monosemanticity_k, 1 / (1 + 4 * 3), rtol=1e-6)
    np.testing.assert_array_equal(several.silent_k, 0)


def test_the_strongest_feature_by_hand():
    response_kn = jnp.array([[0.0, 1, 0.5], [3, -1, 3], [0, 0, 0], [-2, -1, -3]])
    assert scores.strongest(response_kn).tolist() == [1, 0, -1, -1]


# Arbitrary responses.


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
    assert (mono_k[fires_k] >= 1 / COLUMNS - 1e-6).all()
    assert (mono_k[~fires_k] == 0).all()


@given(response_tables)
def test_every_neuron_is_in_one_class(response_kn):
    classes = classify_neurons(response_kn)
    assert (sum(mask.astype(int) for mask in classes) == 1).all()
    assert (classes.dead_k == (response_kn <= 0).all(axis=1)).all()
    only_one_k = (response_kn > 0).sum(axis=1) == 1
    assert (classes.monosemantic_k == only_one_k).all()  # none of these amounts is negligible


@given(response_tables)
def test_every_monosemantic_neuron_counts_for_its_feature(response_kn):
    mono_neurons_n = jax.jit(scores.mono_neurons_per_feature)(response_kn)
    wanted_n = [0] * COLUMNS
    for response_n in response_kn:
        if (response_n > 0).sum() == 1:
            wanted_n[int(response_n.argmax())] += 1
    assert mono_neurons_n.tolist() == wanted_n
    histogram = jax.jit(scores.features_by_mono_neurons)(response_kn)
    assert histogram.sum() == COLUMNS
    assert histogram.tolist() == [sum(min(w, 4) == i for w in wanted_n) for i in range(5)]


# Orders.


@given(response_tables)
def test_orders_are_permutations(response_kn):
    rows, columns = (
        jax.jit(scores.neuron_order)(response_kn),
        jax.jit(scores.feature_order)(response_kn),
    )
    assert sorted(rows.tolist()) == list(range(ROWS))
    assert sorted(columns.tolist()) == list(range(COLUMNS))
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


# Capacity.


@given(matrices)
def test_capacities_are_fractions_of_the_dimensions(vector_kn):
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


def test_capacity_is_invariant_under_rotation_and_scale(toy):
    net, toys = toy(bias=-0.1)
    weight_kn = scores.feature_weights(net, toys)
    capacity_n = capacity(weight_kn)
    rotation_kk, _ = jnp.linalg.qr(jax.random.normal(KEY, (K, K)))
    chex.assert_trees_all_close(capacity(5 * rotation_kk @ weight_kn), capacity_n, atol=1e-5)


def test_feature_weights_share_the_embeddings_dimensions(toy):
    net, toys = toy(bias=-0.1)
    weight_kn = scores.feature_weights(net, toys)
    assert M / 2 < capacity(weight_kn).sum() <= M + 1e-4
    # Neurons that respond to one feature each undo the superposition.
    alone = Model(toys.embed_nm.T, jnp.full(N, -0.999), jnp.ones((N, N)))
    responses_kn = scores.responses(alone, toys)
    chex.assert_trees_all_close(capacity(responses_kn), jnp.ones(N), atol=1e-3)


# Several features at a time.


@given(st.integers(1, N), st.integers(0, 99))
def test_groups_have_the_requested_size(active, seed):
    # A neuron that sums the amplitudes counts the members of all groups.
    net = Model(jnp.ones((N, 1)), jnp.zeros(1), jnp.ones((1, N)))
    several = multi_feature_monosemanticity(net, World(jnp.eye(N)), active, jax.random.key(seed))
    members = 1 / several.monosemanticity_k[0] - 1
    assert abs(members - jnp.round(members)) < 1e-3
    # The strongest feature is removed from its own group and from those in which it was drawn.
    assert N * active - N - 0.1 <= members <= N * active - 1 + 0.1


def test_groups_are_random_and_exclude_the_strongest_feature():
    # Active if its strongest feature, or both of two other features, are present.
    w_mk = jnp.zeros((N, 1)).at[jnp.array([0, 4, 9]), 0].set(jnp.array([2.0, 0.75, 0.75]))
    net = Model(w_mk, -jnp.ones(1), jnp.ones((1, N)))
    silent = [
        multi_feature_monosemanticity(net, World(jnp.eye(N)), 3, jax.random.key(seed)).silent_k[0]
        for seed in range(40)
    ]
    # Groups 4 and 9 draw the other feature with probability 2/11, the other ten both with 1/55.
    expected = 1 - (2 * 2 / 11 + 10 / 55) / N
    assert np.std(silent) > 0
    assert np.mean(silent) == pytest.approx(expected, abs=4 * np.std(silent) / np.sqrt(40))


def test_several_features_on_dead_selective_and_negative_neurons():
    w_mk = jnp.stack([jnp.full(N, -1.0), jnp.eye(N)[0], -jnp.eye(N)[0]], axis=1)
    net = Model(w_mk, jnp.array([0.0, -0.5, -0.5]), jnp.ones((3, N)))
    several = scores.multi_feature_monosemanticity(net, World(jnp.eye(N)), 5, KEY)
    assert several.monosemanticity_k.tolist() == [0, 1, 0]
    assert several.silent_k.tolist() == [1, 1, 1]
    several = scores.multi_feature_monosemanticity(net, World(jnp.eye(N), task="abs"), 5, KEY)
    assert several.monosemanticity_k[1:].tolist() == [1, 1]
    assert several.monosemanticity_k[0] < 0.1  # any sign other than its own activates it


def test_the_curve_is_mapped_over_active(toy):
    net, toys = toy("abs", bias=-0.1)
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
