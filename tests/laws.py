"""The table of all scores and analyses of one model, for `test_laws`."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import plain
from random_networks import (
    ALL,
    AMPLITUDE_B,
    DEAD,
    EVERY_FEATURE_BN,
    FEATURES,
    KEY,
    NETWORKS,
    NEURONS,
    RESCALING,
    VMAP,
    X_BM,
    K,
    M,
    N,
    brute_force,
    mapped,
    model_and_world,
    own_outputs,
    poly_map,
    response,
)

from toymono import Model, World, scores
from toymono.analysis import (
    class_responses,
    clusters,
    coherence,
    kinks,
    parts,
    polytopes,
    regimes,
)

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
