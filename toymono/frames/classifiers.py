"""Results to tidy frames: one row per run, layer, neuron, epoch or ablation; and the summary.

Every frame begins with the columns that determine a run, and `run`, its name,
and `status`. Means over seeds belong to the runs that learned: `learned` picks
them.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from toymono.analysis import class_responses
from toymono.classifiers.config import sizes_word
from toymono.classifiers.experiment import Result

SETTINGS = (
    *("data", "network", "sizes", "penalty", "batch_size", "epochs", "prune_epochs"),
    *("learning_rate", "alpha"),
)
"""What tells experiments apart: all that determines a run but its seed."""


def per_run(results: Iterable[Result]) -> pd.DataFrame:
    """One row per run: its last measures, the means over its layers, its structure.

    Columns: `accuracy` (arg-max, of the test examples), `cross_entropy`,
    `penalty_sum` (over layers), `overlap`, `monosemanticity` (mean over the
    neurons that fire), `dead` (share of the neurons that fire on no test example); and, if
    questions were asked, `n_cut`, `shuffled_mean`, `shuffled_std`, `left_p`, `coherence`,
    `coherence_p`, `lesion_p_mean`, `lesion_p_range` (means over clusters).
    """
    rows = []
    for result in results:
        history, layers = result.run.history, _layers(result)
        mono_k = np.concatenate(
            [class_responses.class_monosemanticity(f.response_ky) for f in result.firing_l]
        )
        fires_k = np.concatenate([f.count_ky.any(axis=1) for f in result.firing_l])
        rows.append(
            {
                **_identity(result),
                "accuracy": float(history.accuracy[-1]),
                "cross_entropy": float(history.cross_entropy[-1]),
                "penalty_sum": float(history.penalty_l[-1].sum()),
                "overlap": float(np.mean([layer["overlap"] for layer in layers])),
                "monosemanticity": float(mono_k[fires_k].mean()) if fires_k.any() else np.nan,
                "dead": float(1 - fires_k.mean()),
                **_structure(result.answers),
            }
        )
    return pd.DataFrame(rows)


def per_layer(results: Iterable[Result]) -> pd.DataFrame:
    """One row per run and hidden layer, counted from 1.

    Columns: `penalty_soft`, the soft penalty's value on the test examples;
    `largest_share`, the part of it that is due to one neuron; `overlap`, the
    class-wise metric; `monosemanticity`, the mean over the neurons that fire;
    `dead`, how many do not.
    """
    return pd.DataFrame(
        [{**_identity(result), **layer} for result in results for layer in _layers(result)]
    )


def per_neuron(results: Iterable[Result]) -> pd.DataFrame:
    """One row per run, hidden layer and neuron.

    Columns: `strongest`, the class that it answers to most (-1: none);
    `monosemanticity`, eq. 7 with classes for features; `classes`, the number on
    whose examples it fires at all; `fires`, the share of test examples on which it does.
    """
    frames = []
    for result in results:
        for layer, f in enumerate(result.firing_l, 1):
            columns = {
                "layer": layer,
                "neuron": np.arange(len(f.count_ky)),
                "strongest": np.asarray(class_responses.strongest(f.response_ky)),
                "monosemanticity": np.asarray(class_responses.class_monosemanticity(f.response_ky)),
                "classes": (f.count_ky > 0).sum(axis=1),
                "fires": f.share_ky.mean(axis=1),
            }
            frames.append(pd.DataFrame({**_identity(result), **columns}))
    return pd.concat(frames, ignore_index=True)


def per_epoch(results: Iterable[Result]) -> pd.DataFrame:
    """One row per run and epoch, counted from 1, with what was measured after it."""
    frames = []
    for result in results:
        history = result.run.history
        columns = {
            "epoch": np.arange(1, len(history.accuracy) + 1),
            "accuracy": history.accuracy,
            "cross_entropy": history.cross_entropy,
            "penalty_sum": history.penalty_l.sum(axis=1),
            "train_loss": history.train_loss,
        }
        frames.append(pd.DataFrame({**_identity(result), **columns}))
    return pd.concat(frames, ignore_index=True)


def per_ablation(results: Iterable[Result]) -> pd.DataFrame:
    """One row per run, hidden layer and cluster with a part in it; only runs that learned."""
    rows = [
        {**_identity(result), **ablation, "layer": ablation["layer"] + 1}
        for result in results
        if result.answers
        for ablation in result.answers["ablations"]
    ]
    return pd.DataFrame(rows)


def learned(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of runs that learned."""
    return frame[frame["status"] == "learned"]


def summary(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per setting: how many runs learned, and their mean ± standard deviation over seeds.

    Args:
      runs: From `per_run`.
    """
    return _of_settings(
        runs,
        lambda counted, asked: {
            "learned": f"{len(counted)}/{asked}",
            "accuracy": _spread(counted["accuracy"]),
            "cross-entropy": _spread(counted["cross_entropy"]),
            "penalty sum": _spread(counted["penalty_sum"]),
            "overlap": _spread(counted["overlap"]),
            "monosemanticity": _spread(counted["monosemanticity"]),
        },
    )


def structure(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per setting: clusterability, coherence and ablations of the runs that learned.

    p values are listed, one for each run, from the lowest up; that of ablations is a mean over
    clusters, which random ablations would have near 0.5.

    Args:
      runs: From `per_run`, of runs of which questions were asked.
    """
    return _of_settings(
        runs,
        lambda counted, asked: {
            "n-cut": _spread(counted["n_cut"]),
            "shuffled": _spread(counted["shuffled_mean"]),
            "their std": _spread(counted["shuffled_std"], single=True),
            "left p": _list(counted["left_p"]),
            "coherence": _spread(counted["coherence"]),
            "its p": _list(counted["coherence_p"]),
            "ablation p": _spread(counted["lesion_p_mean"]),
        },
    )


def failures(runs: pd.DataFrame) -> list[str]:
    """What became of the runs that did not learn, a line for each setting of `summary`."""
    lost = runs[runs["status"] != "learned"]
    apart = _apart(runs)
    return [
        ", ".join(f"{name}={_plain(value)}" for name, value in zip(apart, setting, strict=True))
        + f": {len(of_setting)} {status}"
        f" (accuracy {of_setting['accuracy'].min():.3f} to {of_setting['accuracy'].max():.3f})"
        for (*setting, status), of_setting in lost.groupby([*apart, "status"], sort=False)
    ]


def _identity(result: Result) -> dict[str, Any]:
    fields = result.job.fields
    fields["sizes"] = sizes_word(result.job.config.sizes)
    return {**fields, "run": result.job.name, "status": result.status}


def _layers(result: Result) -> list[dict[str, Any]]:
    rows = []
    for layer, f in enumerate(result.firing_l, 1):
        fires_k = f.count_ky.any(axis=1)
        mono_k = np.asarray(class_responses.class_monosemanticity(f.response_ky))
        total = float(f.penalty_k.sum())
        rows.append(
            {
                "layer": layer,
                "penalty_soft": total,
                "largest_share": float(f.penalty_k.max()) / total if total > 0 else np.nan,
                "overlap": float(class_responses.overlap(f.count_ky)),
                "monosemanticity": float(mono_k[fires_k].mean()) if fires_k.any() else np.nan,
                "dead": int((~fires_k).sum()),
            }
        )
    return rows


def _structure(answers: dict[str, Any] | None) -> dict[str, float]:
    if answers is None:
        return {}
    shuffled_s = np.array(answers["shuffled"])
    damage = {
        name: [ablation[f"right_p_{name}"] for ablation in answers["ablations"]]
        for name in ("mean", "range")
    }
    return {
        "n_cut": answers["n_cut"],
        "shuffled_mean": shuffled_s.mean() if shuffled_s.size else np.nan,
        "shuffled_std": shuffled_s.std() if shuffled_s.size else np.nan,
        "left_p": answers["left_p"],
        "coherence": answers["coherence"],
        "coherence_p": answers["coherence_p"],
        **{f"lesion_p_{k}": float(np.mean(p)) if p else np.nan for k, p in damage.items()},
    }


def _of_settings(runs: pd.DataFrame, cells: Callable[..., dict[str, str]]) -> pd.DataFrame:
    """A row for each setting: what tells it apart, then `cells` of its runs that learned."""
    apart = _apart(runs)
    return pd.DataFrame(
        {
            **{name: _plain(value) for name, value in zip(apart, setting, strict=True)},
            **cells(learned(of_setting), len(of_setting)),
        }
        for setting, of_setting in runs.groupby(apart, sort=False)
    )


def _apart(runs: pd.DataFrame) -> list[str]:
    """The settings in which the runs differ, and alpha."""
    return [name for name in SETTINGS if name == "alpha" or runs[name].nunique() > 1]


def _plain(value: Any) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)  # all of a float32


def _spread(values: pd.Series, single: bool = False) -> str:
    values = values[np.isfinite(values)]
    if values.empty:
        return "-"
    mean = f"{values.mean():#.3g}" if single else f"{values.mean():#.4g}"
    return mean if single or len(values) == 1 else f"{mean} ± {values.std():#.2g}"


def _list(values: pd.Series) -> str:
    return " ".join(f"{value:.2g}".removeprefix("0") for value in sorted(values)) or "-"
