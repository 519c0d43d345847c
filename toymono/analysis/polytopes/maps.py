"""The affine map of each polytope: from its code, how far two are apart, and what they do alike.

In one relu layer, flipping a bit changes the map by the rank-one matrix of that
neuron's output and input weights, and the distance of two maps has a closed
form over the bits that differ. Deeper networks multiply masked matrices.
"""

import chex
import numpy as np
from jaxtyping import Float, Int, Real
from scipy.special import softmax

from toymono.analysis.polytopes.codes import soft_code, spline_code
from toymono.analysis.polytopes.networks import PIECES, AnyArray, Dense, Network, dense, one_layer

AffineMap = tuple[Float[np.ndarray, "o m"], Float[np.ndarray, " o"]]
"""Matrix `[o m]` and offset `[o]` of matrix @ x + offset."""


def affine_map(model: Network, x_m: Real[AnyArray, " m"]) -> AffineMap:
    """The affine map that the network is in the polytope of `x_m`.

    For gelu it is the mean of the maps of all codes with the probabilities of
    `soft_code`: exact in value at `x_m`, but not the Jacobian, since the
    probabilities vary with x too.

    Returns:
      matrix `[o m]` and offset `[o]`; the output is matrix @ x + offset.

    Raises:
      ValueError: The nonlinearity has no code.

    Example:
      >>> layers = [(np.array([[1.0, -1.0]]), np.ones(2)), (np.eye(2), np.zeros(2))]
      >>> matrix, offset = affine_map(layers, np.array([3.0]))
      >>> matrix.tolist(), offset.tolist()
      ([[1.0], [0.0]], [1.0, 0.0])
    """
    chex.assert_rank(x_m, 1)
    net, x_1m = dense(model), np.asarray(x_m, np.float64)[None]
    if net.nonlinearity in PIECES:
        return map_of_code(net, spline_code(net, x_1m)[0])
    if len(net.hidden) > 1:
        raise ValueError(f"{len(net.hidden)} hidden layers of {net.nonlinearity} have no one map")
    return _map(net, [(soft_code(net, x_1m)[0], np.zeros(net.widths[0]))])


def map_of_code(model: Network, code_k: Int[AnyArray, " k"]) -> AffineMap:
    """The affine map that belongs to a code, whether or not an input has that code."""
    chex.assert_rank(code_k, 1)
    net = dense(model)
    return _map(net, _factors(net, np.asarray(code_k)))


def _factors(net: Dense, code_k: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Slope and offset of each neuron on its piece, by layer."""
    pieces = net.pieces
    if code_k.shape[-1] != sum(net.widths):
        raise ValueError(f"a code of {code_k.shape[-1]} symbols for {sum(net.widths)} neurons")
    code_k = code_k.astype(int)
    slope_k, offset_k = np.asarray(pieces.slope_r)[code_k], np.asarray(pieces.offset_r)[code_k]
    ends = np.cumsum(net.widths)[:-1]
    return list(
        zip(np.split(slope_k, ends, axis=-1), np.split(offset_k, ends, axis=-1), strict=True)
    )


def _map(net: Dense, factors: list[tuple[np.ndarray, np.ndarray]]) -> AffineMap:
    matrix_md = np.eye(len(net.layers[0][0]))
    offset_d = np.zeros(len(matrix_md))
    for (weight, bias), (slope_k, piece_k) in zip(net.hidden, factors, strict=True):
        matrix_md = matrix_md @ weight * slope_k[None]
        offset_d = (offset_d @ weight + bias) * slope_k + piece_k
    weight, bias = net.layers[-1]
    return (matrix_md @ weight).T, offset_d @ weight + bias


def transformation_distance(
    model: Network, code_k: Int[AnyArray, " k"], other_k: Int[AnyArray, " k"]
) -> float:
    """Frobenius norm of the difference of the matrices that belong to two codes.

    One relu layer: √(eᵀ[(W₁ᵀW₁) ∘ (W₂W₂ᵀ)]e) with e the difference of the codes, so
    that no matrix is built and only neurons that differ count. Deeper networks
    build both matrices.

    Raises:
      ValueError: The codes do not have a symbol for each neuron.

    Reference:
      Black, Sharkey et al. (2022), footnote 8.
    """
    chex.assert_rank([code_k, other_k], 1)
    net = dense(model)
    code_k, other_k = np.asarray(code_k), np.asarray(other_k)
    if len(net.hidden) > 1:
        matrices = [map_of_code(net, each_k)[0] for each_k in (code_k, other_k)]
        return float(np.linalg.norm(matrices[0] - matrices[1]))
    [(slope_k, _)], [(other_slope_k, _)] = _factors(net, code_k), _factors(net, other_k)
    difference_k = slope_k - other_slope_k
    flips_k = difference_k != 0
    (weight_mk, _), (out_ko, _) = net.layers
    weight_mk, out_ko = weight_mk[:, flips_k], out_ko[flips_k]
    gram_kk = (weight_mk.T @ weight_mk) * (out_ko @ out_ko.T)
    square = difference_k[flips_k] @ gram_kk @ difference_k[flips_k]
    return float(np.sqrt(max(square, 0.0)))


def transformation_distances(
    model: Network,
    code_bk: Int[AnyArray, "b k"],
    one_p: Int[AnyArray, " p"],
    other_p: Int[AnyArray, " p"],
) -> Float[np.ndarray, " p"]:
    """`transformation_distance` of pairs of rows of `code_bk`, by their numbers."""
    chex.assert_rank([code_bk, one_p, other_p], [2, 1, 1])
    net, code_bk = dense(model), np.asarray(code_bk)
    if len(net.hidden) > 1:
        matrix_bd = np.stack([map_of_code(net, code_k)[0].ravel() for code_k in code_bk])
        return np.linalg.norm(matrix_bd[one_p] - matrix_bd[other_p], axis=1)
    [(slope_bk, _)] = _factors(net, code_bk)
    (weight_mk, _), (out_ko, _) = net.layers
    gram_kk = (weight_mk.T @ weight_mk) * (out_ko @ out_ko.T)
    difference_pk = slope_bk[one_p] - slope_bk[other_p]
    square_p = np.einsum("pk, pk -> p", difference_pk @ gram_kk, difference_pk)
    return np.sqrt(np.maximum(square_p, 0))


def flip_sizes(model: Network) -> Float[np.ndarray, " k"]:
    """‖w‖ ‖w_out‖: Frobenius norm of the change of the map when a neuron of one layer flips."""
    _, weight_mk, _, out_ko = one_layer(model)
    return np.linalg.norm(weight_mk, axis=0) * np.linalg.norm(out_ko, axis=1)


def outputs_with_codes(
    model: Network, x_bm: Real[AnyArray, "b m"], code_bk: Int[AnyArray, "b k"]
) -> Float[np.ndarray, "b o"]:
    """Outputs if each input is sent along the path of a given code instead of its own."""
    chex.assert_rank([x_bm, code_bk], 2)
    net = dense(model)
    hidden_bd = np.asarray(x_bm, np.float64)
    factors = _factors(net, np.asarray(code_bk))
    for (weight, bias), (slope_bk, offset_bk) in zip(net.hidden, factors, strict=True):
        hidden_bd = (hidden_bd @ weight + bias[None]) * slope_bk + offset_bk
    weight, bias = net.layers[-1]
    return hidden_bd @ weight + bias[None]


def bit_shares(code_bk: Int[AnyArray, "b k"]) -> Float[np.ndarray, " k"]:
    """The fraction of inputs for which each neuron is on: the mask of a class, from its codes."""
    chex.assert_rank(code_bk, 2)
    return (np.asarray(code_bk) > 0).mean(axis=0)


def steered(
    code_bk: Int[AnyArray, "b k"],
    source_k: Float[AnyArray, " k"],
    target_k: Float[AnyArray, " k"],
    bits: int,
) -> Int[np.ndarray, "b k"]:
    """Codes with some bits flipped toward the mask of another class.

    Of the bits that differ from the majority of the target class, those are
    flipped whose share differs most between the two classes.

    Args:
      code_bk: Codes of a relu network.
      source_k: `bit_shares` of the class that the inputs belong to.
      target_k: Of the class to steer to.
      bits: How many to flip; fewer where fewer differ.

    Example:
      >>> steered(np.array([[1, 0, 0]]), np.array([1.0, 0, 0]), np.array([0.8, 0.6, 1]), 1).tolist()
      [[1, 0, 1]]
    """
    chex.assert_rank([code_bk, source_k, target_k], [2, 1, 1])
    code_bk = np.asarray(code_bk)
    wanted_k = (np.asarray(target_k) > 0.5).astype(code_bk.dtype)
    gain_k = abs(np.asarray(target_k) - np.asarray(source_k))
    gain_bk = np.where(code_bk != wanted_k[None], gain_k[None], -np.inf)
    order_bk = np.argsort(-gain_bk, axis=1, kind="stable")[:, :bits]
    steered_bk = code_bk.copy()
    flips = np.take_along_axis(gain_bk, order_bk, axis=1) > -np.inf
    values = np.where(flips, wanted_k[order_bk], np.take_along_axis(code_bk, order_bk, axis=1))
    np.put_along_axis(steered_bk, order_bk, values, axis=1)
    return steered_bk


def direction_images(
    model: Network, direction_m: Real[AnyArray, " m"], code_ck: Int[AnyArray, "c k"]
) -> Float[np.ndarray, "c o"]:
    """The image of one direction under the matrices of several codes."""
    chex.assert_rank([direction_m, code_ck], [1, 2])
    net = dense(model)
    image_cd = np.repeat(np.asarray(direction_m, np.float64)[None], len(code_ck), axis=0)
    for (weight, _), (slope_ck, _) in zip(
        net.hidden, _factors(net, np.asarray(code_ck)), strict=True
    ):
        image_cd = image_cd @ weight * slope_ck
    return image_cd @ net.layers[-1][0]


def mean_cosine(image_co: Real[AnyArray, "c o"]) -> float:
    """Mean cosine of all pairs of images; those that are 0 are left out, NaN with fewer than two.

    Example:
      >>> mean_cosine(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 0.0]]))
      1.0
    """
    chex.assert_rank(image_co, 2)
    image_co = np.asarray(image_co, np.float64)
    norm_c = np.linalg.norm(image_co, axis=1)
    unit_co = image_co[norm_c > 0] / norm_c[norm_c > 0, None]
    count = len(unit_co)
    if count < 2:
        return float("nan")
    return float((np.square(unit_co.sum(axis=0)).sum() - count) / (count * (count - 1)))


def loss_gradients(
    model: Network, x_bm: Real[AnyArray, "b m"], label_b: Int[AnyArray, " b"]
) -> Float[np.ndarray, "b m"]:
    """Gradient of the cross-entropy of the outputs with respect to each input."""
    chex.assert_rank([x_bm, label_b], [2, 1])
    net = dense(model)
    code_bk = spline_code(net, x_bm)
    gradient_bd = softmax(outputs_with_codes(net, x_bm, code_bk), axis=1)
    gradient_bd[np.arange(len(label_b)), np.asarray(label_b)] -= 1
    slopes = [slope_bk for slope_bk, _ in _factors(net, code_bk)]
    for (weight, _), slope_bk in zip(net.layers[:0:-1], slopes[::-1], strict=True):
        gradient_bd = gradient_bd @ weight.T * slope_bk
    return gradient_bd @ net.layers[0][0].T


def adversarial_steps(
    model: Network, x_bm: Real[AnyArray, "b m"], label_b: Int[AnyArray, " b"], length: float
) -> Float[np.ndarray, "b m"]:
    """Each input moved by `length` up the gradient of its cross-entropy; NaN where that is 0."""
    gradient_bm = loss_gradients(model, x_bm, label_b)
    norm_b1 = np.linalg.norm(gradient_bm, axis=1, keepdims=True)
    undefined = np.full_like(gradient_bm, np.nan)
    unit_bm = np.divide(gradient_bm, norm_b1, out=undefined, where=norm_b1 > 0)
    return np.asarray(x_bm, np.float64) + length * unit_bm
