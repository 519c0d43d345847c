"""Tasks: inputs, targets, read-outs, and the loss of an output of zero against samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toymono import Config, Hyperparams, World, features
from toymono.fields import TOY_CONFIG
from toymono.tasks import TASKS

PAPER = {"n": 512, "m": 64}


def test_every_choice_of_the_field_has_a_record():
    assert list(TASKS) == list(TOY_CONFIG["task"].choices)


def test_inputs_and_targets_by_hand():
    embed_nm = jnp.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    features_bn = jnp.array([[0.5, 0.0, -0.5], [1.0, 1.0, 0.0]])
    decoder, absolute = World(embed_nm), World(embed_nm, task="abs")
    reproject = World(embed_nm, -2 * embed_nm, task="reproject")
    for world in (decoder, absolute, reproject):
        np.testing.assert_allclose(world.inputs(features_bn), [[0.2, -0.4], [1, 1]], rtol=1e-6)
    np.testing.assert_array_equal(decoder.targets(features_bn), features_bn)
    np.testing.assert_array_equal(absolute.targets(features_bn), [[0.5, 0, 0.5], [1, 1, 0]])
    np.testing.assert_allclose(reproject.targets(features_bn), [[-0.4, 0.8], [-2, -2]], rtol=1e-6)


def test_a_reprojector_without_a_second_embedding_is_refused():
    with pytest.raises(ValueError, match=r"^task='reproject' needs World.reproject_nm"):
        World(jnp.eye(2), task="reproject").targets(jnp.ones((1, 2)))


@pytest.mark.parametrize("task", TASKS)
def test_sizes_and_signs(task):
    config, record = Config(task, n=12, m=4, k=8, batch_size=256), TASKS[task]
    world = features.build(config, jax.random.key(0))
    assert (world.reproject_nm is not None) == record.second_embedding
    features_bn = features.sample(config, Hyperparams(eps=0.5), jax.random.key(1))
    assert bool((features_bn < 0).any()) == record.signed
    target_bo = world.targets(features_bn)
    assert target_bo.shape == (256, record.outputs(config))
    assert record.reads_features == (record.outputs(config) == 12)


@pytest.mark.parametrize("task", TASKS)
def test_a_readout_recovers_the_amplitude_of_a_single_feature(task):
    world = features.build(Config(task, n=12, m=4), jax.random.key(0))
    readout_no = TASKS[task].readouts(world)
    np.testing.assert_allclose(jnp.linalg.norm(readout_no, axis=1), 1, rtol=1e-5)
    target_no = world.targets(0.5 * jnp.eye(12))
    np.testing.assert_allclose((target_no * readout_no).sum(axis=1), 0.5, rtol=1e-5)


def test_signed_features_respond_with_both_signs():
    x_bd = jnp.array([[1.0, -2.0]])
    for task, total in (("decoder", [[1, 0]]), ("reproject", [[1, 0]]), ("abs", [[1, 2]])):
        assert TASKS[task].sum_over_signs(jax.nn.relu, x_bd).tolist() == total


# The loss of an output of zero.


def sampled_zero_losses(config, hyperparams, world):
    features_bn = features.sample(config, hyperparams, jax.random.key(3))
    return (world.targets(features_bn) ** 2).sum(axis=1)


@pytest.mark.parametrize("eps", [1 / 64, 0.5, 1.0])
@pytest.mark.parametrize("law", TOY_CONFIG["feature_law"].choices)
@pytest.mark.parametrize("task", TASKS)
def test_the_zero_loss_is_that_of_samples(task, law, eps):
    """At eps 0.5 and 1 features overlap and a power law is clipped."""
    config = Config(task, n=24, m=6, feature_law=law, batch_size=2**14)
    hyperparams, world = Hyperparams(eps=eps), features.build(config, jax.random.key(1))
    loss_b = sampled_zero_losses(config, hyperparams, world)
    expected = TASKS[task].zero_loss(config, hyperparams, world)
    assert expected.shape == ()
    assert abs(loss_b.mean() - expected) < 4 * loss_b.std() / np.sqrt(config.batch_size)


def test_the_zero_loss_includes_the_products_of_features():
    """All features point the same way: E (sum of 8 uniforms)² is 8/12 + 4², not 8/3."""
    config = Config("reproject", n=8, m=1)
    world = World(jnp.ones((8, 1)), jnp.ones((8, 1)), task="reproject")
    loss = TASKS["reproject"].zero_loss(config, Hyperparams(eps=1.0), world)
    assert loss == pytest.approx(8 / 12 + 16)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({}, 2.667), ({"feature_law": "power_law"}, 2.490), ({"task": "abs"}, 2.651)],
    ids=["decoder", "power law", "abs"],
)
def test_the_zero_loss_at_the_papers_sizes(fields, expected):
    config = Config(**PAPER, **fields)
    world = World(jnp.zeros((512, 64)), task=config.task)
    loss = TASKS[config.task].zero_loss(config, Hyperparams(eps=1 / 64), world)
    assert loss == pytest.approx(expected, abs=5e-4)
