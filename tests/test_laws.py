"""Laws that hold for every score and analysis of one model, tested over one table.

`LAWS` has an entry for each public function: the axes of its result, its bounds,
the transformations of the model under which it transforms as the axes say, and,
where there is a formula, a brute-force version in plain numpy (float64).
"""

import functools
import inspect
import math

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from laws import CASES, LAWS
from random_networks import DEAD, FEATURES, NETWORKS, NEURONS, RESCALING, VMAP, K, M, N, network

from toymono import scores
from toymono.analysis import (
    ablation,
    class_responses,
    clusters,
    coherence,
    kinks,
    parts,
    regimes,
)
from toymono.tasks import TASKS


def test_the_table_is_complete():
    """Every public function is in it, but for those of several networks or of a classifier."""
    modules = (scores, parts, kinks, clusters, coherence, class_responses, ablation, regimes)
    public = {
        f"{module.__name__}.{name}".removeprefix("toymono.")
        for module in modules
        for name, member in vars(module).items()
        if inspect.isroutine(inspect.unwrap(member))
        and getattr(member, "__module__", None) == module.__name__
        and not name.startswith("_")
    }
    in_table = {
        f"{law.function.__module__}.{law.function.__name__}".removeprefix("toymono.")
        for law in LAWS.values()
    }
    assert public - in_table == {
        "scores.assert_one_model",  # what refuses a stack
        "scores.refuse_skip",
        "scores.response_curves",  # needs a feature for each neuron
        "analysis.clusters.shuffled",
        "analysis.clusters.clusterability",
        "analysis.clusters.clusterabilities",
        "analysis.class_responses.responses",
        "analysis.ablation.ablate_clusters",
        "analysis.regimes.check_task",
        "analysis.regimes.edge",
    }


# Transformations of a network.

ORDER_K = np.random.default_rng(0).permutation(K)
ORDER_N = np.random.default_rng(1).permutation(N)


def permute_neurons(model, world):
    permuted = model.replace(
        w_mk=model.w_mk[:, ORDER_K], b_k=model.b_k[ORDER_K], w_ko=model.w_ko[ORDER_K]
    )
    return permuted, world


def permute_features(model, world):
    if TASKS[world.task].reads_features:
        model = model.replace(w_ko=model.w_ko[:, ORDER_N])
    return model, jax.tree.map(lambda array_nm: array_nm[ORDER_N], world)


def add_dead_neuron(model, world):
    """Its threshold is far above what its weights can reach."""
    added = model.replace(
        w_mk=jnp.concatenate([model.w_mk, jnp.ones((M, 1))], axis=1),
        b_k=jnp.append(model.b_k, -100.0),
        w_ko=jnp.concatenate([model.w_ko, jnp.ones((1, model.w_ko.shape[1]))]),
    )
    return added, world


def rescale(model, world):
    """Relu neurons with c > 0 times the inputs and 1/c times the outputs."""
    scale_k = jnp.asarray(np.random.default_rng(2).uniform(0.5, 2, K), jnp.float32)
    rescaled = model.replace(
        w_mk=model.w_mk * scale_k[None],
        b_k=model.b_k * scale_k,
        w_ko=model.w_ko / scale_k[:, None],
    )
    return rescaled, world


@functools.partial(jax.jit, static_argnums=0)
def compiled(kind, model, world):
    """All traced values of a model, in one program."""
    return {
        name: LAWS[name].compute(model, world)
        for name, of in CASES
        if of == kind and LAWS[name].traced
    }


@functools.partial(jax.jit, static_argnums=0)
@functools.partial(jax.vmap, in_axes=(None, 0, 0))
def compiled_together(kind, model, world):
    return compiled(kind, model, world)


@functools.cache
def traced_values(kind, transform=lambda *network: network, seed=0):
    return compiled(kind, *transform(*network(kind, seed)))


@functools.cache
def values_together(kind):
    stack = lambda *arrays: jnp.stack(arrays)  # noqa: E731
    return compiled_together(kind, *jax.tree.map(stack, network(kind, 0), network(kind, 1)))


def value(name, kind, transform=lambda *network: network, seed=0):
    """Arrays of the result of one function, for a transformed network."""
    if LAWS[name].traced:
        return arrays_of(traced_values(kind, transform, seed)[name])
    return arrays_of(LAWS[name].compute(*transform(*network(kind, seed))))


def arrays_of(tree):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def axes_of(name, kind):
    """For each array of the result the letters of its axes, and that of its values' indices."""
    reads_features = TASKS[NETWORKS[kind][0]].reads_features
    found = []
    for text in LAWS[name].axes.split(","):
        letters, _, indexed = text.partition("->")
        letters = ["n" if axis == "o" and reads_features else axis for axis in letters.split()]
        found.append((letters, indexed.strip()))
    return found


def assert_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        if np.issubdtype(one.dtype, np.inexact):
            np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5)
        else:
            np.testing.assert_array_equal(one, other)


def permuted(arrays, axes, letter, order):
    """What arrays become if the things that a letter stands for are permuted."""
    expected = []
    for array, (letters, indexed) in zip(arrays, axes, strict=True):
        for axis, name in enumerate(letters):
            if name == letter:
                array = array.take(order, axis)
        if indexed == letter:
            array = np.where(array < 0, array, np.argsort(order)[array])
        expected.append(array)
    return expected


def cases(law):
    return pytest.mark.parametrize(
        ("name", "kind"), [case for case in CASES if law in LAWS[case[0]].under]
    )


# The laws.


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_networks_have_neurons_of_every_class(kind):
    classes = scores.classify_neurons(scores.responses(*network(kind)))
    assert classes.dead_k.sum() == 1
    assert classes.monosemantic_k.sum() >= 3
    assert classes.polysemantic_k.sum() >= 3


@cases(NEURONS)
def test_permuting_neurons_permutes_the_result(name, kind):
    expected = permuted(value(name, kind), axes_of(name, kind), "k", ORDER_K)
    assert_same(value(name, kind, permute_neurons), expected)


@cases(FEATURES)
def test_permuting_features_permutes_the_result(name, kind):
    expected = permuted(value(name, kind), axes_of(name, kind), "n", ORDER_N)
    assert_same(value(name, kind, permute_features), expected)


@cases(DEAD)
def test_a_dead_neuron_changes_nothing_else(name, kind):
    found = []
    axes = axes_of(name, kind)
    for array, (letters, _) in zip(value(name, kind, add_dead_neuron), axes, strict=True):
        for axis, letter in enumerate(letters):
            if letter in ("k", "p"):
                array = np.delete(array, -1, axis)
        found.append(array)
    assert_same(found, value(name, kind))


@pytest.mark.parametrize(
    ("name", "kind"),
    [case for case in CASES if RESCALING in LAWS[case[0]].under and "relu" in case[1]],
)
def test_rescaling_relu_neurons_changes_nothing(name, kind):
    assert_same(value(name, kind, rescale), value(name, kind))


@cases(VMAP)
def test_mapping_over_models_gives_the_result_of_each(name, kind):
    for seed in (0, 1):
        mapped_arrays = [array[seed] for array in arrays_of(values_together(kind)[name])]
        assert_same(mapped_arrays, value(name, kind, seed=seed))


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_results_are_within_their_bounds(name, kind):
    low, high = LAWS[name].bounds
    for seed in (0, 1) if LAWS[name].traced else (0,):
        for array in value(name, kind, seed=seed):
            if low > -math.inf:
                assert np.isfinite(array).all()
            assert (array[~np.isnan(array)] >= low - 1e-5).all()
            assert (array[~np.isnan(array)] <= high + 1e-5).all()


@pytest.mark.parametrize(("name", "kind"), [case for case in CASES if LAWS[case[0]].oracle])
def test_results_are_those_of_brute_force(name, kind):
    expected = LAWS[name].oracle(*network(kind))
    expected = expected if isinstance(expected, tuple) else (expected,)
    found = value(name, kind)
    assert len(found) == len(expected)
    for one, other in zip(found, map(np.asarray, expected), strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one.astype(float), other.astype(float), rtol=5e-4, atol=5e-5)


def stacked(argument):
    """Two of the same; the arrays of a list or a record each."""
    return jax.tree.map(
        lambda leaf: np.stack([leaf, leaf]) if np.ndim(leaf) > 0 else leaf, argument
    )


@pytest.fixture
def unchecked_types():
    """The assertions alone, without the type checks that the tests add."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.usefixtures("unchecked_types")
def test_stacks_are_refused(name):
    args = LAWS[name].args(*network("decoder relu"))
    tried = 0
    for i, argument in enumerate(args):
        if any(np.ndim(leaf) > 0 for leaf in jax.tree.leaves(argument)):
            tried += 1
            with pytest.raises(AssertionError, match="rank"):
                LAWS[name].function(*args[:i], stacked(argument), *args[i + 1 :])
    assert tried


def products(jaxpr):
    """The matrix products of a program, at any depth."""
    for equation in jaxpr.eqns:
        if equation.primitive.name in ("dot_general", "conv_general_dilated"):
            yield equation
        for parameter in jax.tree.leaves(equation.params):
            inner = getattr(parameter, "jaxpr", parameter)
            if hasattr(inner, "eqns"):
                yield from products(inner)


@pytest.mark.parametrize(("name", "kind"), [case for case in CASES if LAWS[case[0]].traced])
def test_matrix_products_are_in_float32_precision(name, kind):
    args = LAWS[name].args(*network(kind))
    moving = [i for i, argument in enumerate(args) if not isinstance(argument, int)]

    def function(*arrays):
        merged = list(args)
        for i, array in zip(moving, arrays, strict=True):
            merged[i] = array
        return LAWS[name].function(*merged)

    with jax.default_matmul_precision("bfloat16"):
        program = jax.make_jaxpr(function)(*(args[i] for i in moving))
    highest = (jax.lax.Precision.HIGHEST,) * 2
    assert {product.params["precision"] for product in products(program.jaxpr)} <= {highest}
