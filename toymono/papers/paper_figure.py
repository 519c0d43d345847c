"""What a figure of the paper is: rows of the catalog, a function that draws, claim and facts.

Its runs are those kept runs that have the settings of its rows of the catalog,
at one scale. `paper_figures` lists them all.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from toymono import catalog, frames
from toymono.papers import facts
from toymono.papers.facts import Fact
from toymono.plots import sweeps as drawing
from toymono.plots import training
from toymono.plots.neurons import single_feature_activations, sorted_biases
from toymono.plots.registry import Feed, Lacking, Shelf

RATES = (0, 2, 5)
"""Of a row's six learning rates those that the paper shows side by side."""

CURVES = (frames.per_bin_minimum, frames.per_snapshot)
"""What curves of training are drawn from."""

# Fewer settings of a sweep are no sweep: other sweeps may have left them.
_LEAST = 2


@dataclasses.dataclass(frozen=True)
class PaperFigure:
    """A figure of the paper: `figure(*frames, **feed.options)` draws it."""

    number: int
    alias: str
    summary: str
    """What it shows, in a sentence."""
    sweeps: tuple[str, ...]
    """The rows of the catalog that feed it."""
    draw: Callable[..., Figure]
    frames: tuple[Callable[..., pd.DataFrame], ...]
    """The functions of `toymono.frames` that make the arguments of `draw`, in order."""
    claim: str
    """What the paper says that it shows, in a phrase."""
    facts: tuple[Fact, ...]
    """What to read off ours."""
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """What `draw` takes beside the frames."""
    positions: tuple[int, ...] = ()
    """Which settings of each row of the catalog are shown, by their place in it; all if empty."""
    every: bool = False
    """Whether it needs all of its sweeps, in place of some."""
    table: Callable[..., pd.DataFrame] = frames.per_run
    """The function of `toymono.frames` that the facts are read from."""

    @property
    def name(self) -> str:
        """Its name on the command line, and that of its files."""
        return f"fig{self.number:02}"

    @property
    def trained_by(self) -> str:
        """A command that trains runs for it."""
        return _command(self.sweeps)

    def feed(self, shelf: Shelf, by: str | None = None) -> Feed:
        """What it is drawn from: the scale at which more is kept, the paper's if as much is.

        Raises:
          Lacking: The kept runs do not suffice.
        """
        found = {scale: self._found(shelf, scale) for scale in catalog.SCALES}
        scale = max(found, key=lambda scale: sum(map(_settings, found[scale].values())))
        asked = {sweep: self._asked(sweep, scale) for sweep in self.sweeps}
        fed = {
            sweep: runs
            for sweep, runs in found[scale].items()
            if _settings(runs) >= max(1, min(_LEAST, asked[sweep]))
        }
        lacking = [sweep for sweep in self.sweeps if sweep not in fed]
        if not fed or (self.every and lacking):
            names = ", ".join(lacking)
            raise Lacking(
                f"{self.name}: too few runs of {names}; `{_command(lacking)}` trains them"
            )

        notes = [
            f"{sweep}: {_settings(runs)} of {asked[sweep]} settings."
            for sweep, runs in fed.items()
            if _settings(runs) < asked[sweep]
        ]
        notes += [f"Left out, with too few runs: {', '.join(lacking)}."] if lacking else []
        notes += [self.options["note"]] if "note" in self.options else []
        told = {"head": f"{scale.title()} scale, {', '.join(fed)}: ", "note": " ".join(notes)}
        return Feed(pd.concat(fed.values()), {**self.options, **told}, scale)

    def _found(self, shelf: Shelf, scale: str) -> dict[str, pd.DataFrame]:
        found = {sweep: shelf.members(sweep, scale) for sweep in self.sweeps}
        if self.positions:
            found = {s: runs[runs["position"].isin(self.positions)] for s, runs in found.items()}
        return found

    def _asked(self, sweep: str, scale: str) -> int:
        """How many settings of a sweep it shows when all are kept."""
        return len(self.positions or list(catalog.SWEEPS[sweep].points(scale)))

    def told(self, shelf: Shelf, feed: Feed) -> str:
        """What ours shows: its facts in numbers, sweep by sweep."""
        told = []
        for sweep in feed.runs["sweep"].unique():
            of_sweep = shelf.frame(self.table, feed.runs[feed.runs["sweep"] == sweep])
            said = facts.told(self.facts, of_sweep)
            told.append(f"{sweep} {said}" if len(self.sweeps) > 1 else said)
        return ". ".join(told)

    def __call__(self, *frames: pd.DataFrame, **options: Any) -> Figure:
        """The figure, drawn."""
        return self.draw(*frames, **options)


def _settings(runs: pd.DataFrame) -> int:
    """How many settings of a row of the catalog are kept."""
    return runs["position"].nunique()


def _command(names: Iterable[str]) -> str:
    return f"python -m toymono.sweep --sweep {','.join(names)} --scale small"


# Kinds of figures that the paper has several of.


def traces(
    number: int,
    alias: str,
    summary: str,
    sweep: str | tuple[str, ...],
    by: str,
    claim: str,
    measures: Sequence[str] = ("mono_per_feature", "loss"),
    **options: Any,
) -> PaperFigure:
    """Training in one sweep, or in some side by side."""
    return PaperFigure(
        number,
        alias,
        summary,
        (sweep,) if isinstance(sweep, str) else sweep,
        training.sweep_traces,
        CURVES,
        claim,
        tuple(Fact(measure, by) for measure in measures),
        {"by": by, **options},
    )


def images(
    number: int,
    alias: str,
    where: str,
    sweep: str,
    by: str,
    positions: tuple[int, ...],
    claim: str,
    *measures: str,
) -> PaperFigure:
    """Activations in three models."""
    return PaperFigure(
        number,
        alias,
        f"Each neuron's activation on each feature alone, {where}.",
        (sweep,),
        single_feature_activations,
        (frames.sorted_responses,),
        claim,
        tuple(Fact(measure, by) for measure in measures),
        {"by": by, "height": 4.6},
        positions,
    )


def biases(number: int, alias: str, where: str, sweep: str, claim: str, *told: Fact) -> PaperFigure:
    """Biases in three models."""
    return PaperFigure(
        number,
        alias,
        f"Each neuron's bias, the most monosemantic first, {where}, for three learning rates.",
        (sweep,),
        sorted_biases,
        (frames.per_neuron,),
        claim,
        told,
        {"by": "learning_rate", "height": 2.4},
        RATES,
    )


def of_parts(
    number: int,
    alias: str,
    summary: str,
    sweep: str,
    position: int,
    draw: Callable[..., Figure],
    frame: Callable[..., pd.DataFrame],
    claim: str,
    *told: Fact,
    table: Callable[..., pd.DataFrame] | None = None,
) -> PaperFigure:
    """One model."""
    return PaperFigure(
        number,
        alias,
        summary,
        (sweep,),
        draw,
        (frame,),
        claim,
        told,
        positions=(position,),
        table=table or frame,
    )


def shares(
    number: int,
    alias: str,
    summary: str,
    names: tuple[str, ...],
    claim: str,
    fact: Fact,
    **options: Any,
) -> PaperFigure:
    """Monosemantic neurons against what is swept."""
    draw = drawing.sweep_shares
    return PaperFigure(
        number, alias, summary, names, draw, (frames.per_run,), claim, (fact,), options
    )
