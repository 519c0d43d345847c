"""From the sweep EXPONENT to findings: which features a model ignores under power laws."""

import pandas as pd

from toymono.papers.findings import Finding, finite, rank_correlation

QUANTITIES = (
    *("neurons_per_feature", "served_share", "poly_share", "ignored_share"),
    *("served_rank", "poly_rank", "ignored_rank", "edge_half_rank", "edge_direction"),
)
"""What is measured of a run."""

_SOME = 0.01
"""A regime with a smaller share of the features has no rank that could be compared."""

_IN_ORDER = 0.79
"""Of four numbers in order but for one pair of neighbours, the rank correlation is 0.8."""


def frequent_served(frame: pd.DataFrame) -> list[Finding]:
    """Whether features with a monosemantic neuron are more frequent than polysemantic ones."""
    return _ranks(frame, "poly", "served", "polysemantic", "monosemantic")


def rarest_ignored(frame: pd.DataFrame) -> list[Finding]:
    """Whether ignored features are rarer than polysemantic ones."""
    return _ranks(frame, "ignored", "poly", "ignored", "polysemantic")


def _ranks(frame: pd.DataFrame, high: str, low: str, *words: str) -> list[Finding]:
    found = []
    measure = "mean rank of {} features over that of {} ones".format(*words)
    for (exponent, k), rows in _fewer(frame).groupby(["exponent", "k"]):
        if rows[[f"{high}_share", f"{low}_share"]].min(axis=None) >= _SOME:
            ratio = finite(rows[f"{high}_rank"] / rows[f"{low}_rank"])
            found.append(Finding(f"exponent {exponent:g}, k {k}", measure, ratio, None, low=1.0))
    return found


def steeper_ignores(frame: pd.DataFrame) -> list[Finding]:
    """Whether more features are ignored under steeper power laws, by number of neurons."""
    found = []
    for k, of_k in _fewer(frame).groupby("k"):
        whole = [
            rows for _, rows in of_k.groupby("seed") if len(rows) == of_k["exponent"].nunique()
        ]
        values = tuple(rank_correlation(rows["exponent"], rows["ignored_share"]) for rows in whole)
        measure = "rank correlation of the exponent and the share of ignored features"
        found.append(Finding(f"k {k}", measure, values, None, low=_IN_ORDER))
    return found


def _fewer(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs with fewer neurons than features."""
    return frame[frame["k"] < frame["n"]] if len(frame) else pd.DataFrame(columns=["exponent", "k"])
