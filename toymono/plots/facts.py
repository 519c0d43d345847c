"""Numbers beside the paper's claims, read off the frames that a figure is drawn from."""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from toymono import frames
from toymono.quantities import QUANTITIES


@dataclasses.dataclass(frozen=True)
class Fact:
    """A column of a frame over the values of a field: a mean over seeds at each."""

    column: str
    by: str | None = None
    """The field; None for the range of all values, without NaN."""
    peak: bool = False
    """The maximum and its place, instead of the values at both ends of the field."""
    half: bool = False
    """Where past the maximum less than half of it is left, instead of the values at the ends."""

    def text(self, frame: pd.DataFrame) -> str:
        """The fact in words and numbers, without the ends of the field."""
        quantity = QUANTITIES[self.column]
        if self.by is None:
            finite = frame[self.column].dropna()
            if finite.empty:
                return f"{quantity.short} none"
            low, high = (quantity.text(end) for end in (finite.min(), finite.max()))
            return f"{quantity.short} {low}" if low == high else f"{quantity.short} {low} … {high}"
        if self.half:
            where = frames.half_lost(frame, self.column, self.by)
            if np.isnan(where):
                return f"{quantity.short} never below half the maximum"
            place = QUANTITIES[self.by].text(where)
            return f"{quantity.short} below half the maximum from {place}"
        course = frames.course(frame, self.column, self.by)
        if self.peak:
            place = course.index[course.to_numpy().argmax()]
            most = quantity.text(course[place])
            return f"{quantity.short} at most {most}, at {QUANTITIES[self.by].text(place)}"
        first, last = quantity.text(course.iloc[0]), quantity.text(course.iloc[-1])
        return f"{quantity.short} {first} → {last}"


def text(facts: Sequence[Fact], frame: pd.DataFrame) -> str:
    """Facts in words and numbers, those over one field together.

    Example:
      >>> frame = pd.DataFrame({"k": [8, 16, 16], "loss": [2.5, 0.5, 0.7], "dead": [0, 1, 3]})
      >>> text([Fact("loss", "k"), Fact("dead", "k"), Fact("dead")], frame)
      'over k 8 → 16: loss 2.50 → 0.60, dead 0 → 2; dead 0 … 3'
    """
    groups = []
    for by, group in itertools.groupby(facts, key=lambda fact: fact.by):
        words = ", ".join(fact.text(frame) for fact in group)
        if by is not None:
            ends = (QUANTITIES[by].text(end) for end in (frame[by].min(), frame[by].max()))
            words = f"over {QUANTITIES[by].short} {' → '.join(ends)}: {words}"
        groups.append(words)
    return "; ".join(groups)
