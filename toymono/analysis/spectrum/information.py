"""Mutual information through layers of dropout: an estimate by a trained critic, closed forms.

All in nats. The estimate is a lower bound, the one that Marshall & Kirchner's
supplement uses: with a critic T, `E[T] - ln E[exp T]`, the first mean over pairs
that belong together and the second over pairs drawn at random.

Reference:
  Belghazi et al. (2018), "Mutual information neural estimation".
"""

import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PRNGKeyArray
from scipy.special import entr

from toymono.analysis.spectrum.arrays import AnyArray

# Sizes of the critic and its training: our choice, enough for the closed forms in the tests.
_HIDDEN, _RATE, _BATCH, _STEPS = (64, 64), 2e-3, 512, 400

# Random pairings of the samples that the second mean is taken over.
_PAIRINGS = 32


class Critic(nn.Module):
    """Scores pairs: high for those that belong together."""

    @nn.compact
    def __call__(self, pair_bd: Float[Array, "b d"]) -> Float[Array, " b"]:
        """One number per pair."""
        for size in _HIDDEN:
            pair_bd = nn.relu(nn.Dense(size)(pair_bd))
        return nn.Dense(1)(pair_bd)[:, 0]


def information_bound(
    x_bd: Float[AnyArray, "b d"],
    y_be: Float[AnyArray, "_ e"],
    key: PRNGKeyArray,
    steps: int = _STEPS,
) -> Float[Array, ""]:
    """A lower bound, in nats, on the mutual information of two variables from samples.

    A critic is trained on the first half of the samples; the bound is that of the
    other half, so that it does not grow by fitting samples. Information above
    about ln(samples) cannot be seen.

    Args:
      x_bd: Samples of one variable, of order 1.
      y_be: Samples of the other.
      key: Of the critic and its batches.
      steps: Of training.

    Raises:
      AssertionError: A variable is not a matrix, or they have different numbers of samples.
    """
    chex.assert_rank([x_bd, y_be], 2)
    chex.assert_equal_shape_prefix([x_bd, y_be], 1)
    return _bound(jnp.asarray(x_bd), jnp.asarray(y_be), key, steps)


@functools.partial(jax.jit, static_argnums=3)
def _bound(x_bd, y_be, key, steps):
    half = len(x_bd) // 2
    init_key, train_key, test_key = jax.random.split(key, 3)
    critic, optimizer = Critic(), optax.adam(_RATE)
    params = critic.init(init_key, jnp.concatenate([x_bd[:1], y_be[:1]], axis=1))

    def score(params, x, y) -> Array:
        return jnp.asarray(critic.apply(params, jnp.concatenate([x, y], axis=1)))

    def bound(params, x, y, key, pairings):
        keys = jax.random.split(key, pairings)
        apart = jax.lax.map(lambda k: score(params, x, jax.random.permutation(k, y)), keys)
        return score(params, x, y).mean() - jax.nn.logsumexp(apart) + jnp.log(apart.size)

    def step(carry, key):
        params, state = carry
        batch_key, pair_key = jax.random.split(key)
        at = jax.random.randint(batch_key, (_BATCH,), 0, half)
        loss = lambda params: -bound(params, x_bd[at], y_be[at], pair_key, 1)  # noqa: E731
        updates, state = optimizer.update(jax.grad(loss)(params), state, params)
        return (optax.apply_updates(params, updates), state), None

    keys = jax.random.split(train_key, steps)
    (params, _), _ = jax.lax.scan(step, (params, optimizer.init(params)), keys)
    return bound(params, x_bd[half:], y_be[half:], test_key, _PAIRINGS)


def through_dropout(
    value_bd: Float[AnyArray, "b d"],
    dropout: float,
    layers: int,
    copies: int = 1,
    rewritten: bool = True,
    seed: int = 0,
) -> Float[np.ndarray, "b e"]:
    """Values written on `copies` neurons each, after several layers of dropout.

    Args:
      value_bd: Values, other than 0.
      dropout: Probability that a neuron is set to 0, in each layer.
      layers: Of dropout.
      copies: Neurons for each value.
      rewritten: Whether each layer writes a value that any copy still has on all of them.
      seed: Of the masks.

    Returns:
      `[b d*copies]`, the copies of a value side by side.
    """
    chex.assert_rank(value_bd, 2)
    rng = np.random.default_rng(seed)
    neuron_bdc = np.repeat(np.asarray(value_bd)[:, :, None], copies, axis=2)
    for _ in range(layers):
        neuron_bdc = np.where(rng.random(neuron_bdc.shape) < dropout, 0, neuron_bdc)
        if rewritten:
            left = np.abs(neuron_bdc).argmax(axis=2, keepdims=True)
            value = np.take_along_axis(neuron_bdc, left, axis=2)
            neuron_bdc = np.broadcast_to(value, neuron_bdc.shape)
    return np.asarray(neuron_bdc, np.float32).reshape(len(neuron_bdc), -1)


def symmetric_information(flipped: float) -> float:
    """Of a fair bit and its copy that is flipped with some probability, in nats.

    Example:
      >>> symmetric_information(0.5), round(symmetric_information(0.0), 4)
      (0.0, 0.6931)
    """
    return float(np.log(2) - entr(flipped) - entr(1 - flipped))


def erasure_information(erased: float, bits: int = 1) -> float:
    """Of fair bits and copies each of which is erased with some probability, in nats.

    With `erased = 1 - survives(...)` it is what a code keeps of its bits.

    Example:
      >>> round(erasure_information(0.5), 4), round(erasure_information(0.0, bits=3), 4)
      (0.3466, 2.0794)
    """
    return float((1 - erased) * bits * np.log(2))
