"""From runs of shared worlds to findings about barriers between them.

Nobody published numbers, so that all limits are ours, set after first
measurements on another world. A finding has one value per run: its mean over
the pairs with other runs of its world.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

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

_IN = ("", ", the rate annealed to 0", ", noise on the inputs")
"""What is said of the runs of BASIN, ANNEAL and NOISE."""


def in_each(measure: Callable) -> Callable:
    """The findings of a measure in the runs of BASIN, ANNEAL and NOISE."""

    def measured(*frames: pd.DataFrame) -> list[Finding]:
        return [
            dataclasses.replace(found, setting=found.setting + words)
            for frame, words in zip(frames, _IN, strict=True)
            if len(frame)
            for found in measure(frame)
        ]

    return measured


mono_connected = in_each(
    several(
        of_kind("monosemantic", "kind_barrier", _SAME, high=0.03),
        of_kind(
            "monosemantic", "kind_reduction", "share of the barrier that alignment removes", low=0.9
        ),
    )
)

poly_apart = in_each(of_kind("polysemantic", "kind_barrier", _SAME, low=0.05))

kinds_apart = in_each(
    several(
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
            not_judged="losses differ; pairs of equal loss are judged below",
        ),
    )
)


def ordering(frame: pd.DataFrame) -> list[Finding]:
    """Differences of mean barriers by the initial bias of polysemantic models, one value for each
    world. The statement is about a bias of 0.
    """
    values: dict[tuple[float, str], list[float]] = {}
    for _, rows in frame.groupby("world_seed"):
        same = models(rows, "monosemantic")["kind_barrier"].mean()
        for bias, poly in models(rows, "polysemantic").groupby("init_bias"):
            apart = poly["kind_barrier"].mean()
            steps = {
                "poly–poly minus mono–mono": apart - same,
                "mixed minus poly–poly": poly["mixed_barrier"].mean() - apart,
            }
            for name, step in steps.items():
                values.setdefault((-float(str(bias)), name), []).extend(finite([step]))
    return [
        Finding(
            f"each world, polysemantic models from a bias of {-bias:g}",
            f"mean barrier, {name}",
            tuple(found),
            settled=None,
            low=0,
            not_judged="" if bias == 0 else "these models are between the two kinds",
        )
        for (bias, name), found in sorted(values.items(), key=lambda item: item[0][0])
        if found
    ]


def curves(kind: str, column: str, measure: str, **limits) -> Callable:
    """A finding for each world: a column of the curves whose ends are of a kind."""

    def measured(frame: pd.DataFrame) -> list[Finding]:
        ends = zip(*(frame[name].map(connectivity.kind) for name in _ENDS), strict=True)
        of = frame[[connectivity.kinds_of_pair(*pair) == kind for pair in ends]]
        return [
            Finding(f"world {int(world)}, {_WORDS[kind]}", measure, values, settled=None, **limits)
            for world, rows in of.groupby("world_seed")
            if (values := finite(rows[column]))
        ]

    return measured


_ENDS = ("start_mono", "target_mono")
_WORDS = {
    "monosemantic": "two monosemantic models",
    "polysemantic": "two polysemantic models",
    "mixed": "one of each",
}

_CURVE_BARRIER = "barrier on the trained curve, over the zero-output loss"
_CURVE_EXCESS = "loss above the worse end on the trained curve, over the zero-output loss"

same_kind_joined = several(
    curves("monosemantic", "curve_barrier", _CURVE_BARRIER, high=0.01),
    curves("polysemantic", "curve_barrier", _CURVE_BARRIER, high=0.01),
)
kinds_apart_on_curves = curves("mixed", "curve_excess", _CURVE_EXCESS, low=0.02)


EQUAL = 0.05
"""How much the losses of two models may differ, over the lower one, for their pair to count as
matched in loss. Our choice: about the spread of monosemantic models over learning rates."""


def _matched(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    """The curves between models of a kind, see `curves`, whose losses are equal."""
    if frame.empty:
        return frame
    found = frame[frame["origin"] == "curve"]
    lower = found[["start_loss", "target_loss"]].min(axis=1)
    found = found[abs(found["start_loss"] - found["target_loss"]) <= EQUAL * lower]
    ends = zip(*(found[name].map(connectivity.kind) for name in _ENDS), strict=True)
    return found[[connectivity.kinds_of_pair(*pair) == kind for pair in ends]]


def equal_losses(kind: str, *measures: tuple[str, str, dict[str, Any]]) -> Callable:
    """Findings for each world and each column of the curves between models of equal loss."""

    def measured(frame: pd.DataFrame) -> list[Finding]:
        matched = _matched(frame, kind)
        if matched.empty:
            return []
        longest = matched["log2_steps"].max()
        found = []
        for (world, log2_steps), rows in matched.groupby(["world_seed", "log2_steps"]):
            setting = f"world {world}, {_WORDS[kind]}, curve of 2^{log2_steps} steps"
            shorter = "" if log2_steps == longest else "a longer training finds a lower curve"
            for column, measure, limits in measures:
                if values := finite(rows[column]):
                    found.append(
                        Finding(setting, measure, values, None, **limits, not_judged=shorter)
                    )
        return found

    return measured


_LINE_BARRIER = "barrier on the straight line, aligned, over the zero-output loss"
_LINE_EXCESS = "loss above the worse end on the straight line, over the zero-output loss"

equal_kinds_apart = equal_losses(
    "mixed",
    ("line_barrier", _LINE_BARRIER, {"low": 0.05}),
    ("line_excess", _LINE_EXCESS, {"low": 0.02}),
)
equal_kinds_apart_on_curves = equal_losses("mixed", ("curve_excess", _CURVE_EXCESS, {"low": 0.02}))
long_poly_apart = equal_losses("polysemantic", ("line_barrier", _LINE_BARRIER, {"low": 0.05}))


_QUARTER = 2048
"""A quarter of the 2^13 steps of the small scale."""


def fixed_early(frame: pd.DataFrame) -> list[Finding]:
    """The barrier between copies of one state, by the step at which their batches part."""
    found = []
    for (step, bias, world), rows in frame.groupby(["fork_step", "init_bias", "world_seed"]):
        quarter = step == _QUARTER
        found.append(
            Finding(
                f"world {world}, forked at step {step:g}, initial bias {bias:g}",
                "aligned barrier to the run it forks from, over the zero-output loss",
                finite(rows["end_barrier"]),
                settled=None,
                high=0.01,
                not_judged="" if quarter else "the statement is about a quarter of training",
            )
        )
    return found


def hop(frame: pd.DataFrame) -> list[Finding]:
    """The pull at which models go over to the other solution, over the barrier to it.

    The threshold is between the strongest pull below which none went over and the
    weakest that made the model go over: their geometric mean.
    """
    found = []
    aligned = frame[frame["match_parents"] == "weights"]
    for bias, title in ((0.0, "polysemantic to monosemantic"), (-1.0, "mono- to polysemantic")):
        thresholds, controls = [], []
        for _, rows in aligned[aligned["init_bias"] == bias].groupby(["world_seed", "seed"]):
            rows = rows.sort_values("attraction")
            controls += finite(rows.loc[rows["attraction"] == 0, "hop_share"])
            hopped, ratio = rows["hopped"].to_numpy(bool), rows["pull_ratio"].to_numpy()
            first = int(hopped.argmax())
            if hopped.any() and first > 0 and ratio[first - 1] > 0:
                thresholds.append(float(ratio[first - 1] * ratio[first]) ** 0.5)
        if thresholds:
            measure = "pull at the threshold over the barrier"
            found.append(Finding(title, measure, tuple(thresholds), None, low=0.3, high=10))
        else:
            measure = "models that went over, share"
            shares = aligned.loc[aligned["init_bias"] == bias].groupby("seed")["hopped"].max()
            found.append(Finding(title, measure, finite(shares), None, low=1))
        measure = "share of the way without a pull"
        found.append(Finding(title, measure, tuple(controls), None, high=0.1))
    found += _unmatched(frame[frame["match_parents"] == "none"])
    return found


def _unmatched(frame: pd.DataFrame) -> list[Finding]:
    """Pulls towards a model of the other kind in whatever order its neurons happen to be."""
    words = "pulled towards a model whose neurons are not matched"
    return [
        Finding(
            f"{words}, initial bias {bias:g}",
            measure,
            finite(rows[column]),
            settled=None,
            not_judged="shown for comparison",
        )
        for bias, rows in frame.groupby("init_bias")
        for column, measure in (
            ("pull_ratio", "pull over the barrier on the straight line"),
            ("hopped", "models that went over, share"),
        )
    ]


def fine_tuned(connected: pd.DataFrame, onward: pd.DataFrame) -> list[Finding]:
    """Connectivity-based fine-tuning beside plain continued training of the same models."""
    same = ["world_seed", "seed"]
    plain = onward.loc[onward["init_bias"] == 0.0, [*same, "task_loss"]]
    found = []
    for (matched, goal), rows in connected.groupby(["match_parents", "line_loss"]):
        both = rows.merge(plain, on=same, suffixes=("", "_plain"))
        whose = "itself" if matched == "none" else "another model"
        setting = f"driven away from {whose}, loss on the line {goal:g}"
        found += [
            Finding(
                setting, "aligned barrier to that model afterwards, over the zero-output loss",
                finite(rows["end_barrier"]), settled=None, not_judged="shown for comparison",
            ),
            Finding(
                setting, "monosemantic neurons per feature", finite(both["mono_per_feature"]),
                settled=None, low=0.5,
            ),
            Finding(
                setting, "loss over that of plain continued training",
                finite(both["task_loss"] / both["task_loss_plain"]), settled=None, high=1.05,
            ),
        ]  # fmt: skip
    return found
