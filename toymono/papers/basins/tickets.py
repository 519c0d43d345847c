"""From the sweeps TICKET and REWIND to findings: lottery tickets beside their dense runs and their
controls.
"""

from typing import Any

import pandas as pd

from toymono.catalog.basins import BASIN_SEEDS
from toymono.papers.findings import Finding, finite


def stay_mono(runs: pd.DataFrame) -> list[Finding]:
    """Monosemantic neurons of tickets over those of their dense runs, by density."""
    measure = "monosemantic neurons per feature, over those of the dense run"
    return _over_dense(runs, "mono_per_feature", measure, low=0.9)


def match(runs: pd.DataFrame) -> list[Finding]:
    """The loss of tickets over that of their dense runs, by density."""
    return _over_dense(runs, "loss", _LOSS, high=1.02)


def late_match(runs: pd.DataFrame) -> list[Finding]:
    """The loss of tickets over that of their dense runs, by the step rewound to and density."""
    found = []
    for step in sorted(set(runs["rewind_step"])) if len(runs) else ():
        of_step = runs[(runs["rewind_step"] == step) | (runs["sparsity"] == "none")]
        found += _over_dense(of_step, "loss", _LOSS, f"rewound to step {step}, ", high=1.02)
    return found


_LOSS = "loss over that of the dense run"


def _over_dense(
    runs: pd.DataFrame, column: str, measure: str, setting: str = "", **limits: Any
) -> list[Finding]:
    if runs.empty:
        return []
    dense = runs[runs["sparsity"] == "none"]
    dense = dense.assign(dense_seed=dense["seed"])[["dense_seed", column]]
    found = []
    for density, rows in _own(runs).groupby("density", sort=False):
        rows = rows.assign(dense_seed=rows["seed"] % BASIN_SEEDS)
        both = rows.merge(dense, on="dense_seed", suffixes=("", "_dense"))
        ratio = finite(both[column] / both[f"{column}_dense"])
        where = f"{setting}density {density:g}"
        found.append(Finding(where, measure, ratio, settled=None, **limits))
    return found


_CONTROLS = {
    "random_masks": "random masks of the same densities",
    "new_weights": "new weights in the ticket's masks",
    "matched": "the ticket's masks on another run, neurons matched",
}


def beat_controls(runs: pd.DataFrame) -> list[Finding]:
    """The loss of each control over that of the ticket, by density and seed.

    The masks of a ticket on another run are compared with that ticket on its own run.
    """
    own, found = _own(runs), []
    for control, words in _CONTROLS.items():
        of_control = runs[runs["ticket_control"] == control]
        for density, rows in _sorted(of_control).groupby("density", sort=False):
            both = rows.merge(own, on=["density", "seed"], suffixes=("", "_own"))
            ratio = finite(both["loss"] / both["loss_own"])
            measure = "loss over that of the ticket"
            found.append(Finding(f"{words}, density {density:g}", measure, ratio, None, low=1.02))
    return found


def _own(runs: pd.DataFrame) -> pd.DataFrame:
    return _sorted(runs[(runs["ticket_control"] == "none") & (runs["sparsity"] == "pruned")])


def _sorted(tickets: pd.DataFrame) -> pd.DataFrame:
    return tickets.sort_values("density", ascending=False)
