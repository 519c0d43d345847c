"""Polytopes in a plane through the input space: exact for one relu layer, by pixels for more.

In a plane each neuron of one layer is a line. Lines in general position divide
a convex box into 1 + lines + meetings regions.
"""

from typing import NamedTuple

import chex
import numpy as np
from jaxtyping import Float, Int, Real

from toymono.analysis.polytopes.codes import distinct, spline_code
from toymono.analysis.polytopes.maps import outputs_with_codes
from toymono.analysis.polytopes.networks import AnyArray, Network, one_layer

# Meetings closer than this fraction of the box, and lines whose coefficients are, are the same.
_SAME = 1e-9


class Slice(NamedTuple):
    """A plane origin + s · first + t · second of the input space."""

    origin_m: Float[AnyArray, " m"]
    first_m: Float[AnyArray, " m"]
    second_m: Float[AnyArray, " m"]


class Lines(NamedTuple):
    """Boundaries in a plane: normal · (s, t) + offset = 0."""

    normal_k2: Float[np.ndarray, "k two"]
    offset_k: Float[np.ndarray, " k"]


class Grid(NamedTuple):
    """A pixel image of a slice; rows follow t, columns s."""

    region_ts: Int[np.ndarray, "t s"]
    """Number of each pixel's code."""
    output_ts: Int[np.ndarray, "t s"]
    """The largest output."""
    regions: int
    """Different codes seen: a lower bound of the regions."""


def through_points(
    x_m: Real[AnyArray, " m"], y_m: Real[AnyArray, " m"], z_m: Real[AnyArray, " m"]
) -> Slice:
    """The plane with x at (0, 0), y at (1, 0) and z at (0, 1).

    Raises:
      ValueError: The points lie on a line.
    """
    chex.assert_rank([x_m, y_m, z_m], 1)
    origin_m, y_m, z_m = (np.asarray(point, np.float64) for point in (x_m, y_m, z_m))
    plane = Slice(origin_m, y_m - origin_m, z_m - origin_m)
    if np.linalg.matrix_rank(np.stack(plane[1:])) < 2:
        raise ValueError("three points on a line span no plane")
    return plane


def slice_lines(model: Network, plane: Slice) -> Lines:
    """The boundary of each neuron of one relu layer in a plane."""
    _, weight_mk, bias_k, _ = one_layer(model)
    chex.assert_rank(list(plane), 1)
    axes_2m = np.stack([np.asarray(axis, np.float64) for axis in plane[1:]])
    return Lines((axes_2m @ weight_mk).T, np.asarray(plane.origin_m) @ weight_mk + bias_k)


def slice_regions(
    model: Network,
    plane: Slice,
    low: tuple[float, float] = (0.0, 0.0),
    high: tuple[float, float] = (1.0, 1.0),
) -> int:
    """How many polytopes of one relu layer a box in a plane meets: exact.

    1 + the lines that cut the open box + for each point where lines meet in it,
    their number less 1.

    Args:
      model: With one relu layer.
      plane: The plane.
      low: Least (s, t) of the box.
      high: Largest (s, t).

    Raises:
      ValueError: The box is empty, or the model has more layers.
    """
    low_2, high_2 = np.asarray(low, np.float64), np.asarray(high, np.float64)
    if not (low_2 < high_2).all():
        raise ValueError(f"low={low} is not below high={high}")
    lines = slice_lines(model, plane)
    # In coordinates where the box is [0, 1]².
    normal_k2 = lines.normal_k2 * (high_2 - low_2)[None]
    offset_k = lines.offset_k + lines.normal_k2 @ low_2
    corner_42 = np.array([(0, 0), (1, 0), (0, 1), (1, 1)], float)
    side_k4 = normal_k2 @ corner_42.T + offset_k[:, None]
    cuts_k = (side_k4.min(axis=1) < 0) & (side_k4.max(axis=1) > 0)
    line_k3 = np.concatenate([normal_k2, offset_k[:, None]], axis=1)[cuts_k]
    line_k3 = line_k3 / np.linalg.norm(line_k3[:, :2], axis=1, keepdims=True)
    # One sign for a line whichever side its neuron is on.
    flipped_k = (line_k3[:, 0] < 0) | ((line_k3[:, 0] == 0) & (line_k3[:, 1] < 0))
    line_k3 = np.where(flipped_k[:, None], -line_k3, line_k3)
    _, kept_k = np.unique(np.round(line_k3 / _SAME), axis=0, return_index=True)
    line_k3 = line_k3[kept_k]
    i, j = np.triu_indices(len(line_k3), 1)
    (a, b, c), (d, e, f) = line_k3[i].T, line_k3[j].T
    det = a * e - b * d
    crossing = abs(det) > _SAME
    point_p2 = np.stack([b * f - c * e, c * d - a * f], axis=1)[crossing] / det[crossing, None]
    point_p2 = point_p2[((point_p2 > 0) & (point_p2 < 1)).all(axis=1)]
    _, pairs_p = np.unique(np.round(point_p2 / _SAME), axis=0, return_counts=True)
    # p lines through one point make p (p - 1) / 2 pairs.
    meeting_p = np.round((1 + np.sqrt(1 + 8 * pairs_p)) / 2)
    return int(1 + len(line_k3) + (meeting_p - 1).sum())


def slice_grid(
    model: Network,
    plane: Slice,
    s_g: Real[AnyArray, " s"],
    t_g: Real[AnyArray, " t"],
) -> Grid:
    """Codes and largest outputs on a grid of points of a plane, for any depth."""
    chex.assert_rank([*plane, s_g, t_g], 1)
    s_g, t_g = np.asarray(s_g, np.float64), np.asarray(t_g, np.float64)
    origin_m, first_m, second_m = (np.asarray(axis, np.float64) for axis in plane)
    packed, output_ts = [], []
    for t in t_g:  # a row at a time, to save memory
        x_bm = (origin_m + t * second_m)[None] + s_g[:, None] * first_m[None]
        code_bk = spline_code(model, x_bm)
        output_ts.append(outputs_with_codes(model, x_bm, code_bk).argmax(axis=1))
        packed.append(code_bk.astype(np.int8))
    count, number_b = distinct(np.concatenate(packed))
    return Grid(number_b.reshape(len(t_g), len(s_g)), np.stack(output_ts), count)
