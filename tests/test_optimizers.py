"""LAMB as published against plain numpy, the schedule against PyTorch's recursion, bias decay."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toymono import Config, Hyperparams, optimizers
from toymono.fields import TOY_CONFIG


def published_lamb(weight, grads, rate):
    """`torch_optimizer.Lamb` with its defaults, for one tensor, in float64."""
    weight, mean, square = np.asarray(weight, float), 0.0, 0.0
    for grad in np.asarray(grads, float):
        mean = 0.9 * mean + 0.1 * grad
        square = 0.999 * square + 0.001 * grad**2
        step = mean / (np.sqrt(square) + 1e-6)
        weight_norm = np.clip(np.sqrt((weight**2).sum()), 0, 10)
        step_norm = np.sqrt((step**2).sum())
        trust = 1.0 if weight_norm == 0 or step_norm == 0 else weight_norm / step_norm
        weight = weight - rate * trust * step
    return weight


def trained(weights, grads, rate=0.1, name="lamb"):
    """The weights after a step along each of the gradients."""
    config = Config(optimizer=name, schedule="constant")
    transform = optimizers.build(config, Hyperparams(learning_rate=rate))
    state = transform.init(weights)
    for grad in grads:
        updates, state = transform.update(grad, state, weights)
        weights = optax.apply_updates(weights, updates)
    return weights


WEIGHTS = {
    "small": np.full((3, 2), 0.1),
    "large": np.linspace(-20, 20, 7),
    "zero": np.zeros(4),
    "one": np.array([[0.3]]),
}


def test_lamb_matches_torch_optimizer():
    rng = np.random.default_rng(0)
    grads = [{name: rng.normal(size=w.shape) for name, w in WEIGHTS.items()} for _ in range(6)]
    grads[2] = {name: 0 * grad for name, grad in grads[2].items()}
    grads[3] = {name: 1e-7 * grad for name, grad in grads[3].items()}  # where its epsilon matters
    found = trained(*jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), (WEIGHTS, grads)))
    for name, weight in WEIGHTS.items():
        wanted = published_lamb(weight, [grad[name] for grad in grads], 0.1)
        np.testing.assert_allclose(found[name], wanted, rtol=1e-5)


@given(norm=st.floats(0.01, 1000), scale=st.floats(1e-3, 1e3))
def test_a_step_has_the_length_of_the_clamped_norm(norm, scale):
    weight = jnp.array([0.6, 0.8]) * norm
    moved = trained(weight, [jnp.array([1.0, -2.0]) * scale], rate=0.5) - weight
    # The difference of two float32 numbers as large as the norm.
    assert jnp.linalg.norm(moved) == pytest.approx(0.5 * min(norm, 10), rel=1e-4, abs=1e-6 * norm)


def test_zero_gradients_leave_weights_unchanged():
    weight = jnp.array([3.0, 4.0])
    assert trained(weight, [jnp.zeros(2)] * 3).tolist() == [3, 4]


def test_zero_weights_move_along_the_plain_direction():
    moved = trained(jnp.zeros(2), [jnp.array([5.0, -0.01])], rate=1.0)
    # Without bias correction: 0.1 g / (sqrt(0.001) |g| + 1e-6).
    wanted = [-0.1 * g / (math.sqrt(0.001) * abs(g) + 1e-6) for g in (5, -0.01)]
    np.testing.assert_allclose(moved, wanted, rtol=1e-5)


def test_adam_matches_the_textbook():
    rng = np.random.default_rng(0)
    weight, grads = rng.normal(size=5), rng.normal(size=(4, 5))
    wanted, mean, square = weight, 0, 0
    for t, grad in enumerate(grads, start=1):
        mean, square = 0.9 * mean + 0.1 * grad, 0.999 * square + 0.001 * grad**2
        wanted = wanted - 0.1 * (mean / (1 - 0.9**t)) / (np.sqrt(square / (1 - 0.999**t)) + 1e-8)
    found = trained(*jax.tree.map(jnp.float32, (weight, list(grads))), name="adam")
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_adamw_decays_weights_by_the_rate_beside_adam():
    """As PyTorch's AdamW: w loses rate * weight_decay * w in every step."""
    weight, grads = np.linspace(-2, 2, 5), np.random.default_rng(1).normal(size=(4, 5))
    hyperparams = Hyperparams(learning_rate=0.1, weight_decay=0.3)
    transform = optimizers.build(Config(optimizer="adamw", schedule="constant"), hyperparams)
    plain = optimizers.build(Config(optimizer="adam", schedule="constant"), hyperparams)
    found, state, plain_state = jnp.float32(weight), transform.init(weight), plain.init(weight)
    for grad in jnp.float32(grads):
        before = found
        updates, state = transform.update(grad, state, found)
        adam, plain_state = plain.update(grad, plain_state, found)
        found = found + updates
        np.testing.assert_allclose(found, before + adam - 0.03 * before, rtol=1e-5)


def test_every_choice_of_the_fields_has_a_builder():
    assert list(optimizers.OPTIMIZERS) == list(TOY_CONFIG["optimizer"].choices)
    assert list(optimizers.SCHEDULES) == list(TOY_CONFIG["schedule"].choices)


# The schedule.


def torch_cosine(base, steps, t_max=512):
    """`CosineAnnealingLR` as PyTorch steps it, a recursion that does not restart."""
    rates = [base]
    for t in range(1, steps):
        if (t - 1 - t_max) % (2 * t_max) == 0:
            rates.append(rates[-1] + base * (1 - math.cos(math.pi / t_max)) / 2)
        else:
            now, before = (1 + math.cos(math.pi * i / t_max) for i in (t, t - 1))
            rates.append(now / before * rates[-1])
    return np.array(rates)


def test_the_cosine_is_that_of_pytorch():
    rate = optimizers.schedule(Config(), Hyperparams(learning_rate=0.03))
    found_t = jax.vmap(rate)(jnp.arange(1100))
    np.testing.assert_allclose(found_t, torch_cosine(0.03, 1100), rtol=1e-5, atol=1e-9)


def test_the_cosine_is_periodic_to_the_last_step():
    rate = optimizers.schedule(Config(), Hyperparams(learning_rate=0.03))
    late = 1024 * (2**17 // 1024 - 1)
    for step in (0, 1, 300, 511, 512, 1023):
        assert rate(jnp.int32(late + step)) == rate(jnp.int32(step))
    assert rate(jnp.int32(2**17)) == pytest.approx(0.03)


def test_the_period_is_a_hyperparameter():
    rate = optimizers.schedule(Config(), Hyperparams(learning_rate=2.0, cosine_period=8.0))
    wanted_t = 1 + np.cos(2 * np.pi * np.arange(20) / 8)
    np.testing.assert_allclose(jax.vmap(rate)(jnp.arange(20)), wanted_t, atol=1e-6)


def test_a_constant_rate_stays():
    rate = optimizers.schedule(Config(schedule="constant"), Hyperparams(learning_rate=0.5))
    assert {float(rate(jnp.int32(step))) for step in (0, 100, 512, 10**6)} == {0.5}


def test_the_optimizer_follows_the_schedule():
    transform = optimizers.build(Config(), Hyperparams(learning_rate=1.0, cosine_period=4.0))
    weight, lengths = jnp.array([3.0, 4.0]), []
    state = transform.init(weight)
    for _ in range(5):
        updates, state = transform.update(jnp.ones(2), state, weight)
        lengths.append(float(jnp.linalg.norm(updates)))
    np.testing.assert_allclose(lengths, [5, 2.5, 0, 2.5, 5], atol=1e-5)
