"""The sweeps SPARSE and ERK as evidence: sparse weights beside dense ones, as two papers ask.

Wide models with sparse weights have as many weights in use as the dense model, so
that they cost as much where zeros cost nothing. Limits are ours: the paper says
that the loss is significantly higher and gives no number.
"""

import functools

import pandas as pd

from toymono import store
from toymono.frames import toy
from toymono.papers import evidence
from toymono.papers.evidence import Source
from toymono.papers.findings import Finding, finite

SWEEP, ERK = "SPARSE", "ERK"

QUANTITIES = (
    *("loss", "mono_per_feature", "mono_per_live", "dead"),
    *("nonzero_weights", "weight_density", "input_density", "output_density"),
)
"""What is measured of a run."""


def source(scale: str) -> Source:
    """The evidence file of both sweeps at a scale."""
    find = functools.partial(evidence.stored_of, (SWEEP, ERK), scale)
    measure = evidence.row_of(toy.per_run)
    return Source(f"sparse-{scale}", "toy", QUANTITIES, (), find, measure)


def sweep(frame: pd.DataFrame, scale: str, name: str = SWEEP) -> evidence.Sweep:
    """A sweep's rows in the evidence."""
    return evidence.sweep(name, frame, store.positions(name, scale))


_UNIFORM = "uniform"
_WORDS = {
    _UNIFORM: "",
    "erk": ", input weights denser",
    "input": ", input weights alone",
    "output": ", output weights alone",
}
"""What is said of a density rule."""

_MORE = ("input", "output")
"""Density rules of models with more weights in use than the dense one."""


def costs(frame: pd.DataFrame) -> list[Finding]:
    """The loss of fixed random sparse weights beside the highest of dense ones."""
    if frame.empty:
        return []
    dense, fixed = _of(frame, "none"), _of(frame, "erdos_renyi")
    found = []
    for (rule, density), rows in fixed.groupby(["density_rule", "density"], sort=False):
        more = "more weights in use, shown for comparison" if rule in _MORE else ""
        found.append(
            Finding(
                f"density {density:g}{_WORDS[str(rule)]}, k = {rows['k'].iloc[0]}",
                "loss over the highest of the dense seeds",
                finite(rows["loss"] / dense["loss"].max()),
                settled=None,
                low=1.02,
                not_judged=more,
            )
        )
    return found


def erk_costs(frame: pd.DataFrame, erk: pd.DataFrame) -> list[Finding]:
    """The same of weights as many, more of which are input weights."""
    if frame.empty or erk.empty:
        return []
    return costs(pd.concat([_of(frame, "none"), erk]))


def grows(frame: pd.DataFrame) -> list[Finding]:
    """The loss of masks that are pruned and regrown beside that of fixed ones, by seed."""
    fixed = _of(frame, "erdos_renyi")
    found = []
    for rule in ("set", "rigl"):
        for density, rows in _of(frame, rule).groupby("density", sort=False):
            of_density = (fixed["density"] == density) & (fixed["density_rule"] == _UNIFORM)
            both = rows.merge(fixed[of_density], on="seed", suffixes=("", "_fixed"))
            ratio = finite(both["loss"] / both["loss_fixed"])
            measure = "loss over that of fixed random weights"
            found.append(Finding(f"{rule}, density {density:g}", measure, ratio, None, high=0.99))
    return found


def _of(frame: pd.DataFrame, sparsity: str) -> pd.DataFrame:
    return frame[frame["sparsity"] == sparsity].sort_values("density", ascending=False)
