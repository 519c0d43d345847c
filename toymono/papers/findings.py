"""Findings: measured numbers with the limits that a claim sets, and how frames become findings."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from toymono.quantities import QUANTITIES, plain


@dataclasses.dataclass(frozen=True)
class Finding:
    """One measured number in one setting, with the limits that the claim sets."""

    setting: str
    measure: str
    values: tuple[float, ...]
    """One for each seed; empty if no run has the number."""
    settled: bool | None
    """Whether at least half of the runs behind it had settled; None if that is not defined."""
    low: float = -math.inf
    high: float = math.inf
    published: str = ""
    """What the paper reports, where it gives a number."""
    halfway: tuple[float, ...] = ()
    """The values at half of training; empty if they are not known."""
    not_judged: str = ""
    """Why the number is shown without being judged; empty if it is judged."""

    @property
    def counts(self) -> bool:
        """Whether the finding counts in the verdict."""
        return bool(self.values) and not self.not_judged

    @property
    def mean(self) -> float:
        """Mean over the seeds; NaN if there are none."""
        return sum(self.values) / len(self.values) if self.values else math.nan

    @property
    def within(self) -> int:
        """How many seeds lie within the limits."""
        return sum(self.low <= value <= self.high for value in self.values)

    @property
    def approaching(self) -> bool:
        """Whether the seeds were farther from the limits, on average, at half of training."""
        if not self.values or not self.halfway:
            return False
        return self._distance(self.values) < self._distance(self.halfway)

    def _distance(self, values: Sequence[float]) -> float:
        """Mean distance of values to the limits; 0 within them."""
        return sum(max(self.low - v, v - self.high, 0.0) for v in values) / len(values)

    @property
    def limits(self) -> str:
        """The limits in words; empty if there are none."""
        if math.isinf(self.low) and math.isinf(self.high):
            return ""
        if math.isinf(self.low):
            return f"at most {self.high:.3g}"
        if math.isinf(self.high):
            return f"at least {self.low:.3g}"
        return f"{self.low:.3g} to {self.high:.3g}"


def finite(values: Sequence[float] | pd.Series) -> tuple[float, ...]:
    """The values that are finite."""
    return tuple(float(value) for value in values if math.isfinite(value))


def finding(
    setting: str,
    measure: str,
    values: Sequence[float] | pd.Series,
    rows: pd.DataFrame,
    **limits,
) -> Finding:
    """A `Finding` from the rows of the runs behind it; values that are NaN are left out."""
    settled = len(rows) > 0 and bool(rows["settled"].mean() >= 0.5)
    return Finding(setting, measure, finite(values), settled, **limits)


def label(column: str) -> str:
    """What a column of a frame is called in text; other columns are called what they are."""
    words = plain(QUANTITIES[column].label) if column in QUANTITIES else column
    return words.replace("\N{NO-BREAK SPACE}", " ")


MONO = label("mono_per_feature")


def each(frame: pd.DataFrame, field: str, column: str, **limits) -> list[Finding]:
    """One finding for each value of a field: a column, one value per seed."""
    return [
        finding(f"{field} {_text(field, value)}", label(column), rows[column], rows, **limits)
        for value, rows in frame.groupby(field)
    ]


def _text(field: str, value: Any) -> str:
    """A field's value, with an ordinary minus sign."""
    return QUANTITIES[field].text(value).replace("−", "-")


def over(
    frame: pd.DataFrame,
    measure: str,
    number: Callable[[pd.DataFrame], float],
    setting: str = "all settings",
    **limits,
) -> list[Finding]:
    """One finding of all settings together, one value for each seed that has every setting."""
    settings = frame["setting"].nunique()
    whole = [rows for _, rows in frame.groupby("seed") if len(rows) == settings]
    if not whole:
        return []
    return [finding(setting, measure, [number(r) for r in whole], pd.concat(whole), **limits)]


def beside(left: pd.DataFrame, right: pd.DataFrame, *fields: str) -> pd.DataFrame:
    """Runs of two frames joined on seed and fields; `settled` if both runs are."""
    both = left.merge(right, on=[*fields, "seed"], suffixes=("", "_right"))
    return both.assign(settled=both["settled"] & both["settled_right"])


def rank_correlation(one: pd.Series, other: pd.Series) -> float:
    """Spearman's rank correlation; 0 if one of the two does not vary."""
    if one.nunique() < 2 or other.nunique() < 2:
        return 0.0
    return float(one.corr(other, method="spearman"))


def trend(frame: pd.DataFrame, cause: str, column: str, **limits) -> list[Finding]:
    """Whether a column increases (1) or decreases (-1) with another."""
    return over(
        frame,
        f"rank correlation of {label(cause)} and {label(column)}",
        lambda rows: rank_correlation(rows[cause], rows[column]),
        **limits,
    )
