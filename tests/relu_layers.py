"""Small relu networks as lists of layers, and their outputs and codes in plain numpy."""

import itertools

import numpy as np
import pytest

from toymono.analysis import polytopes

M, K, OUT = 5, 14, 6


def random_layers(widths=(M, K, OUT), seed=0, bias=0.5):
    rng = np.random.default_rng(seed)
    return [
        (rng.normal(size=(a, b)), bias * rng.normal(size=b)) for a, b in itertools.pairwise(widths)
    ]


SHALLOW, DEEP = random_layers(), random_layers((M, 9, 8, 7, OUT), seed=1)
NETWORKS = pytest.mark.parametrize("layers", [SHALLOW, DEEP], ids=["shallow", "deep"])
TWO = [(np.array([[2.0, 1.0]]), np.array([-1.0, 3.0])), (np.eye(2), np.zeros(2))]
"""Two neurons on a line: 2x - 1 and x + 3."""


def network(layers, x_bm):
    """The outputs in plain numpy."""
    for weight, bias in layers[:-1]:
        x_bm = np.maximum(x_bm @ weight + bias[None], 0)
    weight, bias = layers[-1]
    return x_bm @ weight + bias[None]


def bits(layers, x_m):
    found = []
    for weight, bias in layers[:-1]:
        z = x_m @ weight + bias
        found += (z > 0).tolist()
        x_m = np.maximum(z, 0)
    return found


def lines_of(*normal_and_offset):
    normal_k2 = np.array([line[:2] for line in normal_and_offset], float)
    offset_k = np.array([line[2] for line in normal_and_offset], float)
    return [(normal_k2.T, offset_k), (np.eye(len(offset_k)), np.zeros(len(offset_k)))]


PLANE = polytopes.Slice(np.zeros(2), np.array([1.0, 0]), np.array([0, 1.0]))
BOX = (-10.0, -10.0), (10.0, 10.0)
