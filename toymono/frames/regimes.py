"""Features by the rank of their frequency: which have monosemantic neurons, which are ignored.

Frames are of tasks whose outputs are the features themselves and begin as those
of `frames.toy`. Numbers of a model whose weights are not finite are NaN.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pandas as pd

from toymono import features, scores, store
from toymono.analysis import regimes
from toymono.analysis.regimes import REGIMES
from toymono.frames import toy
from toymono.frames.connectivity import listed
from toymono.frames.toy import Runs
from toymono.train import Run

SAMPLES = 2048
"""Inputs on which each feature is measured; our choice."""

MONOSEMANTIC_ABOVE, IGNORED_BELOW = scores.THRESHOLD, regimes.IGNORED_BELOW
"""Limits of a neuron's score and of a feature's recovery that decide the regime."""


def per_feature(runs: Runs) -> pd.DataFrame:
    """One row per run and feature of the final model, the most frequent feature first.

    Columns: `frequency_rank`, from 1; `feature`; `frequency`, its probability;
    `served`, 1 if it has a monosemantic neuron, otherwise 0; `recovery`,
    `interference`, `response_capacity` and `best_monosemanticity`, see
    `analysis.regimes.Regimes`;
    `regime`, one of `REGIMES`; `present_loss`, the loss that arises where the
    feature is present, over that of an output of 0; `absent_loss`, the loss
    where it is absent. Over all features these two add up to the expected loss.
    """
    frames = [
        pd.DataFrame({**identity, "frequency_rank": rank_n, "feature": rank_n - 1, **found})
        for identity, rank_n, found in _each(runs)
    ]
    return pd.concat(frames, ignore_index=True)


def per_run(runs: Runs) -> pd.DataFrame:
    """One row per run: how many features are in each regime, at what loss, and where the edge is.

    Columns: `neurons_per_feature`, k / n; `served_share`, `poly_share` and
    `ignored_share`, the fractions of the features in each of `REGIMES`; `served_rank`,
    `poly_rank` and `ignored_rank`, the geometric means of their frequency ranks, NaN
    where there are none; `served_loss`, `poly_loss` and `ignored_loss`, the loss that
    arises where they are present, over that of an output of 0; `absent_loss`, that of
    features that are absent; `edge_half_rank`, `edge_width` and `edge_direction`, see
    `analysis.regimes.Edge`.
    """
    rows = []
    for identity, rank_n, found in _each(runs):
        numbers = {"neurons_per_feature": identity["k"] / len(rank_n)}
        for word, regime in zip(("served", "poly", "ignored"), REGIMES, strict=True):
            inside_n = np.where(np.isnan(found["recovery"]), np.nan, found["regime"] == regime)
            numbers[f"{word}_share"] = inside_n.mean()
            with np.errstate(invalid="ignore"):  # 0 / 0: no such feature
                numbers[f"{word}_rank"] = np.exp(inside_n @ np.log(rank_n) / inside_n.sum())
            numbers[f"{word}_loss"] = (inside_n * found["present_loss"]).sum()
        numbers["absent_loss"] = found["absent_loss"].sum()
        edge = regimes.Edge(np.nan, np.nan, 0)
        if np.isfinite(found["recovery"]).all():
            edge = regimes.edge(found["served"] > 0, found["frequency"])
        edges = {f"edge_{name}": value for name, value in edge._asdict().items()}
        rows.append({**identity, **numbers, **edges})
    return pd.DataFrame(rows)


def _each(runs: Runs) -> Iterator[tuple[dict[str, Any], np.ndarray, dict[str, np.ndarray]]]:
    """What determines each run, the ranks of its features, and what is found of them."""
    for of in listed(runs):
        [(run, identity)] = toy.each([of])
        yield identity, np.arange(1, run.config.n + 1), store.cached(_measured, of)


def _measured(run: Run) -> dict[str, np.ndarray]:
    config = dataclasses.replace(run.config, batch_size=SAMPLES)
    samples = features.sample(config, run.hyperparams, jax.random.key(0))
    found = jax.device_get(regimes.regimes(run.final, run.world, samples))
    frequency_n = np.asarray(features.frequencies(config, run.hyperparams), float)
    zero = frequency_n.sum() / 3
    columns = {
        "frequency": frequency_n,
        "served": found.served_n.astype(float),
        "recovery": found.recovery_n,
        "interference": found.interference_n,
        "response_capacity": found.capacity_n,
        "best_monosemanticity": found.best_n,
        "present_loss": frequency_n * (1 - found.recovery_n) / 3 / zero,
        "absent_loss": (1 - frequency_n) * found.interference_n / zero,
    }
    if not np.isfinite(found.recovery_n).all():
        columns |= {name: np.full(len(frequency_n), np.nan) for name in set(columns)}
    return {**columns, "regime": np.asarray(REGIMES)[found.regime_n]}
