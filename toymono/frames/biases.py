"""Schemes for biases: how many steps of training they need."""

from typing import Any

import numpy as np
import pandas as pd

from toymono.frames import toy
from toymono.frames.toy import Runs

FIRING, LOW = 0.9, 0.4
"""Shares of the zero-output loss: below the first neurons have begun to fire; the second is about
what the published scheme reaches at the small scale in half of its steps. Our choices."""

_SHORT, _LONG = 64, 256
"""Steps over which the loss is averaged before it is compared with either. Our choices."""

PER_RUN = ("loss", "mono_per_feature", "positive_bias", "firing_step", "low_step")
"""The columns of `per_run`."""


def per_run(runs: Runs) -> pd.DataFrame:
    """One row per run: the scheme of its biases, its outcome, and how soon it got there.

    Columns: those that determine the run; `scheme`, in words; `loss`, `mono_per_feature` and
    `positive_bias` as in `frames.per_run`; `firing_step` and `low_step`, the first steps
    after which the mean loss of the last 64 and 256 steps is below 0.9 and 0.4 of the
    zero-output loss, NaN if it never is.
    """
    counted = toy.per_run(runs)
    rows = []
    for (run, identity), (_, row) in zip(toy.each(runs), counted.iterrows(), strict=True):
        loss_t = np.asarray(run.loss_t, np.float64)
        zero = float(row["zero_loss"])
        rows.append(
            {
                **identity,
                "scheme": scheme(identity),
                "loss": row["loss"],
                "mono_per_feature": row["mono_per_feature"],
                "positive_bias": row["positive_bias"],
                "firing_step": first_below(loss_t, FIRING * zero, _SHORT),
                "low_step": first_below(loss_t, LOW * zero, _LONG),
            }
        )
    return pd.DataFrame(rows)


def first_below(loss_t: np.ndarray, level: float, width: int) -> float:
    """Steps after which the mean of the last `width` losses is first below a level; NaN if never.

    Example:
      >>> first_below(np.array([4.0, 2.0, 2.0, 0.0, 0.0]), 1.5, 2)
      4.0
    """
    if len(loss_t) < width:
        return np.nan
    sum_t = np.concatenate([[0], loss_t.cumsum()])
    below = (sum_t[width:] - sum_t[:-width]) / width < level
    return float(below.argmax() + width) if below.any() else np.nan


def scheme(fields: dict[str, Any]) -> str:
    """A run's scheme for biases in a few words.

    Example:
      >>> from toymono import Config, Hyperparams, store
      >>> scheme(store.fields(Config(bias_start="below_each"), Hyperparams(), 0))
      'start: each below firing'
    """
    if fields["bias_pull"] == "on":
        return f"pulled down, weight {fields['pull_weight']:g}"
    if fields["decay_rule"] != "all":
        return f"decay {_DECAY[fields['decay_rule']]}; {_start(fields)}"
    return _start(fields)


def _start(fields: dict[str, Any]) -> str:
    if fields["bias_start"] != "shifted":
        return f"start: {_START[fields['bias_start']]}"
    return f"start at {fields['init_bias']:g}"


_DECAY = {"silent": "of rarely firing neurons", "moving": "by how fast weights move"}
_START = {
    "below_all": "all below firing",
    "below_each": "each below firing",
    "below_batch": "each fires once per batch",
}
