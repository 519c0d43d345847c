"""What a network's polytopes are compared with: the same weights, rotated or with other biases."""

import numpy as np
from jaxtyping import Real

from toymono.analysis.polytopes.networks import AnyArray, Dense, Network, dense


def rotated(model: Network, seed: int = 0) -> Dense:
    """The network with its input weights rotated as one body, at random.

    All angles between neurons and all biases stay; only how the neurons lie
    relative to the data changes.
    """
    net = dense(model)
    (weight_mk, bias_k), *rest = net.layers
    rng = np.random.default_rng(seed)
    basis_mm, triangle_mm = np.linalg.qr(rng.normal(size=(len(weight_mk), len(weight_mk))))
    basis_mm = basis_mm * np.sign(np.diag(triangle_mm))[None]  # uniform over rotations
    return net._replace(layers=((basis_mm @ weight_mk, bias_k), *rest))


def with_biases(model: Network, biases: list[Real[AnyArray, " _"]]) -> Dense:
    """The network with other biases of its hidden layers.

    Raises:
      ValueError: They do not fit.
    """
    net = dense(model)
    if [len(bias) for bias in biases] != net.widths:
        raise ValueError(f"biases of {[len(b) for b in biases]} neurons for {net.widths}")
    hidden = [
        (weight, np.asarray(bias, np.float64))
        for (weight, _), bias in zip(net.hidden, biases, strict=True)
    ]
    return net._replace(layers=(*hidden, net.layers[-1]))
