"""Training: one loop, `advance`, and the ways to compose it.

`fit` composes it inside one call, for notebooks and `vmap`; the sweep command
composes it from the host, to show progress, save and stop. Both run the same
compiled loop body, and so give the same numbers. What a run draws depends on
its key and its config alone, never on its neighbours.
"""

import functools
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from toymono import features, models, optimizers, penalties
from toymono.config import Config, Hyperparams
from toymono.features import World
from toymono.models import Model


@flax.struct.dataclass
class State:
    """A run in training: all that changes from step to step."""

    model: Model
    optimizer: Any
    """State of the optax transformation."""
    loss_t: Float[Array, " t"]
    """Task loss before each step taken so far; NaN for those to come."""
    step: Int[Array, ""]
    """Steps taken so far."""
    key: PRNGKeyArray
    """What the batches are drawn from, each with its step folded in."""


@flax.struct.dataclass
class Run:
    """A trained model with its history; `[r]` leads every array when stacked."""

    config: Config
    hyperparams: Hyperparams
    key: PRNGKeyArray
    world: World
    snapshots: Model
    """The model after each of `config.snapshot_steps`, `[c …]`."""
    loss_t: Float[Array, "*r t"]
    """Task loss on each step's fresh batch, before that step's update."""

    @property
    def final(self) -> Model:
        """The trained model."""
        kept = self.snapshots
        return kept.replace(
            w_mk=kept.w_mk[..., -1, :, :], b_k=kept.b_k[..., -1, :], w_ko=kept.w_ko[..., -1, :, :]
        )

    @property
    def seed(self) -> int:
        """The number that identifies the key of one run: s for `jax.random.key(s)`.

        Raises:
          ValueError: The run is stacked.
        """
        self._refuse_stacked("seed")
        words = np.asarray(jax.random.key_data(self.key)).tolist()
        return sum(word << 32 * place for place, word in enumerate(reversed(words)))

    @property
    def diverged(self) -> int | None:
        """Step at which the loss, or after the last step a weight, was first not finite.

        Raises:
          ValueError: The run is stacked.
        """
        self._refuse_stacked("diverged")
        lost_t = ~np.isfinite(np.asarray(self.loss_t))
        if lost_t.any():
            return int(lost_t.argmax())
        finite = all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(self.final))
        return None if finite else self.config.steps

    def _refuse_stacked(self, asked: str) -> None:
        if np.ndim(self.loss_t) > 1:
            raise ValueError(f"{asked} is one run's, and these are stacked: config.unstack them")


@jax.jit
def begin(config: Config, hyperparams: Hyperparams, key: PRNGKeyArray) -> tuple[World, State]:
    """The world and the untrained state that `key` stands for."""
    _refuse_stacked_hyperparams(hyperparams)
    world_key, model_key, batch_key = jax.random.split(key, 3)
    model = models.init(config, hyperparams.init_bias, model_key)
    return features.build(config, world_key), State(
        model=model,
        optimizer=optimizers.build(config, hyperparams).init(model),
        loss_t=jnp.full(config.steps, jnp.nan, jnp.float32),
        step=jnp.zeros((), jnp.int32),
        key=batch_key,
    )


@jax.jit
def advance(
    config: Config,
    hyperparams: Hyperparams,
    world: World,
    state: State,
    steps: Int[Array, ""] | int,
) -> State:
    """Trains on for `steps` steps: the one training loop.

    `steps` is an ordinary argument of one compiled loop, so that segments of
    any length run the same code.

    Example:
      >>> config, hyperparams = Config(n=32, m=8, k=64, batch_size=64, log2_steps=6), Hyperparams()
      >>> world, state = begin(config, hyperparams, jax.random.key(0))
      >>> advance(config, hyperparams, world, state, config.steps).step.item()
      64
    """

    def step(_, state: State) -> State:
        key = jax.random.fold_in(state.key, state.step)
        features_bn = features.sample(config, hyperparams, key)
        model, optimizer, loss = _update(
            config,
            hyperparams,
            world,
            (state.model, state.optimizer),
            features_bn,
            (state.step, config.steps),
            jax.random.fold_in(key, _PENALTY),
        )
        return state.replace(
            model=model,
            optimizer=optimizer,
            loss_t=state.loss_t.at[state.step].set(loss),
            step=state.step + 1,
        )

    return jax.lax.fori_loop(0, steps, step, state)


# Sets the penalty's draws apart from those of the batch, whose key it is folded
# into. A large number: folding in a small i gives the i-th of the key's splits.
_PENALTY = 2**31 - 1


def _at_precision(function):
    """`function` of a config and more, its matrix products at the config's precision.

    Theirs and their gradients', whatever JAX's own default is on a device.
    """

    @functools.wraps(function)
    def traced(config, *args):
        with jax.default_matmul_precision(config.matmul_precision):
            return function(config, *args)

    return traced


@_at_precision
def _update(config, hyperparams, world, trained, features_bn, progress, key):
    """One step on one batch: the new model and optimiser state, and the task loss before it."""
    _refuse_stacked_hyperparams(hyperparams)
    (model, optimizer), (step, steps) = trained, progress
    x_bm, y_bo = world.inputs(features_bn), world.targets(features_bn)

    def objective(model: Model):
        hidden_bk = model.neurons(x_bm)
        task_loss = ((hidden_bk @ model.w_ko - y_bo) ** 2).sum(axis=-1).mean()
        loss = task_loss + hyperparams.l1 * penalties.activation_l1(hidden_bk)
        if config.penalty != "none":
            loss += hyperparams.alpha * penalties.on_features(config.penalty, model, world, key)
        return loss, task_loss

    grads, task_loss = jax.grad(objective, has_aux=True)(model)
    updates, optimizer = optimizers.build(config, hyperparams).update(grads, optimizer, model)
    model = optimizers.decay_bias(hyperparams, optax.apply_updates(model, updates), step, steps)
    return model, optimizer, task_loss


def fit(config: Config, hyperparams: Hyperparams, key: PRNGKeyArray) -> Run:
    """Trains one model from scratch. Pure: `jax.vmap` it over hyperparams and keys.

    Args:
      config: Shape and code of the run.
      hyperparams: Its numbers.
      key: All that is random about it.

    Raises:
      ValueError: A hyperparam is out of range, or hyperparams or keys are stacked.
      TypeError: The key is none.

    Example:
      >>> config = Config(n=32, m=8, k=64, batch_size=64, log2_steps=6)
      >>> fit(config, Hyperparams(eps=1 / 8), jax.random.key(0)).loss_t.shape
      (64,)
    """
    key = _typed(key)
    if key.ndim:
        raise ValueError(f"key has shape {key.shape}: one run takes one key; fit_many takes stacks")
    return _fit(config, hyperparams.checked(), key)


@jax.jit
def _fit(config: Config, hyperparams: Hyperparams, key: PRNGKeyArray) -> Run:
    world, state = begin(config, hyperparams, key)

    def to_next_snapshot(state: State, steps: Int[Array, ""]) -> tuple[State, Model]:
        state = advance(config, hyperparams, world, state, steps)
        return state, state.model

    lengths_c = jnp.diff(jnp.array([0, *config.snapshot_steps]))
    state, snapshots = jax.lax.scan(to_next_snapshot, state, lengths_c)
    return Run(config, hyperparams, key, world, snapshots, state.loss_t)


def fit_many(config: Config, hyperparams: Hyperparams, keys: PRNGKeyArray) -> Run:
    """Trains many models in one program: `jit(vmap(fit))`.

    Args:
      config: Shared by all runs.
      hyperparams: Each hyperparam `[r]`, or a scalar that all runs share.
      keys: One key for each run, `[r]`.

    Returns:
      A `Run` whose arrays are stacked, `[r …]`; `config.unstack` parts them.

    Raises:
      ValueError: A hyperparam is out of range, or its length is not that of the keys.
      TypeError: The keys are none.

    Example:
      >>> config = Config(n=32, m=8, k=64, batch_size=64, log2_steps=6)
      >>> hyperparams = Hyperparams(eps=1 / 8, init_bias=jnp.array([-1.0, -0.5, 0.0]))
      >>> fit_many(config, hyperparams, jax.random.split(jax.random.key(0), 3)).loss_t.shape
      (3, 64)
    """
    keys, hyperparams = _typed(keys), hyperparams.checked()
    if keys.ndim != 1:
        raise ValueError(f"keys have shape {keys.shape}, not [r]: fit_many takes one for each run")
    for name, hyperparam in vars(hyperparams).items():
        if hyperparam.shape not in ((), keys.shape):
            raise ValueError(f"{name} has shape {hyperparam.shape}, and the keys have {keys.shape}")
    hyperparams = jax.tree.map(
        lambda hyperparam: jnp.broadcast_to(hyperparam, keys.shape), hyperparams
    )
    return _fit_many(config, hyperparams, keys)


_fit_many = jax.jit(jax.vmap(_fit, in_axes=(None, 0, 0)))

# The step count is shared: every run of a group writes its loss to the same place.
_STATE_AXES = State(model=0, optimizer=0, loss_t=0, step=None, key=0)

begin_many = jax.jit(jax.vmap(begin, in_axes=(None, 0, 0), out_axes=(0, _STATE_AXES)))
"""`begin` for stacked hyperparams and keys."""

advance_many = jax.jit(
    jax.vmap(advance, in_axes=(None, 0, 0, _STATE_AXES, None), out_axes=_STATE_AXES),
    donate_argnums=3,
)
"""`advance` for a group of runs; the state that goes in is used up."""


def replay(
    config: Config,
    hyperparams: Hyperparams,
    world: World,
    model: Model,
    features_tbn: Float[Array, "t b n"],
) -> tuple[Model, Float[Array, " t"]]:
    """Trains `model` on given batches, to follow another program's run step by step.

    The number of steps, and with it the end of bias decay, is the length of
    `features_tbn`; `config` says the task, the nonlinearity, the optimiser and
    the schedule.

    Args:
      config: Its sizes, batch_size and log2_steps play no part.
      hyperparams: Those of `fit`; what `init_bias` and `eps` decide is given here.
      world: The embeddings.
      model: The weights before the first step.
      features_tbn: A batch for each step; signed for `abs`.

    Returns:
      The model after the last step, and the task loss before each step.
    """
    return _replay(
        config,
        hyperparams.checked(),
        world.replace(task=config.task),
        model.replace(nonlinearity=config.nonlinearity),
        jnp.asarray(features_tbn),
    )


@jax.jit
def _replay(config, hyperparams, world, model, features_tbn):
    steps = features_tbn.shape[0]

    def step(carry, batch):
        step_, features_bn = batch
        key = jax.random.fold_in(jax.random.key(0), step_)
        model, optimizer, loss = _update(
            config, hyperparams, world, carry, features_bn, (step_, steps), key
        )
        return (model, optimizer), loss

    start = (model, optimizers.build(config, hyperparams).init(model))
    (model, _), loss_t = jax.lax.scan(step, start, (jnp.arange(steps), features_tbn))
    return model, loss_t


def _refuse_stacked_hyperparams(hyperparams: Hyperparams) -> None:
    """Under `vmap` each run sees its own scalars; a hyperparam that is an array would broadcast."""
    for name, hyperparam in vars(hyperparams).items():
        if shape := jnp.shape(hyperparam):
            raise ValueError(
                f"{name} has shape {shape}: one run takes scalars; fit_many takes stacks"
            )


def _typed(key: PRNGKeyArray) -> PRNGKeyArray:
    """A typed key, also from the raw words that `jax.random.PRNGKey` makes."""
    dtype = getattr(key, "dtype", None)
    if dtype is not None and jax.dtypes.issubdtype(dtype, jax.dtypes.prng_key):
        return key
    if dtype != np.uint32:
        raise TypeError(f"{key!r} is no key; jax.random.key(seed) makes one")
    return jax.random.wrap_key_data(key)
