"""Numbers beside the paper's claims: each is read off the table that a figure is drawn from."""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from toymono import frames
from toymono.plots import style

_WORDS = {
    "mono_per_feature": "mono/feature",
    "mono_per_neuron": "mono/neuron",
    "monosemantic": "mono neurons",
    "positive_bias": "biases above 0",
    "served": "mono neurons of each",
    "full": "output",
    "rank": "singular values above 1/2",
    "singular_low": "the least of them",
    "singular_high": "the largest",
    "slope_low": "least slope",
    "slope_high": "largest slope",
}


@dataclasses.dataclass(frozen=True)
class Fact:
    """What a column of a table comes to over the values of a field: a mean over seeds at each."""

    column: str
    by: str | None = None
    """The field; None for the range of all that is there, without NaN."""
    peak: bool = False
    """Where the column is largest, in place of its ends."""
    half: bool = False
    """Where past that less than half is left, in place of its ends."""

    def told(self, table: pd.DataFrame) -> str:
        """In words and numbers, but for the ends of the field."""
        words = _WORDS.get(self.column, self.column.replace("_", " "))
        if self.by is None:
            finite = table[self.column].dropna()
            if finite.empty:
                return f"{words} none"
            low, high = (self._shown(end) for end in (finite.min(), finite.max()))
            return f"{words} {low}" if low == high else f"{words} {low} … {high}"
        if self.half:
            where = frames.half_lost(table, self.column, self.by)
            if np.isnan(where):
                return f"{words} never fall below half their maximum"
            return f"{words} below half their maximum from {style.plain(self.by, where)}"
        course = frames.course(table, self.column, self.by)
        if self.peak:
            most = course.index[course.to_numpy().argmax()]
            return f"{words} at most {_number(course[most])}, at {style.plain(self.by, most)}"
        return f"{words} {_number(course.iloc[0])} → {_number(course.iloc[-1])}"

    def _shown(self, number: float) -> str:
        of_run = self.column in frames.RUN_FIELDS
        return style.plain(self.column, number) if of_run else _number(number)


def told(facts: Sequence[Fact], table: pd.DataFrame) -> str:
    """Facts in words and numbers, those over one field together.

    Example:
      >>> table = pd.DataFrame({"k": [8, 16, 16], "loss": [2.5, 0.5, 0.7], "dead": [0, 1, 3]})
      >>> told([Fact("loss", "k"), Fact("dead", "k"), Fact("dead")], table)
      'over k 8 → 16: loss 2.50 → 0.60, dead 0 → 2; dead 0 … 3'
    """
    groups = []
    for by, group in itertools.groupby(facts, key=lambda fact: fact.by):
        said = ", ".join(fact.told(table) for fact in group)
        if by is not None:
            ends = (style.plain(by, end) for end in (table[by].min(), table[by].max()))
            said = f"over {by.replace('_', ' ')} {' → '.join(ends)}: {said}"
        groups.append(said)
    return "; ".join(groups)


def _number(number: float | np.integer) -> str:
    if (
        isinstance(number, np.integer)
        or number == 0
        or abs(number) >= 10
        or (abs(number) >= 2 and float(number).is_integer())
    ):
        shown = f"{number:.0f}"
    elif abs(number) >= 0.1:
        shown = f"{number:.2f}"
    else:
        return style.plain("", float(f"{number:.2g}"))
    return shown.replace("-", "−")
