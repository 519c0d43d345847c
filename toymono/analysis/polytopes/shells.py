"""How dense boundaries are by distance from the origin, and whether they form a shell there."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from toymono.analysis.polytopes.lines import hyperplane_distances, ray_density
from toymono.analysis.polytopes.networks import Network, is_one_layer, one_layer


def radial_profile(
    net: Network, direction_rm: np.ndarray, unit: float, edge_e: np.ndarray
) -> Float[np.ndarray, " bins"]:
    """Mean boundaries per unit length by distance from the origin, in bins of radius / `unit`."""
    zero_m = np.zeros(direction_rm.shape[1])
    return ray_density(net, zero_m, unit * direction_rm, edge_e).mean(axis=0)


class Shell(NamedTuple):
    """The densest bin of a radial profile."""

    position: float
    """Its middle, in units of the bins' edges."""
    height: float
    found: bool
    """It is neither the first bin nor the last, and at least twice as high as the first: the
    rule for a shell."""


def shell(profile_e: np.ndarray, edge_e: np.ndarray) -> Shell:
    """Whether boundaries are densest in a shell away from the origin.

    In the last bin no maximum is seen: boundaries may be denser behind it.

    Example:
      >>> shell(np.array([1.0, 3.0, 2.0]), np.array([0.0, 1, 2, 3]))
      Shell(position=1.5, height=3.0, found=True)
    """
    best = int(profile_e.argmax())
    height = float(profile_e[best])
    middle = float(edge_e[best] + edge_e[best + 1]) / 2
    inside = 0 < best < len(profile_e) - 1
    return Shell(middle, height, inside and height >= 2 * float(profile_e[0]))


def predicted_radius(net: Network) -> float:
    """Where biases alone would put the shell of one relu layer: d √(m / 2).

    d is the median distance from the origin of the boundaries of neurons with a
    negative bias, as if these faced in random directions. NaN without such neurons,
    and for networks of another kind.
    """
    if not is_one_layer(net):
        return float("nan")
    _, weight_mk, bias_k, _ = one_layer(net)
    distance_k = hyperplane_distances(net)[bias_k < 0]
    distance_k = distance_k[np.isfinite(distance_k)]
    if not len(distance_k):
        return float("nan")
    return float(np.median(distance_k)) * float(np.sqrt(len(weight_mk) / 2))
