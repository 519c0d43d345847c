"""From frames of runs to findings: what is measured to judge each claim.

Each function takes the frames of its claim's sweeps, or of the part that the claim
reads, with the columns of `frames.summary.row`. The limits of a finding are the
paper's where it gives numbers; where it describes a result in words, such as
"mostly", they are ours.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from toymono.papers.evidence import END
from toymono.papers.findings import MONO, Finding, beside, each, finding, over, trend

# The eight statements on decoders.


def basins(lr1: pd.DataFrame) -> list[Finding]:
    return [
        *over(lr1, f"fewest {MONO}", lambda rows: rows["mono_per_feature"].min(), high=0.25),
        *over(lr1, f"most {MONO}", lambda rows: rows["mono_per_feature"].max(), low=0.75),
    ]


# Figure 1: all models end in .85 … .95.
_SAME_LOSS = 0.95 / 0.85 - 1


def equal_loss(lr1: pd.DataFrame) -> list[Finding]:
    # At half of training the same rates are compared as at its end.
    mono, loss = (
        lr1.groupby("learning_rate")[column + END if column + END in lr1 else column].mean()
        for column in ("mono_per_feature", "loss")
    )
    # Not simply the most monosemantic: where neurons die, its loss is no monosemantic model's best.
    reference = loss[mono >= 0.75 * mono.max()].idxmin()
    best = lr1[lr1["learning_rate"] == reference].drop(columns="learning_rate")
    found = []
    for rate in mono.index[(mono < 0.5) | (mono == mono.min())]:
        both = beside(lr1[lr1["learning_rate"] == rate], best)
        values = both["loss"] / both["loss_right"] - 1
        setting = f"learning_rate {rate:g} compared with {reference:g}"
        limits = {"low": -_SAME_LOSS, "high": _SAME_LOSS, "published": "±0.12 (.85 … .95)"}
        found.append(finding(setting, "loss, relative difference", values, both, **limits))
    return found


def bias_sign(lr1: pd.DataFrame) -> list[Finding]:
    def where_some(column: str, **limits) -> list[Finding]:
        return each(lr1[lr1[column].notna()], "learning_rate", column, **limits)

    return [
        *where_some("mono_bias", low=-1.5, high=0, published="-1 … 0 in figure 5"),
        *where_some("broad_bias", low=0, high=0.5, published="0 … .5 in figure 5"),
    ]


def negative_start(lr3: pd.DataFrame) -> list[Finding]:
    limits = {"low": 0.75, "published": "highly monosemantic"}
    return each(lr3, "learning_rate", "mono_per_feature", **limits)


def more_neurons(k1: pd.DataFrame) -> list[Finding]:
    def least_growth(rows: pd.DataFrame) -> float:
        return rows.sort_values("k")["monosemantic"].diff().min() / rows["n"].iloc[0]

    return [
        *over(k1, f"smallest increase of {MONO} from one k to the next", least_growth, low=0),
        *each(k1[k1["k"] > k1["n"]], "k", "mono_per_feature", low=1, published="1 or more"),
    ]


def low_rank(lr3: pd.DataFrame) -> list[Finding]:
    count, rank = "neurons with a bias above 0, over m", "effective rank of M, over m"
    frame = lr3.assign(
        **{count: lr3["positive_bias"] / lr3["m"], rank: lr3["effective_rank"] / lr3["m"]}
    )
    return [
        *each(frame, "learning_rate", count, low=0.75, high=1.5, published="65/64"),
        *each(frame, "learning_rate", rank, low=0.75, published="about 1"),
    ]


def _best_decay(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """For each eps and seed, the run with the most monosemantic neurons of several decays."""
    every = pd.concat(frames)
    return every.sort_values("mono_per_feature").groupby(["eps", "seed"]).tail(1)


def holds_to_limit(*frames: pd.DataFrame) -> list[Finding]:
    near = _best_decay(frames)
    return each(near, "eps", "mono_per_feature", low=0.6, published=".6 … 1 in figure 8")


# Further statements of section 4.


def rate(lr1: pd.DataFrame) -> list[Finding]:
    return [
        *trend(lr1, "learning_rate", "mono_per_feature", low=0.8),
        *trend(lr1, "learning_rate", "mean_bias", high=-0.8),
    ]


def bias_threshold(*frames: pd.DataFrame) -> list[Finding]:
    return [found for frame in frames for found in _threshold(frame)]


def _threshold(frame: pd.DataFrame) -> list[Finding]:
    setting = f"eps {frame['eps'].iloc[0]:g}"

    def below(rows: pd.DataFrame) -> float:
        left = rows[rows["init_bias"].between(-1, -np.sqrt(rows["eps"].iloc[0]))]
        return left["mono_per_feature"].mean()

    def drop(rows: pd.DataFrame) -> float:
        right = rows[rows["init_bias"] >= 0]["mono_per_feature"].mean()
        return right / below(rows) if below(rows) > 0 else math.nan

    low = f"{MONO}, mean over initial biases from -1 to -sqrt(eps)"
    ratio = f"{MONO}, mean over initial biases of 0 and above, over the mean from -1 to -sqrt(eps)"
    return [
        *over(frame, low, below, setting, low=0.6, published=".6 … 1"),
        *over(frame, ratio, drop, setting, high=0.5),
    ]


def power_law(lr2: pd.DataFrame, lr4: pd.DataFrame) -> list[Finding]:
    both = beside(lr4, lr2, "learning_rate")
    both["gain"] = both["mono_per_feature"] - both["mono_per_feature_right"]
    what = f"{MONO} at bias -1 minus those at bias 0, mean over learning rates"
    return over(both, what, lambda rows: rows["gain"].mean(), low=0)


def power_law_late(top: pd.DataFrame) -> list[Finding]:
    return [
        *each(top, "learning_rate", "mono_rise", low=0.02),
        *each(top, "learning_rate", "loss_fall", high=0.02),
    ]


def gelu_peak(gelu: pd.DataFrame) -> list[Finding]:
    most = f"initial bias with the most {MONO}"
    away = f"{MONO}, most at initial biases at least 1 from the peak, over the peak"
    return [
        found
        for rate, rows in gelu.groupby("learning_rate")
        for found in (
            *over(rows, most, _peak, f"rate {rate:g}", low=-1.5, high=-0.76, published="≈ -1"),
            *over(rows, away, _off_peak, f"rate {rate:g}", high=0.5),
        )
    ]


def _peak(rows: pd.DataFrame) -> float:
    return float(rows.loc[rows["mono_per_feature"].idxmax(), "init_bias"])


def _off_peak(rows: pd.DataFrame) -> float:
    far = rows[abs(rows["init_bias"] - _peak(rows)) >= 1]["mono_per_feature"]
    most = rows["mono_per_feature"].max()
    return far.max() / most if most > 0 else math.nan


K_LOSS = "loss at bias -1, relative to that at bias 0"
SAME = 0.01
"""Relative difference up to which losses count as indistinguishable; our choice."""


def k_losses(k0: pd.DataFrame, k1: pd.DataFrame) -> pd.DataFrame:
    """K1 joined with K0, with the column `K_LOSS`."""
    both = beside(k1, k0, "k")
    both[K_LOSS] = both["loss"] / both["loss_right"] - 1
    return both


def k_small(k0: pd.DataFrame, k1: pd.DataFrame) -> list[Finding]:
    limits = {"low": -SAME, "high": SAME, "published": "indistinguishable"}
    return each(k_losses(k0, k1), "k", K_LOSS, **limits)


def k_middle(k0: pd.DataFrame, k1: pd.DataFrame) -> list[Finding]:
    return each(k_losses(k0, k1), "k", K_LOSS, low=0, high=0.1, published="slightly worse")


def k_large(k0: pd.DataFrame, k1: pd.DataFrame) -> list[Finding]:
    return each(k_losses(k0, k1), "k", K_LOSS, high=0, published="better")


def k_peak(k0: pd.DataFrame, k1: pd.DataFrame) -> list[Finding]:
    def peak(rows: pd.DataFrame) -> float:
        top = rows.loc[rows["mono_per_neuron"].idxmax()]
        return top["k"] / top["n"]

    what = "k / n with the largest fraction of monosemantic neurons"
    half = k1[2 * k1["k"] == k1["n"]]
    return [
        *over(k0, what, peak, "bias 0", low=0.75, high=1.5, published="1"),
        *over(k1, what, peak, "bias -1", low=0.75, high=1.5, published="1"),
        *each(half, "k", "mono_per_neuron", low=0.3, published="a large fraction"),
    ]


def eps_peak(*frames: pd.DataFrame) -> list[Finding]:
    def peak(rows: pd.DataFrame) -> float:
        return math.log2(rows.loc[rows["mono_per_feature"].idxmax(), "eps"])

    limits = {"low": -6, "high": -4, "published": "≈ -5"}
    what = f"log2 of the eps with the most {MONO}"
    return [
        found
        for decay, rows in pd.concat(frames).groupby("bias_decay")
        for found in over(rows, what, peak, f"bias_decay {decay:g}", **limits)
    ]


def eps_dense(*frames: pd.DataFrame) -> list[Finding]:
    dense = _best_decay(frames)
    return each(dense, "eps", "mono_per_feature", high=0.05, published="≈ none")


def eps_sparse(e1: pd.DataFrame, *slower: pd.DataFrame) -> list[Finding]:
    both = beside(_best_decay(slower), e1, "eps")
    gain = f"{MONO}, those of the best slower decay minus those of the fastest"
    both[gain] = both["mono_per_feature"] - both["mono_per_feature_right"]
    return each(both, "eps", gain, low=0.05, published="more")


def l1_baseline(rg1: pd.DataFrame) -> list[Finding]:
    baseline, regularised = rg1[rg1["l1"] == 0], rg1[rg1["l1"] > 0]
    best = regularised.sort_values("mono_per_feature").groupby("seed").tail(1)
    both = beside(baseline, best)
    mono = both["mono_per_feature"] / both["mono_per_feature_right"].where(lambda c: c > 0)
    loss = both["loss"] / both["loss_right"] - 1
    setting = "bias -1 without L1, compared with the most monosemantic run with L1"
    lower = {"high": 0.01, "published": "comparable, lower"}
    return [
        finding(setting, f"{MONO}, ratio", mono, both, low=0.8, published="comparable"),
        finding(setting, "loss, relative difference", loss, both, **lower),
    ]


def reprojector(rp1: pd.DataFrame) -> list[Finding]:
    limits = {"low": 0.75, "high": 1.5, "published": "≈ 1"}
    return each(rp1, "learning_rate", "mono_per_feature", **limits)


def abs_loss(lr5: pd.DataFrame) -> list[Finding]:
    limits = {"high": -0.5, "published": "lower with more monosemantic neurons"}
    return trend(lr5, "mono_per_feature", "loss", **limits)


def abs_rate(lr5: pd.DataFrame) -> list[Finding]:
    lowest = lr5[lr5["learning_rate"] == lr5["learning_rate"].min()]
    return [
        *trend(lr5, "learning_rate", "mono_per_feature", low=0.8),
        *each(lowest, "learning_rate", "mono_per_feature", high=0.5),
    ]


def abs_decay(d1: pd.DataFrame) -> list[Finding]:
    return trend(d1, "bias_decay", "mono_per_feature", high=-0.8)


# The numbers of section 5, and those of section 4 that it refers to.


def one_each(top: pd.DataFrame) -> list[Finding]:
    one = "fraction of features with exactly one monosemantic neuron"
    two = "fraction of features with two monosemantic neurons"
    nearly = "fraction of features with only a nearly monosemantic neuron (score at least .9)"
    columns = {one: "features_with_1", two: "features_with_2", nearly: "nearly_mono_features"}
    top = top.assign(**{share: top[count] / top["n"] for share, count in columns.items()})
    return [
        *each(top, "learning_rate", one, low=0.93, high=1, published="503/512 = .982"),
        *each(top, "learning_rate", two, high=0.03, published="5/512 = .010"),
        *each(top, "learning_rate", nearly, high=0.03, published="4/512 = .008"),
        *each(top, "learning_rate", "mono_per_feature", low=0.95, high=1.05, published="513/512"),
    ]


def _positive(frame: pd.DataFrame, field: str, published: str) -> list[Finding]:
    per_m = {
        "neurons with a bias above 0, over m": frame["positive_bias"] / frame["m"],
        "neurons with a bias above .05, over m": frame["bias_above_005"] / frame["m"],
    }
    frame = frame.assign(**per_m)
    limits = {"low": 1, "high": 1.1, "published": published}
    return [found for column in per_m for found in each(frame, field, column, **limits)]


def positive_bias(lr3: pd.DataFrame) -> list[Finding]:
    return _positive(lr3, "learning_rate", "65/64 = 1.02")


def positive_bias_by_m(m: pd.DataFrame) -> list[Finding]:
    return _positive(m, "m", "33/32, 65/64, 130/128")


def plateau(lr1: pd.DataFrame, lr3: pd.DataFrame) -> list[Finding]:
    zero = 512 / 64 / 3  # N eps / 3, the published models' loss of a zero output
    limits = {"low": 0.85 / zero, "high": 0.95 / zero, "published": ".85 … .95 of 2.667"}
    return [
        dataclasses.replace(found, setting=f"bias {bias}, {found.setting}")
        for bias, frame in ((0, lr1), (-1, lr3))
        for found in each(frame, "learning_rate", "loss_share", **limits)
    ]


def singular_values(lr3: pd.DataFrame) -> list[Finding]:
    largest = {"low": 0.99, "high": 1.03, "published": ".99 … 1.03"}
    return [
        *each(lr3, "learning_rate", "singular_in_band", low=0.95, published="all"),
        *each(lr3, "learning_rate", "largest_singular", **largest),
    ]


def slopes(lr3: pd.DataFrame) -> list[Finding]:
    limits = {"low": 0.09, "high": 0.16, "published": ".09 … .16"}
    columns = ("slope_mean", "slope_q05", "slope_q95")
    return [found for c in columns for found in each(lr3, "learning_rate", c, **limits)]


def linear_range(lr3: pd.DataFrame) -> list[Finding]:
    return [
        *each(lr3, "learning_rate", "slope_change", high=0.01, published="typically < .01"),
        *each(lr3, "learning_rate", "poly_offset", high=0.005, published="< .005"),
    ]


def first_kink(rows: pd.DataFrame) -> list[Finding]:
    return each(rows, "eps", "one_kink", low=0.3, high=0.5, published="≈ .4")


def two_kinks(rows: pd.DataFrame) -> list[Finding]:
    return [
        *each(rows, "eps", "two_first_kink", low=0.3, high=0.5, published="≈ .4"),
        *each(rows, "eps", "two_second_kink", low=0.7, high=0.9, published="≈ .8"),
    ]


def sparser_kinks(rows: pd.DataFrame) -> list[Finding]:
    return [
        *each(rows, "eps", "one_kink", low=0.2, high=0.4, published="≈ .3"),
        *each(rows, "eps", "two_second_kink", low=0.5, high=0.7, published="≈ .6"),
    ]


# What readers asked and the authors answered.


def mixed_regimes(fewer: pd.DataFrame) -> list[Finding]:
    return [
        *each(fewer, "k", "served_share", low=0.01, published="some"),
        *each(fewer, "k", "poly_share", low=0.1, published="some"),
    ]


def count_converges(lr1: pd.DataFrame, lr3: pd.DataFrame) -> list[Finding]:
    found = []
    for bias, frame in ((0, lr1), (-1, lr3)):
        # Where there are none, no number can converge.
        some = frame.groupby("learning_rate")["mono_per_feature"].transform("mean") >= 0.1
        limits = {"low": -0.02, "high": 0.02, "published": "flat at the end of figure 3"}
        found += [
            dataclasses.replace(rise, setting=f"bias {bias}, {rise.setting}")
            for rise in each(frame[some], "learning_rate", "mono_rise", **limits)
        ]
    return found
