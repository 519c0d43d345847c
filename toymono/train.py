"""Training: one loop, `advance`, and the ways to compose it.

`fit` composes it inside one call, for notebooks and `vmap`; the sweep command
composes it from the host, to show progress, save and stop. Both run the same
compiled loop body, and so give the same numbers. What a run draws depends on
its key and its setup alone, never on its neighbours.
"""

import functools
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from toymono import model as models
from toymono import optimizer as optimizers
from toymono import penalty
from toymono import world as worlds
from toymono.config import Dials, Setup
from toymono.model import Model
from toymono.world import World


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

    setup: Setup
    dials: Dials
    key: PRNGKeyArray
    world: World
    snapshots: Model
    """The model after each of `setup.snapshot_steps`, `[c …]`."""
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
        return None if finite else self.setup.steps

    def _refuse_stacked(self, asked: str) -> None:
        if np.ndim(self.loss_t) > 1:
            raise ValueError(f"{asked} is one run's, and these are stacked: config.unstack them")


@jax.jit
def begin(setup: Setup, dials: Dials, key: PRNGKeyArray) -> tuple[World, State]:
    """The world and the untrained state that `key` stands for."""
    _refuse_stacked_dials(dials)
    world_key, model_key, batch_key = jax.random.split(key, 3)
    model = models.init(setup, dials.init_bias, model_key)
    return worlds.build(setup, world_key), State(
        model=model,
        optimizer=optimizers.build(setup, dials).init(model),
        loss_t=jnp.full(setup.steps, jnp.nan, jnp.float32),
        step=jnp.zeros((), jnp.int32),
        key=batch_key,
    )


@jax.jit
def advance(
    setup: Setup, dials: Dials, world: World, state: State, steps: Int[Array, ""] | int
) -> State:
    """Trains on for `steps` steps: the one training loop.

    `steps` is an ordinary argument of one compiled loop, so that segments of
    any length run the same code.

    Example:
      >>> setup, dials = Setup(n=32, m=8, k=64, batch_size=64, log2_steps=6), Dials()
      >>> world, state = begin(setup, dials, jax.random.key(0))
      >>> advance(setup, dials, world, state, setup.steps).step.item()
      64
    """

    def step(_, state: State) -> State:
        key = jax.random.fold_in(state.key, state.step)
        features_bn = worlds.sample(setup, dials, key)
        model, optimizer, loss = _update(
            setup,
            dials,
            world,
            (state.model, state.optimizer),
            features_bn,
            (state.step, setup.steps),
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
    """`function` of a setup and more, its matrix products at the setup's precision.

    Theirs and their gradients', whatever JAX's own default is on a device.
    """

    @functools.wraps(function)
    def traced(setup, *args):
        with jax.default_matmul_precision(setup.matmul_precision):
            return function(setup, *args)

    return traced


@_at_precision
def _update(setup, dials, world, trained, features_bn, progress, key):
    """One step on one batch: the new model and optimiser state, and the task loss before it."""
    _refuse_stacked_dials(dials)
    (model, optimizer), (step, steps) = trained, progress
    x_bm, y_bo = world.inputs(features_bn), world.targets(features_bn)

    def objective(model: Model):
        hidden_bk = model.neurons(x_bm)
        task_loss = ((hidden_bk @ model.w_ko - y_bo) ** 2).sum(axis=-1).mean()
        loss = task_loss + dials.l1 * penalty.activation_l1(hidden_bk)
        if setup.penalty != "none":
            loss += dials.alpha * penalty.on_features(setup.penalty, model, world, key)
        return loss, task_loss

    grads, task_loss = jax.grad(objective, has_aux=True)(model)
    updates, optimizer = optimizers.build(setup, dials).update(grads, optimizer, model)
    model = optimizers.decay_bias(dials, optax.apply_updates(model, updates), step, steps)
    return model, optimizer, task_loss


def fit(setup: Setup, dials: Dials, key: PRNGKeyArray) -> Run:
    """Trains one model from scratch. Pure: `jax.vmap` it over dials and keys.

    Args:
      setup: Shape and code of the run.
      dials: Its numbers.
      key: All that is random about it.

    Raises:
      ValueError: A dial is out of range, or dials or keys are stacked.
      TypeError: The key is none.

    Example:
      >>> setup = Setup(n=32, m=8, k=64, batch_size=64, log2_steps=6)
      >>> fit(setup, Dials(eps=1 / 8), jax.random.key(0)).loss_t.shape
      (64,)
    """
    key = _typed(key)
    if key.ndim:
        raise ValueError(f"key has shape {key.shape}: one run takes one key; fit_many takes stacks")
    return _fit(setup, dials.checked(), key)


@jax.jit
def _fit(setup: Setup, dials: Dials, key: PRNGKeyArray) -> Run:
    world, state = begin(setup, dials, key)

    def to_next_snapshot(state: State, steps: Int[Array, ""]) -> tuple[State, Model]:
        state = advance(setup, dials, world, state, steps)
        return state, state.model

    lengths_c = jnp.diff(jnp.array([0, *setup.snapshot_steps]))
    state, snapshots = jax.lax.scan(to_next_snapshot, state, lengths_c)
    return Run(setup, dials, key, world, snapshots, state.loss_t)


def fit_many(setup: Setup, dials: Dials, keys: PRNGKeyArray) -> Run:
    """Trains many models in one program: `jit(vmap(fit))`.

    Args:
      setup: Shared by all runs.
      dials: Each dial `[r]`, or a scalar that all runs share.
      keys: One key for each run, `[r]`.

    Returns:
      A `Run` whose arrays are stacked, `[r …]`; `config.unstack` parts them.

    Raises:
      ValueError: A dial is out of range, or its length is not that of the keys.
      TypeError: The keys are none.

    Example:
      >>> setup = Setup(n=32, m=8, k=64, batch_size=64, log2_steps=6)
      >>> dials = Dials(eps=1 / 8, init_bias=jnp.array([-1.0, -0.5, 0.0]))
      >>> fit_many(setup, dials, jax.random.split(jax.random.key(0), 3)).loss_t.shape
      (3, 64)
    """
    keys, dials = _typed(keys), dials.checked()
    if keys.ndim != 1:
        raise ValueError(f"keys have shape {keys.shape}, not [r]: fit_many takes one for each run")
    for name, dial in vars(dials).items():
        if dial.shape not in ((), keys.shape):
            raise ValueError(f"{name} has shape {dial.shape}, and the keys have {keys.shape}")
    dials = jax.tree.map(lambda dial: jnp.broadcast_to(dial, keys.shape), dials)
    return _fit_many(setup, dials, keys)


_fit_many = jax.jit(jax.vmap(_fit, in_axes=(None, 0, 0)))

# The step count is shared: every run of a group writes its loss to the same place.
_STATE_AXES = State(model=0, optimizer=0, loss_t=0, step=None, key=0)

begin_many = jax.jit(jax.vmap(begin, in_axes=(None, 0, 0), out_axes=(0, _STATE_AXES)))
"""`begin` for stacked dials and keys."""

advance_many = jax.jit(
    jax.vmap(advance, in_axes=(None, 0, 0, _STATE_AXES, None), out_axes=_STATE_AXES),
    donate_argnums=3,
)
"""`advance` for a group of runs; the state that goes in is used up."""


def replay(
    setup: Setup, dials: Dials, world: World, model: Model, features_tbn: Float[Array, "t b n"]
) -> tuple[Model, Float[Array, " t"]]:
    """Trains `model` on given batches, to follow another program's run step by step.

    The number of steps, and with it the end of bias decay, is the length of
    `features_tbn`; `setup` says the task, the nonlinearity, the optimiser and
    the schedule.

    Args:
      setup: Its sizes, batch_size and log2_steps play no part.
      dials: Those of `fit`; what `init_bias` and `eps` decide is given here.
      world: The embeddings.
      model: The weights before the first step.
      features_tbn: A batch for each step; signed for `abs`.

    Returns:
      The model after the last step, and the task loss before each step.
    """
    return _replay(
        setup,
        dials.checked(),
        world.replace(task=setup.task),
        model.replace(nonlinearity=setup.nonlinearity),
        jnp.asarray(features_tbn),
    )


@jax.jit
def _replay(setup, dials, world, model, features_tbn):
    steps = features_tbn.shape[0]

    def step(carry, batch):
        step_, features_bn = batch
        key = jax.random.fold_in(jax.random.key(0), step_)
        model, optimizer, loss = _update(
            setup, dials, world, carry, features_bn, (step_, steps), key
        )
        return (model, optimizer), loss

    start = (model, optimizers.build(setup, dials).init(model))
    (model, _), loss_t = jax.lax.scan(step, start, (jnp.arange(steps), features_tbn))
    return model, loss_t


def _refuse_stacked_dials(dials: Dials) -> None:
    """Under `vmap` each run sees its own scalars; a dial that is an array would broadcast."""
    for name, dial in vars(dials).items():
        if shape := jnp.shape(dial):
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
