"""Spline codes: which piece of its nonlinearity each neuron is on, and distances between codes.

A relu neuron contributes a bit, 1 where its input is above 0. All inputs with
one code lie in one polytope, in which the network is one affine map. Smooth
nonlinearities have soft codes, the probability of each bit.
"""

import chex
import numpy as np
from jaxtyping import Float, Int, Num, Real
from scipy.spatial.distance import pdist, squareform
from scipy.special import expit, ndtr, softmax

from toymono.analysis.polytopes.networks import AnyArray, Network, dense, pre_activations, symbols

_GATES = {"gelu": ndtr}
"""The probability of each bit by its pre-activation, for nonlinearities of the form z times it."""


def spline_code(
    model: Network, x_bm: Real[AnyArray, "b m"], first: int = 0, last: int | None = None
) -> Int[np.ndarray, "b k"]:
    """The code of each input: the number of the piece that each neuron is on.

    For relu it is 1 where the pre-activation is strictly above 0, else 0.

    Args:
      model: A toy model, or a dense relu network as a list of `(weight, bias)`.
      x_bm: Inputs of the network.
      first: First hidden layer of the code, from 0.
      last: Last hidden layer of the code; None for the last there is.

    Returns:
      One row per input, the neurons of the layers one after the other.

    Raises:
      ValueError: The nonlinearity is not piecewise linear, or there is no such layer.
      AssertionError: `x_bm` is not a matrix, or models are stacked.

    Example:
      >>> layers = [(np.array([[1.0, -1.0]]), np.zeros(2)), (np.ones((2, 1)), np.zeros(1))]
      >>> spline_code(layers, np.array([[2.0], [0.0], [-1.0]])).tolist()
      [[1, 0], [0, 0], [0, 1]]

    Reference:
      Black, Sharkey et al. (2022), "Interpreting Neural Networks through the
      Polytope Lens", definition of spline codes.
    """
    net = dense(model)
    pieces, count = net.pieces, len(net.hidden)
    last = count - 1 if last is None else last
    if not 0 <= first <= last < count:
        raise ValueError(f"layers {first} to {last} are not among {count} hidden layers")
    inputs = pre_activations(net, x_bm)[first : last + 1]
    return np.concatenate([symbols(pieces, input_bk) for input_bk in inputs], axis=1)


def soft_code(
    model: Network, x_bm: Real[AnyArray, "b m"], beta: float | None = None
) -> Float[np.ndarray, "b k"]:
    """The probability of each bit: Φ(z) for gelu, σ(β z / (1 − β)) for relu.

    `z · probability` is the activation of gelu, and for relu that of the
    max-affine spline whose choice of piece is softened by entropy of weight
    1 − β: SiLU at β = 1/2, relu at β → 1, z/2 at β = 0.

    Args:
      model: As for `spline_code`.
      x_bm: Inputs of the network.
      beta: In [0, 1) for relu; None gives the bits. gelu has none.

    Raises:
      ValueError: The nonlinearity has no soft code (the gate of solu is not a
        probability), or beta is not in [0, 1).

    Reference:
      Balestriero & Baraniuk (2018), arXiv 1810.09274.
    """
    net = dense(model)
    *inputs, _ = pre_activations(net, x_bm)
    input_bk = np.concatenate(inputs, axis=1)
    if net.nonlinearity in _GATES:
        if beta is not None:
            raise ValueError(f"beta={beta}: {net.nonlinearity} has a soft code of its own")
        return _GATES[net.nonlinearity](input_bk)
    if net.nonlinearity != "relu":
        raise ValueError(
            f"nonlinearity={net.nonlinearity!r} has no soft code: it is not one of "
            f"{', '.join((*_GATES, 'relu'))}"
        )
    if beta is None:
        return (input_bk > 0).astype(float)
    return expit(_sharpness(beta) * input_bk)


def _sharpness(beta: float) -> float:
    if not 0 <= beta < 1:
        raise ValueError(f"beta={beta} is not in [0, 1)")
    return beta / (1 - beta)


def max_affine(
    input_b: Real[AnyArray, " b"], slope_r: Real[AnyArray, " r"], offset_r: Real[AnyArray, " r"]
) -> tuple[Float[np.ndarray, " b"], Int[np.ndarray, " b"]]:
    """A max-affine spline, max_r (slope_r z + offset_r), and the piece that attains it.

    relu has slopes (0, 1), leaky relu (η, 1), the absolute value (−1, 1), all
    with offsets of 0; of equal pieces the first counts.

    Example:
      >>> value_b, piece_b = max_affine(np.array([-2.0, 3.0]), np.array([-1, 1]), np.zeros(2))
      >>> value_b.tolist(), piece_b.tolist()
      ([2.0, 3.0], [0, 1])
    """
    chex.assert_rank([input_b, slope_r, offset_r], 1)
    line_br = _lines(input_b, slope_r, offset_r)
    return line_br.max(axis=1), line_br.argmax(axis=1)


def soft_max_affine(
    input_b: Real[AnyArray, " b"],
    slope_r: Real[AnyArray, " r"],
    offset_r: Real[AnyArray, " r"],
    beta: float,
) -> tuple[Float[np.ndarray, " b"], Float[np.ndarray, "b r"]]:
    """The max-affine spline with a softened choice of piece, and the probability of each.

    The probabilities maximise β Σ_r t_r line_r + (1 − β) entropy(t).

    Raises:
      ValueError: beta is not in [0, 1).

    Example:
      >>> value_b, _ = soft_max_affine(np.array([1.0]), np.array([0, 1]), np.zeros(2), beta=0.5)
      >>> round(value_b.item(), 4)  # SiLU(1)
      0.7311
    """
    chex.assert_rank([input_b, slope_r, offset_r], 1)
    line_br = _lines(input_b, slope_r, offset_r)
    probability_br = softmax(_sharpness(beta) * line_br, axis=1)
    return (probability_br * line_br).sum(axis=1), probability_br


def _lines(input_b, slope_r, offset_r) -> np.ndarray:
    input_b, slope_r, offset_r = (np.asarray(a, np.float64) for a in (input_b, slope_r, offset_r))
    return input_b[:, None] * slope_r[None] + offset_r[None]


def code_distance(code_k: Num[AnyArray, " k"], other_k: Num[AnyArray, " k"]) -> float:
    """Hamming distance of two codes; of soft codes Σ|p − q|, which is 0 for equal codes.

    Symbols of a tent count by the number of boundaries between them.

    Example:
      >>> code_distance(np.array([1, 0, 1]), np.array([0, 0, 1]))
      1.0
    """
    chex.assert_rank([code_k, other_k], 1)
    difference_k = np.asarray(code_k, np.float64) - np.asarray(other_k, np.float64)
    return float(abs(difference_k).sum())


def pair_distances(code_bk: Num[AnyArray, "b k"]) -> Float[np.ndarray, "b b"]:
    """`code_distance` of all pairs of rows."""
    chex.assert_rank(code_bk, 2)
    exact_bk = np.asarray(code_bk, np.float64)
    if ((exact_bk == 0) | (exact_bk == 1)).all():  # a product of bits is fast
        on_b = exact_bk.sum(axis=1)
        return on_b[:, None] + on_b[None] - 2 * exact_bk @ exact_bk.T
    return squareform(pdist(exact_bk, "cityblock"))


def distinct(code_bk: Int[AnyArray, "b k"]) -> tuple[int, Int[np.ndarray, " b"]]:
    """How many different codes there are, and for each row the number of its code.

    Example:
      >>> count, number_b = distinct(np.array([[1, 0], [0, 1], [1, 0]]))
      >>> count, number_b[0] == number_b[2]
      (2, np.True_)
    """
    chex.assert_rank(code_bk, 2)
    packed = np.ascontiguousarray(np.asarray(code_bk, np.int8))
    rows = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    unique, number_b = np.unique(rows, return_inverse=True)
    return len(unique), number_b.astype(np.int64)
