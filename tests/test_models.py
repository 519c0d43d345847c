"""The network: how it starts, what its neurons compute."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from toymono import Config, Hyperparams, Model, World, scores
from toymono.fields import TOY_CONFIG
from toymono.models import MODELS, NONLINEARITIES, TiedModel, init, parameters, permute
from toymono.tasks import TASKS


@pytest.fixture(scope="module")
def paper_model():
    return init(Config(n=512, m=64, k=1024), -1.0, jax.random.key(0))


def test_norms_of_the_papers_model_at_the_start(paper_model):
    assert jnp.linalg.norm(paper_model.w_mk) == pytest.approx(18.5, abs=0.15)
    assert jnp.linalg.norm(paper_model.w_ko) == pytest.approx(13.1, abs=0.1)
    assert jnp.linalg.norm(paper_model.b_k) == pytest.approx(32, abs=0.5)
    assert jnp.linalg.norm(paper_model.b_k + 1) == pytest.approx(2.3, abs=0.1)


def test_weights_start_uniform_as_in_torch(paper_model):
    for weights, middle, fan_in in (
        (paper_model.w_mk, 0, 64),
        (paper_model.b_k, -1, 64),
        (paper_model.w_ko, 0, 1024),
    ):
        scaled = np.asarray((weights - middle) * math.sqrt(fan_in)).ravel()
        assert abs(scaled).max() <= 1 + 1e-5
        assert scipy.stats.kstest(scaled[:10_000], "uniform", (-1, 2)).pvalue > 1e-3


def test_an_output_has_the_size_of_the_task(key):
    for task, o in (("decoder", 8), ("reproject", 4), ("abs", 8)):
        model = init(Config(task, n=8, m=4, k=6), 0.0, key)
        assert model(jnp.ones((3, 4))).shape == (3, o)
        assert model(jnp.ones(4)).shape == (o,)


@given(x=st.floats(-5, 5))
def test_nonlinearities_are_those_of_the_program(x):
    wanted = {
        "relu": max(x, 0),
        "gelu": x * (1 + scipy.special.erf(x / math.sqrt(2))) / 2,
        "solu": x * math.exp(x),
        "tent": max(0, x) if x < 1 else max(0, 2 - x),
    }
    for name, nonlinearity in NONLINEARITIES.items():
        assert nonlinearity.function(jnp.float32(x)) == pytest.approx(
            wanted[name], rel=1e-5, abs=1e-6
        )


def test_every_choice_of_the_field_has_a_nonlinearity():
    assert list(NONLINEARITIES) == list(TOY_CONFIG["nonlinearity"].choices)


def test_piecewise_linear_functions_bend_at_their_breaks_alone():
    x = jnp.linspace(-2, 3, 501)
    for nonlinearity in NONLINEARITIES.values():
        slope = jax.vmap(jax.grad(nonlinearity.function))(x + 1 / 256)
        bend = x[1:][abs(jnp.diff(slope)) > 1e-6]
        if nonlinearity.piecewise_linear:
            np.testing.assert_allclose(bend, nonlinearity.breaks, atol=0.011)
        else:
            assert len(bend) > 100


def test_gelu_has_its_exact_minimum():
    x = jnp.linspace(-1, -0.5, 5001)
    y = NONLINEARITIES["gelu"].function(x)
    assert x[y.argmin()] == pytest.approx(-0.7518, abs=2e-3)
    assert y.min() == pytest.approx(-0.1700, abs=5e-5)


def test_a_network_by_hand():
    model = Model(
        w_mk=jnp.array([[1.0, -1.0, 0.0], [0.0, 2.0, 1.0]]),
        b_k=jnp.array([-1.0, 0.5, 0.0]),
        w_ko=jnp.array([[1.0, 0.0], [0.0, 1.0], [10.0, 10.0]]),
    )
    x_bm = jnp.array([[3.0, 1.0], [0.0, -1.0]])
    np.testing.assert_allclose(model.neurons(x_bm), [[2, 0, 1], [0, 0, 0]])
    np.testing.assert_allclose(model(x_bm), [[12, 10], [0, 0]])
    solu = model.replace(nonlinearity="solu")
    np.testing.assert_allclose(
        solu.neurons(x_bm)[1], [-math.exp(-1), -1.5 * math.exp(-1.5), -math.exp(-1)], rtol=1e-6
    )


def test_the_nonlinearity_is_not_a_leaf(key):
    model = init(Config(n=8, m=4, k=6, nonlinearity="solu"), 0.0, key)
    assert len(jax.tree.leaves(model)) == 3
    assert jax.tree.map(lambda leaf: leaf, model).nonlinearity == "solu"


def test_parameters_are_the_leaves_of_a_model(key):
    for task, name in [*itertools.product(TASKS, ("two_layer", "skip")), ("identity", "tied")]:
        config = Config(task, n=8, m=4, k=6, model=name)
        model = MODELS[name].init(config, Hyperparams(), key)
        count = sum(leaf.size for leaf in jax.tree.leaves(model))
        assert MODELS[name].parameters(config) == count
        hidden = model.neurons(jnp.ones(TASKS[task].inputs(config)))
        assert hidden.shape == (MODELS[name].neurons(config),)
    assert parameters(Config(n=8, m=4, k=6)) == 24 + 6 + 48


def test_permuted_neurons_compute_the_same_outputs(key):
    model = init(Config(n=8, m=4, k=6, nonlinearity="gelu"), -0.1, key)
    order_k, x_bm = jnp.array([3, 1, 5, 0, 2, 4]), jax.random.normal(key, (5, 4))
    permuted = permute(model, order_k)
    np.testing.assert_array_equal(permuted.neurons(x_bm), model.neurons(x_bm)[:, order_k])
    np.testing.assert_allclose(permuted(x_bm), model(x_bm), atol=1e-6)
    assert permuted.nonlinearity == "gelu"


# The tied model.

TIED = Config("identity", n=6, m=2, model="tied")


def test_a_tied_model_by_hand():
    model = TiedModel(jnp.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0]]), jnp.array([0.0, 0.5, -1]))
    x_bn = jnp.array([[0.5, 0.0, 0.0], [0.0, 0.5, 1.0]])
    np.testing.assert_allclose(model.neurons(x_bn), [[0.5, 0], [-0.5, 2]])
    np.testing.assert_allclose(model(x_bn), [[0.5, 0, 0], [0, 1, 3]])
    np.testing.assert_allclose(model.replace(nonlinearity="gelu")(x_bn)[0, 1], 0, atol=1e-6)


def test_a_tied_model_starts_as_xavier_says():
    config = Config("identity", n=400, m=100, model="tied")
    for scale in (1.0, 0.25):
        hyperparams = Hyperparams(init_scale=scale, init_bias=-0.5)
        model = MODELS["tied"].init(config, hyperparams, jax.random.key(0))
        deviation = scale * math.sqrt(2 / 500)
        assert abs(model.w_nm.std() / deviation - 1) < 4 / math.sqrt(2 * 40_000)
        assert scipy.stats.kstest(np.ravel(model.w_nm) / deviation, "norm").pvalue > 1e-3
        assert (model.b_n == -0.5).all()


def test_the_neurons_of_a_tied_model_are_its_hidden_dimensions(key):
    """Five directions at equal angles: the capacity is the published dimensionality, 2/5."""
    angle_n = 2 * np.pi * np.arange(5) / 5
    model = TiedModel(jnp.stack([jnp.cos(angle_n), jnp.sin(angle_n)], axis=1), jnp.zeros(5))
    world = World(jnp.eye(5), task="identity")
    np.testing.assert_allclose(scores.responses(model, world), model.w_nm.T)
    np.testing.assert_allclose(scores.capacity(scores.feature_weights(model, world)), 2 / 5, 1e-5)
    several = scores.multi_feature_monosemanticity(model, world, 2, key)
    assert several.monosemanticity_k.shape == (2,)


def test_an_analysis_of_neurons_refuses_a_tied_model(key):
    model, world = MODELS["tied"].init(TIED, Hyperparams(), key), World(jnp.eye(6), task="identity")
    with pytest.raises(ValueError, match="a tied model has no hidden layer to analyse"):
        scores.assert_one_model(model, world)
    stacked = jax.tree.map(lambda leaf: leaf[None], model)
    with pytest.raises(AssertionError, match="rank"):
        scores.responses(stacked, world)


def test_a_tied_model_has_the_identity_for_its_task():
    with pytest.raises(ValueError, match=r"^task=abs: model=tied has the task identity alone$"):
        Config("abs", model="tied")


def test_stacked_models_are_refused(key):
    model = init(Config(n=8, m=4, k=6), 0.0, key)
    stacked = jax.tree.map(lambda leaf: leaf[None], model)
    for function in (lambda: permute(stacked, jnp.arange(6)), lambda: stacked(jnp.ones((3, 4)))):
        with pytest.raises(AssertionError, match="rank"):
            function()
