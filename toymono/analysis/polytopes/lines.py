"""Boundaries of polytopes along lines: where neurons flip, how dense that is, how much it bends.

On a line each neuron of one relu layer flips once at most, at a point with a
closed form. In deeper networks neurons may flip several times; the line is then
subdivided layer by layer, between whose breaks everything is affine, so that the
crossings are exact too.
"""

from typing import NamedTuple

import chex
import numpy as np
from jaxtyping import Float, Int, Real
from scipy.spatial.distance import pdist, squareform

from toymono.analysis.polytopes.codes import pair_distances, spline_code
from toymono.analysis.polytopes.networks import (
    AnyArray,
    Network,
    apply,
    dense,
    is_one_layer,
    one_layer,
    symbols,
)

# A hyperplane counts as parallel to a direction if the sine of the angle is below this.
_PARALLEL = 1e-12


class Breaks(NamedTuple):
    """Where a line crosses boundaries, in increasing order."""

    position_p: Float[np.ndarray, " p"]
    """s of start + s · direction."""
    layer_p: Int[np.ndarray, " p"]
    """Hidden layer of the neuron that flips, from 0."""
    neuron_p: Int[np.ndarray, " p"]
    """Its number in the layer, from 0."""


def crossings(
    model: Network, start_m: Real[AnyArray, " m"], direction_m: Real[AnyArray, " m"]
) -> Float[np.ndarray, " k"]:
    """Where on the line start + s · direction each neuron of one relu layer flips.

    s = −(w · start + b) / (w · direction): negative behind the start, inf for a
    neuron that never flips.

    Raises:
      ValueError: There are more hidden layers than one, or another nonlinearity.

    Example:
      >>> layers = [(np.array([[2.0, 1.0]]), np.array([-1.0, 3.0])), (np.eye(2), np.zeros(2))]
      >>> crossings(layers, np.zeros(1), np.ones(1)).tolist()
      [0.5, -3.0]
    """
    chex.assert_rank([start_m, direction_m], 1)
    [flip_k] = ray_crossings(model, start_m, np.asarray(direction_m)[None])
    return flip_k


def ray_crossings(
    model: Network, start_m: Real[AnyArray, " m"], direction_rm: Real[AnyArray, "r m"]
) -> Float[np.ndarray, "r k"]:
    """`crossings` of several rays from one point."""
    chex.assert_rank([start_m, direction_rm], [1, 2])
    _, weight_mk, bias_k, _ = one_layer(model)
    at_k = np.asarray(start_m, np.float64) @ weight_mk + bias_k
    direction_rm = np.asarray(direction_rm, np.float64)
    slope_rk = direction_rm @ weight_mk
    length_rk = _norm(direction_rm, 1)[:, None] * _norm(weight_mk, 0)[None]
    crosses_rk = abs(slope_rk) > _PARALLEL * length_rk
    never_rk = np.full(slope_rk.shape, np.inf)
    return np.divide(-at_k[None], slope_rk, out=never_rk, where=crosses_rk) + 0.0  # -0 is 0


def line_breaks(
    model: Network,
    start_m: Real[AnyArray, " m"],
    direction_m: Real[AnyArray, " m"],
    low: float = 0.0,
    high: float = 1.0,
) -> Breaks:
    """All boundaries that a line crosses from s = `low` to s = `high`, exact for any depth.

    A flip right at `low` counts if the code differs on the other side of it.

    Raises:
      ValueError: The nonlinearity is not piecewise linear, or not low < high.
    """
    chex.assert_rank([start_m, direction_m], 1)
    if not low < high:
        raise ValueError(f"low={low} is not below high={high}")
    net = dense(model)
    pieces = net.pieces
    position_p = np.array([low, high], np.float64)
    start_m, direction_m = np.asarray(start_m, np.float64), np.asarray(direction_m, np.float64)
    hidden_pd = start_m[None] + position_p[:, None] * direction_m[None]
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for layer, (weight, bias) in enumerate(net.hidden):
        input_pk = hidden_pd @ weight + bias[None]
        # Between neighbouring positions the input is affine: compare its ends.
        step_pk = np.diff(input_pk, axis=0)
        new_positions, new_inputs = [], []
        for threshold in pieces.threshold_p:
            above_pk = input_pk > threshold
            p, k = np.nonzero(above_pk[1:] != above_pk[:-1])
            share = (threshold - input_pk[p, k]) / step_pk[p, k]
            position = position_p[p] + share * (position_p[p + 1] - position_p[p])
            at_break = input_pk[p] + share[:, None] * step_pk[p]
            at_break[np.arange(len(p)), k] = threshold
            found.append((position, np.full(len(p), layer), k))
            new_positions.append(position)
            new_inputs.append(at_break)
        position_p = np.concatenate([position_p, *new_positions])
        order_p = np.argsort(position_p, kind="stable")
        position_p = position_p[order_p]
        hidden_pd = apply(pieces, np.concatenate([input_pk, *new_inputs])[order_p])
    position_p, layer_p, neuron_p = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    order_p = np.argsort(position_p, kind="stable")
    return Breaks(position_p[order_p], layer_p[order_p], neuron_p[order_p])


def ray_density(
    model: Network,
    start_m: Real[AnyArray, " m"],
    direction_rm: Real[AnyArray, "r m"],
    edge_e: Real[AnyArray, " e"],
) -> Float[np.ndarray, "r bins"]:
    """Boundaries per unit length along rays, in bins of s.

    A crossing counts in the bin with `edge[i] < s ≤ edge[i + 1]`: at s = 0, where
    all neurons without a bias meet, it is in no bin that begins there. Exact for
    any depth; a closed form for one relu layer.

    Args:
      model: As for `spline_code`.
      start_m: Where the rays start, for instance the origin.
      direction_rm: Their directions; lengths are in units of the input space.
      edge_e: Increasing edges of the bins of s.

    Raises:
      ValueError: The edges do not increase, or a direction is 0.

    Example:
      >>> layers = [(np.array([[2.0, 1.0]]), np.array([-1.0, 3.0])), (np.eye(2), np.zeros(2))]
      >>> ray_density(layers, np.zeros(1), np.ones((1, 1)), np.array([0, 4])).tolist()
      [[0.25]]
    """
    chex.assert_rank([start_m, direction_rm, edge_e], [1, 2, 1])
    edge_e = np.asarray(edge_e, np.float64)
    direction_rm = np.asarray(direction_rm, np.float64)
    if len(edge_e) < 2 or not (np.diff(edge_e) > 0).all():
        raise ValueError("the edges of the bins do not increase")
    length_r = _norm(direction_rm, 1)
    if not length_r.all():
        raise ValueError("a direction is 0")
    if is_one_layer(model):
        positions = ray_crossings(model, start_m, direction_rm)
    else:
        ends = float(edge_e[0]), float(edge_e[-1])
        positions = [line_breaks(model, start_m, u_m, *ends).position_p for u_m in direction_rm]
    count_re = np.stack([_counts(position_p, edge_e) for position_p in positions])
    return count_re / (np.diff(edge_e)[None] * length_r[:, None])


def _counts(position_p: np.ndarray, edge_e: np.ndarray) -> np.ndarray:
    """How many positions lie in each bin (left, right]."""
    index_p = np.searchsorted(edge_e, position_p, side="left")
    return np.bincount(index_p, minlength=len(edge_e) + 1)[1 : len(edge_e)]


def density(model: Network, x_m: Real[AnyArray, " m"], y_m: Real[AnyArray, " m"]) -> float:
    """Code distance of two points over their Euclidean distance; NaN if they coincide.

    Reference:
      Black, Sharkey et al. (2022), polytope density.
    """
    chex.assert_rank([x_m, y_m], 1)
    points_2m = np.stack([np.asarray(x_m), np.asarray(y_m)])
    return float(pair_densities(model, points_2m)[0, 1])


def pair_densities(model: Network, x_bm: Real[AnyArray, "b m"]) -> Float[np.ndarray, "b b"]:
    """`density` of all pairs of points; NaN for a point with itself or an equal one."""
    return _ratio(pair_distances(spline_code(model, x_bm)), pair_lengths(x_bm))


def pair_lengths(x_bd: Real[AnyArray, "b d"]) -> Float[np.ndarray, "b b"]:
    """Euclidean distances of all pairs of points."""
    chex.assert_rank(x_bd, 2)
    return squareform(pdist(np.asarray(x_bd, np.float64)))


def partner_densities(
    model: Network, x_bm: Real[AnyArray, "b m"], y_bm: Real[AnyArray, "b m"]
) -> Float[np.ndarray, " b"]:
    """`density` of each point of one list with its partner in another."""
    chex.assert_rank([x_bm, y_bm], 2)
    difference_bk = abs(spline_code(model, x_bm) - spline_code(model, y_bm))
    length_b = _norm(np.asarray(x_bm, np.float64) - np.asarray(y_bm, np.float64), 1)
    return _ratio(difference_bk.sum(axis=1).astype(float), length_b)


def slope_variation(model: Network, x_m: Real[AnyArray, " m"], y_m: Real[AnyArray, " m"]) -> float:
    """How much the network bends between two points: the total variation of its derivative.

    Each boundary counts with the change of the derivative along the segment, per
    unit length of input: |w_j · u| ‖w_out,j‖ for neuron j of one relu layer, u the
    direction. Exact for any depth; NaN if the points coincide.
    """
    chex.assert_rank([x_m, y_m], 1)
    start_m, step_m = np.asarray(x_m, np.float64), np.asarray(y_m, np.float64) - np.asarray(x_m)
    length = float(np.linalg.norm(step_m))
    if length == 0:
        return float("nan")
    if is_one_layer(model):
        _, weight_mk, _, out_ko = one_layer(model)
        code_2k = spline_code(model, np.stack([start_m, start_m + step_m]))
        size_k = abs(step_m @ weight_mk) / length * _norm(out_ko, 1)
        return float(size_k[code_2k[0] != code_2k[1]].sum())
    net = dense(model)
    edge_p = np.unique([0.0, *line_breaks(net, start_m, step_m).position_p, 1.0])
    middle_p = (edge_p[1:] + edge_p[:-1]) / 2
    value_pd = start_m[None] + middle_p[:, None] * step_m[None]
    slope_pd = np.repeat(step_m[None] / length, len(middle_p), axis=0)
    for weight, bias in net.hidden:
        input_pk = value_pd @ weight + bias[None]
        value_pd = apply(net.pieces, input_pk)
        slope_pd = slope_pd @ weight * np.asarray(net.pieces.slope_r)[symbols(net.pieces, input_pk)]
    slope_po = slope_pd @ net.layers[-1][0]
    return float(_norm(np.diff(slope_po, axis=0), 1).sum())


def hyperplane_distances(model: Network) -> Float[np.ndarray, " k"]:
    """|b| / ‖w‖, how far each boundary of one relu layer is from the origin; inf where w is 0.

    Hyperplanes at one distance d that face in random directions of m dimensions
    are crossed most often near radius d √(m / 2): a shell needs biases of one
    size, nothing else.
    """
    _, weight_mk, bias_k, _ = one_layer(model)
    norm_k = _norm(weight_mk, 0)
    return np.divide(abs(bias_k), norm_k, out=np.full(len(bias_k), np.inf), where=norm_k > 0)


def _norm(array: np.ndarray, axis: int) -> np.ndarray:
    return np.sqrt((array**2).sum(axis=axis))


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    undefined = np.full(numerator.shape, np.nan)
    return np.divide(numerator, denominator, out=undefined, where=denominator > 0)
