"""The figures by name, what each is drawn from, and which runs it wants."""

import dataclasses
import functools
import warnings
from collections.abc import Callable
from typing import Protocol

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


@dataclasses.dataclass(frozen=True)
class Entry:
    """A figure of the lab: `entry(*frames)` draws it."""

    draw: Callable[..., Figure]
    """From frames to a matplotlib figure; `by` names the field to compare by."""
    frames: tuple[Callable[..., pd.DataFrame], ...]
    """The functions of `toymono.tables` that make its arguments, in order."""
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

    def __call__(self, *frames: pd.DataFrame, by: str | None = None) -> Figure:
        """The figure, drawn."""
        return self.draw(*frames, by=by)


FIGURES: dict[str, Entry] = {}
"""Every figure by its name, in the order in which they are drawn."""


def figure(
    *frames: Callable[..., pd.DataFrame], choose: Choose, trained_by: str
) -> Callable[[Callable[..., Figure]], Callable[..., Figure]]:
    """Joins a function to `FIGURES` under its own name.

    The function is drawn in the lab's style, and without the runs that
    diverged: it warns of them. Its figure is closed, so that a notebook shows
    it once.

    Args:
      *frames: See `Entry`, as are the others.
      choose: Which runs it shows.
      trained_by: The command that trains them.
    """

    def register(function: Callable[..., Figure]) -> Callable[..., Figure]:
        @functools.wraps(function)
        def draw(*given: pd.DataFrame, by: str | None = None) -> Figure:
            with mpl.rc_context(style.RC):
                drawn = function(*_whole(given), by=by)
            plt.close(drawn)
            return drawn

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
    for name in frame.columns.drop("diverged", errors="ignore"):
        column = frame[name]
        if is_numeric_dtype(column):
            lost |= set(frame["run"][~np.isfinite(column)])
        elif isinstance(column.iloc[0], np.ndarray):
            lost |= set(frame["run"][~column.map(lambda array: np.isfinite(array).all())])
    return lost
