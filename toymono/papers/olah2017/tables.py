"""The tables at the end of the page: ways to find inputs, and connections per weight."""

from collections.abc import Iterable, Sequence

import pandas as pd

from toymono.frames import visualise, visualise_classifiers
from toymono.markdown import table
from toymono.papers.evidence import Evidence
from toymono.papers.findings import finite
from toymono.papers.verdict_page import three_digits

Groups = Sequence[tuple[str, pd.DataFrame]]


def sections(evidence: Evidence) -> Sequence[str]:
    """Titles, tables and what their columns mean."""
    toy = [(name, evidence.sweeps[name].frame) for name in ("bias 0", "bias -1")]
    digits = evidence.sweeps["digits"].frame
    learned = digits[digits["status"] == "learned"] if len(digits) else digits
    nets = [(f"alpha {alpha:g}", rows) for alpha, rows in _by(learned, "alpha")]
    by_rate = [
        (f"{name}, rate {rate:g}", rows)
        for name, runs in toy
        for rate, rows in _by(runs, "learning_rate")
    ]
    return (
        "## What each way to find inputs shows",
        _methods(toy, visualise.METHODS, ("precision", "recall", "active")),
        "Toy models, inputs in batches of 12. Names: where the diversity term compares the batch, "
        "and its weight; without a term they are restarts. Active: the fraction of inputs that "
        "excite the neuron; what pushes inputs off it lowers recall and leaves precision alone. "
        "Means over runs.",
        _methods(
            nets, visualise_classifiers.METHODS, ("precision", "recall", "active", "agreement")
        ),
        "Digits classifiers, images in batches of 4. Agreement: the fraction of images to which a "
        "second network, of another seed, gives the same class; a low one speaks for adversarial "
        f"patterns. {collapsed(digits)}.",
        "## Connections per weight",
        _connections([*by_rate, *nets]),
        "Pairs of features (toy models) or classes that share a weight: quantiles over weights, "
        "mean, and mean weighted by the weight's size; neurons that connect no pair, which are "
        "left out; and the fraction of virtual weights, from feature to feature through the "
        "neurons, that connect a feature with itself. In toy models a few neurons with hundreds "
        "of features decide the means.",
    )


def collapsed(digits: pd.DataFrame) -> str:
    """How many classifiers collapsed, by the weight of the penalty."""
    if digits.empty:
        return "No classifier was trained"
    counts = [
        f"{int((rows['status'] == 'collapsed').sum())} of {len(rows)} at alpha = {alpha:g}"
        for alpha, rows in digits.groupby("alpha")
        if (rows["status"] == "collapsed").any()
    ]
    return f"Classifiers that collapsed and are left out: {', '.join(counts) or 'none'}"


def _by(runs: pd.DataFrame, field: str) -> Iterable[tuple[float, pd.DataFrame]]:
    return list(runs.groupby(field)) if len(runs) else []


def _methods(groups: Groups, methods: Sequence[str], names: Sequence[str]) -> str:
    """A row for each method, the numbers of one group beside those of the next."""
    columns = [
        (f"{name}, {group}", name, runs)
        for group, runs in groups
        for name in names
        if any(finite(runs[f"{name} {method}"]) for method in methods if len(runs))
    ]
    rows = [
        (method, *(_mean(runs, f"{name} {method}") for _, name, runs in columns))
        for method in methods
        if any(finite(runs[f"{name} {method}"]) for _, name, runs in columns)
    ]
    return table(("method", *(head for head, _, _ in columns)), rows) if rows else "No runs."


_CONNECTIONS = {
    "connections_low": "10 %",
    "connections_median": "median",
    "connections_high": "90 %",
    "connections_mean": "mean",
    "connections_weighted_mean": "weighted",
    "connections_dead": "neurons left out",
    "virtual_diagonal": "virtual diagonal",
}


def _connections(groups: Groups) -> str:
    rows = [
        (name, str(len(runs)), *(_mean(runs, column) for column in _CONNECTIONS))
        for name, runs in groups
        if len(runs)
    ]
    return table(("runs", "number", *_CONNECTIONS.values()), rows) if rows else "No runs."


def _mean(runs: pd.DataFrame, column: str) -> str:
    values = finite(runs[column]) if column in runs else ()
    return three_digits(sum(values) / len(values)) if values else "-"
