"""Kinds of figures that a paper has several of; each shows sweeps of the catalog."""

from collections.abc import Callable, Sequence
from typing import Any

from toymono import frames
from toymono.plots import neurons, sweeps, training
from toymono.plots.facts import Fact
from toymono.plots.figure import Figure, Frame
from toymono.plots.selection import OfSweeps

RATES = (0, 2, 5)
"""Of a sweep's six learning rates those that the paper shows side by side."""

CURVES = (frames.per_bin_minimum, frames.per_snapshot)
"""What training curves are drawn from."""


def of_sweeps(
    number: int,
    alias: str,
    summary: str,
    sweeps: tuple[str, ...],
    draw: Callable[..., Any],
    made_from: tuple[Frame, ...],
    claims: tuple[str, ...],
    facts: tuple[Fact, ...],
    facts_from: Frame = frames.per_run,
    positions: tuple[int, ...] = (),
    needs_all: bool = False,
    note: str = "",
    **options: Any,
) -> Figure:
    """A figure of sweeps: `made_from` names its frames, `options` are arguments of `draw`."""
    return Figure(
        name=f"fig{number:02}",
        summary=summary,
        draw=draw,
        frames=made_from,
        select=OfSweeps(sweeps, positions, needs_all, note=note),
        trained_by=f"python -m toymono.sweep --sweep {','.join(sweeps)} --scale small",
        compares=False,
        alias=alias,
        number=number,
        claims=claims,
        facts=facts,
        facts_from=facts_from,
        options=options,
    )


def traces(
    number: int,
    alias: str,
    summary: str,
    sweep: str | tuple[str, ...],
    by: str,
    claims: tuple[str, ...],
    measures: Sequence[str] = ("mono_per_feature", "loss"),
    **options: Any,
) -> Figure:
    """Training curves of one sweep, or of several side by side."""
    names = (sweep,) if isinstance(sweep, str) else sweep
    facts = tuple(Fact(measure, by) for measure in measures)
    draw = training.sweep_traces
    return of_sweeps(number, alias, summary, names, draw, CURVES, claims, facts, by=by, **options)


def images(
    number: int,
    alias: str,
    where: str,
    sweep: str,
    by: str,
    positions: tuple[int, ...],
    claims: tuple[str, ...],
) -> Figure:
    """Activations of three models."""
    return of_sweeps(
        number,
        alias,
        f"Each neuron's activation on each single feature, {where}.",
        (sweep,),
        neurons.single_feature_activations,
        (frames.sorted_responses,),
        claims,
        (Fact("monosemantic", by), Fact("polysemantic", by)),
        positions=positions,
        by=by,
        height=4.6,
    )


def biases(
    number: int, alias: str, where: str, sweep: str, claims: tuple[str, ...], *facts: Fact
) -> Figure:
    """Biases of three models."""
    return of_sweeps(
        number,
        alias,
        f"Each neuron's bias, the most monosemantic first, {where}, for three learning rates.",
        (sweep,),
        neurons.sorted_biases,
        (frames.per_neuron,),
        claims,
        facts,
        positions=RATES,
        by="learning_rate",
        height=2.4,
    )


def one_model(
    number: int,
    alias: str,
    summary: str,
    sweep: str,
    position: int,
    draw: Callable[..., Any],
    frame: Frame,
    claims: tuple[str, ...],
    *facts: Fact,
    facts_from: Frame | None = None,
) -> Figure:
    return of_sweeps(
        number,
        alias,
        summary,
        (sweep,),
        draw,
        (frame,),
        claims,
        facts,
        facts_from or frame,
        positions=(position,),
    )


def shares(
    number: int,
    alias: str,
    summary: str,
    names: tuple[str, ...],
    claims: tuple[str, ...],
    fact: Fact,
    **options: Any,
) -> Figure:
    """Monosemantic neurons against the swept field."""
    draw, frame = sweeps.sweep_shares, (frames.per_run,)
    return of_sweeps(number, alias, summary, names, draw, frame, claims, (fact,), **options)
