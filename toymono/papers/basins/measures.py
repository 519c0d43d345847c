"""From runs of shared worlds to findings about barriers between them.

Nobody published numbers, so that all limits are ours, set after first
measurements on another world. A finding has one value per run: its mean over
the pairs with other runs of its world.
"""

from collections.abc import Callable

import pandas as pd

from toymono.frames import connectivity
from toymono.papers.findings import Finding, finite


def models(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    """The rows of models of one kind, see `frames.connectivity.kind`."""
    return frame[frame["mono_per_feature"].map(connectivity.kind) == kind]


def of_kind(kind: str, column: str, measure: str, **limits) -> Callable:
    """A finding for each world: a column of the models of one kind."""

    def measured(frame: pd.DataFrame) -> list[Finding]:
        found = []
        for world, rows in models(frame, kind).groupby("world_seed"):
            if values := finite(rows[column]):
                setting = f"world {int(world)}, {kind} models"  # pyright: ignore[reportArgumentType]
                found.append(Finding(setting, measure, values, settled=None, **limits))
        return found

    return measured


def several(*measures: Callable) -> Callable:
    """The findings of several measures of the same frame."""
    return lambda frame: [found for measure in measures for found in measure(frame)]


_SAME = "aligned barrier to others of the kind, over the zero-output loss"

mono_connected = several(
    of_kind("monosemantic", "kind_barrier", _SAME, high=0.03),
    of_kind(
        "monosemantic", "kind_reduction", "share of the barrier that alignment removes", low=0.9
    ),
)

poly_apart = of_kind("polysemantic", "kind_barrier", _SAME, low=0.05)

kinds_apart = several(
    of_kind(
        "monosemantic",
        "mixed_ratio",
        "barrier to polysemantic models over that to monosemantic ones",
        low=3,
    ),
    of_kind(
        "monosemantic",
        "mixed_excess",
        "loss above the worse end on the straight line, over the zero-output loss",
        low=0.02,
        not_judged="the question is about the best curve, which is not searched for here",
    ),
)


def ordering(frame: pd.DataFrame) -> list[Finding]:
    """Differences of mean barriers, one value for each world."""
    steps: dict[str, list[float]] = {"poly–poly minus mono–mono": [], "mixed minus poly–poly": []}
    for _, rows in frame.groupby("world_seed"):
        mono, poly = (models(rows, kind) for kind in ("monosemantic", "polysemantic"))
        same, apart = mono["kind_barrier"].mean(), poly["kind_barrier"].mean()
        between = apart - same, mono["mixed_barrier"].mean() - apart
        for name, step in zip(steps, between, strict=True):
            steps[name] += finite([step])
    return [
        Finding("each world", f"mean barrier, {name}", tuple(values), settled=None, low=0)
        for name, values in steps.items()
        if values
    ]
