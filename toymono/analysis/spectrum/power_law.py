"""How an eigenspectrum falls: the exponent of a power law, and whether there is one.

`λ_i = c i^α` with ranks i from 1; α is negative for a spectrum that falls, as in
Marshall & Kirchner. Other authors give -α. Fits are linear in `log λ` and `log i`.
"""

from typing import NamedTuple

import chex
import numpy as np
from jaxtyping import Float
from sklearn.linear_model import HuberRegressor

from toymono.analysis.spectrum.arrays import AnyArray

METHODS = ("huber", "weighted", "least_squares")
"""How `power_law_exponent` weighs the ranks."""

# Eigenvalues below this share of the largest are 0 up to rounding: dead neurons, or rank below d.
_FLOOR = 1e-12

# Where log λ differs by less than this from a constant or a line, it is one up to rounding.
_EXACT = 1e-9

_FEWEST = 3  # ranks for a fit

_BREAKS = 96  # candidates for the rank of a break, at most: our choice

_FOLDS = 5  # of cross-validation: our choice


class BrokenLaw(NamedTuple):
    """Two power laws that meet: `i^head` up to the break and `i^tail` from there."""

    break_rank: float
    head: float
    tail: float


def usable_ranks(
    eigenvalues: Float[AnyArray, " d"], first: int = 1, last: int | None = None
) -> int:
    """Ranks from `first` to `last` before the first eigenvalue that is 0, up to rounding.

    What follows it is not fitted: 0 has no logarithm, and of eigenvalues of
    cross-validated PCA those after a negative one are noise.
    """
    return len(_logarithms(eigenvalues, first, last)[0])


def power_law_exponent(
    eigenvalues: Float[AnyArray, " d"],
    first: int = 1,
    last: int | None = None,
    method: str = "huber",
    epsilon: float = 1.35,
) -> float:
    """The exponent α of `λ_i ~ i^α`: negative for a spectrum that falls.

    Args:
      eigenvalues: From large to small.
      first: The first rank that is fitted, from 1.
      last: The last one; None for the smallest eigenvalue above 0.
      method: `huber`, as published: every rank counts alike, so that half of the
        weight lies on the last factor 2 of ranks. `weighted`: least squares with
        weights 1/i, every octave alike. `least_squares`: without weights.
      epsilon: Of Huber's loss: residuals beyond so many scales count linearly.

    Returns:
      α; NaN for fewer than 3 ranks with eigenvalues above 0, for equal
      eigenvalues, and for a dead layer.

    Raises:
      ValueError: The method is not one of `METHODS`, or `first` is below 1.

    Example:
      >>> round(power_law_exponent(np.arange(1.0, 65) ** -1.3), 6)
      -1.3

    Reference:
      Marshall & Kirchner (2024), figure 3; Stringer et al. (2019) for `weighted`.
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r} is not one of {', '.join(METHODS)}")
    x, y = _logarithms(eigenvalues, first, last)
    if _flat(y):
        return float("nan")
    weights = np.exp(-x) if method == "weighted" else np.ones_like(x)
    slope, offset = np.polyfit(x, y, 1, w=np.sqrt(weights))
    # Huber's scale goes to 0 on an exact law, where least squares gives the same.
    if method != "huber" or np.abs(y - slope * x - offset).max() < _EXACT:
        return float(slope)
    # Standardised, so that the solver converges; the fit is the same.
    mean, spread, height = x.mean(), x.std(), y.std()
    fit = HuberRegressor(epsilon=epsilon, alpha=0.0, max_iter=1000, tol=1e-8)
    fit.fit(((x - mean) / spread)[:, None], (y - y.mean()) / height)
    return float(fit.coef_[0] * height / spread)


def curvature(eigenvalues: Float[AnyArray, " d"], first: int = 1, last: int | None = None) -> float:
    """Coefficient of `(ln i)^2` in a quadratic fit of `ln λ`: 0 for a power law.

    Negative where the spectrum falls faster and faster, positive where its head
    is steeper than its tail. NaN as for `power_law_exponent`.
    """
    x, y = _logarithms(eigenvalues, first, last)
    return float("nan") if _flat(y) else float(np.polyfit(x, y, 2)[0])


def broken_power_law(
    eigenvalues: Float[AnyArray, " d"], first: int = 1, last: int | None = None
) -> BrokenLaw:
    """Two power laws that meet at a rank, by least squares; the rank is searched.

    Returns:
      NaN in all entries for fewer than 7 ranks, or as for `power_law_exponent`.

    Example:
      >>> rank = np.arange(1.0, 201)
      >>> law = broken_power_law(np.where(rank < 40, rank**-0.2, 40**1.8 * rank**-2))
      >>> [round(float(number), 1) for number in law]
      [40.0, -0.2, -2.0]
    """
    x, y = _logarithms(eigenvalues, first, last)
    if _flat(y) or len(x) < 2 * _FEWEST + 1:
        return BrokenLaw(*[float("nan")] * 3)
    start, (_, head, change) = _broken_fit(x, y, x)
    return BrokenLaw(float(np.exp(start)), float(head), float(head + change))


def cross_validated_errors(
    eigenvalues: Float[AnyArray, " d"], first: int = 1, last: int | None = None
) -> tuple[float, float]:
    """Mean squared error in `ln λ` of one power law and of a broken one, at ranks not fitted.

    Every fifth rank is left out of a fit in turn. Neighbouring eigenvalues are
    alike, so the two errors tell which law has the better form, not how well a
    new sample is predicted.

    Returns:
      The errors of the straight and the broken law; NaN as for `broken_power_law`.
    """
    x, y = _logarithms(eigenvalues, first, last)
    if _flat(y) or len(x) < _FOLDS * _FEWEST:
        return float("nan"), float("nan")
    straight = broken = 0.0
    for fold in range(_FOLDS):
        out = np.arange(len(x)) % _FOLDS == fold
        line = np.polyfit(x[~out], y[~out], 1)
        straight += ((np.polyval(line, x[out]) - y[out]) ** 2).sum()
        start, parameters = _broken_fit(x[~out], y[~out], x)
        broken += ((_hinge(x[out], start) @ parameters - y[out]) ** 2).sum()
    return float(straight / len(x)), float(broken / len(x))


def _logarithms(eigenvalues, first: int, last: int | None):
    """`ln i` and `ln λ_i` of the usable ranks from `first` to `last`."""
    chex.assert_rank(eigenvalues, 1)
    if first < 1:
        raise ValueError(f"first={first}: ranks count from 1")
    values = np.asarray(eigenvalues, np.float64)
    if not np.isfinite(values).all():
        raise ValueError("eigenvalues are not finite")
    above = values > _FLOOR * values.max(initial=0.0)
    end = len(values) if above.all() else int(np.argmin(above))
    end = min(end, len(values) if last is None else last)
    rank = np.arange(first, max(end, first - 1) + 1)
    return np.log(rank), np.log(values[rank - 1])


def _flat(y) -> bool:
    """Whether there is nothing to fit: too few ranks, or equal eigenvalues."""
    return len(y) < _FEWEST or bool(np.ptp(y) < _EXACT)


def _hinge(x, start: float):
    """Columns of a line whose slope changes at `start`."""
    return np.stack([np.ones_like(x), x, np.maximum(x - start, 0)], axis=1)


def _broken_fit(x, y, every_x):
    """The best place of a break among some ranks of `every_x`, and offset, slope, its change."""
    inner = every_x[_FEWEST:-_FEWEST]
    near = np.searchsorted(inner, np.linspace(inner[0], inner[-1], _BREAKS))
    start_c = inner[np.unique(np.minimum(near, len(inner) - 1))]
    # Normal equations of all candidates at once; sound, since the columns are of order 1.
    hinge_cip = np.stack([_hinge(x, start) for start in start_c])
    gram_cpp = np.einsum("cip,ciq->cpq", hinge_cip, hinge_cip)
    parameter_cp = np.linalg.solve(gram_cpp, np.einsum("cip,i->cp", hinge_cip, y)[..., None])[
        ..., 0
    ]
    error_c = ((np.einsum("cip,cp->ci", hinge_cip, parameter_cp) - y[None]) ** 2).sum(axis=1)
    best = int(error_c.argmin())
    return start_c[best], parameter_cp[best]
