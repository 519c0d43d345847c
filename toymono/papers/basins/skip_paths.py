"""From the sweep SKIP to findings: models with a linear path beside the hidden layer."""

import pandas as pd

from toymono.papers.findings import Finding, finite

QUANTITIES = (
    *("loss", "loss_share", "mono_per_feature", "mono_per_live", "positive_bias", "dead"),
    *("features_without_mono", "path_rank", "skip_effective_rank", "skip_slope"),
)
"""What is measured of a run."""


def takes_over(frame: pd.DataFrame) -> list[Finding]:
    """Whether a path of full rank leaves no neurons with a positive bias, by initial bias."""
    found = []
    for bias, rows in _full(frame):
        setting = f"initial bias {bias:g}, path of rank m"
        positive = finite(rows["positive_bias"] / rows["m"])
        rank = finite(rows["skip_effective_rank"] / rows["m"])
        measure = "neurons with a positive bias, over m"
        found += [
            Finding(setting, measure, positive, None, high=0.1),
            Finding(setting, "effective rank of the path, over m", rank, None, low=0.75),
        ]
    return found


def rest_mono(frame: pd.DataFrame) -> list[Finding]:
    """Whether the neurons beside a path of full rank are all monosemantic, and at what loss."""
    found = []
    for bias, rows in _full(frame):
        setting = f"initial bias {bias:g}, path of rank m"
        without = frame[(frame["path_rank"] == 0) & (frame["init_bias"] == bias)]
        both = rows.merge(without, on="seed", suffixes=("", "_without"))
        measure = "fraction of living neurons that are monosemantic"
        loss = finite(both["loss"] / both["loss_without"])
        found += [
            Finding(
                f"initial bias {bias:g}, no path",
                measure,
                finite(without["mono_per_live"]),
                settled=None,
                not_judged="shown for comparison",
            ),
            Finding(setting, measure, finite(rows["mono_per_live"]), None, low=0.95),
            Finding(setting, "loss over that without a path", loss, None, high=1.02),
        ]
    return found


def _full(frame: pd.DataFrame):
    if frame.empty:
        return ()
    return frame[frame["path_rank"] == frame["m"]].groupby("init_bias")
