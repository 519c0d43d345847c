"""Findings: measured numbers beside their limits, and what makes them from frames."""

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from toymono import frames


@dataclasses.dataclass(frozen=True)
class Finding:
    """One measured number, in one setting, and the limits that the claim sets it."""

    setting: str
    measure: str
    values: tuple[float, ...]
    """One for each seed; none where no run has the number."""
    settled: bool | None
    """Whether at least half of the runs behind it had settled; None where that was not asked."""
    low: float = -math.inf
    high: float = math.inf
    paper: str = ""
    """What the paper reports, where it gives a number."""
    halfway: float = math.nan
    """The mean at half of the training, NaN where that is not known."""

    @property
    def mean(self) -> float:
        """Over the seeds; NaN where there are none."""
        return sum(self.values) / len(self.values) if self.values else math.nan

    @property
    def met(self) -> bool:
        """Whether the mean lies within the limits; where there is none it does not."""
        return self._off(self.mean) == 0

    @property
    def approaching(self) -> bool:
        """Whether it was farther off its limits at half of the training."""
        return self._off(self.mean) < self._off(self.halfway)

    def _off(self, value: float) -> float:
        """The distance to the limits, 0 within."""
        return float(np.max([self.low - value, value - self.high, 0.0]))  # NaN stays NaN

    @property
    def limits(self) -> str:
        """The limits in words."""
        if math.isinf(self.low):
            return f"at most {self.high:.3g}"
        if math.isinf(self.high):
            return f"at least {self.low:.3g}"
        return f"{self.low:.3g} to {self.high:.3g}"


def finding(
    setting: str, measure: str, values: Sequence[float], rows: pd.DataFrame, **limits
) -> Finding:
    """A `Finding` from the rows of the runs behind it; values that are NaN are left out."""
    finite = tuple(float(value) for value in values if math.isfinite(value))
    settled = len(rows) > 0 and bool(rows["settled"].mean() >= 0.5)
    return Finding(setting, measure, finite, settled, **limits)


MONO = "monosemantic neurons per feature"

LABELS = {
    "learning_rate": "the rate",
    "bias_decay": "the decay",
    "loss": "the loss",
    "mono_per_feature": MONO,
    "mono_per_neuron": "share of neurons that are monosemantic",
    "mono_bias": "mean bias of monosemantic neurons",
    "poly_bias": "mean bias of neurons that answer to a quarter of all features or more",
    "mean_bias": "mean bias",
    "rise": f"{MONO}, rise in the last octave",
    "fall": "fall of the loss in the last octave, share",
    "loss_share": "loss over that of an output of 0",
    "in_band": "share of M's singular values that are 0 or in 0.99 … 1.03",
    "largest_singular": "largest singular value of M",
    "slope": "mean slope of the poly part along its feature",
    "slope_low": "slope that 1 in 20 features lie below",
    "slope_high": "slope that 1 in 20 features lie above",
    "slope_change": "median change of that slope on [0, 1]",
    "offset": "largest output of the poly part at 0",
    "first_kink": "median kink, features with one neuron",
    "two_first": "median first kink, features with two neurons",
    "two_second": "median second kink, features with two neurons",
}


def each(frame: pd.DataFrame, field: str, column: str, **limits) -> list[Finding]:
    """A column in every value of a field."""
    return [
        finding(f"{field} {value:g}", LABELS.get(column, column), rows[column], rows, **limits)
        for value, rows in frame.groupby(field)
    ]


def over(
    frame: pd.DataFrame,
    measure: str,
    number: Callable[[pd.DataFrame], float],
    setting: str = "all settings",
    **limits,
) -> list[Finding]:
    """A number of all settings together, for each seed that has them all."""
    fields = [field for field in frames.RUN_FIELDS if field in frame and field != "seed"]
    settings = len(frame[fields].drop_duplicates())
    whole = [rows for _, rows in frame.groupby("seed") if len(rows) == settings]
    if not whole:
        return []
    return [finding(setting, measure, [number(r) for r in whole], pd.concat(whole), **limits)]


def beside(left: pd.DataFrame, right: pd.DataFrame, *fields: str) -> pd.DataFrame:
    """Runs of two frames side by side, by seed and fields; `settled` if both are."""
    both = left.merge(right, on=[*fields, "seed"], suffixes=("", "_right"))
    return both.assign(settled=both["settled"] & both["settled_right"])


def rank_correlation(one: pd.Series, other: pd.Series) -> float:
    """Spearman's; 0 where one of the two does not vary."""
    if one.nunique() < 2 or other.nunique() < 2:
        return 0.0
    return float(one.corr(other, method="spearman"))


def trend(frame: pd.DataFrame, cause: str, column: str, **limits) -> list[Finding]:
    """Whether a column rises (1) or falls (-1) with another."""
    return over(
        frame,
        f"rank correlation of {LABELS[cause]} and {LABELS[column]}",
        lambda rows: rank_correlation(rows[cause], rows[column]),
        **limits,
    )
