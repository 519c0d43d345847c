"""Closed forms: dimensions that sparse features need, capacity under dropout, codes that survive.

A *code* writes s values on r neurons such that any s of them suffice to read the
values, and may be rewritten (corrected) after each layer. A monosemantic code is
(1, 1); mixing several values over as many neurons, as a superposed code without
spare neurons does, is (r, r); a polysemantic code with spare neurons is (r, s < r).
"""

from typing import NamedTuple

import numpy as np
import scipy.stats
from jaxtyping import ArrayLike, Float
from scipy.special import entr

from toymono.analysis.spectrum.arrays import AnyArray

# The largest error of a value that counts as read, relative to values of order 1: our choice.
_READ = 1e-6


class CapacityBounds(NamedTuple):
    """Published bounds on a neuron's capacity under dropout, in bits."""

    lower: Float[np.ndarray, "..."]
    """`(1 - ε)(1 - D) C`, with `ε = -log2(1 - 2^-C)`: as the theorem is stated."""
    proven: Float[np.ndarray, "..."]
    """`(1 - D)(C - ε)`: what its proof shows, higher for C above 1."""
    upper: Float[np.ndarray, "..."]
    """`(1 - D) C`."""


def dimensions_per_feature(absent: ArrayLike, bits: ArrayLike) -> Float[np.ndarray, "..."]:
    """Dimensions that each of many sparse features takes at least, `h(S) / bits + 1 - S`.

    Args:
      absent: S, probability that a feature is absent.
      bits: Of a present feature's value, and of a dimension; a free choice of the
        theorem, so that it is best shown for a range, such as 8 … 23.

    Raises:
      ValueError: `absent` is not in [0, 1], or `bits` not above 0.

    Example:
      >>> round(float(dimensions_per_feature(0.5, 23)), 4), float(dimensions_per_feature(0, 23))
      (0.5435, 1.0)

    Reference:
      Marshall & Kirchner (2024), supplement, lemma 2.
    """
    absent, bits = np.asarray(absent, np.float64), np.asarray(bits, np.float64)
    _check_probability("absent", absent)
    if not (bits > 0).all():
        raise ValueError(f"bits={bits} is not above 0")
    return np.asarray(_binary_entropy(absent) / bits + 1 - absent)


def weight_dimensions_per_feature(w_mn: Float[AnyArray, "m n"]) -> float:
    """Dimensions per represented feature of a weight matrix, `D* = m / |W|_F^2`.

    With columns of length 1 for represented features and 0 for others, it is
    dimensions over their number. Infinite if all weights are 0.

    Reference:
      Elhage et al. (2022), "Toy models of superposition", section on geometry.
    """
    squares = (np.asarray(w_mn, np.float64) ** 2).sum()
    return float(len(w_mn) / squares) if squares > 0 else float("inf")


def dropout_capacity(bits: ArrayLike, dropout: ArrayLike) -> Float[np.ndarray, "..."]:
    """Exact capacity of one neuron under dropout, in bits.

    The neuron has `q = 2^bits` values, one of them 0; dropout sets any value to 0,
    so that a received 0 is ambiguous. For two values it is the Z-channel. Capacity
    is `(1 - D) log2(q - 1)` if the value 0 is better not sent, that is for
    `q - 1 >= D^(-1 / (1 - D))`, and else `log2(1 + (q - 1) 2^(-h(D) / (1 - D)))`.

    Args:
      bits: C, at least 0.
      dropout: D, probability that the neuron is dropped.

    Raises:
      ValueError: `bits` is negative, or `dropout` is not in [0, 1].

    Example:
      >>> round(float(dropout_capacity(1, 0.5)), 4), float(dropout_capacity(8, 0))
      (0.3219, 8.0)

    Reference:
      Marshall & Kirchner (2024), supplement, theorem 3, has bounds only.
    """
    bits, dropout = _bits_and_dropout(bits, dropout)
    kept = np.where(dropout < 1, 1 - dropout, 1.0)
    with np.errstate(divide="ignore"):  # one value: log2(0)
        others = bits + np.log2(-np.expm1(-bits * np.log(2)))  # log2(q - 1), for any q
        threshold = -np.log2(dropout) / kept
    shared = np.logaddexp2(0.0, others - _binary_entropy(dropout) / kept)
    exact = np.where(others >= threshold, kept * others, shared)
    return np.asarray(np.where(dropout < 1, exact, 0.0))


def dropout_capacity_bounds(bits: ArrayLike, dropout: ArrayLike) -> CapacityBounds:
    """The published bounds on `dropout_capacity`; lower ones below 0 are 0.

    Raises:
      ValueError: As `dropout_capacity`.
    """
    bits, dropout = _bits_and_dropout(bits, dropout)
    with np.errstate(divide="ignore", invalid="ignore"):
        loss = -np.log2(-np.expm1(-bits * np.log(2)))
        lower = np.where(bits > 0, (1 - loss) * (1 - dropout) * bits, 0.0)
        proven = (1 - dropout) * (bits - loss)
    floor = lambda bound: np.maximum(np.nan_to_num(bound), 0.0)  # noqa: E731
    return CapacityBounds(floor(lower), floor(proven), np.asarray((1 - dropout) * bits))


def survives(
    neurons: int, needed: int, dropout: float, layers: int, rewritten: bool = True
) -> float:
    """Probability that values on some neurons can be read after several layers of dropout.

    Args:
      neurons: r, that the values are written on.
      needed: s, how many suffice to read them: as many as there are values.
      dropout: Probability that a neuron is dropped, in each layer.
      layers: Of dropout, one after the other.
      rewritten: Whether the values are read and written again after each layer.
        Otherwise a neuron that was dropped once is lost.

    Raises:
      ValueError: `dropout` is not in [0, 1].

    Example:
      >>> survives(1, 1, 0.5, 2), round(survives(16, 8, 0.2, 10), 3)
      (0.25, 0.985)
    """
    _check_probability("dropout", np.asarray(dropout))
    kept = 1 - dropout
    if rewritten:
        return float(scipy.stats.binom.sf(needed - 1, neurons, kept) ** layers)
    return float(scipy.stats.binom.sf(needed - 1, neurons, kept**layers))


def simulated_survival(
    neurons: int, needed: int, dropout: float, layers: int, draws: int = 1000, seed: int = 0
) -> Float[np.ndarray, " l"]:
    """The fraction of random linear codes whose values can be read: `survives` by simulation.

    `needed` random values are written on the neurons by a random matrix; after
    each layer they are read by least squares from the neurons that are left, and
    written again.

    Returns:
      After 0, 1, …, `layers` layers.
    """
    rng = np.random.default_rng(seed)
    kept_l = np.zeros(layers + 1)
    for _ in range(draws):
        code_rs, value_s = rng.normal(size=(neurons, needed)), rng.normal(size=needed)
        read_s = value_s
        for layer in range(layers + 1):
            if layer:
                left_r = rng.random(neurons) >= dropout
                written_r = code_rs @ read_s
                read_s, *_ = np.linalg.lstsq(code_rs[left_r], written_r[left_r], rcond=None)
            if np.abs(read_s - value_s).max() > _READ:
                break  # what is lost once is not found again
            kept_l[layer] += 1
    return kept_l / draws


def _binary_entropy(p) -> np.ndarray:
    """In bits; 0 at 0 and 1."""
    return np.asarray((entr(p) + entr(1 - p)) / np.log(2))


def _bits_and_dropout(bits: ArrayLike, dropout: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    bits, dropout = np.broadcast_arrays(
        np.asarray(bits, np.float64), np.asarray(dropout, np.float64)
    )
    _check_probability("dropout", dropout)
    if not (bits >= 0).all():
        raise ValueError(f"bits={bits} is negative")
    return bits, dropout


def _check_probability(name: str, p: np.ndarray) -> None:
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"{name}={p} is not in [0, 1]")
