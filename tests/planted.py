"""Networks built by hand, with known answers: a ladder from trivial to mixed.

Each function returns a `Planted` network; `LADDER` lists them. Sizes are tiny.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np

from toymono import Model, World
from toymono.classifiers import network
from toymono.classifiers.config import ClassifierConfig
from toymono.classifiers.data import CLASSES


@dataclasses.dataclass(frozen=True)
class Planted:
    """A network with its known scores."""

    model: Model
    world: World
    monosemanticity_k: list[float]
    strongest_k: list[int]
    """-1 for dead neurons."""
    mono_neurons_n: list[int]
    response_capacity_n: list[float]
    weight_capacity_n: list[float]
    own_kinks_n2: list[tuple[float, float]]
    """Amplitudes at which the first two monosemantic neurons of a feature become active."""


def _planted(embed_nm, w_mk, b_k, w_ko, **answers) -> Planted:
    to_array = lambda values: jnp.asarray(values, jnp.float32)  # noqa: E731
    model = Model(to_array(w_mk), to_array(b_k), to_array(w_ko))
    return Planted(model, World(to_array(embed_nm)), **answers)


def monosemantic() -> Planted:
    """One neuron per feature, each feature with a dimension of its own."""
    n, bias = 6, -0.25
    return _planted(
        *(np.eye(n), np.eye(n), np.full(n, bias), np.eye(n) / (1 + bias)),
        monosemanticity_k=[1.0] * n,
        strongest_k=list(range(n)),
        mono_neurons_n=[1] * n,
        response_capacity_n=[1.0] * n,
        weight_capacity_n=[1.0] * n,
        own_kinks_n2=[(-bias, math.nan)] * n,
    )


def several_neurons_per_feature() -> Planted:
    """Features with 3, 2, 1 and 0 monosemantic neurons and a dimension each.

    Feature 1 is computed by "zero, rise, track", feature 2 by "zero, rise".
    """
    feature_k, n = np.array([0, 0, 0, 1, 1, 2]), 4
    bias_k = [-0.25, -0.5, -0.75, -0.25, -0.5, -0.5]
    out_k = [1.0, 1.0, 1.0, 2.0, -1.0, 2.0]
    return _planted(
        *(np.eye(n), np.eye(n)[:, feature_k], bias_k, np.diag(out_k) @ np.eye(n)[feature_k]),
        monosemanticity_k=[1.0] * 6,
        strongest_k=feature_k.tolist(),
        mono_neurons_n=[3, 2, 1, 0],
        response_capacity_n=[1.0, 1.0, 1.0, 0.0],
        weight_capacity_n=[1.0, 1.0, 1.0, 0.0],
        own_kinks_n2=[(0.25, 0.5), (0.25, 0.5), (0.5, math.nan), (math.nan, math.nan)],
    )


def antipodal() -> Planted:
    """Two pairs of opposite features in two dimensions, one neuron per feature."""
    embed_nm = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    return _planted(
        *(embed_nm, embed_nm.T, np.full(4, -0.5), 2 * np.eye(4)),
        monosemanticity_k=[1.0] * 4,
        strongest_k=[0, 1, 2, 3],
        mono_neurons_n=[1] * 4,
        response_capacity_n=[1.0] * 4,
        weight_capacity_n=[1 / 2] * 4,
        own_kinks_n2=[(0.5, math.nan)] * 4,
    )


def pentagon() -> Planted:
    """Five features in two dimensions, one neuron along each, without thresholds.

    Neuron k responds to feature k by 1 and to its two neighbours by cos 72°.
    """
    angle_n = 2 * np.pi * np.arange(5) / 5
    embed_nm = np.stack([np.cos(angle_n), np.sin(angle_n)], axis=1)
    neighbour = (math.sqrt(5) - 1) / 4  # cos 72°
    overlap = 1 + 2 * neighbour**2, 2 * neighbour, neighbour**2
    return _planted(
        *(embed_nm, embed_nm.T, np.zeros(5), np.eye(5)),
        monosemanticity_k=[1 / (1 + 2 * neighbour)] * 5,
        strongest_k=list(range(5)),
        mono_neurons_n=[0] * 5,
        # Dot products of a feature's responses with itself, its neighbours and the others.
        response_capacity_n=[
            overlap[0] ** 2 / (overlap[0] ** 2 + 2 * overlap[1] ** 2 + 2 * overlap[2] ** 2)
        ]
        * 5,
        weight_capacity_n=[2 / 5] * 5,
        own_kinks_n2=[(math.nan, math.nan)] * 5,
    )


def dead() -> Planted:
    """Every neuron is inactive on every single-feature input."""
    n, k = 4, 6
    return _planted(
        *(np.eye(n), np.ones((n, k)), np.full(k, -2.0), np.ones((k, n))),
        monosemanticity_k=[0.0] * k,
        strongest_k=[-1] * k,
        mono_neurons_n=[0] * n,
        response_capacity_n=[0.0] * n,
        weight_capacity_n=[1 / n] * n,
        own_kinks_n2=[(math.nan, math.nan)] * n,
    )


def uniform() -> Planted:
    """Every neuron responds equally to all features."""
    n, k = 4, 3
    return _planted(
        *(np.eye(n), np.ones((n, k)), np.zeros(k), np.ones((k, n)) / (n * k)),
        monosemanticity_k=[1 / n] * k,
        strongest_k=[0] * k,
        mono_neurons_n=[0] * n,
        response_capacity_n=[1 / n] * n,
        weight_capacity_n=[1 / n] * n,
        own_kinks_n2=[(math.nan, math.nan)] * n,
    )


def half_linear() -> Planted:
    """Monosemantic neurons and a linear identity of rank m made of positive biases.

    The features are two orthonormal bases of the plane, a tight frame: with P
    the embedding, `P P^T m / n` is an orthogonal projector of rank m. Neurons 0
    to 3 detect one feature each, above a threshold of 0.75 that the overlaps of
    1/sqrt(2) do not reach; neurons 4 and 5 compute the projector.
    """
    n, m, bias = 4, 2, 2.0
    half = math.sqrt(0.5)
    embed_nm = np.array([[1, 0], [0, 1], [half, half], [half, -half]])
    response_n = bias + embed_nm  # of the linear neurons
    linear_k = (response_n.max(axis=0) / response_n.sum(axis=0)).tolist()
    response_kn = np.concatenate([0.25 * np.eye(n), response_n.T])
    gram_nn = response_kn.T @ response_kn
    weight_kn = np.concatenate([embed_nm, np.eye(m)]) @ embed_nm.T
    weight_gram_nn = weight_kn.T @ weight_kn
    return _planted(
        embed_nm,
        np.concatenate([embed_nm.T, np.eye(m)], axis=1),
        [-0.75] * n + [bias] * m,
        np.concatenate([np.eye(n), embed_nm.T * m / n]),
        monosemanticity_k=[1.0] * n + linear_k,
        strongest_k=[*range(n), 0, 1],
        mono_neurons_n=[1] * n,
        response_capacity_n=(np.diag(gram_nn) ** 2 / (gram_nn**2).sum(axis=1)).tolist(),
        weight_capacity_n=(np.diag(weight_gram_nn) ** 2 / (weight_gram_nn**2).sum(axis=1)).tolist(),
        own_kinks_n2=[(0.75, math.nan)] * n,
    )


LADDER = {
    build.__name__: build
    for build in (
        monosemantic,
        several_neurons_per_feature,
        antipodal,
        pentagon,
        dead,
        uniform,
        half_linear,
    )
}


@dataclasses.dataclass(frozen=True)
class PlantedClassifier:
    """A classifier each of whose neurons responds to one class, and an example of each class."""

    config: ClassifierConfig
    params: network.Params
    images_bhw: jax.Array
    label_b: jax.Array
    class_lk: list[np.ndarray]
    """The class of each neuron of each hidden layer."""


def classifier() -> PlantedClassifier:
    """Pixel y is lit in class y; two neurons per class in the first hidden layer, one after."""
    class_lk = [np.repeat(np.arange(CLASSES), 2), np.arange(CLASSES)]
    config = ClassifierConfig(sizes=tuple(map(len, class_lk)))
    params = network.init(config, (1, CLASSES), jax.random.key(0))
    params = jax.tree.map(jnp.zeros_like, params)
    before_k = np.arange(CLASSES)
    for name, after_k in zip(
        ("hidden_0", "hidden_1", "output"), [*class_lk, np.arange(CLASSES)], strict=True
    ):
        params[name]["kernel"] = jnp.asarray(before_k[:, None] == after_k[None], jnp.float32)
        before_k = after_k
    images_bhw = jnp.eye(CLASSES)[:, None]
    # If all neurons are silent, the prediction is the last class.
    params["output"]["bias"] = params["output"]["bias"].at[-1].set(0.5)
    return PlantedClassifier(config, params, images_bhw, jnp.arange(CLASSES), class_lk)
