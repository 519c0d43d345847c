"""Piecewise linear networks as plain float64 arrays: what every function of this package reads.

A network is a toy `Model`, a list of `(weight, bias)` pairs of a dense relu
network whose last pair is the linear output, or a `Dense`. Codes are computed in
float64: in float32 a pre-activation near 0 can flip a bit between machines.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Real

from toymono import scores
from toymono.models import NONLINEARITIES, Model

AnyArray = jax.Array | np.ndarray
"""What functions of this package take; they return numpy."""

Layers = Sequence[tuple[AnyArray, AnyArray]]
"""Weight `[before after]` and bias `[after]` of each layer; the last one is the linear output."""


class Pieces(NamedTuple):
    """A continuous piecewise linear function of one variable."""

    threshold_p: tuple[float, ...]
    """Where its slope changes, in increasing order."""
    slope_r: tuple[float, ...]
    """The slope of each piece, one more than there are thresholds."""
    offset_r: tuple[float, ...]
    """The value at 0 of each piece's line."""


PIECES: Mapping[str, Pieces] = {
    "relu": Pieces((0.0,), (0.0, 1.0), (0.0, 0.0)),
    "tent": Pieces((0.0, 1.0, 2.0), (0.0, 1.0, -1.0, 0.0), (0.0, 0.0, 2.0, 0.0)),
}
"""The piecewise linear nonlinearities; a neuron's symbol in a code is the number of its piece."""


class Dense(NamedTuple):
    """A dense network in float64."""

    layers: tuple[tuple[np.ndarray, np.ndarray], ...]
    nonlinearity: str = "relu"

    @property
    def hidden(self) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        """Weight and bias of each hidden layer."""
        return self.layers[:-1]

    @property
    def widths(self) -> list[int]:
        """Neurons of each hidden layer."""
        return [len(bias) for _, bias in self.hidden]

    @property
    def pieces(self) -> Pieces:
        """Those of the nonlinearity.

        Raises:
          ValueError: It is not piecewise linear.
        """
        if self.nonlinearity not in PIECES:
            raise ValueError(
                f"nonlinearity={self.nonlinearity!r} has no spline code: it is not one of "
                f"{', '.join(PIECES)}; gelu has soft codes, `soft_code`"
            )
        return PIECES[self.nonlinearity]


Network = Model | Dense | Layers


def dense(model: Network) -> Dense:
    """A network in the form that this package computes with.

    Raises:
      ValueError: It has no hidden layer, its layers do not fit, or it has a skip path.
      AssertionError: Several networks are stacked.

    Example:
      >>> dense([(np.ones((3, 5)), np.zeros(5)), (np.ones((5, 2)), np.zeros(2))]).widths
      [5]
    """
    if isinstance(model, Dense):
        return model
    if isinstance(model, Model):
        chex.assert_rank([model.w_mk, model.b_k, model.w_ko], [2, 1, 2])
        scores.refuse_skip(model)
        output = (model.w_ko, np.zeros(np.shape(model.w_ko)[1]))
        return _checked([(model.w_mk, model.b_k), output], model.nonlinearity)
    return _checked(model, "relu")


def _checked(layers: Layers, nonlinearity: str) -> Dense:
    if len(layers) < 2:
        raise ValueError(f"{len(layers)} layers: a network has a hidden layer and an output")
    chex.assert_rank([array for layer in layers for array in layer], [2, 1] * len(layers))
    exact = tuple((np.asarray(w, np.float64), np.asarray(b, np.float64)) for w, b in layers)
    shapes = [weight.shape for weight, _ in exact]
    fit = all(before[1] == after[0] for before, after in itertools.pairwise(shapes))
    if not fit or any(weight.shape[1] != len(bias) for weight, bias in exact):
        raise ValueError(f"layers with weights of shapes {shapes} do not fit each other")
    return Dense(exact, nonlinearity)


def of_classifier(
    params: Mapping[str, Mapping[str, AnyArray]], nonlinearity: str = "relu"
) -> Dense:
    """The dense network that a classifier's parameters describe.

    Raises:
      ValueError: A layer is a convolution or is normalised.
    """
    names = [f"hidden_{index}" for index in range(len(params) - 1)]
    if set(params) != {*names, "output"} or any(np.ndim(params[n]["kernel"]) != 2 for n in names):
        raise ValueError(
            f"layers {', '.join(params)} are not dense layers alone: exact polytopes need them"
        )
    layers = [(params[name]["kernel"], params[name]["bias"]) for name in (*names, "output")]
    return _checked(layers, nonlinearity)


def layers_from(model: Network, first: int) -> Dense:
    """The network from hidden layer `first`, counted from 0, to the output.

    Its input space is that of layer `first`, which its codes partition.

    Raises:
      ValueError: There is no such layer.
    """
    net = dense(model)
    if not 0 <= first < len(net.hidden):
        raise ValueError(f"first={first} is not a hidden layer of {len(net.hidden)}")
    return net._replace(layers=net.layers[first:])


def one_layer(model: Network) -> tuple[Dense, np.ndarray, np.ndarray, np.ndarray]:
    """A network with one relu layer: itself, its weight, bias and output weight.

    Raises:
      ValueError: It has more hidden layers, or another nonlinearity.
    """
    net = dense(model)
    if len(net.hidden) != 1 or net.nonlinearity != "relu":
        raise ValueError(
            f"{len(net.hidden)} hidden layers of {net.nonlinearity}: this closed form is that of "
            "one relu layer; `line_breaks` is exact on a line of any network"
        )
    (weight_mk, bias_k), (out_ko, _) = net.layers
    return net, weight_mk, bias_k, out_ko


def is_one_layer(model: Network) -> bool:
    """Whether a network has one relu layer: then its polytopes have closed forms."""
    net = dense(model)
    return len(net.hidden) == 1 and net.nonlinearity == "relu"


def symbols(pieces: Pieces, input_bk: Float[np.ndarray, "*b k"]) -> Int[np.ndarray, "*b k"]:
    """The piece that each pre-activation lies in; exactly at a threshold, the lower one.

    Example:
      >>> symbols(PIECES["relu"], np.array([-1.0, 0.0, 2.0])).tolist()
      [0, 0, 1]
    """
    found = np.zeros(input_bk.shape, np.int32)
    for threshold in pieces.threshold_p:
        found += input_bk > threshold
    return found


def apply(pieces: Pieces, input_bk: Float[np.ndarray, "*b k"]) -> Float[np.ndarray, "*b k"]:
    """The piecewise linear function of each pre-activation."""
    if pieces == PIECES["relu"]:  # several times as fast
        return np.maximum(input_bk, 0)
    symbol_bk = symbols(pieces, input_bk)
    return np.asarray(pieces.slope_r)[symbol_bk] * input_bk + np.asarray(pieces.offset_r)[symbol_bk]


def pre_activations(model: Network, x_bm: Real[AnyArray, "b m"]) -> list[Float[np.ndarray, "b _"]]:
    """Inputs of the neurons of each hidden layer, and last the network's outputs."""
    chex.assert_rank(x_bm, 2)
    net, found = dense(model), []
    hidden_bd = np.asarray(x_bm, np.float64)
    for weight, bias in net.layers:
        if found:
            hidden_bd = _activation(net, found[-1])
        found.append(hidden_bd @ weight + bias[None])
    return found


def layer_inputs(model: Network, x_bm: Real[AnyArray, "b m"]) -> list[Float[np.ndarray, "b _"]]:
    """What each hidden layer reads, and last what the output layer reads."""
    net = dense(model)
    *before, _ = pre_activations(net, x_bm)
    return [np.asarray(x_bm, np.float64), *(_activation(net, input_bk) for input_bk in before)]


def _activation(net: Dense, input_bk: np.ndarray) -> np.ndarray:
    if net.nonlinearity in PIECES:
        return apply(net.pieces, input_bk)
    return np.asarray(NONLINEARITIES[net.nonlinearity].function(jnp.asarray(input_bk)), np.float64)
