"""The figures by name, what each is drawn from, and which runs it wants."""

import dataclasses
import functools
import warnings
from collections.abc import Callable
from typing import Any, Protocol

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pandas.api.types import is_numeric_dtype

from toymono.plots import style


class Choose(Protocol):
    """Picks, from the headers of the kept runs, those that a figure shows."""

    def __call__(self, runs: pd.DataFrame, by: str | None = None) -> pd.DataFrame: ...


class Lacking(Exception):
    """The kept runs cannot feed a figure; the message names the command that trains some."""


@dataclasses.dataclass(frozen=True)
class Feed:
    """What a figure is drawn from."""

    runs: pd.DataFrame
    """Its runs, of those of `selection.headers`."""
    options: dict[str, Any]
    """What its function takes beside the frames."""
    scale: str | None = None
    """That of the catalog, where its runs are of rows of that."""


class Shelf(Protocol):
    """The kept runs, as a figure asks for them."""

    def chosen(self, choose: Choose, by: str | None) -> pd.DataFrame:
        """Those that `choose` picks."""

    def members(self, sweep: str, scale: str) -> pd.DataFrame:
        """Those of a row of the catalog; see `selection.members`."""

    def frame(self, table: Callable[..., pd.DataFrame], runs: pd.DataFrame) -> pd.DataFrame:
        """A table of some of them."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """A figure of the lab: `entry(*frames)` draws it."""

    draw: Callable[..., Figure]
    """From frames to a matplotlib figure; `by` names the field to compare by."""
    frames: tuple[Callable[..., pd.DataFrame], ...]
    """The functions of `toymono.frames` that make its arguments, in order."""
    choose: Choose
    """Which of the kept runs it shows; none, where they do not suffice."""
    trained_by: str
    """A command that trains runs for it."""

    @property
    def name(self) -> str:
        """Its name on the command line, and that of its files."""
        return self.draw.__name__

    @property
    def summary(self) -> str:
        """What it shows, in a sentence."""
        return self.draw.__doc__.partition("\n")[0]

    def feed(self, shelf: Shelf, by: str | None = None) -> Feed:
        """What it is drawn from.

        Raises:
          Lacking: The kept runs do not suffice.
        """
        runs = shelf.chosen(self.choose, by)
        if runs.empty and by:
            trained_by = f"python -m toymono.sweep --{by} …,…"
            raise Lacking(f"{self.name}: no runs to compare by {by}; `{trained_by}` trains some")
        if runs.empty:
            raise Lacking(f"{self.name}: no runs that suit it; `{self.trained_by}` trains some")
        return Feed(runs, {"by": by}, runs["scale"].iloc[0] if "scale" in runs else None)

    def __call__(self, *frames: pd.DataFrame, **options: Any) -> Figure:
        """The figure, drawn."""
        return self.draw(*frames, **options)


# Columns where NaN says that there is none, not that a run diverged.
_MAY_LACK = ["diverged", "first_kink", "second_kink"]

FIGURES: dict[str, Entry] = {}
"""Every figure of any kept runs by its name, in the order in which they are drawn."""


def drawn(function: Callable[..., Figure]) -> Callable[..., Figure]:
    """Has a function draw in the lab's style, and without the runs that diverged.

    It warns of those. The figure is closed, so that a notebook shows it once.
    """

    @functools.wraps(function)
    def draw(*given: pd.DataFrame, **options: Any) -> Figure:
        with mpl.rc_context(style.RC):
            made = function(*_whole(given), **options)
        plt.close(made)
        return made

    return draw


def figure(
    *frames: Callable[..., pd.DataFrame], choose: Choose, trained_by: str
) -> Callable[[Callable[..., Figure]], Callable[..., Figure]]:
    """Joins a function to `FIGURES` under its own name, and has it be `drawn`.

    Args:
      *frames: See `Entry`, as are the others.
      choose: Which runs it shows.
      trained_by: The command that trains them.
    """

    def register(function: Callable[..., Figure]) -> Callable[..., Figure]:
        draw = drawn(function)
        FIGURES[function.__name__] = Entry(draw, frames, choose, trained_by)
        return draw

    return register


def _whole(frames: tuple[pd.DataFrame, ...]) -> list[pd.DataFrame]:
    """The frames without the runs that hold a number that is not finite in any of them."""
    lost = sorted({run for frame in frames if not frame.empty for run in _lost(frame)})
    if lost:
        warnings.warn(f"left out, for they diverged: {', '.join(lost)}", stacklevel=3)
    whole = [frame[~frame["run"].isin(lost)] if lost else frame for frame in frames]
    if any(frame.empty for frame in whole):
        raise ValueError("there is no run to draw")
    return whole


def _lost(frame: pd.DataFrame) -> set[str]:
    lost: set[str] = set()
    for name in frame.columns.drop(_MAY_LACK, errors="ignore"):
        column = frame[name]
        if is_numeric_dtype(column):
            lost |= set(frame["run"][~np.isfinite(column)])
        elif isinstance(column.iloc[0], np.ndarray):
            lost |= set(frame["run"][~column.map(lambda array: np.isfinite(array).all())])
    return lost
