"""Laws that hold for every score and analysis of one model, tested over one table.

`LAWS` has an entry for each public function: the axes of its result, its bounds,
the transformations of the model under which it transforms as the axes say, and,
where there is a formula, a brute-force version in plain numpy (float64).
"""

import dataclasses
import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import plain
import pytest

from toymono import Config, Model, World, features, models, scores
from toymono.analysis import (
    ablation,
    class_responses,
    clusters,
    coherence,
    kinks,
    parts,
    polytopes,
    regimes,
)
from toymono.tasks import TASKS

N, M, K = 12, 4, 10
KEY = jax.random.key(5)
AMPLITUDE_B = jnp.linspace(0, 1, 4)
EVERY_FEATURE_BN = np.outer(np.linspace(0, 0.2, 5), np.ones(N))
X_BM = np.random.default_rng(3).normal(size=(3, M))
NEURONS, FEATURES, VMAP, DEAD, RESCALING = "neurons", "features", "vmap", "dead", "rescaling"
ALL = frozenset({NEURONS, FEATURES, VMAP, DEAD, RESCALING})
NETWORKS = {
    "decoder relu": ("decoder", "relu"),
    "abs relu": ("abs", "relu"),
    "reproject gelu": ("reproject", "gelu"),
}


@functools.cache
def network(name: str, seed: int = 0) -> tuple[Model, World]:
    """A random model with monosemantic, polysemantic and dead neurons, and its world."""
    task, nonlinearity = NETWORKS[name]
    config = Config(task=task, n=N, m=M, k=K, nonlinearity=nonlinearity)
    world_key, model_key = jax.random.split(jax.random.key(seed))
    world = features.build(config, world_key)
    model = models.init(config, 0.0, model_key)
    # Neurons 0 to 2 have a threshold that single features reach only along their own direction;
    # two of them detect feature 3.
    w_mk = (3 * model.w_mk).at[:, :3].set(4 * world.embed_nm[jnp.array([3, 3, 7])].T)
    b_k = model.b_k.at[:4].set(jnp.array([-3.8, -3.9, -3.8, -100]))
    return model.replace(w_mk=w_mk, b_k=b_k), world


# What the functions of the table are given.


def model_and_world(model, world):
    return model, world


def response(model, world):
    return (scores.responses(model, world),)


def mapped(function):
    """The function of a model, a world and a feature, for all features."""
    return lambda model, world: jax.vmap(lambda feature: function(model, world, feature))(
        jnp.arange(N)
    )


def poly_map(model, world):
    return parts.linearise(parts.split(model).poly, world).map_on


def own_outputs(net):
    """Each feature's own output at the amplitudes."""
    output_nbo, *_ = plain.along(net, np.asarray(AMPLITUDE_B))
    return np.einsum("nbo, no -> nb", output_nbo, net.read_no)


def brute_force(function):
    """The function of a `plain.Network`, as one of a model and its world."""
    return lambda model, world: function(plain.Network(model, world))


# The table.


@dataclasses.dataclass(frozen=True)
class Law:
    """How one function of a model behaves."""

    function: Callable
    axes: str
    """The axes of each array of the result, arrays separated by commas. `k` and `n` follow the
    neurons and the features, `o` the outputs, other letters have an order of their own. `k->n`
    is an array over neurons of indices of features; `k`, `p` and `p->k` lose their last entry
    together with a dead neuron at the end."""
    args: Callable[[Model, World], tuple] = model_and_world
    """The function's arguments."""
    value: Callable[[Model, World], Any] | None = None
    """What is compared, if not the function's result: orders by what they sort, for instance."""
    bounds: tuple[float, float] = (-math.inf, math.inf)
    oracle: Callable[[Model, World], Any] | None = None
    under: frozenset[str] = ALL
    """The transformations under which the axes say all."""
    networks: str = ""
    """Words that the network's name has to contain."""
    traced: bool = True
    """Whether it can be compiled and mapped; otherwise it is numpy on the host."""

    def compute(self, model: Model, world: World) -> Any:
        """The value for one model."""
        if self.value is not None:
            return self.value(model, world)
        return self.function(*self.args(model, world))


def sorted_scores(response_kn):
    return scores.monosemanticity(response_kn)[scores.neuron_order(response_kn)]


def scores_of_sorted_features(response_kn):
    """The score of each feature's most active neuron, in the order of the features."""
    score_k = scores.monosemanticity(response_kn)
    return score_k[response_kn.argmax(axis=0)[scores.feature_order(response_kn)]]


def sorted_classes(response_ky):
    order_k = class_responses.neuron_order(response_ky)
    return scores.strongest(response_ky)[order_k], scores.monosemanticity(response_ky)[order_k]


def of_response(function):
    return lambda model, world: function(*response(model, world))


def layer_n_cut(model, world):
    """The graph of the weights, cut into its layers."""
    graph = clusters.weight_graph([abs(np.asarray(w)) for w in (model.w_mk, model.w_ko)])
    return graph, graph.layer_v


def cluster_and_label(model, world):
    """The sign of a neuron's bias, and its strongest feature."""
    strongest_k = scores.strongest(scores.responses(model, world))
    return np.asarray(model.b_k > 0).astype(int), np.asarray(strongest_k)


def information(model, world):
    """Without permutations, which are drawn."""
    return coherence.coherence(*cluster_and_label(model, world), permutations=0).information


WITHOUT_RESCALING = ALL - {RESCALING}
ON_THE_HOST = ALL - {VMAP}
UNIT = (0, 1)
LAWS = {
    "responses": Law(
        *(scores.responses, "k n"),
        oracle=brute_force(plain.Network.response),
        under=WITHOUT_RESCALING,
    ),
    "monosemanticity": Law(
        *(scores.monosemanticity, "k", response),
        bounds=UNIT,
        oracle=brute_force(lambda net: plain.monosemanticity(net.response())),
    ),
    "strongest": Law(
        *(scores.strongest, "k->n", response),
        bounds=(-1, N - 1),
        oracle=brute_force(lambda net: plain.strongest(net.response())),
    ),
    "classify_neurons": Law(
        *(scores.classify_neurons, "k, k, k", response),
        bounds=UNIT,
        oracle=brute_force(plain.classify_neurons),
    ),
    "mono_neurons_per_feature": Law(
        *(scores.mono_neurons_per_feature, "n", response),
        bounds=(0, K),
        oracle=brute_force(plain.mono_neurons_per_feature),
    ),
    "features_by_mono_neurons": Law(
        *(scores.features_by_mono_neurons, "count", response),
        bounds=(0, N),
        oracle=brute_force(plain.features_by_mono_neurons),
    ),
    "neuron_order": Law(
        *(scores.neuron_order, "p", response, of_response(sorted_scores)),
        bounds=UNIT,
        oracle=brute_force(lambda net: sorted(plain.monosemanticity(net.response()), reverse=True)),
    ),
    "feature_order": Law(
        *(scores.feature_order, "order", response, of_response(scores_of_sorted_features)),
        bounds=UNIT,
        oracle=brute_force(plain.feature_order),
        under=WITHOUT_RESCALING,  # which neuron is a feature's most active one changes
    ),
    "feature_weights": Law(
        *(scores.feature_weights, "k n"),
        oracle=brute_force(lambda net: (net.embed_nm @ net.w_mk).T),
        under=WITHOUT_RESCALING,
    ),
    "capacity of responses": Law(
        *(scores.capacity, "n", response),
        bounds=UNIT,
        oracle=brute_force(lambda net: plain.capacity(net.response())),
        under=WITHOUT_RESCALING,
    ),
    "capacity of weights": Law(
        *(scores.capacity, "n", lambda model, world: (scores.feature_weights(model, world),)),
        bounds=UNIT,
        oracle=brute_force(lambda net: plain.capacity((net.embed_nm @ net.w_mk).T)),
        under=ALL - {RESCALING, DEAD},  # a dead neuron has input weights
    ),
    "regimes": Law(
        *(regimes.regimes, "n, n, n, n, n, n"),
        args=lambda model, world: (model, world, EVERY_FEATURE_BN),
        oracle=brute_force(plain.regimes(EVERY_FEATURE_BN)),
        under=WITHOUT_RESCALING,  # of the capacity
        networks="decoder",
    ),
    "multi_feature_monosemanticity": Law(
        *(scores.multi_feature_monosemanticity, "k, k"),
        args=lambda model, world: (model, world, 3, KEY),
        bounds=UNIT,
        under=ALL - {FEATURES},  # which features meet is drawn
    ),
    "multi_feature_monosemanticity of one": Law(
        *(scores.multi_feature_monosemanticity, "k, k"),
        args=lambda model, world: (model, world, 1, KEY),
        bounds=UNIT,
        oracle=brute_force(plain.one_feature),
    ),
    "multi_feature_monosemanticity of all": Law(
        *(scores.multi_feature_monosemanticity, "k, k"),
        args=lambda model, world: (model, world, N, KEY),
        bounds=UNIT,
        oracle=brute_force(plain.all_features),
        networks="decoder",  # signs are drawn
    ),
    "by_bias": Law(
        *(parts.by_bias, "k", lambda model, world: (model,)),
        oracle=brute_force(lambda net: net.b_k <= 0),
    ),
    "by_score": Law(
        *(parts.by_score, "k"),
        oracle=brute_force(lambda net: plain.classify_neurons(net)[0]),
    ),
    "split": Law(
        *(parts.split, "m k, k, k o, m k, k, k o"),
        args=lambda model, world: (model, jnp.arange(len(model.b_k)) % 2 == 0),
        value=lambda model, world: parts.split(model),
        under=WITHOUT_RESCALING,
    ),
    "readouts": Law(
        *(parts.readouts, "n o", lambda model, world: (world,)),
        oracle=brute_force(lambda net: net.read_no),
    ),
    "background": Law(
        *(parts.background, "n"),
        args=lambda model, world: (world, 2, jnp.ones(N)),
        value=lambda model, world: parts.background(world, 2, world.embed_nm.sum(axis=1)),
        under=ALL - {FEATURES},  # of feature 2
    ),
    "along": Law(
        *(parts.along, "n b o, n b o, n b o, n b o"),
        args=lambda model, world: (model, world, 2, AMPLITUDE_B, jnp.ones(N), model.b_k > 0.1),
        value=mapped(lambda model, world, n: parts.along(model, world, n, AMPLITUDE_B)),
        oracle=brute_force(lambda net: plain.along(net, np.asarray(AMPLITUDE_B))),
    ),
    "linearise": Law(
        *(parts.linearise, "o n, o, n, m"),
        value=lambda model, world: parts.linearise(parts.split(model).poly, world),
        oracle=brute_force(plain.linearise),
    ),
    "linearisation_error": Law(
        *(parts.linearisation_error, ""),
        args=lambda model, world: (parts.split(model).poly, world, jnp.eye(N)),
        bounds=(0, math.inf),
        oracle=brute_force(plain.linearisation_error),
    ),
    "effective_rank": Law(
        *(parts.effective_rank, ""),
        args=lambda model, world: (jnp.linalg.svd(poly_map(model, world), compute_uv=False)[:M],),
        bounds=(1, M),
        oracle=brute_force(plain.effective_rank),
    ),
    "identity_similarity": Law(
        *(parts.identity_similarity, ", "),
        args=lambda model, world: (poly_map(model, world), world),
        oracle=brute_force(plain.identity_similarity),
    ),
    "kinks": Law(
        *(kinks.kinks, "n p, n p, n p->k, n, n"),
        args=lambda model, world: (model, world, 2, jnp.ones(N), parts.readouts(world)[2]),
        value=mapped(kinks.kinks),
        oracle=brute_force(plain.kinks),
        networks="relu",
    ),
    "kinks at amplitudes": Law(
        *(kinks.Kinks.__call__, "n b"),
        args=lambda model, world: (kinks.kinks(model, world, 2), jnp.ones(())),
        value=mapped(lambda *args: kinks.kinks(*args)(AMPLITUDE_B)),
        oracle=brute_force(own_outputs),
        networks="relu",
    ),
    "own_kinks": Law(
        *(kinks.own_kinks, "n two"),
        args=lambda model, world: (model, world, 3),
        value=mapped(kinks.own_kinks),
        oracle=brute_force(plain.own_kinks),
        networks="relu",
    ),
    "segments": Law(
        *(kinks.segments, "n p, n p, n p, n p, n p"),
        args=lambda model, world: (kinks.kinks(model, world, 2), 0.1),
        value=mapped(lambda *args: kinks.segments(kinks.kinks(*args), 0.1)),
        networks="relu",
    ),
    "overlap": Law(
        *(class_responses.overlap, ""),
        args=lambda model, world: (jnp.maximum(scores.responses(model, world), 0),),
        bounds=(0, K),
        oracle=brute_force(plain.overlap),
        under=WITHOUT_RESCALING,
    ),
    "class_responses.neuron_order": Law(
        *(class_responses.neuron_order, "p->n, p", response, of_response(sorted_classes)),
        oracle=brute_force(plain.class_order),
        under=ALL - {FEATURES},  # neurons are sorted by the number of their class
    ),
    "weight_graph": Law(
        *(clusters.weight_graph, "v v, v"),
        args=lambda model, world: ([abs(np.asarray(w)) for w in (model.w_mk, model.w_ko)],),
        bounds=(0, math.inf),
        oracle=brute_force(plain.weight_graph),
        under=frozenset(),  # nodes are numbered through the layers
        traced=False,
    ),
    "n_cut": Law(
        *(clusters.n_cut, "", layer_n_cut),
        bounds=(0, 3),
        oracle=brute_force(plain.n_cut),
        under=frozenset({NEURONS, FEATURES}),
        traced=False,
    ),
    "coherence": Law(
        *(coherence.coherence, "", cluster_and_label, information),
        bounds=(0, math.log(2)),
        oracle=brute_force(plain.information),
        under=frozenset({NEURONS, FEATURES, DEAD}),
        traced=False,
    ),
    "toy_coherence": Law(
        *(coherence.toy_coherence, ", "),
        value=lambda model, world: coherence.toy_coherence(model, world, 3, permutations=9)[:2],
        under=frozenset(),  # k-means starts from the order of the nodes
        networks="decoder",
        traced=False,
    ),
    "spline_code": Law(
        *(polytopes.spline_code, "b k"),
        args=lambda model, world: (model, X_BM),
        bounds=UNIT,
        oracle=brute_force(lambda net: X_BM @ net.w_mk + net.b_k[None] > 0),
        under=ON_THE_HOST,
        networks="relu",
        traced=False,
    ),
    "crossings": Law(
        *(polytopes.crossings, "k"),
        args=lambda model, world: (model, X_BM[0], X_BM[1]),
        oracle=brute_force(lambda net: -(X_BM[0] @ net.w_mk + net.b_k) / (X_BM[1] @ net.w_mk)),
        under=ON_THE_HOST,
        networks="relu",
        traced=False,
    ),
    "density": Law(
        *(polytopes.density, ""),
        args=lambda model, world: (model, X_BM[0], X_BM[1]),
        bounds=(0, math.inf),
        oracle=brute_force(
            lambda net: (
                (np.diff(X_BM[:2] @ net.w_mk + net.b_k[None] > 0, axis=0)).sum()
                / np.linalg.norm(X_BM[0] - X_BM[1])
            )
        ),
        under=ON_THE_HOST,
        networks="relu",
        traced=False,
    ),
    "affine_map": Law(
        *(polytopes.affine_map, "o m, o"),
        args=lambda model, world: (model, X_BM[0]),
        oracle=brute_force(plain.affine_map(X_BM[0])),
        under=ON_THE_HOST,
        networks="relu",
        traced=False,
    ),
    "transformation_distance": Law(
        *(polytopes.transformation_distance, ""),
        args=lambda model, world: (model, *polytopes.spline_code(model, X_BM[:2])),
        bounds=(0, math.inf),
        oracle=brute_force(
            lambda net: np.linalg.norm(
                plain.affine_map(X_BM[0])(net)[0] - plain.affine_map(X_BM[1])(net)[0]
            )
        ),
        under=ON_THE_HOST,
        networks="relu",
        traced=False,
    ),
    "spectral_clusters": Law(
        *(clusters.spectral_clusters, "v"),
        args=lambda model, world: (layer_n_cut(model, world)[0], 3),
        bounds=(0, 2),
        under=frozenset(),  # likewise
        traced=False,
    ),
}
CASES = [
    (name, kind)
    for name, law in LAWS.items()
    for kind in NETWORKS
    if all(word in kind for word in law.networks.split())
]


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
