"""Measures of all lenses in one frame, and their rank correlations."""

import numpy as np
import pandas as pd
import pytest

from toymono import frames, unstack
from toymono.fields import TOY
from toymono.frames import agreement
from toymono.frames.agreement import correlations


def measured(sweeps: dict[str, list[tuple[float, float]]], seeds: int = 1) -> pd.DataFrame:
    """Runs of sweeps with two measures, one setting for each pair."""
    rows = []
    for sweep, pairs in sweeps.items():
        for i, (x, y) in enumerate(pairs):
            for seed in range(seeds):
                fields = {**{name: field.default for name, field in TOY.items()}, "k": 8 + i}
                rows.append({**fields, "seed": seed, "sweep": sweep, "x": x, "y": y})
    return pd.DataFrame(rows)


def entry(table: pd.DataFrame, one: str, other: str) -> pd.Series:
    [(_, row)] = table[(table["measure"] == one) & (table["other_measure"] == other)].iterrows()
    return row


RISING = [(i, i**3) for i in range(6)]
FALLING = [(i, 10.0 - i) for i in range(6)]


def test_monotonic_measures_correlate_perfectly():
    row = entry(correlations(measured({"A": RISING}), ["x", "y"], samples=50), "x", "y")
    assert row["rank_correlation"] == pytest.approx(1)
    assert row["rank_correlation_low"] == pytest.approx(1)
    assert row["rank_correlation_high"] == pytest.approx(1)
    assert row["sweeps"] == 1


def test_sweeps_are_compared_within_and_averaged():
    # Pooled, the shifted sweeps would correlate positively; within each it is −1.
    shifted = [(x + 100, y + 100) for x, y in FALLING]
    both = correlations(measured({"A": FALLING, "B": shifted}), ["x", "y"], samples=0)
    assert entry(both, "x", "y")["rank_correlation"] == pytest.approx(-1)
    mixed = correlations(measured({"A": FALLING, "B": RISING}), ["x", "y"], samples=0)
    assert entry(mixed, "x", "y")["rank_correlation"] == pytest.approx(0)
    assert np.isnan(entry(mixed, "x", "y")["rank_correlation_low"])


def test_a_constant_measure_has_no_correlation():
    flat = [(1.0, i) for i in range(6)]
    row = entry(correlations(measured({"A": flat, "B": RISING}), ["x", "y"], samples=0), "x", "y")
    assert (row["rank_correlation"], row["sweeps"]) == (pytest.approx(1), 1)
    alone = entry(correlations(measured({"A": flat}), ["x", "y"], samples=20), "x", "y")
    assert np.isnan([alone["rank_correlation"], alone["rank_correlation_low"]]).all()
    assert alone["sweeps"] == 0


def test_too_few_runs_have_no_correlation():
    row = entry(correlations(measured({"A": RISING[:4]}), ["x", "y"], samples=0), "x", "y")
    assert np.isnan(row["rank_correlation"])


def test_the_interval_resamples_settings_not_runs():
    rng = np.random.default_rng(0)
    pairs = [(float(i), float(i + 4 * rng.normal())) for i in range(8)]
    one = entry(correlations(measured({"A": pairs}), ["x", "y"]), "x", "y")
    many = entry(correlations(measured({"A": pairs}, seeds=10), ["x", "y"]), "x", "y")
    assert many["rank_correlation"] == pytest.approx(one["rank_correlation"])
    width_one, width_many = (
        row["rank_correlation_high"] - row["rank_correlation_low"] for row in (one, many)
    )
    assert width_many == pytest.approx(width_one, rel=0.1)  # repeats are no further evidence
    assert one["rank_correlation_low"] < one["rank_correlation"] < one["rank_correlation_high"]


def test_measures_are_those_of_the_other_frames(runs):
    run = unstack(runs)[0]
    [row] = agreement.per_run([run]).to_dict("records")
    [counts] = frames.per_run([run]).to_dict("records")
    assert row["mono_per_neuron"] == pytest.approx(counts["mono_per_neuron"])
    assert row["positive_bias_per_k"] == pytest.approx(counts["positive_bias"] / run.config.k)
    assert row["run"] == counts["run"]
    assert all(np.isfinite(row[m.name]) for m in agreement.MEASURES)


def test_a_diverged_run_has_no_measures(diverged_run):
    [row] = agreement.per_run([diverged_run]).to_dict("records")
    assert np.isnan([row[m.name] for m in agreement.MEASURES]).all()
    assert row["diverged"] >= 0


def test_a_dead_model_has_measures_without_an_error(runs):
    """All its codes are equal: whatever compares codes is NaN, and counts are 0."""
    run = unstack(runs)[0]
    dead = run.replace(snapshots=run.snapshots.replace(b_k=run.snapshots.b_k - 100))
    [row] = agreement.per_run([dead]).to_dict("records")
    assert row["mono_per_neuron"] == row["positive_bias_per_k"] == 0
    assert np.isnan([row["facets_found"], row["spectrum_exponent"]]).all()
