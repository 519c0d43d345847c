"""Schemes for biases: how soon training makes progress."""

import dataclasses

import jax
import numpy as np
import pytest
from settings import TINY, TINY_HYPERPARAMS

from toymono import fit
from toymono.frames import biases
from toymono.quantities import INDEX_COLUMNS, QUANTITIES


def test_the_first_step_below_a_level_by_brute_force():
    rng = np.random.default_rng(0)
    loss_t = np.linspace(2, 0, 40) + rng.normal(size=40)
    for level in (-3.0, 0.5, 1.0, 5.0):
        means = [(end, loss_t[end - 7 : end].mean()) for end in range(7, 41)]
        below = [end for end, mean in means if mean < level]
        found = biases.first_below(loss_t, level, 7)
        assert found == below[0] if below else np.isnan(found)
    assert np.isnan(biases.first_below(loss_t, 5.0, 41))


def test_a_run_has_its_scheme_and_its_steps():
    config = dataclasses.replace(TINY, bias_pull="on", log2_steps=7)
    run = fit(config, TINY_HYPERPARAMS.replace(learning_rate=0.03), jax.random.key(0))
    zero_t = np.full(config.steps, 1e9)
    zero_t[60:] = 0
    [row] = biases.per_run([run.replace(loss_t=zero_t)]).to_dict("records")
    assert row["scheme"] == "pulled down, weight 1"
    assert row["firing_step"] == 124  # the last 64 steps are all at 0
    assert np.isnan(row["low_step"])  # there are fewer than 256 steps
    assert row["run"] == biases.per_run([run])["run"].item()


@pytest.mark.parametrize("name", biases.PER_RUN)
def test_every_column_is_described(name):
    assert name in QUANTITIES
    assert "scheme" in INDEX_COLUMNS
