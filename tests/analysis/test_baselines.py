"""Baselines of a trained model: what they keep of it, and what they change."""

import jax
import numpy as np
import pytest

from toymono import begin
from toymono.analysis import baselines


def test_a_rotation_keeps_lengths_and_angles(toy):
    model, _ = toy()
    rotated = baselines.rotated(model, jax.random.key(1))
    before, after = (np.asarray(each.w_mk).T @ np.asarray(each.w_mk) for each in (model, rotated))
    np.testing.assert_allclose(after, before, atol=1e-5)
    assert np.abs(rotated.w_mk - model.w_mk).max() > 0.1
    np.testing.assert_array_equal(rotated.b_k, model.b_k)
    with pytest.raises((AssertionError, TypeError)):
        baselines.rotated(jax.tree.map(lambda leaf: leaf[None], model), jax.random.key(1))


def test_untrained_copies_differ_in_their_biases_only(run):
    found = baselines.copies(run.config, run.hyperparams, run.key, run.final)
    assert tuple(found) == baselines.COPIES
    _, state = begin(run.config, run.hyperparams, run.key)
    for name in baselines.COPIES[1:]:
        np.testing.assert_array_equal(found[name].w_mk, state.model.w_mk)
    np.testing.assert_array_equal(found["untrained"].b_k, state.model.b_k)
    shift = found["untrained"].b_k - found["untrained_spread"].b_k
    np.testing.assert_allclose(shift, run.hyperparams.init_bias, atol=1e-6)
    assert (np.asarray(found["untrained_unbiased"].b_k) == 0).all()
