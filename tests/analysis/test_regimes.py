"""Regimes of features: hand examples, planted networks, the expected loss, edges of regressions."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import planted
import pytest
from scipy.optimize import minimize

from toymono import Config, Hyperparams, Model, World, features, models
from toymono.analysis import connectivity
from toymono.analysis.regimes import Edge, edge, regimes

ALONE = jnp.zeros((4096, 1))
"""Inputs without other features; their number makes the mean over amplitudes an integral."""


def of(network: planted.Planted):
    n = network.world.embed_nm.shape[0]
    return regimes(network.model, network.world, jnp.broadcast_to(ALONE, (len(ALONE), n)))


def test_an_identity_serves_all_features():
    eye = jnp.eye(5)
    found = regimes(Model(eye, jnp.zeros(5), eye), World(eye), jnp.ones((8, 5)))
    assert found.regime_n.tolist() == [0] * 5
    assert found.served_n.all()
    np.testing.assert_allclose(found.recovery_n, 1, atol=1e-6)
    np.testing.assert_allclose(found.interference_n, 0, atol=1e-6)
    np.testing.assert_allclose(found.capacity_n, 1)
    np.testing.assert_allclose(found.best_n, 1)


def test_a_dead_network_ignores_all_features():
    found = of(planted.dead())
    assert found.regime_n.tolist() == [2] * 4
    assert not found.served_n.any()
    np.testing.assert_allclose(found.recovery_n, 0, atol=1e-6)
    np.testing.assert_allclose(found.best_n, 0)


def test_antipodal_features_are_served_above_their_threshold():
    """The output is 2 relu(f - 1/2): the mean squared error is 1/24 + 1/24, that of 0 is 1/3."""
    found = of(planted.antipodal())
    assert found.regime_n.tolist() == [0] * 4
    np.testing.assert_allclose(found.recovery_n, 3 / 4, atol=1e-4)
    np.testing.assert_allclose(found.interference_n, 0, atol=1e-6)


def test_an_opposite_feature_that_is_always_present_silences_its_pair():
    """With f_1 = 1 the input of neuron 0 is f_0 - 1, below its threshold: R_0 = 0, yet it counts
    as served. Neuron 1 then outputs 2 relu(1/2 - f_0).
    """
    network = planted.antipodal()
    others_bn = jnp.broadcast_to(jnp.array([0.0, 1.0, 0.0, 0.0]), (4096, 4))
    found = regimes(network.model, network.world, others_bn)
    np.testing.assert_allclose(found.recovery_n[0], 0, atol=1e-4)
    assert found.regime_n[0] == 0


def test_linear_neurons_make_features_polysemantic():
    """The mean of two features as the output of both: on one alone the error is f/2, R = 3/4.

    A feature that the neurons do not read is ignored, though they fire all the time.
    """
    w_mk = jnp.array([[0.5], [0.5], [0.0]])
    model = Model(w_mk, jnp.array([10.0]), jnp.array([[1.0, 1.0, 0.0]]))
    # The bias is taken away by a neuron that reads nothing.
    model = model.replace(
        w_mk=jnp.concatenate([w_mk, jnp.zeros((3, 1))], 1),
        b_k=jnp.array([10.0, 10.0]),
        w_ko=jnp.array([[1.0, 1.0, 0.0], [-1.0, -1.0, 0.0]]),
    )
    found = regimes(model, World(jnp.eye(3)), jnp.broadcast_to(ALONE, (len(ALONE), 3)))
    assert found.regime_n.tolist() == [1, 1, 2]
    np.testing.assert_allclose(found.recovery_n, [3 / 4, 3 / 4, 0], atol=1e-4)


@pytest.mark.parametrize("feature_law", ["equal", "power_law"])
def test_the_terms_add_up_to_the_expected_loss(feature_law):
    config = Config(n=12, m=4, k=10, feature_law=feature_law, batch_size=50_000)
    hyperparams = Hyperparams(eps=0.25)
    world_key, model_key, sample_key = jax.random.split(jax.random.key(3), 3)
    model, world = models.init(config, 0.1, model_key), features.build(config, world_key)
    samples = features.sample(config, hyperparams, sample_key)
    found = regimes(model, world, samples[:20_000])
    p_n = np.asarray(features.frequencies(config, hyperparams))
    expected = p_n * (1 - found.recovery_n) / 3 + (1 - p_n) * found.interference_n
    sampled = connectivity.loss(model, world, samples)
    error_b = ((model(world.inputs(samples)) - samples) ** 2).sum(axis=1)
    standard_error = float(error_b.std()) * (1 / 50_000 + 1 / 20_000) ** 0.5
    assert abs(float(expected.sum() - sampled)) < 4 * standard_error
    assert standard_error < 0.01 * sampled


@pytest.mark.parametrize("task", ["abs", "reproject"])
def test_tasks_whose_outputs_are_no_features_are_refused(task):
    config = Config(task, n=6, m=4, k=3)
    world, model = (
        features.build(config, jax.random.key(0)),
        models.init(config, 0.0, jax.random.key(1)),
    )
    with pytest.raises(ValueError, match=f"^task={task}: regimes are of features that are outputs"):
        regimes(model, world, jnp.zeros((2, 6)))


# Edges.

POWER = np.arange(1, 41) ** -1.1


def test_an_edge_between_two_ranks():
    assert edge(np.arange(40) < 10, POWER) == Edge(pytest.approx(110**0.5), 0.0, 1)
    assert edge(np.arange(40) >= 10, POWER) == Edge(pytest.approx(110**0.5), 0.0, -1)


@pytest.mark.parametrize(("served", "half"), [(True, 40.5), (False, 0.5)])
def test_none_or_all(served, half):
    found = edge(np.full(40, served), POWER)
    assert (found.half_rank, found.direction) == (half, 0)
    assert np.isnan(found.width)


def test_equal_frequencies_have_no_edge():
    found = edge(np.arange(40) < 10, np.full(40, 0.1))
    assert np.isnan(found.half_rank)
    assert np.isnan(found.width)


def test_rising_frequencies_are_refused():
    with pytest.raises(ValueError, match=r"^frequency_n rises"):
        edge(np.arange(40) < 10, POWER[::-1])


@pytest.mark.parametrize("reverse", [False, True])
def test_the_fit_is_the_maximum_of_the_likelihood(reverse):
    served_n = np.random.default_rng(0).uniform(size=40) < 1 / (1 + np.arange(1, 41) / 15)
    served_n = served_n ^ reverse
    log_n = np.log(POWER)

    def cost(line):
        logit_n = line[0] * log_n + line[1]
        return np.logaddexp(0, np.where(served_n, -logit_n, logit_n)).sum()

    slope, offset = minimize(cost, [0.0, 0.0], tol=1e-12).x
    found = edge(served_n, POWER)
    assert found.direction == np.sign(slope) == (-1 if reverse else 1)
    assert found.width == pytest.approx(1 / abs(slope), rel=1e-3)
    # Under the power law log rank is linear in log frequency.
    assert found.half_rank == pytest.approx(np.exp(offset / slope / 1.1), rel=1e-2)


def test_clipped_frequencies_share_their_ranks():
    frequency_n = np.minimum(POWER * 3, 1)  # the first two are always present
    served_n = np.arange(40) % 2 == 0
    found = edge(served_n, frequency_n)
    assert 0.5 <= found.half_rank <= 40.5


def test_a_network_that_is_stacked_is_refused():
    network = planted.antipodal()
    stacked = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), network.model)
    network = dataclasses.replace(network, model=stacked)
    with pytest.raises((AssertionError, TypeError)):
        of(network)
