"""What the kept runs show of the polysemantic penalty: frames, and findings from them.

On labels, networks of the published shape on scikit-learn's digits; toy models,
those of the catalog's sweep PEN. Published numbers are of MNIST and
Fashion-MNIST: limits are therefore of directions and sizes of effects, and ours.
A cross-entropy or an n-cut has to change by a quarter of what was published.

Reference:
  Wright, polysemantic-neurons (2022): README, committed results and notebooks.
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from toymono import frames, store
from toymono.classifiers import data, experiment
from toymono.classifiers import store as labelled_store
from toymono.classifiers.config import CAPACITY_EPOCHS, ClassifierConfig
from toymono.frames import classifiers as classifier_frames
from toymono.frames import penalty as penalty_frames
from toymono.papers.findings import Finding
from toymono.sweep import plan


def labelled_runs(runs_dir: str | Path) -> pd.DataFrame:
    """The kept networks of the published shape on digits, a row each; see `labelled.tables`.

    Raises:
      ValueError: A file is not a labelled run, or not whole.
    """
    return _on_digits(
        runs_dir,
        lambda config: (
            config == ClassifierConfig(epochs=config.epochs, prune_epochs=config.prune_epochs)
        ),
    )


def width_runs(runs_dir: str | Path) -> pd.DataFrame:
    """As `labelled_runs`, of the networks that the labelled command's `--capacity` trains."""
    return _on_digits(
        runs_dir,
        lambda config: (
            config == ClassifierConfig(sizes=config.sizes, epochs=CAPACITY_EPOCHS)
            and len(config.sizes) == 4
            and len(set(config.sizes)) == 1
        ),
    )


def _on_digits(runs_dir: str | Path, wanted: Callable[[ClassifierConfig], bool]) -> pd.DataFrame:
    folder, questions = Path(runs_dir) / "labelled", dataclasses.asdict(experiment.Questions())
    digits = data.load("digits")
    jobs = [
        job
        for job in labelled_store.find(folder)
        if job.fingerprint == digits.fingerprint
        and wanted(job.config)
        and np.isclose(job.hyperparams.learning_rate, 1e-3)
    ]
    found = experiment.results(jobs, digits, folder, questions=None)
    answered = [
        result._replace(answers=labelled_store.load_answers(folder, result.job, questions))
        for result in found
    ]
    return classifier_frames.per_run(answered)


def toy_runs(runs_dir: str | Path, sweep: str = "PEN") -> pd.DataFrame:
    """The kept runs of a sweep over penalties at the small scale, with the losses of their parts.

    Raises:
      ValueError: A file is not a run.
    """
    places = plan.places(sweep, "small")
    kept = [run for run in store.find(runs_dir) if run.setting in places and run.diverged is None]
    if not kept:
        return pd.DataFrame()
    runs, losses = frames.per_run(kept), penalty_frames.part_losses(kept)
    own = ["run", *(name for name in losses if name not in runs)]
    return runs.merge(losses[own], on="run")


def _at(runs: pd.DataFrame, alpha: float) -> pd.DataFrame:
    """A weight's runs that were not pruned, those of most epochs that have -1, 0 and 1."""
    if runs.empty:
        return runs
    runs = runs[runs["prune_epochs"] == 0]
    whole = runs.groupby("epochs")["alpha"].agg(lambda a: {-1.0, 0.0, 1.0} <= set(a))
    epochs = whole[whole].index.max() if whole.any() else runs["epochs"].min()
    return runs[(runs["epochs"] == epochs) & np.isclose(runs["alpha"], alpha)]


def _measured(setting: str, measure: str, values: Sequence[float], **limits) -> list[Finding]:
    finite = tuple(float(value) for value in values if np.isfinite(value))
    return [Finding(setting, measure, finite, settled=None, **limits)] if finite else []


def _learned(runs: pd.DataFrame, alpha: float) -> pd.DataFrame:
    rows = _at(runs, alpha)
    return rows if rows.empty else classifier_frames.learned(rows)


PUBLISHED_WEIGHT = 1.0
"""The alpha of the published penalised networks."""


def weight(runs: pd.DataFrame) -> float:
    """The published weight if a run learned there, else the largest above 0 at which all did."""
    if runs.empty or len(_learned(runs, PUBLISHED_WEIGHT)):
        return PUBLISHED_WEIGHT
    runs = runs[runs["prune_epochs"] == 0]
    of_epochs = runs[runs["epochs"] == _at(runs, 0.0)["epochs"].min()]
    whole = of_epochs.groupby("alpha")["status"].agg(lambda status: (status == "learned").all())
    return max((alpha for alpha in whole.index[whole] if alpha > 0), default=PUBLISHED_WEIGHT)


def pruned(runs: pd.DataFrame) -> list[Finding]:
    """Accuracy of the pruned networks, without the penalty and with it."""
    if runs.empty:
        return []
    found = []
    for alpha, published in ((0.0, "MNIST .981"), (weight(runs), "MNIST .970, at alpha 1")):
        rows = runs[(runs["prune_epochs"] > 0) & np.isclose(runs["alpha"], alpha)]
        found += _measured(
            f"alpha {alpha:g}, pruned",
            "accuracy, arg-max",
            rows["accuracy"],
            low=0.85,
            paper=published,
        )
    return found


def _change(runs: pd.DataFrame, column: str, ratio: bool = False) -> list[float]:
    """By seed, a column at `weight` beside that at 0, of seeds that learned at both."""
    if runs.empty or column not in runs:
        return []
    on, off = (_learned(runs, alpha).set_index("seed")[column] for alpha in (weight(runs), 0.0))
    return (on / off if ratio else on - off).dropna().tolist()


def plain(runs):
    rows = _at(runs, 0.0)
    values = [] if rows.empty else rows["accuracy"]
    published = "MNIST .981, Fashion-MNIST .892"
    return _measured("alpha 0", "accuracy, arg-max", values, low=0.9, paper=published)


def still_learns(runs):
    rows = _at(runs, 1.0)
    values = [] if rows.empty else rows["accuracy"]
    return _measured(
        "alpha 1", "accuracy, arg-max", values, low=0.85, paper="MNIST .968, Fashion-MNIST .854"
    )


def collapses(runs):
    rows = _at(runs, -1.0)
    values = [] if rows.empty else rows["accuracy"]
    return _measured(
        "alpha -1", "accuracy, arg-max", values, high=0.15, paper="MNIST .104, Fashion-MNIST .100"
    )


def dearer(runs):
    return _measured(
        f"alpha {weight(runs):g} less alpha 0",
        "cross-entropy",
        _change(runs, "cross_entropy"),
        low=0.015,
        paper="MNIST .160 - .092, Fashion-MNIST .428 - .364",
    )


def cheaper(runs):
    return _measured(
        f"alpha {weight(runs):g} over alpha 0",
        "sum of the penalties",
        _change(runs, "penalty_sum", ratio=True),
        high=0.05,
        paper="MNIST .061 / 6.67, Fashion-MNIST .179 / 7.34",
    )


def absolute(runs):
    return _measured(
        f"alpha {weight(runs):g} less alpha 0",
        "n-cut of 12 clusters",
        _change(runs, "n_cut"),
        high=-0.1,
        paper="MNIST 9.63 - 10.06, Fashion-MNIST 9.58 - about 9.88",
    )


def relative(runs):
    rows = _learned(runs, weight(runs))
    values = (rows["left_p"].dropna() <= 0.05).astype(float) if "left_p" in rows else []
    published = "MNIST 5 of 5; Fashion-MNIST none"
    setting = f"alpha {weight(runs):g}"
    return _measured(setting, "share of runs with a left p ≤ .05", values, low=0.8, paper=published)


def specialised(runs):
    return _measured(
        f"alpha {weight(runs):g} less alpha 0",
        "mean right p of ablations",
        _change(runs, "lesion_p_mean"),
        low=-0.1,
        high=0.1,
        paper="percentiles .18 … .30 beside .25 … .34 on MNIST, .29 … .41 beside .24 … .34 on "
        "Fashion-MNIST",
    )


def _toy(runs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The soft penalty at the weight with most monosemantic neurons, and the rival."""
    if runs.empty:
        return runs, runs
    soft = runs[runs["penalty"] == "soft"]
    rival = runs[(runs["penalty"] == "none") & (runs["init_bias"] < 0)].set_index("seed")
    if soft.empty or rival.empty:
        return soft.iloc[:0], rival
    best = soft.groupby("alpha")["monosemantic"].mean().idxmax()
    return soft[soft["alpha"] == best].set_index("seed"), rival


def toy_gap(column: str, sign: int, measure: str, published: str, **limits) -> Callable:
    def measured(runs: pd.DataFrame) -> list[Finding]:
        soft, rival = _toy(runs)
        if soft.empty or rival.empty:
            return []
        silence = soft["n"] * soft["eps"] / 3
        gap = (sign * (soft[column] - rival[column]) / silence).dropna()
        setting = f"soft, alpha {soft['alpha'].iloc[0]:g}"
        return _measured(setting, measure, gap, paper=published, **limits)

    return measured


def _toy_share(column: str, measure: str, published: str, **limits) -> Callable:
    def measured(runs: pd.DataFrame) -> list[Finding]:
        soft, _ = _toy(runs)
        if soft.empty:
            return []
        setting = f"soft, alpha {soft['alpha'].iloc[0]:g}"
        return _measured(setting, measure, soft[column], paper=published, **limits)

    return measured


toy_features = _toy_share(
    "several",
    "share of living neurons that answer to more than one feature",
    "none (.50 features per neuron, dead ones counted)",
    high=0.01,
)

toy_together = _toy_share(
    "activated_by_others",
    "share of neurons of one feature that some group of up to 4 others wakes",
    "all others at once: 283 of 681",
    low=0.1,
)
