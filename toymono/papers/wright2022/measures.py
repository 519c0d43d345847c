"""From frames of runs to findings: what is measured to judge each claim.

Classifiers are networks of the published shape on `MNIST`, `FASHION` and
`DIGITS`; toy models are those of the catalog's sweep PEN. Limits on the
published data sets are our allowance around the published numbers, on digits
directions and sizes of effects, and ours. A cross-entropy or an n-cut has to
change by a quarter to a third of the published change.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd

from toymono.frames.classifiers import learned
from toymono.papers.evidence import END
from toymono.papers.findings import Finding, finite
from toymono.papers.findings import finding as of_runs


@dataclasses.dataclass(frozen=True)
class Images:
    """A data set: what was published of it, and what is expected of networks trained on it."""

    name: str
    """Of the choice of the field `data`, and of the sweep with the published weights."""
    title: str
    least_plain: float
    """Accuracy that counts as learning well without a penalty, pruned or not."""
    least_penalised: float
    """The same with alpha = 1."""
    numbers: Mapping[str, str]
    """What was published, by what it is of; none for a data set that was not used."""
    beyond_shuffles: bool = True
    """Whether penalised networks are expected to be more clusterable than their shuffles."""

    def published(self, what: str) -> str:
        """The published number, or the words "not published"."""
        return self.numbers.get(what, "not published")


MNIST = Images(
    "mnist",
    "MNIST",
    least_plain=0.97,
    least_penalised=0.95,
    numbers={
        "plain": ".981",
        "penalised": ".968",
        "cross_entropy": ".160 - .092",
        "penalty": ".061 / 6.67 = 1/109",
        "encouraged": ".104",
        "n_cut": "9.63 - 10.06",
        "n_cut_p": "left p .0196 in 5 of 5 runs",
        "ablations": "mean percentiles .18 … .30 compared with .25 … .34",
        "pruned": ".981, with alpha = 1 .970",
    },
)

FASHION = Images(
    "fashion_mnist",
    "Fashion-MNIST",
    least_plain=0.87,
    least_penalised=0.82,
    numbers={
        "plain": ".892",
        "penalised": ".854",
        "cross_entropy": ".428 - .364",
        "penalty": ".179 / 7.34 = 1/41",
        "encouraged": ".100",
        "n_cut": "9.58 - about 9.88",
        "n_cut_p": "left p below .05 in 0 of 5 runs",
        "ablations": "mean percentiles .29 … .41 compared with .24 … .34",
    },
    beyond_shuffles=False,
)

DIGITS = Images("digits", "scikit-learn's digits", 0.9, 0.85, {})

IMAGES = (MNIST, FASHION, DIGITS)
"""Published data sets first."""


PUBLISHED_WEIGHT = 1.0
"""The alpha of the published networks with a penalty."""


def _measured(setting: str, measure: str, values: Iterable[float], **limits) -> list[Finding]:
    """A finding of classifiers, for which it is not defined whether training had settled."""
    numbers = finite(list(values))
    return [Finding(setting, measure, numbers, settled=None, **limits)] if numbers else []


def _at(runs: pd.DataFrame, alpha: float) -> pd.DataFrame:
    return runs[np.isclose(runs["alpha"], alpha)]


def weight(runs: pd.DataFrame) -> float:
    """The published weight if a run learned there, else the largest above 0 at which all did."""
    if len(learned(_at(runs, PUBLISHED_WEIGHT))):
        return PUBLISHED_WEIGHT
    whole = runs.groupby("alpha")["status"].agg(lambda status: (status == "learned").all())
    return max((alpha for alpha in whole.index[whole] if alpha > 0), default=PUBLISHED_WEIGHT)


def _not_judged(runs: pd.DataFrame) -> str:
    """Why findings at `weight` are shown only; "" if it is the published one."""
    return "" if weight(runs) == PUBLISHED_WEIGHT else "no run learned at the published alpha 1"


def _accuracy(alpha: float, published: str, **limits) -> Callable:
    """The accuracy of all runs with a weight, learned or not."""

    def measured(runs: pd.DataFrame) -> list[Finding]:
        values = _at(runs, alpha)["accuracy"]
        setting, measure = f"alpha {alpha:g}", "accuracy (arg-max)"
        return _measured(setting, measure, values, published=published, **limits)

    return measured


def plain(images: Images) -> Callable:
    return _accuracy(0.0, images.published("plain"), low=images.least_plain)


def still_learns(images: Images) -> Callable:
    return _accuracy(1.0, images.published("penalised"), low=images.least_penalised)


def collapses(images: Images) -> Callable:
    return _accuracy(-1.0, images.published("encouraged"), high=0.15)


def _change(column: str, measure: str, ratio: bool = False, **limits) -> Callable:
    """By seed, a column at `weight` minus (or over) that at alpha 0, of seeds that learned at
    both.
    """

    def measured(runs: pd.DataFrame) -> list[Finding]:
        at = weight(runs)
        on, off = (learned(_at(runs, a)).set_index("seed")[column] for a in (at, 0.0))
        setting = f"alpha {at:g} {'over' if ratio else 'minus'} alpha 0"
        values = (on / off if ratio else on - off).dropna()
        return _measured(setting, measure, values, not_judged=_not_judged(runs), **limits)

    return measured


def cross_entropy_rises(images: Images) -> Callable:
    return _change(
        "cross_entropy",
        "cross-entropy",
        low=0.015,
        published=images.published("cross_entropy"),
    )


def penalty_falls(images: Images) -> Callable:
    return _change(
        "penalty_sum",
        "sum of the layers' penalties",
        ratio=True,
        high=0.05,
        published=images.published("penalty"),
    )


def n_cut_falls(images: Images) -> Callable:
    return _change("n_cut", "n-cut of 12 clusters", high=-0.1, published=images.published("n_cut"))


def ablations_same(images: Images) -> Callable:
    return _change(
        "ablation_p_mean",
        "mean right p of ablations",
        low=-0.1,
        high=0.1,
        published=images.published("ablations"),
    )


def n_cut_beyond_shuffles(images: Images) -> Callable:
    limits = {"high": 0.05} if images.beyond_shuffles else {"low": 0.05}

    def measured(runs: pd.DataFrame) -> list[Finding]:
        return _measured(
            f"alpha {weight(runs):g}",
            "left p of the n-cut among shuffled networks",
            learned(_at(runs, weight(runs)))["n_cut_p"],
            published=images.published("n_cut_p"),
            not_judged=_not_judged(runs),
            **limits,
        )

    return measured


def pruned(images: Images) -> Callable:
    """Accuracy of the pruned networks, and what pruning cost, without the penalty and with it."""

    def measured(runs: pd.DataFrame, runs_pruned: pd.DataFrame) -> list[Finding]:
        found = []
        for alpha in (0.0, weight(runs)):
            after, before = (
                _at(frame, alpha).set_index("seed")["accuracy"] for frame in (runs_pruned, runs)
            )
            setting = f"alpha {alpha:g}, pruned"
            why = _not_judged(runs) if alpha else ""
            found += _measured(
                setting,
                "accuracy (arg-max)",
                after,
                low=images.least_penalised if alpha else images.least_plain,
                published=images.published("pruned"),
                not_judged=why,
            )
            change = (after - before).dropna()
            measure = "accuracy minus that before pruning"
            found += _measured(setting, measure, change, low=-0.01, not_judged=why)
        return found

    return measured


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
