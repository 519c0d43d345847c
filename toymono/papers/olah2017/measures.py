"""From frames of runs to findings: what is measured to judge each claim.

Numbers of toy models are means over neurons with 2 to 8 features, those of
classifiers over neurons that fire on 2 to 8 classes; a value per run. Diversity
at the objective's own size is judged; the other weights are shown.
"""

from collections.abc import Callable, Iterable

import pandas as pd

from toymono.frames.visualise import DIVERSE, OWN_WEIGHT
from toymono.papers.findings import Finding, finite

_OTHER_WEIGHT = "another weight of diversity"
_OWN = tuple(method for method in DIVERSE if method.endswith(f" {OWN_WEIGHT:g}"))

# The published differences: limits of the claims in our specification.
RECALL_GAIN, PRECISION, BLENDS = 0.1, 0.9, 0.95


def _measured(setting: str, measure: str, values: Iterable[float], **limits) -> list[Finding]:
    numbers = finite(list(values))
    return [Finding(setting, measure, numbers, settled=None, **limits)] if numbers else []


def _usable(runs: pd.DataFrame) -> pd.DataFrame:
    """Classifiers that learned; toy models have no status."""
    return runs[runs["status"] == "learned"] if "status" in runs else runs


def _groups(runs: pd.DataFrame) -> Iterable[tuple[str, pd.DataFrame]]:
    """Runs by what distinguishes them: bias or penalty weight, then learning rate."""
    usable = _usable(runs)
    name = "alpha" if "status" in runs else "init_bias"
    for value, rows in usable.groupby(name):
        words = f"alpha {value:g}" if name == "alpha" else f"initial bias {value:g}, three rates"
        yield words, rows


def recall_gain(runs: pd.DataFrame) -> list[Finding]:
    """Recall of diverse batches minus that of as many restarts."""
    found = []
    for setting, rows in _groups(runs):
        for method in (*_OWN, *(m for m in DIVERSE if m not in _OWN), *_SHOWN):
            if f"recall {method}" not in rows:
                continue
            gain = rows[f"recall {method}"] - rows["recall restarts"]
            words = f"recall of {_words(method)} minus that of restarts"
            judged = "" if method in _OWN else _not_judged(method)
            found += _measured(setting, words, gain, low=RECALL_GAIN, not_judged=judged)
    return found


def precision(runs: pd.DataFrame) -> list[Finding]:
    """Precision of diverse batches."""
    found = []
    for setting, rows in _groups(runs):
        for method in (*_OWN, *(m for m in DIVERSE if m not in _OWN), *_SHOWN, "restarts"):
            if f"precision {method}" not in rows:
                continue
            judged = "" if method in _OWN else _not_judged(method)
            values = rows[f"precision {method}"]
            words = f"precision of {_words(method)}"
            found += _measured(setting, words, values, low=PRECISION, not_judged=judged)
    return found


_SHOWN = ("grown", "greedy", "examples", "centroids", "untrained")


def _not_judged(method: str) -> str:
    if method in DIVERSE:
        return _OTHER_WEIGHT
    return {
        "grown": "batch grown to the neuron, not published",
        "greedy": "by construction, not published",
        "untrained": "network before training",
    }.get(method, "baseline")


def _words(method: str) -> str:
    if method in DIVERSE:
        on, weight = method.split()
        layer = "the hidden layer" if on == "hidden" else "the inputs"
        return f"diversity on {layer}, weight {weight}"
    return {
        "grown": "grown batches",
        "greedy": "greedy inputs",
        "examples": "top training examples",
        "centroids": "centroids",
        "untrained": "the untrained network",
        "restarts": "restarts",
    }[method]


def blends(digits: pd.DataFrame) -> list[Finding]:
    """Pairs of facets whose blend excites the neuron less than either of the two."""
    found = []
    for setting, rows in _groups(digits):
        words = "fraction of pairs whose blend excites less than either"
        found += _measured(f"{setting}, layers 2 to 4", words, rows["blend deep"], low=BLENDS)
        found += _measured(
            f"{setting}, layer 1",
            words,
            rows["blend 1"],
            low=BLENDS,
            not_judged="one layer is linear before its relu",
        )
    return found


def unrelated(*sweeps: pd.DataFrame) -> list[Finding]:
    """Absolute cosine of two facets of a neuron minus that of any two features."""
    runs = pd.concat(sweeps)
    return [
        finding
        for setting, rows in _groups(runs)
        for finding in _measured(
            setting,
            "absolute cosine of two facets of a neuron minus that of any two features",
            rows["facet_cosine"] - rows["random_cosine"],
            high=0.0,
        )
    ]


_ONE_FACET = "fraction of monosemantic neurons with one facet"


def one_facet(*sweeps: pd.DataFrame) -> list[Finding]:
    """Monosemantic neurons whose batch does not grow beyond one input."""
    return [
        finding
        for setting, rows in _groups(pd.concat(sweeps))
        for finding in _measured(
            setting,
            _ONE_FACET,
            rows["mono_one_facet"],
            low=1,
        )
    ]


def toy(measure: Callable[[pd.DataFrame], list[Finding]]) -> Callable[..., list[Finding]]:
    """The measure of the runs of all sweeps together."""
    return lambda *sweeps: measure(pd.concat(sweeps))


def connections(zero: pd.DataFrame, negative: pd.DataFrame) -> list[Finding]:
    """Feature pairs per weight at bias 0 over those at bias -1, of one rate and seed."""
    both = zero.merge(negative, on=["learning_rate", "seed"], suffixes=("", "_negative"))
    found = []
    for column, words in {
        "connections_median": "median",
        "connections_weighted_mean": "mean weighted by size",
    }.items():
        ratio = both[column] / both[f"{column}_negative"]
        for rate, rows in ratio.groupby(both["learning_rate"]):
            measure = f"feature pairs per weight, {words}: bias 0 over bias -1"
            found += _measured(f"learning rate {rate:g}", measure, rows, low=1.0)
    return found


def penalised(digits: pd.DataFrame) -> list[Finding]:
    """Feature pairs per weight of penalised classifiers over those without a penalty, by seed."""
    usable = _usable(digits).set_index("seed")
    plain = usable[usable["alpha"] == 0]
    found = []
    for alpha, rows in usable[usable["alpha"] > 0].groupby("alpha"):
        for column, words in {
            "connections_median": "median",
            "connections_weighted_mean": "mean weighted by size",
        }.items():
            ratio = (rows[column] / plain[column]).dropna()
            measure = f"class pairs per weight, {words}: penalised over plain"
            found += _measured(f"alpha {alpha:g}", measure, ratio, high=1.0)
    return found


def similar_inputs(digits: pd.DataFrame) -> list[Finding]:
    """Adjusted mutual information of n-cut clusters with groups of similar visualised inputs."""
    found = []
    for setting, rows in _groups(digits):
        words = "p of the similarity of visualised inputs within clusters"
        found += _measured(setting, words, rows["input_similarity_p"], high=0.05)
        words = "coherence of clusters with groups of similar inputs (0: chance, 1: identical)"
        judged = "size of the effect"
        found += _measured(setting, words, rows["input_coherence"], low=0.0, not_judged=judged)
    return found
