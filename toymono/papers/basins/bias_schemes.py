"""From the sweeps START, RULE and PULL to findings: schemes for biases beside the published one.

The published scheme starts biases at -1 and lets all of them decay. Every other run is
compared with the published run of its seed.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from toymono.papers.findings import Finding, finite

_Measures = Sequence[tuple[str, str, dict[str, Any]]]
"""Columns, what their ratio to the published scheme is called, and its limits."""

_SHOWN: dict[str, Any] = {"not_judged": "shown for comparison"}
_LOW = "steps to 0.4 of the zero-output loss, over the same"
_MONO = "monosemantic neurons per feature, over the same"

_OF_STARTS: _Measures = (
    ("firing_step", "steps until neurons fire, over those from -1", {"high": 0.5}),
    ("low_step", _LOW, {"high": 0.95}),
    ("mono_per_feature", _MONO, {"low": 0.95}),
    ("loss", "loss over that from -1", {"high": 1.05}),
)
_OF_RULES: _Measures = (
    ("loss", "loss over that of the published decay", {"high": 0.98}),
    ("mono_per_feature", _MONO, {"low": 1.02}),
    ("low_step", _LOW, _SHOWN),
)
_OF_PULLS: _Measures = (
    ("mono_per_feature", "monosemantic neurons per feature, over those from -1", {"low": 0.9}),
    ("loss", "loss over that from -1", {"high": 1.05}),
    ("low_step", _LOW, _SHOWN),
)

_STARTS = {
    "below_all": "biases start where no neuron fires",
    "below_each": "each bias starts where its neuron does not fire",
    "below_batch": "each bias starts where its neuron fires once in a batch",
}
_RULES = {
    "silent": "biases of silent neurons decay",
    "moving": "biases decay as fast as the neuron's weights move",
}


def starts(start: pd.DataFrame) -> list[Finding]:
    """Biases that start where neurons are about to fire, beside a start at -1."""
    others = start[start["bias_start"] != "shifted"]
    found = []
    for name, rows in others.groupby("bias_start"):
        found += _beside(rows, _published(start), _STARTS[str(name)], _OF_STARTS)
    return found


def rules(rule: pd.DataFrame) -> list[Finding]:
    """Decay of some biases only, beside the decay of all."""
    published = rule[rule["decay_rule"] == "all"]
    found = []
    others = rule[rule["decay_rule"] != "all"]
    for (name, start), rows in others.groupby(["decay_rule", "bias_start"]):
        words = _RULES[str(name)]
        if start != "shifted":
            words += f"; {_STARTS[str(start)]}"
        found += _beside(rows, published, words, _OF_RULES)
    return found


def pulled_down(pull: pd.DataFrame, start: pd.DataFrame) -> list[Finding]:
    """A loss that pulls biases down from 0, beside a start at -1."""
    found = []
    for weight, rows in pull.groupby("pull_weight"):
        weak = {} if weight >= 1 else {"not_judged": "a weak pull, shown for comparison"}
        setting = f"weight {weight:g}"
        found += _beside(rows, _published(start), setting, _OF_PULLS, **weak)
        if positive := finite(rows["positive_bias"] / rows["m"]):
            measure = "neurons with a positive bias, over m"
            found.append(Finding(setting, measure, positive, None, **_SHOWN))
    return found


def _published(start: pd.DataFrame) -> pd.DataFrame:
    return start[start["bias_start"] == "shifted"]


def _beside(
    rows: pd.DataFrame, published: pd.DataFrame, setting: str, measures: _Measures, **changed: Any
) -> list[Finding]:
    """Ratios to the published run with the same seed; a column without a number in any run is
    left out.
    """
    both = rows.merge(published, on="seed", suffixes=("", "_published"))
    found = []
    for column, measure, limits in measures:
        ratio = finite(both[column] / both[f"{column}_published"])
        if ratio:
            found.append(Finding(setting, measure, ratio, None, **{**limits, **changed}))
    return found
