"""From runs of shared worlds to findings about barriers between them.

Nobody published numbers, so that all limits are ours, set after first
measurements on another world. A finding has one value per run: its mean over
the pairs with other runs of its world.
"""

from collections.abc import Callable, Sequence
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


def equal_losses(kind: str, *measures: tuple[str, str, dict[str, float]]) -> Callable:
    """Findings for each world and each column of the curves between models of equal loss."""

    def measured(frame: pd.DataFrame) -> list[Finding]:
        matched = _matched(frame, kind)
        return [
            Finding(f"world {int(world)}, {_WORDS[kind]}", measure, values, settled=None, **limits)
            for world, rows in (matched.groupby("world_seed") if len(matched) else ())
            for column, measure, limits in measures
            if (values := finite(rows[column]))
        ]

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


def fixed_early(frame: pd.DataFrame) -> list[Finding]:
    """The barrier between copies of one state, by the step at which their batches part."""
    found = []
    for (step, bias), rows in frame.groupby(["fork_step", "init_bias"]):
        quarter = step == frame["fork_step"].max()
        found.append(
            Finding(
                f"forked at step {step:g}, initial bias {bias:g}",
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
    return found


def fine_tuned(connected: pd.DataFrame, onward: pd.DataFrame) -> list[Finding]:
    """Connectivity-based fine-tuning beside plain continued training of the same models."""
    same = ["world_seed", "seed"]
    plain = onward.loc[onward["init_bias"] == 0.0, [*same, "task_loss"]]
    found = []
    for goal, rows in connected.groupby("line_loss"):
        both = rows.merge(plain, on=same, suffixes=("", "_plain"))
        setting = f"loss on the line driven to {goal:g}"
        found += [
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


def _beside_published(frame: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Runs beside the run of the published scheme with the same seed."""
    return frame.merge(published, on="seed", suffixes=("", "_published"))


def _published(start: pd.DataFrame) -> pd.DataFrame:
    return start[start["bias_start"] == "shifted"]


Measures = Sequence[tuple[str, str, dict[str, Any]]]
"""Columns, what their ratio to the published scheme is called, and its limits."""

_OF_STARTS: Measures = (
    ("firing_step", "steps until neurons fire, over those from -1", {"high": 0.5}),
    ("low_step", "steps to 0.4 of the zero-output loss, over the same", {"high": 0.95}),
    ("mono_per_feature", "monosemantic neurons per feature, over the same", {"low": 0.95}),
    ("loss", "loss over that from -1", {"high": 1.05}),
)
_OF_RULES: Measures = (
    ("loss", "loss over that of the published decay", {"high": 0.98}),
    ("mono_per_feature", "monosemantic neurons per feature, over the same", {"low": 1.02}),
)


def starts(start: pd.DataFrame) -> list[Finding]:
    """Biases that start where neurons are about to fire, beside a start at -1."""
    found = []
    others = start[start["bias_start"] != "shifted"]
    for name, rows in others.groupby("bias_start"):
        both = _beside_published(rows, _published(start))
        for column, measure, limits in _OF_STARTS:
            ratio = finite(both[column] / both[f"{column}_published"])
            found.append(Finding(f"start {name}", measure, ratio, settled=None, **limits))
    return found


def pulled_down(pull: pd.DataFrame, start: pd.DataFrame) -> list[Finding]:
    """A loss that pulls biases down from 0, beside a start at -1."""
    found = []
    for weight, rows in pull.groupby("pull_weight"):
        both = _beside_published(rows, _published(start))
        ratio = finite(both["mono_per_feature"] / both["mono_per_feature_published"])
        weak = "" if weight >= 1 else "a weak pull, shown for comparison"
        found.append(
            Finding(
                f"weight {weight:g}", "monosemantic neurons per feature, over those from -1",
                ratio, settled=None, low=0.9, not_judged=weak,
            )
        )  # fmt: skip
    return found


def rules(rule: pd.DataFrame) -> list[Finding]:
    """Decay of some biases only, beside the decay of all."""
    all_biases = rule[rule["decay_rule"] == "all"]
    found = []
    for name, rows in rule[rule["decay_rule"] != "all"].groupby("decay_rule"):
        both = _beside_published(rows, all_biases)
        for column, measure, limits in _OF_RULES:
            ratio = finite(both[column] / both[f"{column}_published"])
            found.append(Finding(f"decay {name}", measure, ratio, settled=None, **limits))
    return found
