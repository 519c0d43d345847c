"""Which of the kept runs a figure compares.

A folder fills with the runs of many sweeps. A figure shows those that can be
compared: runs that differ in one field or two, all else being equal. The first
field is what the figure compares `by` (colours, panels, the horizontal axis),
the second what it is repeated `across` (columns, rows, colours). The paper's
figures show the runs of rows of the catalog instead: `members`.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from toymono import catalog, frames
from toymono.config import CHOICES
from toymono.store import StoredRun
from toymono.sweep import plan

SETTING = [field for field in frames.RUN_FIELDS if field != "seed"]
"""The columns that a run shares with its like of other seeds."""

# A batch that is chosen by k, as the paper's is, is no comparison of its own.
_FOLLOWS = {"batch_size": "k"}


def headers(kept: Iterable[StoredRun]) -> pd.DataFrame:
    """One row per kept run: the fields that determine it, and `kept` itself."""
    return pd.DataFrame([{**run.fields, "kept": run} for run in kept])


def members(runs: pd.DataFrame, sweep: str, scale: str) -> pd.DataFrame:
    """The runs of a row of the catalog: those with the setting of one of its points.

    Args:
      runs: From `headers`.
      sweep: A name in `catalog.SWEEPS` or `catalog.BEYOND`.
      scale: One of `catalog.SCALES`.

    Returns:
      A part of `runs` with the columns `sweep` and `position`, the number of
      the point, from 0.
    """
    places = plan.places(sweep, scale)
    found = [places.get(run.setting, -1) for run in runs["kept"]] if len(runs) else []
    runs = runs.assign(sweep=sweep, position=found)
    return runs[runs["position"] >= 0]


def of_sweep(sweep: str) -> Callable[..., pd.DataFrame]:
    """What chooses the runs of a row of the catalog, at the scale of which more are kept.

    They are `members` with the column `scale`.
    """

    def choose(runs: pd.DataFrame, by: str | None = None) -> pd.DataFrame:
        found = [members(runs, sweep, scale).assign(scale=scale) for scale in catalog.SCALES]
        return runs.iloc[:0] if by else max(found, key=len)

    return choose


def axes(
    frame: pd.DataFrame, by: str | None = None, numeric: bool = False
) -> tuple[str | None, str | None]:
    """The fields that the runs of a frame are compared by and across; None where there is none.

    Args:
      frame: Any frame of `toymono.frames`.
      by: The field to compare by; None takes the one with the most values.
      numeric: Whether that field has to hold numbers.

    Raises:
      ValueError: The runs differ in more than two fields, or not in `by`.

    Example:
      >>> runs = pd.DataFrame([dict.fromkeys(frames.RUN_FIELDS, 1)] * 3)
      >>> axes(runs.assign(k=[8, 8, 16], eps=[0.1, 0.2, 0.3]))
      ('eps', 'k')
    """
    fields = _varied(frame)
    if len(fields) > 2:
        raise ValueError(f"the runs differ in {', '.join(fields)}; a figure compares two at most")
    if by is not None and by not in fields:
        raise ValueError(f"the runs do not differ in {by}, but in {', '.join(fields) or 'nothing'}")

    def precedence(field: str) -> tuple:
        number = is_numeric_dtype(frame[field])
        return field != by, numeric and not number, -frame[field].nunique(), not number

    fields = sorted(fields, key=precedence)
    if numeric and not (fields and is_numeric_dtype(frame[fields[0]])):
        raise ValueError("the runs do not differ in a field that holds numbers")
    first, second, *_ = [*fields, None, None]
    return first, second


def comparison(runs: pd.DataFrame, by: str | None = None, numeric: bool = False) -> pd.DataFrame:
    """The largest set of runs that differ in two fields at most and fill their grid, or nearly.

    Ties go to more seeds, then to the longer training of the larger models.

    Args:
      runs: From `headers`.
      by: A field that must be among those two; None leaves it open.
      numeric: Whether one of the fields must hold numbers.

    Returns:
      A part of `runs`, without any where none will do.
    """
    setting = runs.groupby(SETTING).ngroup()
    settings = runs.assign(seeds=runs.groupby(SETTING)["seed"].transform("size"))
    settings = settings[~setting.duplicated()]
    best, best_size = settings.iloc[:0], (0,)
    for group in _comparable(settings, by):
        if len(group) < best_size[0]:
            continue
        try:
            compared = axes(group, by, numeric)
        except ValueError:
            continue
        grid = math.prod(group[field].nunique() for field in compared if field)
        training = (2.0 ** group["log2_steps"] * group["n"] * group["k"]).mean()
        size = (len(group), group["seeds"].sum(), training)
        if 4 * len(group) > 3 * grid and size > best_size:
            best, best_size = group, size
    return runs[setting.isin(setting[best.index])]


def by_number(runs: pd.DataFrame, by: str | None = None) -> pd.DataFrame:
    """A `comparison` by a field that holds numbers."""
    return comparison(runs, by, numeric=True)


def one_seed(runs: pd.DataFrame, by: str | None = None) -> pd.DataFrame:
    """A `comparison` with the first seed of each setting alone."""
    return first_seeds(comparison(runs, by))


def first_seeds(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of each setting's lowest seed."""
    return frame[frame["seed"] == frame.groupby(SETTING)["seed"].transform("min")]


def values(frame: pd.DataFrame, field: str) -> list[Any]:
    """A field's values: numbers as they rise, words as they are listed in `CHOICES`."""
    found = frame[field].unique().tolist()
    return [word for word in CHOICES.get(field, sorted(found)) if word in found]


def spread(frame: pd.DataFrame, field: str | None, most: int) -> list[Any]:
    """A field's values in order, at most so many: the first, the last and some evenly between.

    Without a field the list holds one None.

    Example:
      >>> spread(pd.DataFrame({"k": [1, 2, 3, 4, 5, 6, 7]}), "k", 3)
      [1, 4, 7]
    """
    every = values(frame, field) if field else [None]
    if len(every) <= most:
        return every
    return [every[i] for i in np.linspace(0, len(every) - 1, most).round().astype(int)]


def part(frame: pd.DataFrame, field: str | None, value: Any) -> pd.DataFrame:
    """The rows where a field has a value; all of them without a field."""
    return frame if field is None else frame[frame[field] == value]


def _comparable(settings: pd.DataFrame, by: str | None) -> Iterator[pd.DataFrame]:
    """Every set of settings that are alike in all fields but two at most, `by` among them."""
    fields = _varied(settings)
    for count in range(min(2, len(fields)) + 1):
        for compared in itertools.combinations(fields, count):
            held = [field for field in fields if field not in compared]
            if by is None or by in compared:
                yield from (group for _, group in settings.groupby(held)) if held else [settings]


def _varied(frame: pd.DataFrame) -> list[str]:
    swept = frames.swept(frame)
    return [
        field
        for field in swept
        if _FOLLOWS.get(field) not in swept
        or frame.groupby(_FOLLOWS[field])[field].nunique().max() > 1
    ]
