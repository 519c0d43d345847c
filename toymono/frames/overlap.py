"""Pairs of toy runs of one world: whether they use the same weights."""

import itertools
from typing import Any

import jax
import pandas as pd

from toymono import pruning
from toymono.analysis import overlap
from toymono.frames import toy
from toymono.frames.connectivity import comparable
from toymono.frames.toy import Runs
from toymono.masks import Masks
from toymono.train import Run

TENSORS = {"w_mk": "input", "w_ko": "output"}
"""The weights whose masks are compared, and how their columns begin."""


def per_pair(runs: Runs, share: float = 0.1) -> pd.DataFrame:
    """One row per pair of runs of one world that both have masks, or both have not.

    Columns: those that determine the first run, `other_run`, `other_seed`; for the
    input and the output weights the overlap of their masks, `input_overlap`,
    `input_aligned_overlap`, after neurons are matched by the final weights, and two
    baselines: `input_chance_overlap` of independent masks, and `input_null_overlap`
    of random ones on random weights after these are matched; `output_overlap` and so on.

    Args:
      runs: Toy runs with a hidden layer, as in `frames.connectivity`.
      share: Of dense runs, which have no masks, this share of each tensor counts as in
        use, the largest weights.
    """
    loaded = [entry for entry in toy.each(runs) if entry[0].diverged is None]
    rows = []
    for (run, identity), (other, name) in itertools.combinations(loaded, 2):
        dense = run.masks is None
        if not comparable(run, other) or dense != (other.masks is None):
            continue
        used, used_by_other = (_masks(each, share) for each in (run, other))
        found = overlap.overlap(used, used_by_other, run.final, other.final)
        null = overlap.null(used, used_by_other, jax.random.key(0), by_magnitude=dense)
        row: dict[str, Any] = {"other_run": name["run"], "other_seed": name["seed"]}
        for tensor, of in TENSORS.items():
            row[f"{of}_overlap"] = found[tensor].raw
            row[f"{of}_aligned_overlap"] = found[tensor].aligned
            row[f"{of}_chance_overlap"] = found[tensor].chance
            row[f"{of}_null_overlap"] = null[tensor].aligned
        rows.append({**identity, **row})
    return pd.DataFrame(rows)


def _masks(run: Run, share: float) -> Masks:
    return pruning.prune(run.final, None, 1 - share) if run.masks is None else run.masks
