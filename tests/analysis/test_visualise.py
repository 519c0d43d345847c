"""Feature visualisation of toy models: hand examples, planted neurons, laws."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.test_util import check_grads
from planted import LADDER

from toymono import Model, World
from toymono.analysis import visualise
from toymono.analysis.visualise import baselines, connections, facets, toy
from toymono.tasks import TASKS

KEY = jax.random.key(0)
ROOT_HALF = 2**-0.5


def planted(weights=(1.0, 1.0, -1.0), bias=-0.5) -> Model:
    """One neuron with these weights for features that have a dimension each."""
    return Model(jnp.array(weights, jnp.float32)[:, None], jnp.array([bias]), jnp.ones((1, 1)))


ONE = jnp.array([0])

dense, gram = jax.jit(visualise.diversity), jax.jit(visualise.gram_diversity)
dense_gradient = jax.jit(jax.grad(visualise.diversity))
gram_gradient = jax.jit(jax.grad(visualise.gram_diversity))


class TestDiversity:
    @pytest.mark.parametrize(
        ("rows", "value"),
        [
            ([[1.0, 0.0], [0.0, 1.0]], 0.0),
            ([[1.0, 0.0], [1.0, 1.0]], 0.5),
            ([[3.0, 4.0]] * 4, 3.0),
            ([[1.0, 2.0]], 0.0),
            ([[0.0, 0.0], [1.0, 2.0]], 0.0),
        ],
    )
    def test_hand_examples(self, rows, value):
        assert float(dense(jnp.array(rows))) == pytest.approx(value, abs=1e-6)

    def test_gram_sees_channels_not_places(self):
        hidden_bpk = jnp.array([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]]])
        value = float(gram(hidden_bpk))
        assert value == pytest.approx(ROOT_HALF, abs=1e-6)
        places_bpk = hidden_bpk.at[0].set(hidden_bpk[0, ::-1])
        assert float(gram(places_bpk)) == pytest.approx(value, abs=1e-6)

    def test_one_position_is_the_dense_form(self):
        hidden_bk = jax.random.normal(KEY, (4, 5))
        value = gram(hidden_bk[:, None])
        np.testing.assert_allclose(value, dense(hidden_bk), rtol=1e-5)

    @pytest.mark.parametrize("size", [1e-9, 1e-3, 1e9])
    def test_rescaling_a_row_changes_nothing(self, size):
        hidden_bk = jax.random.uniform(KEY, (3, 5))
        scaled_bk = hidden_bk * jnp.array([[1.0], [size], [2.0]])
        np.testing.assert_allclose(dense(scaled_bk), dense(hidden_bk), rtol=1e-5)
        of_maps = gram(scaled_bk[:, None]), gram(hidden_bk[:, None])
        np.testing.assert_allclose(*of_maps, rtol=1e-5)

    @pytest.mark.parametrize("rows", [[[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [1.0, 2.0]]])
    def test_inactive_inputs_have_a_finite_gradient(self, rows):
        hidden_bk = jnp.array(rows)
        assert jnp.isfinite(dense_gradient(hidden_bk)).all()
        assert jnp.isfinite(gram_gradient(hidden_bk[:, None])).all()

    def test_the_gradient_is_the_formula_and_the_difference(self):
        hidden_bk = np.random.default_rng(0).uniform(size=(4, 6))
        length_b1 = np.linalg.norm(hidden_bk, axis=1, keepdims=True)
        unit_bk = hidden_bk / length_b1
        cos_ba = (unit_bk @ unit_bk.T) * (1 - np.eye(4))
        own_b1 = (cos_ba**2).sum(axis=1, keepdims=True)
        with jax.enable_x64(True):
            check_grads(dense, (hidden_bk,), order=1, modes=["rev"], atol=1e-5, rtol=1e-5)
            expected_bk = 4 / 4 * (cos_ba @ unit_bk - own_b1 * unit_bk) / length_b1
            found_bk = dense_gradient(hidden_bk)
            np.testing.assert_allclose(found_bk, expected_bk, atol=1e-10)


class TestFacets:
    def test_score_by_hand(self):
        facet_un = np.array([[True, True, True, False], [True, False, False, False]])
        label_ub = np.array([[0, 0, 3], [1, 1, 1]])
        active_ub = np.array([[True, True, True], [False, False, False]])
        found = facets.score(label_ub, active_ub, facet_un)
        np.testing.assert_array_equal(found.found_u, [1, 0])
        np.testing.assert_array_equal(found.invented_u, [1, 0])
        np.testing.assert_array_equal(found.precision_u, [0.5, np.nan])
        np.testing.assert_allclose(found.recall_u, [1 / 3, 0])
        np.testing.assert_array_equal(found.active_u, [1, 0])

    def test_a_unit_without_facets_has_no_recall(self):
        found = facets.score(np.array([[0]]), np.array([[True]]), np.array([[False, False]]))
        assert found.precision_u[0] == 0
        assert np.isnan(found.recall_u[0])

    def test_the_threshold_is_relative(self):
        response_un = np.array([[10.0, 0.9, 1e-7], [1e-3, 2e-4, -1.0]])
        expected = [[True, False, False], [True, True, False]]
        np.testing.assert_array_equal(facets.facets(response_un), expected)
        with pytest.raises(ValueError, match="threshold=0"):
            facets.facets(response_un, 0.0)


class TestToy:
    def test_projection_is_that_of_optax(self):
        scale = jnp.linspace(0.01, 3, 20)[:, None]
        x_bn = jax.random.normal(KEY, (20, 12)) * scale
        on_simplex_bn = jax.vmap(optax.projections.projection_simplex)(x_bn)
        positive_bn = jnp.maximum(x_bn, 0)
        inside_b1 = positive_bn.sum(axis=1, keepdims=True) <= 1
        assert 0 < inside_b1.mean() < 1
        expected_bn = jnp.where(inside_b1, positive_bn, on_simplex_bn)
        np.testing.assert_allclose(toy.project(x_bn), expected_bn, atol=1e-6)

    def test_without_the_bound_every_positive_weight_is_on(self):
        """Why inputs are bounded by their sum: on the cube the best is 1 where weights are."""
        net = planted()
        corners = jnp.array(np.indices((2, 2, 2)).reshape(3, -1).T, jnp.float32)
        best = corners[net.neurons(corners)[:, 0].argmax()]
        np.testing.assert_array_equal(best, [1, 1, 0])

    def test_greedy_lists_the_facets_and_stops(self):
        for weights, expected in (((1.0, 0.8, -1.0), [1, 0.6, 0]), ((1.0, 1.0, -1.0), [1, 1, 0])):
            found = toy.greedy(planted(weights), ONE, KEY, most=3)
            np.testing.assert_allclose(found.value_ub[0], expected, rtol=1e-5)
            shown_bn = np.sort(found.features_ubn[0], axis=0)  # two features may tie
            np.testing.assert_array_equal(shown_bn, [[0, 0, 0], [0, 0, 0], [1, 1, 0]])
            if weights[1] < 1:
                np.testing.assert_array_equal(found.features_ubn[0].argmax(axis=1)[:2], [0, 1])

    def test_a_tie_is_broken_by_diversity_alone(self):
        """Two features of equal weight: one batch of two inputs, from three seeds."""
        for seed in range(3):
            key = jax.random.key(seed)
            largest = {}
            for weight in (0.0, 0.05, 0.5):
                found = toy.maximise(planted(), ONE, key, weight=weight, images=2, steps=300)
                x_bn = found.features_ubn[0]
                np.testing.assert_allclose(found.value_ub, 1, atol=1e-4)  # ties at the edge
                np.testing.assert_allclose(x_bn[:, 2], 0, atol=1e-6)
                largest[weight] = float(x_bn.max(axis=1).min())
                labels = set(np.asarray(x_bn.argmax(axis=1)).tolist())
                assert weight < 0.5 or labels == {0, 1}
            assert largest[0.5] > 0.95 > largest[0.05]
            assert largest[0.0] < 0.95

    def test_without_diversity_every_restart_is_the_favourite(self):
        found = toy.maximise(planted((1.0, 0.8, -1.0)), ONE, KEY, images=2, steps=300)
        np.testing.assert_array_equal(found.features_ubn[0].argmax(axis=1), 0)
        assert found.features_ubn[0, :, 0].min() > 0.9

    def test_similarity_falls_as_the_weight_rises(self):
        similar = [
            float(
                dense(
                    toy.maximise(
                        planted((1.0, 0.8, -1.0)), ONE, KEY, weight=weight, images=2, steps=300
                    ).features_ubn[0]
                )
            )
            for weight in (0.0, 0.1, 1.0)
        ]
        assert similar[0] > similar[1] > similar[2]

    def test_mapped_over_neurons_as_one_by_one(self, toy_net):
        arguments = {"weight": 0.3, "on": "hidden", "images": 3, "steps": 40}
        unit_u = jnp.arange(3)
        together = toy.maximise(toy_net, unit_u, KEY, **arguments)
        again = toy.maximise(toy_net, unit_u, KEY, **arguments)
        np.testing.assert_array_equal(together.features_ubn, again.features_ubn)
        counted = toy.maximise(toy_net, unit_u, KEY, count_u=jnp.full(3, 3), **arguments)
        np.testing.assert_array_equal(together.features_ubn, counted.features_ubn)
        # The first key of a split does not depend on the number of keys, so that a unit
        # by itself has the start that it has as the first of several.
        turned = toy.maximise(toy_net, unit_u[::-1], KEY, **arguments)
        for unit, mapped in ((0, together), (2, turned)):
            alone = toy.maximise(toy_net, jnp.array([unit]), KEY, **arguments)
            np.testing.assert_allclose(alone.features_ubn[0], mapped.features_ubn[0], atol=1e-5)
            np.testing.assert_allclose(alone.value_ub[0], mapped.value_ub[0], atol=1e-5)
        assert abs(together.features_ubn[0] - turned.features_ubn[0]).max() > 0.01

    def test_a_batch_grows_to_the_number_of_facets(self):
        net = planted((1.0, 0.9, 0.8, -1.0))
        found, size_u = toy.grow(net, ONE, jax.random.key(1), weight=3.0, most=5)
        assert size_u.tolist() == [3]
        labels = np.asarray(found.features_ubn[0, :3].argmax(axis=1))
        assert set(labels.tolist()) == {0, 1, 2}
        np.testing.assert_array_equal(found.features_ubn[0, 3:], 0)

    def test_dead_neurons_show_nothing(self):
        for found in (
            toy.maximise(planted((-1, -2, -1)), ONE, KEY, weight=1.0, images=2, steps=300),
            toy.greedy(planted((-1, -2, -1)), ONE, KEY, most=3),
        ):
            np.testing.assert_array_equal(found.value_ub, 0)
            assert np.isfinite(found.features_ubn).all()
        _, size_u = toy.grow(planted((-1, -2, -1, -1)), ONE, KEY, weight=1.0, most=5)
        assert size_u.tolist() == [0]

    def test_an_output_shows_the_feature_that_it_recovers(self):
        """Neurons are inactive at the start: relus pass gradients in the first steps."""
        net = Model(4 * jnp.eye(5), jnp.full(5, -1.5), jnp.eye(5))
        found = toy.maximise(net, jnp.arange(5), KEY, of="output", images=2, steps=200)
        labels = np.asarray(found.features_ubn.argmax(axis=2))
        np.testing.assert_array_equal(labels, np.repeat(np.arange(5)[:, None], 2, axis=1))
        np.testing.assert_allclose(found.value_ub, 1, atol=0.05)

    def test_a_smooth_neuron_is_maximised_by_its_activation(self):
        """Gelu is not monotonic: at a feature of weight -1 it is below 0 and above its minimum."""
        net = planted((2.0, -1.0)).replace(b_k=jnp.array([0.0]), nonlinearity="gelu")
        found = toy.maximise(net, ONE, KEY, images=2, steps=300)
        np.testing.assert_array_equal(found.features_ubn[0].argmax(axis=1), 0)
        np.testing.assert_allclose(found.value_ub, 1, atol=1e-3)

    def test_signed_features_are_two_facets(self):
        """The absolute value: each output has a facet for each sign, and greedy finds both."""
        n = 3
        w_mk = jnp.concatenate([jnp.eye(n), -jnp.eye(n)], axis=1)
        model = Model(w_mk, jnp.full(2 * n, -0.1), jnp.tile(jnp.eye(n), (2, 1)))
        net = toy.of_features(model, World(jnp.eye(n), task="abs"))
        response_un = np.asarray(toy.responses(net, "output"))
        facet_un = facets.facets(response_un)
        np.testing.assert_array_equal(facet_un, np.tile(np.eye(n, dtype=bool), 2))
        found = toy.greedy(net, jnp.arange(n), KEY, of="output", most=4)
        value_ub = np.asarray(found.value_ub)
        labels = np.asarray(found.features_ubn.argmax(axis=2))
        score = facets.score(labels, value_ub >= facets.THRESHOLD, facet_un)
        np.testing.assert_array_equal(score.precision_u, 1)
        np.testing.assert_array_equal(score.recall_u, 1)

    def test_unknown_choices_are_rejected(self):
        for wrong in ({"on": "pixels"}, {"of": "layer"}):
            with pytest.raises(ValueError, match="is not one of"):
                toy.maximise(planted(), ONE, KEY, **wrong)


@pytest.fixture(scope="module")
def toy_net(toy):
    return _of_features(*toy())


def _of_features(model, world):
    return toy.of_features(model, world)


@pytest.mark.parametrize("name", ["half_linear"])
def test_greedy_finds_the_features_of_planted_networks(name):
    """Greedy visualisation shows exactly the features that each planted neuron responds to."""
    net = LADDER[name]()
    of_features = toy.of_features(net.model, net.world)
    facet_un = facets.facets(np.asarray(toy.responses(of_features)))
    found = toy.greedy(of_features, jnp.arange(len(net.strongest_k)), KEY, most=facet_un.shape[1])
    labels = np.asarray(found.features_ubn.argmax(axis=2))
    score = facets.score(labels, np.asarray(found.value_ub) >= facets.THRESHOLD, facet_un)
    np.testing.assert_array_equal(score.found_u, facet_un.sum(axis=1))
    np.testing.assert_array_equal(score.invented_u, 0)


class TestConnections:
    def test_five_and_five(self):
        found = connections.connections(np.array([5]), np.array([5]), np.array([[0.3]]))
        assert found[:5] == (25, 25, 25, 25, 25)

    def test_monosemantic_neurons_have_one_and_dead_ones_none(self):
        found = connections.connections(np.array([1, 1, 0]), np.array([1, 0]), np.ones((3, 2)))
        assert found == (1, 1, 1, 1, 1, 2)

    def test_weights_count(self):
        found = connections.connections(np.array([1, 3]), np.array([2]), np.array([[3.0], [1.0]]))
        assert (found.mean, found.weighted_mean) == (4, 3)

    def test_nothing_alive(self):
        found = connections.connections(np.array([0]), np.array([1]), np.ones((1, 1)))
        assert np.isnan(found[:5]).all()
        assert found.dead == 1

    def test_through_neurons_of_planted_networks(self):
        of = {name: build() for name, build in LADDER.items()}
        mono = connections.through_neurons(of["monosemantic"].model, of["monosemantic"].world)
        assert mono == (1, 1, 1, 1, 1, 0)
        # Each neuron of the pentagon responds to three features and drives one output.
        five = connections.through_neurons(of["pentagon"].model, of["pentagon"].world)
        assert five[:5] == (3, 3, 3, 3, 3)
        dead = connections.through_neurons(of["dead"].model, of["dead"].world)
        assert np.isnan(dead.median)
        assert dead.dead == 6

    def test_virtual_weights_are_the_outputs_for_single_features(self, toy):
        model, world = toy()
        expected_nn = model(world.embed_nm) @ TASKS[world.task].readouts(world).T
        found_nn = connections.virtual_weights(model, world)
        np.testing.assert_allclose(found_nn, expected_nn, atol=1e-5)
        assert connections.diagonal_share(np.eye(3)) == 1


class TestBaselines:
    def test_centroids_of_two_groups(self):
        rng = np.random.default_rng(0)
        group_b = np.repeat([0, 1], 20)
        examples_bd = np.eye(4)[group_b] + 0.01 * rng.uniform(size=(40, 4))
        found = baselines.centroids(examples_bd, examples_bd, np.ones(40), 2)
        assert set(found.argmax(axis=1)) == {0, 1}

    def test_fewer_distinct_examples_than_clusters(self):
        examples_bd = np.repeat(np.eye(2), 3, axis=0)
        found = baselines.centroids(examples_bd, examples_bd, np.ones(6), 3)
        assert found.shape == (3, 2)
        assert {0, 1} == set(found.argmax(axis=1))

    def test_too_few_examples(self):
        with pytest.raises(ValueError, match="3 of 2 examples"):
            baselines.top_examples(np.ones((2, 1)), 3)
