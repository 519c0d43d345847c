"""Jermyn, Schiefer & Hubinger (2022): the runs that judge its claims, and its page."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from toymono import catalog, store
from toymono.frames import regimes, summary
from toymono.papers import evidence, sparse, verdict_page
from toymono.papers.claims import Judged
from toymono.papers.evidence import Evidence, Source
from toymono.papers.jermyn2022.claims import CLAIMS
from toymono.papers.paper import Paper, Picture
from toymono.papers.verdicts import Verdict
from toymono.store import StoredRun

_DECOMPOSED = ("LR3", "E1", "E3")
"""Sweeps whose claims read the numbers of `summary.anatomy`."""

_LARGER = ("log2_steps", "batch_size")
"""Fields of which a larger value may bring a scale closer to the paper."""

_EVERY = (
    *("loss", "loss_share", "loss_fall", "mono_rise"),
    *("monosemantic", "mono_per_feature", "mono_per_neuron", "dead"),
    *("features_with_1", "features_with_2", "nearly_mono_features"),
    *("positive_bias", "bias_above_005", "mean_bias", "mono_bias", "broad_bias"),
)
_ANATOMY = (
    *("singular_in_band", "largest_singular", "effective_rank"),
    *("slope_mean", "slope_q05", "slope_q95", "slope_change", "poly_offset"),
    *("one_kink", "two_first_kink", "two_second_kink"),
)
_RANKED = ("K2",)
"""Sweeps whose claims read the numbers of `frames.regimes`."""

_REGIMES = ("served_share", "poly_share")
QUANTITIES = (*_EVERY, *_ANATOMY)
"""What claims read of a run, at the end and at half of training."""


def source(scale: str) -> Source:
    """The evidence file of Table 1 at a scale."""
    return Source(
        f"jermyn2022-{scale}",
        "toy",
        ("settled", *QUANTITIES, *_REGIMES),
        QUANTITIES,
        find=lambda runs_dir: _find(runs_dir, scale),
        measure=lambda stored: _measure(stored, scale),
    )


def _sources(scale: str) -> tuple[Source, ...]:
    return (source(scale), sparse.source(scale))


def _find(runs_dir: str | Path, scale: str) -> list[StoredRun]:
    """The stored runs of the paper's sweeps, and those that are longer or have larger batches."""
    stored = store.find(runs_dir)
    settings, others = set(_settings(scale)), set(catalog.SCALES) - {scale}
    larger: set[str] = set()
    for change in _changes((run.fields for run in stored), scale):
        larger |= set(_settings(scale, **dict([change])))
    # What another scale has as its own is evidence for that scale.
    settings |= larger.difference(*map(_settings, others)) if larger else set()
    return [run for run in stored if run.setting in settings]


def _settings(scale: str, **changed: Any) -> Iterator[str]:
    for name in catalog.SWEEPS:
        yield from store.positions(name, scale, **changed)


def _changes(runs: Iterator[Mapping[str, Any]], scale: str) -> list[tuple[str, int]]:
    """Fields of `_LARGER` with the values of some run that are larger than the scale's own."""
    every, changes = list(runs), []
    for field in _LARGER:
        own = max((point[field] for point in catalog.points(["all"], scale)), default=math.inf)
        values = sorted({int(run[field]) for run in every if run[field] > own})
        changes += [(field, value) for value in values]
    return changes


def _measure(stored: StoredRun, scale: str) -> dict[str, Any]:
    if stored.diverged is not None:
        return {}
    field = {name: stored.fields[name] for name in _LARGER}

    def of(names: tuple[str, ...]) -> bool:
        return any(stored.setting in store.positions(name, scale, **field) for name in names)

    decomposed = of(_DECOMPOSED)
    ends = store.cached(summary.row, stored, decomposed=decomposed)
    halves = store.cached(_half_row, stored, decomposed=decomposed)
    [ranked] = regimes.per_run([stored]).to_dict("records") if of(_RANKED) else [{}]
    halves = {name + evidence.HALF: value for name, value in halves.items()}
    return {**ranked, **ends, **halves}


def _half_row(run: Any, decomposed: bool) -> dict[str, Any]:
    return summary.row(summary.halfway(run), decomposed)


def _gather(frames: Mapping[str, pd.DataFrame], scale: str) -> Evidence:
    runs = frames[f"jermyn2022-{scale}"]

    def sweeps(**changed: Any) -> dict[str, evidence.Sweep]:
        return {
            name: evidence.sweep(name, runs, evidence.settings(name, scale, **changed))
            for name in catalog.SWEEPS
        }

    larger = {}
    for field, value in _changes(iter(runs.to_dict("records")), scale):
        trained = {
            name: sweep for name, sweep in sweeps(**{field: value}).items() if not sweep.frame.empty
        }
        if trained:
            larger[field, value] = trained
    of_weights = {sparse.SWEEP: sparse.sweep(frames[f"sparse-{scale}"], scale)}
    return Evidence({**sweeps(), **of_weights}, larger)


def _caveats(scale: str) -> Sequence[str]:
    if scale == "paper":
        return ()
    of_scale = catalog.SCALES[scale]
    words = (
        f"**The scale `{scale}` is not the paper's.** It has {of_scale.sizes}, where the paper has "
        f"{catalog.SCALES['paper'].sizes}: verdicts at this scale are about it."
    )
    if of_scale.halved:
        words += (
            " Numbers that replace the paper's at this scale are our choice and marked as such."
        )
    if scale != "small":
        return (words,)
    return (
        words,
        "Claim 6 is judged on weights that are equally dense in both layers; the paper does not "
        "say how its weights were divided. With as many weights in use, but more of the input "
        "weights, the loss is [lower than that of dense weights](basins.md#17-erk-costs).",
    )


def _opening(found: Evidence, judged: Sequence[Judged]) -> str:
    """What the paper claims, and what became of it here."""
    by_name = {each.claim.name: each for each in judged}
    verdict = {name: f"([{each.text}](#{each.anchor}))" for name, each in by_name.items()}

    def ends(name: str) -> str:
        means = [finding.mean for finding in by_name[name].findings if finding.values]
        if not means:
            return "(no run)"
        low, high = (verdict_page.three_digits(end) for end in (min(means), max(means)))
        return low if low == high else f"{low} to {high}"

    def percent(name: str) -> str:
        means = [100 * finding.mean for finding in by_name[name].findings if finding.values]
        return f"{min(means):+.2g} % to {max(means):+.2g} %" if means else "(no run)"

    equal, start = by_name["equal_loss"], by_name["negative_start"]
    later = (
        ""
        if equal.verdict == Verdict.AGREES
        else "; trained for 2^17 steps, at a tenth of the rate, they reach [the loss of "
        "monosemantic ones](basins.md#7-equal-kinds-apart)"
    )
    return (
        "The paper trains models whose true features are known, and claims that training can end "
        "at monosemantic or polysemantic models of the same loss, and that a negative initial bias "
        "leads to monosemantic ones. Our models end with "
        f"{ends('basins')} monosemantic neurons per feature {verdict['basins']}; relative to the "
        f"loss of monosemantic ones, that of polysemantic ones differs by {percent('equal_loss')} "
        f"at the scale `{equal.scale}` {verdict['equal_loss']}{later}. From an initial bias of -1 "
        f"models have {ends('negative_start')} monosemantic neurons per feature at the scale "
        f"`{start.scale}`, depending on the learning rate {verdict['negative_start']}."
    )


PAPER = Paper(
    name="jermyn2022",
    title="Engineering Monosemanticity in Toy Models: the paper's claims and our runs",
    reference="Jermyn, Schiefer & Hubinger (2022), Engineering Monosemanticity in Toy Models, "
    "[arXiv:2211.09169](https://arxiv.org/abs/2211.09169). The paper's N and d are n and m here.",
    claims=CLAIMS,
    scales=tuple(catalog.SCALES),
    sources=_sources,
    gather=_gather,
    start="python -m toymono.sweep --sweep LR1,LR3 --scale {scale} --seeds 3",
    caveats=_caveats,
    opening=_opening,
    picture=Picture(
        "../figures/activations_by_rate.png",
        "Activation of each neuron on each single feature, at bias 0, for three learning rates",
        "As in the paper's figure 4, at its sizes, but after 2^14 steps (the scale `paper14`): "
        "networks that were trained from bias 0 at learning rates of 0.003, 0.01 and 0.03. "
        "Monosemantic neurons form the diagonal.",
    ),
)
