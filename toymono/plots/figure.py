"""`Figure`: the description of one figure."""

import dataclasses
import functools
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
import matplotlib.figure
import matplotlib.pyplot as plt
import pandas as pd

from toymono.plots import style
from toymono.plots.facts import Fact
from toymono.plots.selection import Select

LONGEST_TITLE = 70
"""Characters of a figure's title."""

Frame = Callable[..., pd.DataFrame]
"""A function of `toymono.frames`, from runs to a frame."""


@dataclasses.dataclass(frozen=True)
class Figure:
    """The description of one figure: its runs, what is computed from them, how it is drawn."""

    name: str
    """Name on the command line and of the output files."""
    summary: str
    """What it shows, in a sentence."""
    draw: Callable[..., matplotlib.figure.Figure]
    """Draws frames."""
    frames: tuple[Frame, ...]
    """Compute the arguments of `draw`, in order."""
    select: Select
    """Which of the stored runs it shows."""
    trained_by: str
    """A command that trains runs for it."""
    kind: str = "toy"
    """The kind of run that it shows."""
    compares: bool = True
    """Whether `draw` accepts `by`."""
    alias: str = ""
    """Descriptive name of a numbered figure."""
    number: int | None = None
    """Its number in the paper."""
    claims: tuple[str, ...] = ()
    """Names of the paper's claims that it illustrates."""
    facts: tuple[Fact, ...] = ()
    """Numbers to print beside those claims."""
    facts_from: Frame | None = None
    """Computes the frame that facts are read from."""
    together: bool = False
    """Whether its frames compare runs with each other, so that they need all runs at once."""
    slow: bool = False
    """Whether its frames take about a minute per run: it is drawn only if it is named."""
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Further arguments of `draw`."""

    @property
    def title(self) -> str:
        """The first words of the summary, as many of its phrases as `LONGEST_TITLE` holds.

        Example:
          >>> Figure("a", "Loss, by step.", print, (), print, "").title
          'Loss, by step'
        """
        words = self.summary.removesuffix(".")
        for mark in ("; ", ": ", ", "):
            while len(words) > LONGEST_TITLE and mark in words:
                words = words.rpartition(mark)[0]
        return words


class NothingToDraw(ValueError):
    """No data left after diverged runs are removed."""


def drawn(function: Callable[..., matplotlib.figure.Figure]) -> Callable[..., Any]:
    """Decorator: applies the package's style and drops diverged runs with a warning.

    It closes the figure, so that notebooks show it once.
    """

    @functools.wraps(function)
    def draw(*frames: pd.DataFrame, **options: Any) -> matplotlib.figure.Figure:
        finite, open_before = _without_diverged(frames), set(plt.get_fignums())
        try:
            with mpl.rc_context(style.RC):
                return function(*finite, **options)
        finally:
            for number in set(plt.get_fignums()) - open_before:
                plt.close(number)

    return draw


def _without_diverged(frames: tuple[pd.DataFrame, ...]) -> list[pd.DataFrame]:
    """The frames without diverged runs. NaN in other columns is not divergence."""
    diverged = sorted(
        {
            run
            for frame in frames
            if "diverged" in frame
            for run in frame.loc[frame["diverged"].notna(), "run"]
        }
    )
    if diverged:
        warnings.warn(f"skipping diverged runs: {', '.join(diverged)}", stacklevel=3)
    finite = [frame[~frame["run"].isin(diverged)] if diverged else frame for frame in frames]
    if any(frame.empty for frame in finite):
        raise NothingToDraw("nothing to draw: no matching runs, or all diverged")
    return finite
