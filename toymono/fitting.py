"""Whole trainings in one call: `fit` and `fit_many`; `replay` trains on given batches."""

import functools
import itertools

import chex
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray
from tqdm import tqdm

from toymono import batching, features, train
from toymono.config import Config, Hyperparams
from toymono.features import Limits, World
from toymono.models import AnyModel
from toymono.train import Run, State, advance, begin, train_step


def fit(config: Config, hyperparams: Hyperparams, key: PRNGKeyArray) -> Run:
    """Trains one model from scratch. Pure: `jax.vmap` it over hyperparams and keys.

    Args:
      config: Static settings.
      hyperparams: Traced settings, scalars.
      key: Source of all randomness.

    Raises:
      ValueError: A hyperparameter is out of range, hyperparams or keys are stacked, or
        `config.origin` is not `fresh`: train such runs with `begin` and `advance`, or
        with `toymono sweep --origin --parents`.
      TypeError: The key is not a PRNG key, or config or hyperparams are something else.

    Example:
      >>> config = Config(n=32, m=8, k=64, batch_size=64, log2_steps=6)
      >>> fit(config, Hyperparams(eps=1 / 8), jax.random.key(0)).loss_t.shape
      (64,)
    """
    hyperparams = batching.refuse_others(config, hyperparams, (Config, Hyperparams)).checked()
    limits = features.limits_on_device(config, hyperparams)
    return _fit(config, hyperparams, batching.one_key(key), limits)


@functools.partial(jax.jit, static_argnums=3)
def _fit(config: Config, hyperparams: Hyperparams, key: PRNGKeyArray, limits: Limits | None) -> Run:
    world, state = begin(config, hyperparams, key)

    def to_next_snapshot(state: State, steps: Int[Array, ""]) -> tuple[State, AnyModel]:
        state = advance(config, hyperparams, world, state, steps, limits)
        return state, state.model

    lengths_c = jnp.diff(jnp.array([0, *config.snapshot_steps]))
    state, snapshots = jax.lax.scan(to_next_snapshot, state, lengths_c)
    return train.finish(config, hyperparams, key, world, snapshots, state)


def fit_many(
    config: Config, hyperparams: Hyperparams, keys: PRNGKeyArray, progress: bool = False
) -> Run:
    """Trains many models in one program: `jit(vmap(fit))`.

    Results differ slightly with the number of runs, because vmapped arithmetic rounds
    differently and training amplifies the difference. The sweep command avoids this.

    Args:
      config: Shared by all runs.
      hyperparams: Each `[r]`, or a scalar that all runs share.
      keys: One key for each run, `[r]`.
      progress: Whether to show a live bar with the mean loss. Training is then
        divided into about 64 calls of `advance`, with the same results.

    Returns:
      A `Run` whose arrays are stacked, `[r …]`; `config.unstack` separates them.

    Raises:
      ValueError: A hyperparameter is out of range, its length is not that of the keys, or
        `config.origin` is not `fresh`, see `fit`.
      TypeError: The keys are not PRNG keys, or config or hyperparams are something else.

    Example:
      >>> config = Config(n=32, m=8, k=64, batch_size=64, log2_steps=6)
      >>> hyperparams = Hyperparams(eps=1 / 8, init_bias=jnp.array([-1.0, -0.5, 0.0]))
      >>> fit_many(config, hyperparams, jax.random.split(jax.random.key(0), 3)).loss_t.shape
      (3, 64)
    """
    batching.refuse_others(config, hyperparams, (Config, Hyperparams))
    hyperparams, keys = batching.broadcast(hyperparams, keys)
    run = _fit_many_with_bar if progress else _fit_many
    return run(config, hyperparams, keys, features.limits_on_device(config, hyperparams))


@functools.partial(jax.jit, static_argnums=3)
def _fit_many(config, hyperparams, keys, limits):
    return jax.vmap(lambda one, key: _fit(config, one, key, limits))(hyperparams, keys)


_begin_many = jax.jit(jax.vmap(begin, in_axes=(None, 0, 0)))


@functools.partial(jax.jit, static_argnums=5)
def _advance_many(config, hyperparams, world, state, steps, limits):
    return jax.vmap(lambda *one: advance(config, *one, steps, limits))(hyperparams, world, state)


_SEGMENTS = 64  # Our choice: updates of a bar, between which a call's overhead is small.


def _fit_many_with_bar(
    config: Config, hyperparams: Hyperparams, keys: PRNGKeyArray, limits: Limits | None
) -> Run:
    world, state = _begin_many(config, hyperparams, keys)
    longest, snapshots = max(1, config.steps // _SEGMENTS), []
    with tqdm(total=config.steps, desc=f"{len(keys)} runs", unit="step") as bar:
        for start, end in itertools.pairwise((0, *config.snapshot_steps)):
            for step in range(start, end, longest):
                steps = min(longest, end - step)
                state = _advance_many(config, hyperparams, world, state, steps, limits)
                loss = state.loss_t[:, step : step + steps].mean()
                bar.set_postfix_str(f"loss {loss:.3g}", refresh=False)
                bar.update(steps)
            snapshots.append(state.model)
    snapshots_rc = jax.tree.map(lambda *leaves: jnp.stack(leaves, axis=1), *snapshots)
    return train.finish(config, hyperparams, keys, world, snapshots_rc, state)


def replay(
    config: Config,
    hyperparams: Hyperparams,
    world: World,
    model: AnyModel,
    features_tbn: Float[Array, "t b n"],
) -> tuple[AnyModel, Float[Array, " t"]]:
    """Trains `model` on given batches, e.g. to compare with another program.

    The number of batches is the number of steps; bias decay stops at half of it.

    Args:
      config: Names the task, nonlinearity, optimiser and schedule. Settings of the
        start and of the data (`batch_size`, `log2_steps`, `feature_law`, `bias_start`,
        `world_seed`) are ignored.
      hyperparams: Scalars; `init_bias` and `eps` are ignored, since the model and
        the batches are given.
      world: The embedding.
      model: The weights before the first step.
      features_tbn: A batch for each step; signed for `abs`.

    Returns:
      The model after the last step, and the task loss before each step.

    Raises:
      ValueError: A hyperparameter is out of range, `config.sparsity` is not `none`, or
        `config.origin` is not `fresh`: masks and parents cannot be given.
      AssertionError: The batches are not `[t b n]`.
    """
    chex.assert_rank(features_tbn, 3)
    for name, only in (("sparsity", "none"), ("origin", "fresh")):
        if getattr(config, name) != only:
            raise ValueError(f"{name}={getattr(config, name)}: replay takes {name}={only} alone")
    return _replay(
        config,
        hyperparams.checked(),
        world.replace(task=config.task),
        model.replace(nonlinearity=config.nonlinearity),
        jnp.asarray(features_tbn),
    )


@jax.jit
def _replay(config, hyperparams, world, model, features_tbn):
    def step(state: State, features_bn: Float[Array, "b n"]) -> tuple[State, None]:
        return train_step(config, hyperparams, world, state, features_bn)[0], None

    state = train.untrained(config, hyperparams, model, len(features_tbn), jax.random.key(0))
    state, _ = jax.lax.scan(step, state, features_tbn)
    return state.model, state.loss_t
