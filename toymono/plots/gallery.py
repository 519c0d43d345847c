"""From kept runs to files of figures."""

import functools
import os
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from PIL import Image

from toymono import store
from toymono.plots import selection, style
from toymono.plots.registry import Entry
from toymono.store import Kept

FORMATS = {"pdf": {"CreationDate": None}, "png": {}, "svg": {"Date": None}}
"""The formats of files, each with what keeps the hour out of it: same runs, same file."""


class Lacking(Exception):
    """The kept runs cannot feed a figure; the message names the command that trains some."""


class Gallery:
    """The figures of a list of kept runs. Frames are made once and shared."""

    def __init__(self, kept: Sequence[Kept]):
        self.diverged = [run for run in kept if run.diverged is not None]
        """The runs that no figure shows."""
        self.runs = [run for run in kept if run.diverged is None]
        """The others."""
        self._headers = selection.headers(self.runs)
        self._chosen = functools.cache(lambda choose, by: choose(self._headers, by))
        self._frame = functools.cache(lambda table, paths: table(map(store.load, paths)))

    def choose(self, entry: Entry, by: str | None = None) -> list[Kept]:
        """The runs that a figure shows.

        Raises:
          Lacking: None will do.
        """
        chosen = list(self._chosen(entry.choose, by)["kept"]) if self.runs else []
        if not chosen and by:
            trained_by = f"python -m toymono.sweep --{by} …,…"
            raise Lacking(f"{entry.name}: no runs to compare by {by}; `{trained_by}` trains some")
        if not chosen:
            raise Lacking(f"{entry.name}: no runs that suit it; `{entry.trained_by}` trains some")
        return chosen

    def draw(self, entry: Entry, by: str | None = None) -> Figure:
        """A figure.

        Raises:
          Lacking: No kept runs will do.
        """
        paths = tuple(run.path for run in self.choose(entry, by))
        return entry(*(self._frame(table, paths) for table in entry.frames), by=by)


def save(figure: Figure, figures_dir: str | Path, name: str, formats: Sequence[str]) -> list[Path]:
    """Writes a figure in each of the formats, aside first, and renames it.

    Raises:
      OSError: The folder cannot be written.
    """
    paths = []
    for kind in formats:
        target = Path(figures_dir) / f"{name}.{kind}"
        aside = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with mpl.rc_context(style.RC):
                figure.savefig(aside, format=kind, metadata=FORMATS[kind])
            if kind == "png":
                _with_palette(aside)
            os.replace(aside, target)
        finally:
            aside.unlink(missing_ok=True)
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
