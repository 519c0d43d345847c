"""From the sweep EXPAND to findings: models whose neurons were divided, beside those trained on."""

import pandas as pd

from toymono.papers.findings import Finding, finite


def losses(runs: pd.DataFrame) -> list[Finding]:
    """The loss over that of the same model trained on as it is, by initial bias and k."""
    measure = "loss over that of plain continued training"
    return [
        Finding(setting, measure, finite(both["loss"] / both["loss_plain"]), None, high=0.98)
        for setting, _, both in _beside_plain(runs)
    ]


def monosemantic(runs: pd.DataFrame) -> list[Finding]:
    """The gain of monosemantic neurons per feature over plain continued training."""
    measure = "monosemantic neurons per feature, minus those of plain continued training"
    return [
        Finding(
            setting,
            measure,
            finite(both["mono_per_feature"] - both["mono_per_feature_plain"]),
            settled=None,
            low=0.05,
            not_judged="" if bias == 0 else "the statement is about polysemantic models",
        )
        for setting, bias, both in _beside_plain(runs)
    ]


def _beside_plain(runs: pd.DataFrame) -> list[tuple[str, float, pd.DataFrame]]:
    """By initial bias and k: a setting's words, the bias, and its runs beside the plain ones."""
    if runs.empty:
        return []
    found = []
    plain = runs[runs["origin"] == "continued"]
    for (bias, k), rows in runs[runs["origin"] == "expand"].groupby(["init_bias", "k"]):
        both = rows.merge(plain, on=["init_bias", "seed"], suffixes=("", "_plain"))
        parts = 1 / rows["density"].iloc[0]
        setting = f"initial bias {bias:g}, {parts:g} neurons from each, k = {k}"
        found.append((setting, bias, both))
    return found
