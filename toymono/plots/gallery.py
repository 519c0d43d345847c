"""From kept runs to files of figures."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from toymono import store
from toymono.files import atomic_write
from toymono.papers.paper_figure import PaperFigure
from toymono.plots import selection, style
from toymono.plots.registry import Choose, Entry, Lacking
from toymono.store import StoredRun

__all__ = ["FORMATS", "AnyFigure", "Gallery", "Lacking", "save"]

AnyFigure = Entry | PaperFigure

FORMATS = {"pdf": {"CreationDate": None}, "png": {}, "svg": {"Date": None}}
"""The formats of files, each with what keeps the hour out of it: same runs, same file."""


class Gallery:
    """The figures of a list of kept runs. Frames are made once for each run, and shared."""

    def __init__(self, kept: Sequence[StoredRun]):
        self.diverged = [run for run in kept if run.diverged is not None]
        """The runs that no figure shows."""
        self.runs = [run for run in kept if run.diverged is None]
        """The others."""
        self._headers = selection.headers(self.runs)
        self._frame = functools.cache(lambda table, path: table([store.load(path)]))
        self.chosen = functools.cache(self._chosen)
        """As `Shelf` has it."""
        self.members = functools.cache(functools.partial(selection.members, self._headers))
        """As `Shelf` has it."""

    def _chosen(self, choose: Choose, by: str | None) -> pd.DataFrame:
        return choose(self._headers, by) if self.runs else self._headers

    def choose(self, entry: AnyFigure, by: str | None = None) -> list[StoredRun]:
        """The runs that a figure shows, each once.

        Raises:
          Lacking: None will do.
        """
        return list(dict.fromkeys(entry.feed(self, by).runs["kept"]))

    def draw(self, entry: AnyFigure, by: str | None = None) -> Figure:
        """A figure.

        Raises:
          Lacking: No kept runs will do.
        """
        feed = entry.feed(self, by)
        return entry(*(self.frame(table, feed.runs) for table in entry.frames), **feed.options)

    def frame(self, table: Callable[..., pd.DataFrame], runs: pd.DataFrame) -> pd.DataFrame:
        """A table of some of the runs, with their `sweep` where they are from the catalog."""
        frames = []
        for _, row in runs.iterrows():
            of_run = self._frame(table, row["kept"].path)
            frames.append(of_run.assign(sweep=row["sweep"]) if "sweep" in runs else of_run)
        return pd.concat(frames, ignore_index=True)


def save(figure: Figure, figures_dir: str | Path, name: str, formats: Sequence[str]) -> list[Path]:
    """Writes a figure in each of the formats, atomic_write first, and renames it.

    Raises:
      OSError: The folder cannot be written.
    """
    paths = []
    for kind in formats:
        target = Path(figures_dir) / f"{name}.{kind}"
        with atomic_write(target) as temporary:
            with mpl.rc_context(style.RC):
                figure.savefig(temporary, format=kind, metadata=FORMATS[kind])
            if kind == "png":
                _with_palette(temporary)
        paths.append(target)
    return paths


def _with_palette(path: Path) -> None:
    """Rewrites a PNG in 256 colours, at a third of the size; no eye tells them from the original's.

    Of Pillow's methods this one keeps colour bars smooth (measured: each channel within 3 of 255).
    """
    with Image.open(path) as image:
        few = image.convert("RGB").quantize(
            256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        )
    few.save(path, format="png", optimize=True)
