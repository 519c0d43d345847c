"""Models with a linear path beside the hidden layer, next to those without one."""

from typing import Any

import jax
import numpy as np
import pandas as pd

from toymono.analysis import parts
from toymono.features import World
from toymono.frames import toy
from toymono.frames.connectivity import listed
from toymono.frames.toy import Runs
from toymono.models import Model, SkipModel


def per_run(runs: Runs) -> pd.DataFrame:
    """One row per run: what its path does, and what its neurons are.

    Columns: those of `frames.per_run`; `loss_share`, the loss over that of an
    output of 0; `path_rank`, the rank of the path, 0 without one;
    `features_without_mono`, the fraction of features that have no monosemantic
    neuron; `skip_effective_rank`, the effective rank of the path's map from
    features to outputs, and `skip_slope`, the mean of its slope along each
    feature's own output: both 0 without a path, the second m / n for the
    identity of rank m on features in random directions.
    """
    rows = []
    for of in listed(runs):
        [(run, _)] = toy.each([of])
        [row] = toy.per_run([run]).to_dict("records")
        path: dict[str, Any] = {"path_rank": 0, "skip_effective_rank": 0.0, "skip_slope": 0.0}
        if isinstance(run.final, SkipModel):
            rank, slope = (float(value) for value in _path(run.final, run.world))
            path = {
                "path_rank": run.config.skip_rank,
                "skip_effective_rank": rank,
                "skip_slope": slope,
            }
        rows.append(
            {
                **row,
                "loss_share": row["loss"] / row["zero_loss"],
                "features_without_mono": row["features_with_0"] / run.config.n,
                **(path if np.isfinite(row["monosemantic"]) else dict.fromkeys(path, np.nan)),
            }
        )
    return pd.DataFrame(rows)


@jax.jit
def _path(model: SkipModel, world: World) -> tuple[jax.Array, jax.Array]:
    """Effective rank and mean slope of the path alone: the linearisation without any neuron."""
    dead: Model = model.replace(w_ko=0 * model.w_ko)
    found = parts.linearise(dead, world)
    return parts.effective_rank(found.singular_m), found.slope_n.mean()
