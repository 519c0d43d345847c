"""From stored runs to files of figures.

`draw_all` is what the commands call: it draws every figure that the runs allow.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import matplotlib.figure
import pandas as pd
from PIL import Image

from toymono.files import atomic_write
from toymono.plots import facts, selection, style
from toymono.plots.figure import Figure, Frame, NothingToDraw
from toymono.plots.selection import MissingRuns
from toymono.store import StoredRun

FORMATS: Mapping[str, dict] = {"pdf": {"CreationDate": None}, "png": {}, "svg": {"Date": None}}
"""The formats of files, each with metadata that keeps the time out of it: same runs, same file."""


class Drawn(NamedTuple):
    """A figure that was drawn."""

    figure: Figure
    runs: int
    """How many runs it shows."""
    scale: str | None
    """Of the catalog, where it shows runs of its sweeps."""
    facts: str
    """Numbers read off its frames, sweep by sweep; empty if it has none."""
    paths: tuple[Path, ...]


class Gallery:
    """The figures of a list of stored runs. Frames are made once for each run, and shared."""

    def __init__(self, stored: Iterable[StoredRun]):
        """Takes the runs of all kinds; toy runs that diverged are not drawn."""
        drawn, diverged = [], []
        for run in stored:
            lost = run.kind.name == "toy" and run.diverged is not None
            (diverged if lost else drawn).append(run)
        self.diverged = diverged
        """The runs that no figure shows."""
        self.runs = drawn
        """The others."""
        self._headers = functools.cache(
            lambda kind: selection.headers(run for run in self.runs if run.kind.name == kind)
        )
        self._frame = functools.cache(lambda frame, run: frame([run]))
        self._found = functools.cache(self._select)

    def selected(self, figure: Figure, by: str | None = None) -> selection.Selected:
        """The runs that a figure shows.

        Raises:
          MissingRuns: The stored runs do not suffice.
        """
        found = self._found(figure.select, figure.kind, by)
        if isinstance(found, MissingRuns):
            command = found.command or figure.trained_by
            reason = f"{figure.name}: {found.reason}; train some with `{command}`"
            raise MissingRuns(reason, command)
        return found

    def _select(
        self, select: selection.Select, kind: str, by: str | None
    ) -> selection.Selected | MissingRuns:
        try:
            return select(self._headers(kind), by)
        except MissingRuns as missing:  # returned, so that it is cached too
            return missing

    def count(self, figure: Figure, by: str | None = None) -> int:
        """The number of runs that a figure shows, each counted once.

        Raises:
          MissingRuns: The stored runs do not suffice.
        """
        return len(set(self.selected(figure, by).runs["stored"]))

    def draw(self, figure: Figure, by: str | None = None) -> matplotlib.figure.Figure:
        """Draws a figure.

        Raises:
          MissingRuns: The stored runs do not suffice.
        """
        found = self.selected(figure, by)
        options = {**figure.options, **found.captions}
        if figure.compares:
            options["by"] = by
        if figure.together:
            frames = [frame(list(found.runs["stored"])) for frame in figure.frames]
        else:
            frames = [self.frame(frame, found.runs) for frame in figure.frames]
        image = figure.draw(*frames, **options)
        style.headline(image, figure.title)
        return image

    def facts(self, figure: Figure) -> str:
        """The numbers of a figure's facts, sweep by sweep; empty if it has none."""
        if not figure.facts or figure.facts_from is None:
            return ""
        runs = self.selected(figure).runs
        sweeps = runs["sweep"].unique()
        parts = []
        for sweep in sweeps:
            frame = self.frame(figure.facts_from, runs[runs["sweep"] == sweep])
            text = facts.text(figure.facts, frame)
            parts.append(f"{sweep} {text}" if len(sweeps) > 1 else text)
        return ". ".join(parts)

    def frame(self, frame: Frame, runs: pd.DataFrame) -> pd.DataFrame:
        """A frame of some of the runs, with their `sweep` where they are of the catalog."""
        parts = []
        for _, row in runs.iterrows():
            of_run = self._frame(frame, row["stored"])
            parts.append(of_run.assign(sweep=row["sweep"]) if "sweep" in runs else of_run)
        return pd.concat(parts, ignore_index=True)


def draw_all(
    stored: Iterable[StoredRun] | Gallery,
    figures: Iterable[Figure],
    figures_dir: str | Path,
    formats: Sequence[str] = ("pdf", "png"),
    by: str | None = None,
    report: Callable[[Drawn], None] = lambda drawn: None,
) -> tuple[list[Drawn], dict[str, str]]:
    """Draws and saves every figure that the runs allow.

    Args:
      stored: Runs of any kinds, or their gallery.
      figures: The figures, such as `registry.FIGURES.values()`.
      figures_dir: An existing folder.
      formats: Of `FORMATS`.
      by: The field to compare by, for figures that compare.
      report: Called with each `Drawn` figure.

    Returns:
      The figures that were drawn, and by name of the others what they lack.

    Raises:
      OSError: The folder cannot be written.
    """
    gallery = stored if isinstance(stored, Gallery) else Gallery(stored)
    done, skipped = [], {}
    for figure in figures:
        try:
            count = gallery.count(figure, by)
        except MissingRuns as missing:
            skipped[figure.name] = missing.reason
            continue
        try:
            image = gallery.draw(figure, by)
        except NothingToDraw as error:
            skipped[figure.name] = f"{figure.name}: {error}"
            continue
        paths = save(image, figures_dir, figure.name, formats)
        scale = gallery.selected(figure, by).scale
        done.append(Drawn(figure, count, scale, gallery.facts(figure), tuple(paths)))
        report(done[-1])
    return done, skipped


def save(
    figure: matplotlib.figure.Figure,
    figures_dir: str | Path,
    name: str,
    formats: Sequence[str],
) -> list[Path]:
    """Writes a figure in each of the formats, atomically.

    Raises:
      OSError: The folder cannot be written.
    """
    paths = []
    for format_ in formats:
        target = Path(figures_dir) / f"{name}.{format_}"
        with atomic_write(target) as temporary:
            with mpl.rc_context(style.RC):
                figure.savefig(
                    temporary,
                    format=format_,
                    metadata=FORMATS[format_],
                    bbox_inches=style.page(figure),
                )
            if format_ == "png":
                _quantize(temporary)
        paths.append(target)
    return paths


def _quantize(path: Path) -> None:
    """Rewrites a PNG in 256 colours, at a third of the size and no visible difference.

    Of Pillow's methods this one keeps colour bars smooth (measured: each channel within 3 of 255).
    """
    with Image.open(path) as image:
        few = image.convert("RGB").quantize(
            256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        )
    few.save(path, format="png", optimize=True)
