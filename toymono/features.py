"""How features are drawn and embedded.

A feature vector has n entries, most of them 0. Each feature is present
independently of the others, with its own frequency, and then uniform in [0, 1).
The network's input is the n features in a fixed random embedding into m
dimensions.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, PRNGKeyArray

from toymono.config import Config, Hyperparams
from toymono.feature_laws import FEATURE_LAWS, frequencies
from toymono.tasks import TASKS, Draw, World

__all__ = [
    "FEATURE_LAWS",
    "Limits",
    "World",
    "build",
    "embedding",
    "frequencies",
    "limits",
    "limits_on_device",
    "sample",
]


def build(config: Config, key: PRNGKeyArray) -> World:
    """A world drawn from `key`; configs with the same n and m get the same `embed_nm`."""
    embed_key, reproject_key = jax.random.split(key)
    task, n, m = TASKS[config.task], config.n, config.m
    return World(
        embed_nm=embedding(embed_key, n, m) if task.embedded else jnp.eye(n, dtype=jnp.float32),
        reproject_nm=embedding(reproject_key, n, m) if task.second_embedding else None,
        task=config.task,
    )


def embedding(key: PRNGKeyArray, n: int, m: int) -> Float[Array, "n m"]:
    """A random embedding: left singular vectors of a Gaussian matrix, rows of length 1.

    Before the rows are rescaled the columns are orthonormal, so the embedding
    is nearly, not exactly, a tight frame.

    Reference:
      The paper's program, `make_random_embedder`.
    """
    left_nm, _, _ = jnp.linalg.svd(jax.random.normal(key, (n, m), jnp.float32), full_matrices=False)
    return left_nm / jnp.linalg.norm(left_nm, axis=1, keepdims=True)


class Limits(NamedTuple):
    """How often the loops of `sample` run, known when it is compiled."""

    rounds: int
    """Rounds of arrivals."""
    certain: int
    """Features that are always present."""


def sample(
    config: Config, hyperparams: Hyperparams, key: PRNGKeyArray, limits: Limits | None = None
) -> Float[Array, "b n"]:
    """A batch of feature vectors, in [0, 1), or in (-1, 1) if the task's features are signed.

    Args:
      config: Names the task and the law of feature frequencies.
      hyperparams: Scalars.
      key: Source of all randomness.
      limits: From `limits`, of these hyperparameters. The draws are the same with and
        without; without, loops end as soon as they can, which a CPU decides at no cost
        and for which a GPU waits.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), section 2.1.
    """
    return TASKS[config.task].sample(_draw_batch(config, limits), hyperparams, key)


def _draw_batch(config: Config, limits: Limits | None) -> Draw:
    draw = _draw_any if TASKS[config.task].dense else _draw
    return lambda hyperparams, key: draw(
        key, frequencies(config, hyperparams), config.batch_size, limits
    )


# Our choice: in 10^9 runs of the paper's size, the expected number of groups that need more
# rounds is below one in a thousand.
_UNLIKELY = 1e-20


def limits(config: Config, hyperparams: Hyperparams) -> Limits | None:
    """Limits that are large enough for each of the hyperparameters, scalars or `[r]`.

    Both are rounded up to a power of 2, so that programs are shared. With a
    probability below 1e-20 for each few samples, these would have needed a further
    round: their last features are then missing.

    Returns:
      None inside `jit` and `vmap`, where the hyperparameters are not known.

    Example:
      >>> limits(Config(), Hyperparams(eps=jnp.array([1 / 64, 1 / 4])))
      Limits(rounds=16, certain=0)
    """
    leaves = jax.tree.leaves(hyperparams)
    if any(isinstance(leaf, Tracer) for leaf in leaves):
        return None
    shape_r = np.broadcast_shapes((1,), *(jnp.shape(leaf) for leaf in leaves))
    stacked = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, shape_r), hyperparams)
    frequency_n = np.asarray(jax.vmap(lambda one: _drawn(config, one))(stacked))
    frequency_n = frequency_n.reshape(-1, config.n).astype(float)
    certain = (frequency_n >= 1).sum(axis=1).max()
    if TASKS[config.task].dense:  # the others come from a mask
        frequency_n = frequency_n[frequency_n.max(axis=1) <= _DENSE]
    intensity_n = -np.log1p(-np.where(frequency_n < 1, frequency_n, 0))
    most = intensity_n.sum(axis=1).max(initial=0) * _rows(config.n, config.batch_size)
    rounds = 1
    while _log_excess(rounds * _ARRIVALS, most) > math.log(_UNLIKELY):
        rounds *= 2
    # The least power of 2 that is not less, or 0.
    certain = 1 << (int(certain) - 1).bit_length() if certain else 0
    return Limits(rounds, min(config.n, certain))


def limits_on_device(config: Config, hyperparams: Hyperparams) -> Limits | None:
    """`limits` on a GPU or TPU; None on a CPU, where loops that end early are faster."""
    return None if jax.default_backend() == "cpu" else limits(config, hyperparams)


def _log_excess(count: int, mean: float) -> float:
    """Chernoff's bound on the log probability of so many arrivals or more in a Poisson process."""
    if count <= mean:
        return 0.0
    return count - mean - (count * math.log(count / mean) if mean else math.inf)


def _drawn(config: Config, hyperparams: Hyperparams) -> Float[Array, "d n"]:
    """The frequencies of each unsigned draw that the task makes."""
    drawn = []

    def draw(hyperparams: Hyperparams, key: PRNGKeyArray) -> Float[Array, "b n"]:
        drawn.append(frequencies(config, hyperparams))
        return jnp.zeros((1, config.n))

    TASKS[config.task].sample(draw, hyperparams, jax.random.key(0))
    return jnp.stack(drawn)


# Above this probability of the most frequent feature a mask is faster: measured on a CPU.
_DENSE = 0.03


def _draw_any(
    key: PRNGKeyArray,
    frequency_n: Float[Array, " n"],
    batch_size: int,
    limits: Limits | None,
) -> Float[Array, "b n"]:
    """What `_draw` draws, from a mask of all cells where features are frequent."""
    mask_key, process_key = jax.random.split(key)
    return jax.lax.cond(
        frequency_n.max() > _DENSE,
        lambda: _draw_mask(mask_key, frequency_n, batch_size),
        lambda: _draw(process_key, frequency_n, batch_size, limits),
    )


def _draw_mask(
    key: PRNGKeyArray, frequency_n: Float[Array, " n"], batch_size: int
) -> Float[Array, "b n"]:
    present_key, value_key = jax.random.split(key)
    shape = (batch_size, len(frequency_n))
    # uniform < 1 always: a feature of probability 1 is always present.
    present_bn = jax.random.uniform(present_key, shape, jnp.float32) < frequency_n[None]
    return jnp.where(present_bn, jax.random.uniform(value_key, shape, jnp.float32), 0)


# Cells (sample, feature) that share one Poisson process, and the arrivals drawn
# for each at a time: our choice, measured on a CPU.
_CELLS, _ARRIVALS = 8192, 192


def _rows(n: int, batch_size: int) -> int:
    """Samples that share one process."""
    return max(1, min(batch_size, _CELLS // n))


def _draw(
    key: PRNGKeyArray,
    frequency_n: Float[Array, " n"],
    batch_size: int,
    limits: Limits | None = None,
) -> Float[Array, "b n"]:
    """Features present with `frequency_n`, uniform in [0, 1) where present, else 0.

    Features are sparse, so we draw where they are instead of asking every cell.
    A Poisson process of intensity -log(1 - p) leaves a cell empty with
    probability exactly 1 - p. The cells of a few samples lie end to end, rarest
    feature first so that float32 has digits to spare for it, and the process
    runs over them in exponential steps until it has passed the last; further
    rounds of arrivals would change nothing. Features that are always present have
    no finite intensity and are drawn on their own.
    """
    n = frequency_n.shape[0]
    rows = _rows(n, batch_size)
    groups = -(-batch_size // rows)
    certain_key, process_key = jax.random.split(key)

    # Both laws give frequencies that do not rise with the feature's number.
    intensity_n = jnp.where(frequency_n < 1, -jnp.log1p(-frequency_n), 0.0)[::-1]
    end_n = jnp.cumsum(intensity_n) * rows
    start_n = jnp.concatenate([jnp.zeros(1, jnp.float32), end_n[:-1]])

    def fill_certain(feature, features_bn):
        feature_key = jax.random.fold_in(certain_key, feature)
        value_b = jax.random.uniform(feature_key, (batch_size,), jnp.float32)
        # Static limits may be larger than the number of such features.
        present = frequency_n[feature] >= 1
        return features_bn.at[:, feature].set(jnp.where(present, value_b, 0))

    def more(carry):
        _, time_g, _, _ = carry
        return time_g.min() < end_n[-1]

    def draw(carry):
        features_bn, time_g, last_cell_g, round_ = carry
        gap_key, value_key = jax.random.split(jax.random.fold_in(process_key, round_))
        shape = (groups, _ARRIVALS)
        gap_ga = jax.random.exponential(gap_key, shape, jnp.float32)
        time_ga = time_g[:, None] + jnp.cumsum(gap_ga, axis=1)
        block_ga = jnp.searchsorted(end_n, time_ga, side="right", method="scan_unrolled")
        passed = block_ga == n
        block_ga = jnp.minimum(block_ga, n - 1)
        row_ga = jnp.floor((time_ga - start_n[block_ga]) / intensity_n[block_ga])
        row_ga = jnp.clip(row_ga.astype(jnp.int32), 0, rows - 1)
        # Only a cell's first arrival counts: the value does not depend on how
        # many there are, nor on the order in which a device writes them.
        cell_ga = block_ga * rows + row_ga
        again = cell_ga == jnp.concatenate([last_cell_g[:, None], cell_ga[:, :-1]], axis=1)
        sample_ga = row_ga + rows * jnp.arange(groups)[:, None]
        features_bn = features_bn.at[
            jnp.where(passed | again, batch_size, sample_ga), n - 1 - block_ga
        ].set(jax.random.uniform(value_key, shape, jnp.float32), mode="drop")
        return features_bn, time_ga[:, -1], cell_ga[:, -1], round_ + 1

    features_bn = jnp.zeros((batch_size, n), jnp.float32)
    certain = (frequency_n >= 1).sum() if limits is None else limits.certain
    features_bn = jax.lax.fori_loop(0, certain, fill_certain, features_bn)
    start = (features_bn, jnp.zeros(groups, jnp.float32), jnp.full(groups, -1, jnp.int32), 0)
    if limits is None:
        return jax.lax.while_loop(more, draw, start)[0]
    return jax.lax.fori_loop(0, limits.rounds, lambda _, carry: draw(carry), start)[0]
