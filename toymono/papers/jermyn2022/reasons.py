"""Why smaller scales miss some of the paper's numbers, with numbers from the evidence.

Each function returns a sentence, or "" where runs are missing or do not support
it: a reason is checked against the evidence each time the page is written.
"""

import pandas as pd

from toymono.papers.evidence import Evidence
from toymono.papers.jermyn2022 import measures, parts


def batch_noise(evidence: Evidence) -> str:
    """Larger batches bring the positive-bias neurons closer to the paper's numbers."""
    small, large, size = _with(evidence, "batch_size", "LR3")
    if size is None:
        return ""
    curved = [_means(frame, "slope_change").max() for frame in (large, small)]
    singular = [_means(frame, "largest_singular") - 1 for frame in (large, small)]
    closer = curved[0] < curved[1] and abs(singular[0]).mean() < abs(singular[1]).mean()
    if not closer:
        return ""
    own = int(small["batch_size"].iloc[0])
    columns = {
        "bias_above_005": f"neurons with a bias above .05, for m = {int(small['m'].iloc[0])},",
        "largest_singular": "largest singular value of M",
        "effective_rank": "effective rank of M",
    }
    listed = [
        f"{words} {_range(_means(large, column))} (with {own}: {_range(_means(small, column))})"
        for column, words in columns.items()
    ]
    return (
        f"in part the noise of batches of {own} samples. With {size} samples per step, the slope "
        f"of the poly part changes by at most {curved[0]:.2g} at any learning rate (with {own}: "
        f"{curved[1]:.2g}); {'; '.join(listed)}"
    )


def short_training(evidence: Evidence) -> str:
    """With more steps the lowest learning rate becomes monosemantic too."""
    own, longer, steps = _with(evidence, "log2_steps", "LR3")
    if steps is None:
        return ""
    lowest = own["learning_rate"].min()
    before, after = (_means(frame, "mono_per_feature")[lowest] for frame in (own, longer))
    if after <= before:
        return ""
    return (
        f"the length of training: at the lowest learning rate, {lowest:g}, monosemantic neurons "
        f"per feature increase from {before:.2g} after 2^{int(own['log2_steps'].iloc[0])} steps "
        f"to {after:.2g} after 2^{steps}"
    )


def few_monosemantic(evidence: Evidence) -> str:
    """What keeps models that start at bias -1 from a monosemantic neuron for each feature."""
    return "; ".join(filter(None, (short_training(evidence), narrow_misses(evidence))))


def narrow_misses(evidence: Evidence) -> str:
    """Nearly every feature has a neuron that is nearly monosemantic, and more do not reach .999."""
    lr3 = evidence.sweeps["LR3"].frame
    if lr3.empty or lr3["nearly_mono_features"].isna().all():
        return ""
    n = int(lr3["n"].iloc[0])
    nearly, mono = _means(lr3, "nearly_mono_features"), _means(lr3, "features_with_1")
    if nearly.min() < _MANY * n:
        return ""
    return (
        f"neurons that narrowly miss a score of .999: by learning rate, {_range(nearly)} of the "
        f"{n} features have no monosemantic neuron but one whose score is at least .9, beside "
        f"{_range(mono)} features with one monosemantic neuron"
    )


_MANY = 0.1
"""The fraction of features from which narrow misses count as a reason. Our choice."""


def dead_small_layers(evidence: Evidence) -> str:
    """Of few neurons that start at bias -1, many die, which raises the loss."""
    k0, k1 = evidence.sweeps["K0"].frame, evidence.sweeps["K1"].frame
    if k0.empty or k1.empty:
        return ""
    both = measures.k_losses(k0, k1)
    both = both[parts.FEW_NEURONS.holds(both)]
    outside = abs(both[measures.K_LOSS]) > measures.SAME
    dead = both["dead"] > 0
    if not (outside & dead).any() or (outside & dead).sum() < (outside & ~dead).sum():
        return ""
    counts = (both["dead"] == both["k"]).sum()
    return (
        f"neurons that start at bias -1 can die: {(outside & dead).sum()} of the {outside.sum()} "
        f"runs outside the limits have dead neurons ({counts} runs lost all of them), of the "
        f"{(~outside).sum()} runs within the limits {(~outside & dead).sum()} have"
    )


def dying_neurons(evidence: Evidence) -> str:
    """At the highest learning rate many neurons die, and monosemantic ones become fewer."""
    lr1 = evidence.sweeps["LR1"].frame
    if lr1.empty or lr1["learning_rate"].nunique() < 2:
        return ""
    dead, mono = _means(lr1.assign(share=lr1["dead"] / lr1["k"]), "share"), _means(lr1, "mono_rise")
    (lower, few), (rate, many) = list(dead.items())[-2:]
    if many <= few or mono[rate] >= 0:
        return ""
    return (
        f"at a learning rate of {rate:g}, {many:.0%} of the neurons are dead at the end (at "
        f"{lower:g}: {few:.0%}), and monosemantic neurons per feature fall by {-mono[rate]:.2g} in "
        "the second half of training"
    )


def saturated_counts(evidence: Evidence) -> str:
    """Where nearly every feature has a neuron, more of them are duplicates of others."""
    lr1 = evidence.sweeps["LR1"].frame
    if lr1.empty:
        return ""
    n = int(lr1["n"].iloc[0])
    served = _means(lr1.assign(served=lr1["features_with_1"] + lr1["features_with_2"]), "served")
    full = served[served >= _NEARLY_ALL * n]
    if len(full) < 2:
        return ""
    return (
        f"counts that say little once nearly every feature has a neuron: at learning rates from "
        f"{full.index.min():g} to {full.index.max():g}, {_range(full)} of the {n} features have "
        "one or two monosemantic neurons"
    )


_NEARLY_ALL = 0.95
"""The fraction of features from which nearly all have a neuron. Our choice."""


def _with(
    evidence: Evidence, field: str, name: str
) -> tuple[pd.DataFrame, pd.DataFrame, int | None]:
    """A sweep at its own scale and with the largest value of a field, and that value."""
    own = evidence.sweeps[name].frame
    values = [value for (of, value), sweeps in evidence.larger.items() if of == field]
    values = [v for v in values if (of := evidence.larger[field, v].get(name)) and of.complete]
    if own.empty or not values:
        return own, own, None
    return own, evidence.larger[field, max(values)][name].frame, max(values)


def _means(frame: pd.DataFrame, column: str) -> pd.Series:
    """Mean over seeds for each learning rate."""
    return frame.groupby("learning_rate")[column].mean()


def _range(values: pd.Series) -> str:
    return f"{values.min():.3g} … {values.max():.3g}"
