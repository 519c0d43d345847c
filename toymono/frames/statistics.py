"""Statistics over runs: which fields they sweep, means over seeds, half-maximum crossings."""

import numpy as np
import pandas as pd

from toymono.fields import TOY

RUN_FIELDS = (*TOY, "seed")
"""The columns that determine a toy run."""

SETTING = [*TOY]
"""The columns that a toy run shares with its other seeds."""


def swept(frame: pd.DataFrame) -> list[str]:
    """The run fields, other than the seed, that take several values in `frame`."""
    return [name for name in SETTING if frame[name].nunique() > 1]


def octave_bins(loss_t: np.ndarray, per_octave: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Means of a loss over bins of equal length on a log axis: the last step of each, the mean.

    Example:
      >>> ends, means = octave_bins(np.array([4.0, 2.0, 1.0, 0.0]), per_octave=1)
      >>> ends.tolist(), means.tolist()
      ([1, 2, 4], [4.0, 2.0, 0.5])
    """
    octaves = np.arange(np.floor(np.log2(len(loss_t)) * per_octave) + 1) / per_octave
    ends = np.unique([*np.round(2**octaves).astype(int), len(loss_t)])
    starts = np.concatenate([[0], ends[:-1]])
    pairs = zip(starts, ends, strict=True)
    return ends, np.array([loss_t[i:j].mean(dtype=np.float64) for i, j in pairs])


def excess(
    frame: pd.DataFrame, baseline: pd.DataFrame, column: str, on: tuple[str, ...]
) -> pd.DataFrame:
    """By how much `column` is larger in `frame` than in `baseline`, where the columns `on` agree.

    The difference is in the column `COLUMN_excess`.
    """
    both = frame.merge(baseline[[*on, column]], on=list(on), suffixes=("", "_of_baseline"))
    difference = both[column] - both.pop(f"{column}_of_baseline")
    return both.assign(**{f"{column}_excess": difference})


def course(frame: pd.DataFrame, column: str, by: str) -> pd.Series:
    """The mean of `column` over seeds, for each value of `by` in order."""
    return frame.groupby(by)[column].mean().sort_index()


def half_lost(frame: pd.DataFrame, column: str, by: str) -> float:
    """The first value of `by`, past the maximum of `course`, where less than half of it is left.

    NaN if there is none.

    Example:
      >>> half_lost(pd.DataFrame({"k": [1, 2, 3], "dead": [4, 3, 0]}), "dead", "k")
      3.0
    """
    points = course(frame, column, by)
    points = points.iloc[points.to_numpy().argmax() :]
    low = points.index[points < points.iloc[0] / 2]
    return float(low[0]) if len(low) else np.nan
