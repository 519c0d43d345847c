"""What is measured to judge a claim: from frames of runs to findings.

Each function takes the frames of its claim's sweeps, rows of `evidence.row`.
The limits of a finding are the paper's where it gives them in numbers; where it
speaks in words, such as "mostly", they are ours.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from toymono.papers.findings import MONO, beside, each, finding, over, trend

# The eight statements on decoders.


def basins(lr1):
    return [
        *over(lr1, f"fewest {MONO}", lambda rows: rows["mono_per_feature"].min(), high=0.25),
        *over(lr1, f"most {MONO}", lambda rows: rows["mono_per_feature"].max(), low=0.75),
    ]


# Figure 1: all models end in .85 … .95.
_SAME_LOSS = 0.95 / 0.85 - 1


def equal_loss(lr1):
    mean = lr1.groupby("learning_rate")["mono_per_feature"].mean()
    best = lr1[lr1["learning_rate"] == mean.idxmax()].drop(columns="learning_rate")
    found = []
    for rate in mean.index[(mean < 0.5) | (mean == mean.min())]:
        both = beside(lr1[lr1["learning_rate"] == rate], best)
        values = both["loss"] / both["loss_right"] - 1
        against = f"learning_rate {rate:g} against {mean.idxmax():g}"
        limits = {"low": -_SAME_LOSS, "high": _SAME_LOSS, "paper": "±0.12 (.85 … .95)"}
        found.append(finding(against, "loss, relative difference", values, both, **limits))
    return found


def bias_sign(lr1):
    def where_some(column, **limits):
        return each(lr1[lr1[column].notna()], "learning_rate", column, **limits)

    return [
        *where_some("mono_bias", low=-1.5, high=0, paper="-1 … 0 in figure 5"),
        *where_some("poly_bias", low=0, high=0.5, paper="0 … .5 in figure 5"),
    ]


def negative_start(lr3):
    return each(lr3, "learning_rate", "mono_per_feature", low=0.75, paper="highly mono")


def more_neurons(k1):
    def least_growth(rows):
        return rows.sort_values("k")["monosemantic"].diff().min() / rows["n"].iloc[0]

    return [
        *over(k1, f"least growth of {MONO} from one k to the next", least_growth, low=0),
        *each(k1[k1["k"] > k1["n"]], "k", "mono_per_feature", low=1, paper="1 or more"),
    ]


def low_rank(lr3):
    count, rank = "neurons with a bias above 0, over m", "effective rank of M, over m"
    frame = lr3.assign(
        **{count: lr3["positive_bias"] / lr3["m"], rank: lr3["effective_rank"] / lr3["m"]}
    )
    return [
        *each(frame, "learning_rate", count, low=0.75, high=1.5, paper="65/64"),
        *each(frame, "learning_rate", rank, low=0.75, paper="about 1"),
    ]


def _best_decay(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """In each eps and seed the run, of several sweeps over decays, with most mono neurons."""
    every = pd.concat(frames)
    return every.sort_values("mono_per_feature").groupby(["eps", "seed"]).tail(1)


def holds_to_limit(*frames):
    best = _best_decay(frames)
    near = best[(best["eps"] >= 2**-6) & (best["eps"] <= best["m"] / best["n"] / 2)]
    return each(near, "eps", "mono_per_feature", low=0.6, paper=".6 … 1 in figure 8")


# What section 4 says beside.


def rate(lr1):
    return [
        *trend(lr1, "learning_rate", "mono_per_feature", low=0.8),
        *trend(lr1, "learning_rate", "mean_bias", high=-0.8),
    ]


def bias_threshold(*frames):
    return [found for frame in frames for found in _threshold(frame)]


def _threshold(frame):
    at = f"eps {frame['eps'].iloc[0]:g}"

    def below(rows):
        left = rows[rows["init_bias"].between(-1, -np.sqrt(rows["eps"].iloc[0]))]
        return left["mono_per_feature"].mean()

    def drop(rows):
        right = rows[rows["init_bias"] >= 0]["mono_per_feature"].mean()
        return right / below(rows) if below(rows) > 0 else math.nan

    what = f"{MONO}, mean over biases from -1 to -sqrt(eps)"
    return [
        *over(frame, what, below, at, low=0.6, paper=".6 … 1"),
        *over(frame, f"{MONO}, at biases of 0 and more over those", drop, at, high=0.5),
    ]


def power_law(lr2, lr4):
    both = beside(lr4, lr2, "learning_rate")
    both["gain"] = both["mono_per_feature"] - both["mono_per_feature_right"]
    what = f"{MONO} at bias -1 less that at bias 0, mean over rates"
    return over(both, what, lambda rows: rows["gain"].mean(), low=0)


def power_law_late(lr2):
    top = lr2[lr2["learning_rate"] == lr2["learning_rate"].max()]
    return [
        *each(top, "learning_rate", "rise", low=0.02),
        *each(top, "learning_rate", "fall", high=0.02),
    ]


def gelu_peak(gelu):
    most = f"bias of most {MONO}"
    away = f"{MONO}, most of them 1 and more away, over the peak"
    return [
        found
        for rate, rows in gelu.groupby("learning_rate")
        for found in (
            *over(rows, most, _peak, f"rate {rate:g}", low=-1.5, high=-0.76, paper="≈ -1"),
            *over(rows, away, _off_peak, f"rate {rate:g}", high=0.5),
        )
    ]


def _peak(rows):
    return rows.loc[rows["mono_per_feature"].idxmax(), "init_bias"]


def _off_peak(rows):
    far = rows[abs(rows["init_bias"] - _peak(rows)) >= 1]["mono_per_feature"]
    most = rows["mono_per_feature"].max()
    return far.max() / most if most > 0 else math.nan


_K_LOSS = "loss at bias -1, relative to that at bias 0"


def _k_losses(k0, k1, low: float, high: float) -> pd.DataFrame:
    """K1 beside K0 at the k that lie between two shares of n."""
    both = beside(k1, k0, "k")
    both[_K_LOSS] = both["loss"] / both["loss_right"] - 1
    return both[(both["k"] / both["n"]).between(low, high)]


def k_small(k0, k1):
    few = _k_losses(k0, k1, 0, 0.25)
    return each(few, "k", _K_LOSS, low=-0.01, high=0.01, paper="indistinguishable")


def k_middle(k0, k1):
    middling = _k_losses(k0, k1, 0.5, 1)
    return each(middling, "k", _K_LOSS, low=0, high=0.1, paper="slightly worse")


def k_large(k0, k1):
    many = _k_losses(k0, k1, 1.01, math.inf)
    return each(many, "k", _K_LOSS, high=0, paper="better")


def k_peak(k0, k1):
    def peak(rows):
        top = rows.loc[rows["mono_per_neuron"].idxmax()]
        return top["k"] / top["n"]

    half = k1[2 * k1["k"] == k1["n"]]
    what = "k / n of the largest share of monosemantic neurons"
    return [
        *over(k1, what, peak, low=0.75, high=1.5, paper="1"),
        *each(half, "k", "mono_per_neuron", low=0.3, paper="a large fraction"),
    ]


def eps_peak(*frames):
    def peak(rows):
        return math.log2(rows.loc[rows["mono_per_feature"].idxmax(), "eps"])

    limits = {"low": -6, "high": -4, "paper": "≈ -5"}
    what = f"log2 of the eps with most {MONO}"
    return [
        found
        for decay, rows in pd.concat(frames).groupby("bias_decay")
        for found in over(rows, what, peak, f"bias_decay {decay:g}", **limits)
    ]


def eps_dense(*frames):
    best = _best_decay(frames)
    dense = best[best["n"] * best["eps"] >= 2 * best["m"]]
    return each(dense, "eps", "mono_per_feature", high=0.05, paper="≈ none")


def eps_sparse(e1, *slower):
    both = beside(_best_decay(slower), e1, "eps")
    gain = f"{MONO}, the best slower decay less the fastest"
    both[gain] = both["mono_per_feature"] - both["mono_per_feature_right"]
    return each(both[both["eps"] <= 2**-8], "eps", gain, low=0.05, paper="more")


def l1_rival(rg1):
    rival, tried = rg1[rg1["l1"] == 0], rg1[rg1["l1"] > 0]
    best = tried.sort_values("mono_per_feature").groupby("seed").tail(1)
    both = beside(rival, best)
    mono = both["mono_per_feature"] / both["mono_per_feature_right"].where(lambda c: c > 0)
    loss = both["loss"] / both["loss_right"] - 1
    at = "bias -1 without L1 against the most monosemantic with L1"
    return [
        finding(at, f"{MONO}, ratio", mono, both, low=0.8, paper="comparable"),
        finding(at, "loss, relative difference", loss, both, high=0.01, paper="comparable, lower"),
    ]


def reprojector(rp1):
    return each(rp1, "learning_rate", "mono_per_feature", low=0.75, high=1.5, paper="≈ 1")


def abs_loss(lr5):
    return trend(lr5, "mono_per_feature", "loss", high=-0.5, paper="lower when mono")


def abs_rate(lr5):
    lowest = lr5[lr5["learning_rate"] == lr5["learning_rate"].min()]
    return [
        *trend(lr5, "learning_rate", "mono_per_feature", low=0.8),
        *each(lowest, "learning_rate", "mono_per_feature", high=0.5),
    ]


def abs_decay(d1):
    return trend(d1, "bias_decay", "mono_per_feature", high=-0.8)


# The numbers of section 5, and those of section 4 that it takes up.


def one_each(lr1):
    top = lr1[lr1["learning_rate"] == lr1["learning_rate"].max()]
    one, two = "features with exactly one, share", "features with two, share"
    nearly = "features with only a mostly monosemantic neuron (score .9 or more), share"
    columns = {one: "served_1", two: "served_2", nearly: "nearly"}
    top = top.assign(**{share: top[count] / top["n"] for share, count in columns.items()})
    return [
        *each(top, "learning_rate", one, low=0.93, high=1, paper="503/512 = .982"),
        *each(top, "learning_rate", two, high=0.03, paper="5/512 = .010"),
        *each(top, "learning_rate", nearly, high=0.03, paper="4/512 = .008"),
        *each(top, "learning_rate", "mono_per_feature", low=0.95, high=1.05, paper="513/512"),
    ]


def _positive(frame, field, **paper):
    per_m = {
        "neurons with a bias above 0, over m": frame["positive_bias"] / frame["m"],
        "neurons with a bias above .05, over m": frame["bias_above_005"] / frame["m"],
    }
    frame = frame.assign(**per_m)
    limits = {"low": 1, "high": 1.1, **paper}
    return [found for column in per_m for found in each(frame, field, column, **limits)]


def positive_bias(lr3):
    return _positive(lr3, "learning_rate", paper="65/64 = 1.02")


def positive_bias_by_m(m):
    return _positive(m, "m", paper="33/32, 65/64, 130/128")


def plateau(lr1, lr3):
    zero = 512 / 64 / 3
    limits = {"low": 0.85 / zero, "high": 0.95 / zero, "paper": ".85 … .95 of 2.667"}
    return [
        dataclasses.replace(found, setting=f"bias {bias}, {found.setting}")
        for bias, frame in ((0, lr1), (-1, lr3))
        for found in each(frame, "learning_rate", "loss_share", **limits)
    ]


def singular_values(lr3):
    return [
        *each(lr3, "learning_rate", "in_band", low=0.95, paper="all"),
        *each(lr3, "learning_rate", "largest_singular", low=0.99, high=1.03, paper=".99 … 1.03"),
    ]


def slopes(lr3):
    limits = {"low": 0.09, "high": 0.16, "paper": ".09 … .16"}
    columns = ("slope", "slope_low", "slope_high")
    return [found for c in columns for found in each(lr3, "learning_rate", c, **limits)]


def linear_range(lr3):
    return [
        *each(lr3, "learning_rate", "slope_change", high=0.01, paper="typically < .01"),
        *each(lr3, "learning_rate", "offset", high=0.005, paper="< .005"),
    ]


def first_kink(e1):
    at = e1[e1["eps"] == 2**-6]
    return each(at, "eps", "first_kink", low=0.3, high=0.5, paper="≈ .4")


def two_kinks(e1):
    at = e1[e1["eps"] == 2**-6]
    return [
        *each(at, "eps", "two_first", low=0.3, high=0.5, paper="≈ .4"),
        *each(at, "eps", "two_second", low=0.7, high=0.9, paper="≈ .8"),
    ]


def sparser_kinks(e3):
    at = e3[e3["eps"] == 2**-8]
    return [
        *each(at, "eps", "first_kink", low=0.2, high=0.4, paper="≈ .3"),
        *each(at, "eps", "two_second", low=0.5, high=0.7, paper="≈ .6"),
    ]
