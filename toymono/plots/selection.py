"""Which of the stored runs a figure shows.

A runs folder fills with the runs of many sweeps. A figure shows runs that can be
compared: they differ in one field or two, all else being equal. The first field
is what the figure compares `by` (colours, panels, the horizontal axis), the
second what it is repeated `across` (columns, rows, colours): a `Comparison`.
Other figures show the runs of sweeps of the catalog, `OfSweeps`, or one network
and what differs from it in given fields, `OfClassifiers`.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from toymono import catalog, fields, frames, store
from toymono.frames import SETTING
from toymono.frames import classifiers as classifier_frames
from toymono.quantities import QUANTITIES
from toymono.store import StoredRun

# A batch size that is chosen by k, as the paper's is, is no comparison of its own.
_FOLLOWS = {"batch_size": "k"}

# Fewer settings than these are no sweep: they may belong to other sweeps.
_FEWEST_SETTINGS = 2


class MissingRuns(Exception):
    """The stored runs do not suffice for a figure."""

    def __init__(self, reason: str, command: str = ""):
        super().__init__(reason)
        self.reason = reason
        """What is missing, in a phrase."""
        self.command = command
        """What trains it; empty if the figure's own command does."""


class Selected(NamedTuple):
    """The runs that a figure shows, and what its caption says of them."""

    runs: pd.DataFrame
    """Rows of `headers`."""
    scale: str | None = None
    """That of the catalog, where the runs are those of its sweeps."""
    captions: Mapping[str, str] = {}
    """The arguments `head` and `note` of the drawing function."""


@runtime_checkable
class Select(Protocol):
    """Picks the runs of a figure from the headers of all stored runs of its kind."""

    def __call__(self, runs: pd.DataFrame, by: str | None = None) -> Selected:
        """The runs to show; raises `MissingRuns`."""
        ...


def headers(stored: Iterable[StoredRun]) -> pd.DataFrame:
    """One row per run: the fields that determine it, and `stored` itself."""
    rows = []
    for run in stored:
        words = {
            name: fields.widths_text(value) if isinstance(value, tuple) else value
            for name, value in run.fields.items()
        }
        rows.append({**words, "fingerprint": run.fingerprint, "stored": run})
    return pd.DataFrame(rows)


def members(runs: pd.DataFrame, sweep: str, scale: str) -> pd.DataFrame:
    """The runs of a sweep of the catalog: those with the setting of one of its points.

    Args:
      runs: From `headers`.
      sweep: A name in `catalog.SWEEPS` or `catalog.BEYOND`.
      scale: One of `catalog.SCALES`.

    Returns:
      A part of `runs` with the columns `sweep`, `scale` and `position`, the
      index of the point.
    """
    positions = store.positions(sweep, scale)
    found = [positions.get(run.setting, -1) for run in runs["stored"]] if len(runs) else []
    runs = runs.assign(sweep=sweep, scale=scale, position=found)
    return runs[runs["position"] >= 0]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Selects runs that differ in one field or two."""

    choose: Callable[..., pd.DataFrame]
    """`comparison`, `by_number` or `one_seed`."""

    def __call__(self, runs: pd.DataFrame, by: str | None = None) -> Selected:
        if len(runs):
            # The figures are about neurons, which tied models do not have, and how training
            # makes them.
            runs = runs[(runs["model"] != "tied") & (runs["origin"] == "fresh")]
        chosen = self.choose(runs, by) if len(runs) else runs
        if len(chosen):
            return Selected(chosen)
        if by:
            command = f"python -m toymono.sweep --{by} …,…"
            raise MissingRuns(f"no runs to compare by {by}", command)
        raise MissingRuns("no matching runs")


@dataclasses.dataclass(frozen=True)
class OfSweeps:
    """Selects the runs of sweeps of the catalog, at the scale with more of their settings.

    If several scales have as many, it is the largest of them. Only runs of at least two
    settings of a sweep are shown, unless the figure wants a single setting.
    """

    sweeps: tuple[str, ...]
    positions: tuple[int, ...] = ()
    """Which settings of each sweep, by their index in it; all if empty."""
    needs_all: bool = False
    """Whether the figure needs all of its sweeps, not just some."""
    heading: bool = True
    """Whether the caption begins with the scale and the names of the sweeps."""
    note: str = ""
    """The last sentences of the caption."""

    def __call__(self, runs: pd.DataFrame, by: str | None = None) -> Selected:
        if by:
            raise MissingRuns(
                f"its runs are those of {', '.join(self.sweeps)}, not compared by {by}"
            )
        of_scale = {scale: self._found(runs, scale) for scale in catalog.SCALES}
        scale = max(of_scale, key=lambda scale: sum(map(_settings, of_scale[scale].values())))
        wanted = {sweep: self._wanted(sweep, scale) for sweep in self.sweeps}
        found = {
            sweep: members
            for sweep, members in of_scale[scale].items()
            if _settings(members) >= max(1, min(_FEWEST_SETTINGS, wanted[sweep]))
        }
        missing = [sweep for sweep in self.sweeps if sweep not in found]
        if not found or (self.needs_all and missing):
            raise MissingRuns(f"too few runs of {', '.join(missing)}", _command(missing))
        if not self.heading:
            captions = {"note": self.note} if self.note else {}
            return Selected(pd.concat(found.values()), scale, captions)
        notes = [
            f"{sweep}: {_settings(members)} of {wanted[sweep]} settings."
            for sweep, members in found.items()
            if _settings(members) < wanted[sweep]
        ]
        notes += [f"Skipped for lack of runs: {', '.join(missing)}."] if missing else []
        notes += [self.note] if self.note else []
        head = f"{catalog.SCALES[scale].title}, {', '.join(found)}: "
        captions = {"head": head, "note": " ".join(notes)}
        return Selected(pd.concat(found.values()), scale, captions)

    def _found(self, runs: pd.DataFrame, scale: str) -> dict[str, pd.DataFrame]:
        found = {sweep: members(runs, sweep, scale) for sweep in self.sweeps}
        if not self.positions:
            return found
        return {s: shown[shown["position"].isin(self.positions)] for s, shown in found.items()}

    def _wanted(self, sweep: str, scale: str) -> int:
        """How many settings of a sweep are shown when all are stored."""
        return len(self.positions or store.positions(sweep, scale))


def _settings(runs: pd.DataFrame) -> int:
    return runs["position"].nunique()


def _command(sweeps: Iterable[str]) -> str:
    return f"python -m toymono.sweep --sweep {','.join(sweeps)} --scale small"


@dataclasses.dataclass(frozen=True)
class OfClassifiers:
    """Selects classifiers that differ in given fields alone.

    Of several such sets it is the one with the largest network, then the one
    with most runs.
    """

    free: tuple[str, ...] = ("alpha",)
    """Fields, other than the seed, in which the runs may differ."""
    compared: str = "alpha"
    """The field that the figure shows."""
    fewest: int = 1
    """The smallest number of its values."""

    def __call__(self, runs: pd.DataFrame, by: str | None = None) -> Selected:
        if by:
            raise MissingRuns(f"it is not compared by {by}")
        if runs.empty:
            raise MissingRuns("no matching runs")
        shared = [name for name in classifier_frames.SETTING if name not in self.free]
        groups = [
            group
            for _, group in runs.groupby(shared, sort=False)
            if group[self.compared].nunique() >= self.fewest
        ]
        if not groups:
            raise MissingRuns("no matching runs")
        return Selected(max(groups, key=_size))


def _size(runs: pd.DataFrame) -> tuple[int, int]:
    """Neurons of the largest network, number of runs."""
    return max(sum(fields.parse_widths(sizes)) for sizes in runs["sizes"].unique()), len(runs)


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
    varied = _varied(frame)
    if len(varied) > 2:
        raise ValueError(f"the runs differ in {', '.join(varied)}; a figure compares two at most")
    if by is not None and by not in varied:
        raise ValueError(f"the runs do not differ in {by}, but in {', '.join(varied) or 'nothing'}")

    def precedence(field: str) -> tuple:
        number = is_numeric_dtype(frame[field])
        return field != by, numeric and not number, -frame[field].nunique(), not number

    varied = sorted(varied, key=precedence)
    if numeric and not (varied and is_numeric_dtype(frame[varied[0]])):
        raise ValueError("the runs do not differ in a field that holds numbers")
    first, second, *_ = [*varied, None, None]
    return first, second


def comparison(runs: pd.DataFrame, by: str | None = None, numeric: bool = False) -> pd.DataFrame:
    """The largest set of runs that differ in two fields at most and fill their grid, or nearly.

    Ties go to more seeds, then to the longer training of the larger models.

    Args:
      runs: From `headers`.
      by: A field that must be among those two; None leaves it open.
      numeric: Whether one of the fields must hold numbers.

    Returns:
      A part of `runs`, empty if there is no such set.
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
    """A field's values: numbers in increasing order, words in the order of their choices."""
    found = frame[field].unique().tolist()
    choices = QUANTITIES[field].choices if field in QUANTITIES else ()
    if not choices:
        return sorted(found)
    known = [word for word in choices if word in found]
    return known + sorted(set(found) - set(known))  # words of records that a user registered


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
    """Every set of settings that are equal in all fields but two at most, `by` among them."""
    varied = _varied(settings)
    for count in range(min(2, len(varied)) + 1):
        for compared in itertools.combinations(varied, count):
            held = [field for field in varied if field not in compared]
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
