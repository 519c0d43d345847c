"""Tables that the classifiers command prints: one row per setting, over the seeds that learned."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from toymono.classifiers.fields import CLASSIFIER
from toymono.files import atomic_write
from toymono.frames.classifiers import learned
from toymono.quantities import INDEX_COLUMNS, QUANTITIES

_COMMON = 3  # Further columns depend on the version and on the flags.


def write(path: Path, table: pd.DataFrame) -> None:
    """Writes a table as CSV, atomically; only a table of frames' columns is replaced.

    Raises:
      FileExistsError: The file at `path` does not begin with the same three columns, or has one
        that no frame has.
      OSError: The folder cannot be written.
    """
    if path.exists():
        with path.open(errors="replace") as file:
            columns = file.readline().rstrip().split(",")
        known = {*CLASSIFIER, *QUANTITIES, *INDEX_COLUMNS, *table.columns}
        if columns[:_COMMON] != list(table.columns[:_COMMON]) or not set(columns) <= known:
            raise FileExistsError(f"{path} is not overwritten: it is not a table of this command")
    with atomic_write(path) as temporary:
        table.to_csv(temporary, index=False)


def text(runs: pd.DataFrame, structure: bool) -> str:
    """The tables as text.

    Args:
      runs: From `frames.classifiers.per_run`.
      structure: Whether to add the table of clusters and ablations.
    """
    first = {name: runs[name].iloc[0] for name in CLASSIFIER if runs[name].nunique() == 1}
    common = [
        f"{name}={value if name == 'sizes' else CLASSIFIER[name].text(value)}"
        for name, value in first.items()
    ]
    parts = [", ".join(common), summary(runs).to_string(index=False)]
    if structure:
        parts.append(structure_summary(runs).to_string(index=False))
    parts.append("mean ± standard deviation of the runs that learned; p values: one per run")
    parts += [f"not in a mean: {line}" for line in failures(runs)]
    return "\n".join(parts)


def summary(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per setting: how many runs learned, and their mean ± standard deviation."""
    return _of_settings(
        runs,
        lambda good, requested: {
            "learned": f"{len(good)}/{requested}",
            "accuracy": _spread(good["accuracy"]),
            "cross-entropy": _spread(good["cross_entropy"]),
            "penalty sum": _spread(good["penalty_sum"]),
            "overlap": _spread(good["mean_overlap"]),
            "monosemanticity": _spread(good["mean_monosemanticity"]),
        },
    )


def structure_summary(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per setting: clusterability, coherence and ablations of the runs that learned.

    p values are listed, one per run, in ascending order; that of ablations is a
    mean over clusters, near 0.5 for random ones.
    """
    return _of_settings(
        runs,
        lambda good, requested: {
            "n-cut": _spread(good["n_cut"]),
            "shuffled": _spread(good["shuffled_n_cut_mean"]),
            "shuffled std": _spread(good["shuffled_n_cut_std"], single=True),
            "p (n-cut lower than shuffled)": _list(good["n_cut_p"]),
            "coherence": _spread(good["coherence"]),
            "coherence p": _list(good["coherence_p"]),
            "ablation p": _spread(good["ablation_p_mean"]),
        },
    )


def failures(runs: pd.DataFrame) -> list[str]:
    """What became of the runs that did not learn, a line for each setting."""
    failed = runs[runs["status"] != "learned"]
    varied = _varied(runs)
    return [
        ", ".join(f"{name}={_plain(value)}" for name, value in zip(varied, setting, strict=True))
        + f": {len(of_setting)} {status}"
        f" (accuracy {of_setting['accuracy'].min():.3f} to {of_setting['accuracy'].max():.3f})"
        for (*setting, status), of_setting in failed.groupby([*varied, "status"], sort=False)
    ]


def _of_settings(runs: pd.DataFrame, cells: Callable[..., dict[str, str]]) -> pd.DataFrame:
    """A row for each setting: what distinguishes it, then `cells` of its runs that learned."""
    varied = _varied(runs)
    return pd.DataFrame(
        {
            **{name: _plain(value) for name, value in zip(varied, setting, strict=True)},
            **cells(learned(of_setting), len(of_setting)),
        }
        for setting, of_setting in runs.groupby(varied, sort=False)
    )


def _varied(runs: pd.DataFrame) -> list[str]:
    """The settings in which the runs differ, and alpha."""
    return [name for name in CLASSIFIER if name == "alpha" or runs[name].nunique() > 1]


def _plain(value: object) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)  # all of a float32


def _spread(values: pd.Series, single: bool = False) -> str:
    values = values[np.isfinite(values)]
    if values.empty:
        return "-"
    mean = f"{values.mean():#.3g}" if single else f"{values.mean():#.4g}"
    return mean if single or len(values) == 1 else f"{mean} ± {values.std():#.2g}"


def _list(values: pd.Series) -> str:
    return " ".join(f"{value:.2g}".removeprefix("0") for value in sorted(values)) or "-"
