"""What decides the precision of numbers: the lab itself, whatever JAX is configured to."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toymono import Config, Hyperparams, advance, begin, fit, precision, scores
from toymono.analysis import ablation, class_responses, kinks, parts
from toymono.classifiers import train as training
from toymono.classifiers.config import ClassifierConfig, ClassifierHyperparams
from toymono.fields import TOY_CONFIG
from toymono.frames import parts as part_frames
from toymono.frames import penalty as penalty_frames
from toymono.frames import summary
from toymono.frames import toy as toy_frames

# Matrix products.


def equations(jaxpr):
    """Those of a jaxpr, at any depth."""
    for equation in jaxpr.eqns:
        yield equation
        for parameter in jax.tree.leaves(equation.params):
            inner = getattr(parameter, "jaxpr", parameter)
            if hasattr(inner, "eqns"):
                yield from equations(inner)


def precisions(function, *args):
    """Those of all matrix products and convolutions of a function."""
    jaxpr = jax.make_jaxpr(function)(*args).jaxpr
    products = ("dot_general", "conv_general_dilated")
    return [e.params["precision"] for e in equations(jaxpr) if e.primitive.name in products]


def names(precisions_):
    """Of both sides of every product; None is JAX's default."""
    return {side and side.name for pair in precisions_ for side in pair or (None,)}


@pytest.mark.parametrize("task", list(TOY_CONFIG["task"].choices))
@pytest.mark.parametrize("default", [None, "bfloat16", "float32"])
def test_the_config_alone_decides_how_precise_training_is(points, key, task, default):
    wanted = {"float32": "HIGHEST", "tensorfloat32": "HIGH", "bfloat16": "DEFAULT"}
    config = Config(task, 16, 4, 24, penalty="multi_feature")
    world, state = begin(config, points[0], key)
    for word in TOY_CONFIG["matmul_precision"].choices:
        config = dataclasses.replace(config, matmul_precision=word)
        with jax.default_matmul_precision(default):
            found = precisions(advance, config, points[0], world, state, 1)
        assert len(found) >= 8
        assert names(found) == {wanted[word]}


FEATURES_BN, AMPLITUDE_B = jnp.ones((3, 12)), jnp.linspace(0, 1, 3)

MEASURES = {
    "responses": scores.responses,
    "feature_weights": scores.feature_weights,
    "capacity": lambda model, world: scores.capacity(model.w_mk),
    "several": lambda model, world: scores.multi_feature_monosemanticity(
        model, world, 2, jax.random.key(0)
    ),
    "by_score": parts.by_score,
    "along": lambda model, world: parts.along(model, world, 0, AMPLITUDE_B),
    "linearise": parts.linearise,
    "linearisation_error": lambda model, world: parts.linearisation_error(
        model, world, FEATURES_BN
    ),
    "identity_similarity": lambda model, world: parts.identity_similarity(
        parts.linearise(model, world).map_on, world
    ),
    "kinks": lambda model, world: kinks.kinks(model, world, 0)(AMPLITUDE_B),
    "own_kinks": lambda model, world: kinks.own_kinks(model, world, 0),
    "part_losses": lambda model, world: penalty_frames._part_losses(
        Config(world.task, 12, 4, 10, batch_size=3), Hyperparams(), world, model, jax.random.key(0)
    ),
    "mean_outputs": lambda model, world: penalty_frames._mean_outputs(model, world, AMPLITUDE_B),
    "feature_output": lambda model, world: part_frames._feature_output(
        model, world, 0, AMPLITUDE_B
    ),
    "poly_map": part_frames._poly_map,
    "mono_neurons": part_frames._mono_neurons,
    "anatomy": summary.anatomy,
    "neurons": toy_frames._neurons,
    "features": toy_frames._features,
}


@pytest.mark.parametrize("task", list(TOY_CONFIG["task"].choices))
@pytest.mark.parametrize("measure", MEASURES)
def test_scores_are_precise_by_themselves(toy, measure, task):
    with jax.default_matmul_precision("bfloat16"):
        found = precisions(MEASURES[measure], *toy(task))
    assert found
    assert names(found) == {"HIGHEST"}


@pytest.mark.parametrize("name", ["mlp", "cnn"])
@pytest.mark.parametrize("default", [None, "bfloat16"])
def test_classifier_training_and_scores_are_precise_by_themselves(digits, key, name, default):
    config = ClassifierConfig(network=name, sizes=(4, 6), batch_size=32)
    state = training.begin(config, ClassifierHyperparams(), digits, key)
    network_and_examples = (state.params, digits.test_bhw, digits.test_label_b)
    accuracies = functools.partial(ablation._accuracies, config, 1)
    with jax.default_matmul_precision(default):
        by_part = {
            "training": precisions(
                training.advance, config, ClassifierHyperparams(), digits, state, 0
            ),
            "responses": precisions(
                functools.partial(class_responses.responses, config), *network_and_examples
            ),
            "ablations": precisions(accuracies, *network_and_examples, jnp.ones((3, 6))),
        }
    assert {part: names(found) for part, found in by_part.items()} == {
        part: {"HIGHEST"} for part in by_part
    }
    # 3 layers forward and 5 gradients, and 3 layers on the test examples.
    assert len(by_part["training"]) == 11


# Double precision.


@pytest.mark.parametrize("kind", ["none", "soft_random_amplitude", "multi_feature"])
@pytest.mark.parametrize("task", list(TOY_CONFIG["task"].choices))
def test_a_seed_means_the_same_run_where_jax_knows_float64(task, kind):
    config = Config(task, 16, 4, 24, "relu", "power_law", kind, batch_size=8, log2_steps=2)
    with jax.enable_x64(True):
        trained = jax.make_jaxpr(fit)(config, Hyperparams(eps=0.5), jax.random.key(0))
    drawn = {
        equation.params["bit_width"]
        for equation in equations(trained.jaxpr)
        if equation.primitive.name == "random_bits"
    }
    assert drawn == {32}
    assert {str(aval.dtype) for aval in trained.out_avals} == {"float32", "key<fry>"}


# bfloat16.


@pytest.mark.parametrize("task", list(TOY_CONFIG["task"].choices))
def test_bfloat16_stores_the_operands_of_every_product_so(key, task):
    for word in ("float32", "bfloat16"):
        config = Config(
            task, 16, 4, 24, penalty="soft", batch_size=8, log2_steps=2, matmul_precision=word
        )
        world, state = begin(config, Hyperparams(), key)
        jaxpr = jax.make_jaxpr(advance)(config, Hyperparams(), world, state, 1).jaxpr
        products = [e for e in equations(jaxpr) if e.primitive.name == "dot_general"]
        assert len(products) >= 5
        for product in products:
            assert {str(side.aval.dtype) for side in product.invars} == {word}
            assert {str(out.aval.dtype) for out in product.outvars} == {"float32"}


@pytest.mark.parametrize("shape", [(3, 8), (2, 3, 8), (8,)])
def test_bfloat16_products_and_gradients_are_those_of_rounded_operands(shape):
    rng = np.random.default_rng(0)
    x_bd, w_de, g_be = (
        jnp.asarray(rng.normal(size=size), jnp.float32)
        for size in (shape, (8, 5), (*shape[:-1], 5))
    )
    rounded = [np.asarray(a.astype(jnp.bfloat16), np.float64) for a in (x_bd, w_de, g_be)]
    x, w, g = rounded
    with jax.default_matmul_precision("bfloat16"):
        y_be, pull = jax.vjp(precision.product, x_bd, w_de)
        gradients = pull(g_be)
    wanted = x @ w, g @ w.T, x.reshape(-1, 8).T @ g.reshape(-1, 5)
    for found, exact in zip((y_be, *gradients), wanted, strict=True):
        assert found.shape == exact.shape
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found, exact, rtol=1e-5, atol=1e-5)
    assert abs(y_be - x_bd @ w_de).max() > 1e-4


def test_other_precisions_leave_products_as_they_are():
    x_bd, w_de = jnp.ones((3, 8)), jnp.ones((8, 5))
    plain = str(jax.make_jaxpr(lambda x, w: x @ w)(x_bd, w_de))
    assert str(jax.make_jaxpr(precision.product)(x_bd, w_de)) == plain
