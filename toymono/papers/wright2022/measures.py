"""From frames of runs to findings: what is measured to judge each claim.

Classifiers are networks of the published shape on scikit-learn's digits; toy
models are those of the catalog's sweep PEN. Published numbers are of MNIST and
Fashion-MNIST; limits are therefore directions and sizes of effects, and ours. A
cross-entropy or an n-cut has to change by a quarter of the published change.
"""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from toymono.papers.evidence import END
from toymono.papers.findings import Finding, finite
from toymono.papers.findings import finding as of_runs

PUBLISHED_WEIGHT = 1.0
"""The alpha of the published networks with a penalty."""


def _measured(setting: str, measure: str, values: Iterable[float], **limits) -> list[Finding]:
    """A finding of classifiers, for which it is not defined whether training had settled."""
    numbers = finite(list(values))
    return [Finding(setting, measure, numbers, settled=None, **limits)] if numbers else []


def _at(digits: pd.DataFrame, alpha: float) -> pd.DataFrame:
    return digits[np.isclose(digits["alpha"], alpha)]


def learned(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs that classify better than chance."""
    return runs[runs["status"] == "learned"]


def weight(digits: pd.DataFrame) -> float:
    """The published weight if a run learned there, else the largest above 0 at which all did."""
    if len(learned(_at(digits, PUBLISHED_WEIGHT))):
        return PUBLISHED_WEIGHT
    whole = digits.groupby("alpha")["status"].agg(lambda status: (status == "learned").all())
    return max((alpha for alpha in whole.index[whole] if alpha > 0), default=PUBLISHED_WEIGHT)


def _not_judged(digits: pd.DataFrame) -> str:
    """Why findings at `weight` are shown only; "" if it is the published one."""
    return "" if weight(digits) == PUBLISHED_WEIGHT else "no run learned at the published alpha 1"


def plain(digits: pd.DataFrame) -> list[Finding]:
    published = "MNIST .981, Fashion-MNIST .892"
    accuracy = _at(digits, 0.0)["accuracy"]
    return _measured("alpha 0", "accuracy (arg-max)", accuracy, low=0.9, published=published)


def still_learns(digits: pd.DataFrame) -> list[Finding]:
    published = "MNIST .968, Fashion-MNIST .854"
    accuracy = _at(digits, 1.0)["accuracy"]
    return _measured("alpha 1", "accuracy (arg-max)", accuracy, low=0.85, published=published)


def collapses(digits: pd.DataFrame) -> list[Finding]:
    published = "MNIST .104, Fashion-MNIST .100"
    accuracy = _at(digits, -1.0)["accuracy"]
    return _measured("alpha -1", "accuracy (arg-max)", accuracy, high=0.15, published=published)


def _change(column: str, measure: str, ratio: bool = False, **limits) -> Callable:
    """By seed, a column at `weight` minus (or over) that at alpha 0, of seeds that learned at
    both.
    """

    def measured(digits: pd.DataFrame) -> list[Finding]:
        at = weight(digits)
        on, off = (learned(_at(digits, a)).set_index("seed")[column] for a in (at, 0.0))
        setting = f"alpha {at:g} {'over' if ratio else 'minus'} alpha 0"
        values = (on / off if ratio else on - off).dropna()
        return _measured(setting, measure, values, not_judged=_not_judged(digits), **limits)

    return measured


cross_entropy_rises = _change(
    "cross_entropy",
    "cross-entropy",
    low=0.015,
    published="MNIST .160 - .092, Fashion-MNIST .428 - .364",
)

penalty_falls = _change(
    "penalty_sum",
    "sum of the layers' penalties",
    ratio=True,
    high=0.05,
    published="MNIST .061 / 6.67, Fashion-MNIST .179 / 7.34",
)

n_cut_falls = _change(
    "n_cut",
    "n-cut of 12 clusters",
    high=-0.1,
    published="MNIST 9.63 - 10.06, Fashion-MNIST 9.58 - about 9.88",
)

ablations_same = _change(
    "ablation_p_mean",
    "mean right p of ablations",
    low=-0.1,
    high=0.1,
    published="percentiles .18 … .30 compared with .25 … .34 on MNIST, .29 … .41 compared with "
    ".24 … .34 on Fashion-MNIST",
)


def n_cut_beyond_shuffles(digits: pd.DataFrame) -> list[Finding]:
    return _measured(
        f"alpha {weight(digits):g}",
        "left p of the n-cut among shuffled networks",
        learned(_at(digits, weight(digits)))["n_cut_p"],
        high=0.05,
        published="MNIST: 5 of 5 runs below .05; Fashion-MNIST: none",
        not_judged=_not_judged(digits),
    )


def pruned(digits: pd.DataFrame, digits_pruned: pd.DataFrame) -> list[Finding]:
    """Accuracy of the pruned networks, without the penalty and with it."""
    found = []
    for alpha, published in ((0.0, "MNIST .981"), (weight(digits), "MNIST .970, at alpha 1")):
        found += _measured(
            f"alpha {alpha:g}, pruned",
            "accuracy (arg-max)",
            _at(digits_pruned, alpha)["accuracy"],
            low=0.85,
            published=published,
            not_judged=_not_judged(digits),
        )
    return found


def _soft_and_baseline(pen: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The soft penalty at the weight with the most monosemantic neurons in the end, and the
    models without a penalty whose biases start below 0.
    """
    soft = pen[pen["penalty"] == "soft"]
    baseline = pen[(pen["penalty"] == "none") & (pen["init_bias"] < 0)].set_index("seed")
    if soft.empty:
        return soft, baseline
    # Of runs at half of training, too, the weight is that of the end.
    column = "monosemantic" + END if "monosemantic" + END in soft else "monosemantic"
    best = soft.groupby("alpha")[column].mean().idxmax()
    return soft[soft["alpha"] == best].set_index("seed"), baseline


def toy_gap(column: str, sign: int, measure: str, published: str, **limits) -> Callable:
    """The soft penalty's loss minus the baseline's (`sign` -1: the reverse), by seed."""

    def measured(pen: pd.DataFrame) -> list[Finding]:
        soft, baseline = _soft_and_baseline(pen)
        if soft.empty or baseline.empty:
            return []
        zero_loss = soft["n"] * soft["eps"] / 3  # of a decoder of equally frequent features
        gap = (sign * (soft[column] - baseline[column]) / zero_loss).dropna()
        setting = f"soft penalty, alpha {soft['alpha'].iloc[0]:g}"
        return [of_runs(setting, measure, gap, soft, published=published, **limits)]

    return measured


def _toy_share(column: str, measure: str, published: str, **limits) -> Callable:
    def measured(pen: pd.DataFrame) -> list[Finding]:
        soft, _ = _soft_and_baseline(pen)
        if soft.empty:
            return []
        setting = f"soft penalty, alpha {soft['alpha'].iloc[0]:g}"
        return [of_runs(setting, measure, soft[column], soft, published=published, **limits)]

    return measured


toy_loss = toy_gap(
    "sampled_loss",
    1,
    "(penalised loss − baseline loss) / zero-output loss",
    ".032",
    low=0,
    high=0.1,
)

toy_mono_loss = toy_gap(
    "sampled_loss_mono",
    -1,
    "(baseline loss − penalised loss) / zero-output loss, of the mono parts",
    ".193",
    low=0,
)

toy_features = _toy_share(
    "multi_feature_share",
    "fraction of living neurons that respond to more than one feature",
    "none (.50 features per neuron, dead ones counted)",
    high=0.01,
)

toy_together = _toy_share(
    "activated_by_others",
    "fraction of single-feature neurons that some group of up to 4 other features activates",
    "all other features at once: 283 of 681",
    low=0.1,
)
