"""What a figure is: one `Figure` record, general, of a paper, or of classifiers alike."""

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

Frame = Callable[..., pd.DataFrame]
"""A function of `toymono.frames`, from runs to a frame."""


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure: which runs it shows, what is computed from them, and how it is drawn."""

    name: str
    """On the command line, and of its files."""
    summary: str
    """What it shows, in a sentence."""
    draw: Callable[..., matplotlib.figure.Figure]
    """From frames to a matplotlib figure."""
    frames: tuple[Frame, ...]
    """The functions that make the arguments of `draw`, in order."""
    select: Select
    """Which of the stored runs it shows."""
    trained_by: str
    """A command that trains runs for it."""
    kind: str = "toy"
    """The kind of run that it shows."""
    compares: bool = True
    """Whether `draw` takes `by`, the field to compare by."""
    alias: str = ""
    """A name by what it shows, for a numbered figure of a paper."""
    number: int | None = None
    """Its number in the paper."""
    claims: tuple[str, ...] = ()
    """Names of the paper's claims that it illustrates."""
    facts: tuple[Fact, ...] = ()
    """Numbers to print beside those claims."""
    facts_from: Frame | None = None
    """What the facts are computed from."""
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Further arguments of `draw`."""


class NothingToDraw(ValueError):
    """The frames of a figure have no rows, apart from runs that diverged."""


def drawn(function: Callable[..., matplotlib.figure.Figure]) -> Callable[..., Any]:
    """Makes a function draw in the package's style, without the runs that diverged.

    It warns of those. The figure is closed, so that a notebook shows it once.
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
    """The frames without runs that diverged; NaN elsewhere means that there is no such number."""
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
        raise NothingToDraw("there is no run to draw")
    return finite
