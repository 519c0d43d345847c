"""From the sweep TICKET to findings: lottery tickets beside their dense runs and their controls."""

import pandas as pd

from toymono.catalog.basins import BASIN_SEEDS
from toymono.papers.findings import Finding, finite

DENSE = "TICKET, dense"
"""What the page calls the dense runs that tickets start from."""

MATCHING = 1.02
"""Loss over that of the dense run up to which a ticket matches it; our choice."""


def stay_mono(tickets: pd.DataFrame, dense: pd.DataFrame) -> list[Finding]:
    """Monosemantic neurons of tickets over those of their dense runs, where losses match."""
    found = []
    dense = dense.assign(dense_seed=dense["seed"])[["dense_seed", "loss", "mono_per_feature"]]
    for density, rows in _own(tickets).groupby("density", sort=False):
        rows = rows.assign(dense_seed=rows["seed"] % BASIN_SEEDS)
        both = rows.merge(dense, on="dense_seed", suffixes=("", "_dense"))
        loss = both["loss"] / both["loss_dense"]
        missed = "" if loss.mean() <= MATCHING else "its loss does not match the dense run's"
        mono = finite(both["mono_per_feature"] / both["mono_per_feature_dense"])
        setting = f"density {density:g}"
        found += [
            Finding(setting, "monosemantic neurons per feature, over those of the dense run",
                    mono, None, low=0.9, not_judged=missed),
            Finding(setting, "loss over that of the dense run", finite(loss), None, high=MATCHING,
                    not_judged="shown only: decides which densities are judged"),
        ]  # fmt: skip
    return found


_CONTROLS = {
    "random_masks": "random masks of the same densities",
    "new_weights": "new weights in the ticket's masks",
    "matched": "the ticket's masks on another run, neurons matched",
}


def beat_controls(tickets: pd.DataFrame) -> list[Finding]:
    """The loss of each control over that of the ticket, by density and seed.

    The masks of a ticket on another run are compared with that ticket on its own run.
    """
    own, found = _own(tickets), []
    for control, words in _CONTROLS.items():
        of_control = tickets[tickets["ticket_control"] == control]
        for density, rows in _sorted(of_control).groupby("density", sort=False):
            both = rows.merge(own, on=["density", "seed"], suffixes=("", "_own"))
            ratio = finite(both["loss"] / both["loss_own"])
            measure = "loss over that of the ticket"
            found.append(Finding(f"{words}, density {density:g}", measure, ratio, None, low=1.02))
    return found


def _own(tickets: pd.DataFrame) -> pd.DataFrame:
    return _sorted(tickets[tickets["ticket_control"] == "none"])


def _sorted(tickets: pd.DataFrame) -> pd.DataFrame:
    return tickets.sort_values("density", ascending=False)
