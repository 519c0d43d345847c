"""Training of toy models: `begin`, `train_step` and `advance`.

`train_step` is one optimiser step on one batch, `advance` a loop over steps on
fresh batches. `toymono.fitting` runs `advance` inside one jitted call, for
notebooks and `vmap`. The sweep command calls `advance` in short segments, so that
it can show progress, save and stop. The random numbers of a run depend only on its
key and config.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from toymono import batching, biases, features, masks, models, optimizers, origins
from toymono.config import Config, Hyperparams
from toymono.features import Limits, World
from toymono.masks import Masks
from toymono.models import AnyModel, Model
from toymono.origins import Parents, StepContext
from toymono.penalties import PENALTIES, activation_l1


class State(flax.struct.PyTreeNode):
    """Training state: everything that a step changes."""

    model: AnyModel
    optimizer: Any
    """State of the optax transformation."""
    loss_t: Float[Array, "*r t"]
    """Task loss before each step taken so far; NaN for future steps."""
    step: Int[Array, "*r"]
    """Steps taken so far."""
    key: Array
    """Base key; the batch of step t is drawn with `fold_in(key, t)`, from `fork_step` on with a key
    of `fork_seed`."""
    firing_k: Float[Array, "*r k"] | None = None
    """Running share of samples that each neuron fires on, if `Config.decay_rule` needs it."""
    anchors: tuple[Model, ...] = ()
    """The models of the run's parents, see `origins`; none if it has no parents."""
    masks: Masks | None = None
    """Which weights are in use; None if all are."""


class Metrics(NamedTuple):
    """What a step computes on its batch, before the weights are updated."""

    task_loss: Float[Array, ""]
    """Squared error, summed over outputs and averaged over the batch."""
    penalty: Float[Array, ""]
    """The polysemantic penalty of `Config.penalty`, not yet multiplied by alpha; 0 for `none`."""
    gradient_norm: Float[Array, ""]
    """Euclidean norm of the gradient of the whole loss, over all weights in use."""


class Run(batching.OneRun, flax.struct.PyTreeNode):
    """A trained model with its history.

    Stacked runs have a leading axis `r` on every array.
    """

    config: Config
    hyperparams: Hyperparams
    key: Array
    world: World
    snapshots: AnyModel
    """The model after each of `config.snapshot_steps`, `[c …]`."""
    loss_t: Float[Array, "*r t"]
    """Task loss on each step's fresh batch, before that step's update."""
    parents: tuple[str, ...] = flax.struct.field(pytree_node=False, default=())
    """Names of the stored runs that it started from."""
    masks: Masks | None = None
    """Which weights of the final model are in use; None if all are."""

    @property
    def final(self) -> Any:
        """The trained model: a `Model`, or what `config.model` names."""
        return self.snapshots.last()

    @property
    def snapshot_steps(self) -> tuple[int, ...]:
        """Steps of the snapshots: the last of `config.snapshot_steps` if some are absent."""
        count = jax.tree.leaves(self.snapshots)[0].shape[np.ndim(self.key)]
        return self.config.snapshot_steps[-count:]

    @property
    def diverged(self) -> int | None:
        """First step with a non-finite loss; None if the run did not diverge.

        `config.steps` if only the final weights are non-finite.

        Raises:
          ValueError: The run is stacked.
        """
        self.refuse_stacked("diverged")
        return batching.first_not_finite(self.loss_t, self.final)


@jax.jit
def begin(
    config: Config, hyperparams: Hyperparams, key: PRNGKeyArray, parents: Parents | None = None
) -> tuple[World, State]:
    """The world and the untrained state of a run.

    With `config.world_seed` the world is that of this seed, so that models of several
    seeds share it. A run whose `config.origin` is not `fresh` has the world and the
    weights of its parents, or weights made from them in masks (`ticket`, `expand`); the key then
    determines only the batches, what a ticket's control draws, and the parts of neurons.

    Args:
      config: Static settings.
      hyperparams: Scalars.
      key: Source of all randomness.
      parents: From `origins.gather`; required unless `config.origin` is `fresh`.

    Returns:
      The world, and the state before the first step.

    Raises:
      ValueError: Hyperparameters are stacked, or the origin needs parents.
    """
    batching.refuse_stacked(hyperparams)
    world_key, model_key, batch_key = jax.random.split(key, 3)
    if config.origin != "fresh":
        # Folded in, so that the new weights of a ticket are not those of a parent of its seed.
        start_key = jax.random.fold_in(model_key, _ORIGIN)
        start = origins.start(config, hyperparams, parents, start_key)
        batch_key = jax.random.fold_in(batch_key, _ORIGIN)
        state = untrained(config, hyperparams, start.model, config.steps, batch_key, start.masks)
        return start.world, state.replace(anchors=start.anchors)
    if config.world_seed >= 0:
        world_key, _, _ = jax.random.split(batching.key_of(config.world_seed), 3)
    world = features.build(config, world_key)
    model = models.MODELS[config.model].init(config, hyperparams, model_key)
    used = masks.drawn(config, hyperparams, model, batch_key)
    model = masks.applied(used, model)
    start_key = jax.random.fold_in(batch_key, _START)
    model = biases.start(config, hyperparams, model, world, start_key)
    return world, untrained(config, hyperparams, model, config.steps, batch_key, used)


def untrained(
    config: Config,
    hyperparams: Hyperparams,
    model: AnyModel,
    steps: int,
    key: PRNGKeyArray,
    used: Masks | None = None,
) -> State:
    """The training state before the first step.

    Args:
      config: Names the optimiser.
      hyperparams: Scalars.
      model: Initial weights.
      steps: Length of the training; bias decay ends after half of it.
      key: Base key of the batches, see `State.key`.
      used: Masks of the weights in use; None if all are.
    """
    return State(
        model=model,
        optimizer=optimizers.build(config, hyperparams).init(model),
        loss_t=jnp.full(steps, jnp.nan, jnp.float32),
        step=jnp.zeros((), jnp.int32),
        key=key,
        firing_k=biases.before_firing(config),
        masks=used,
    )


# Constants folded into the key of a step (or run) to derive independent keys for the purposes
# named; `masks._DRAW` and `masks._GROWTH` continue the list. They are large because
# `fold_in(key, i)` equals the i-th key of `split(key)` for small i.
_PENALTY = 2**31 - 1
_DROPOUT = 2**31 - 2
_NOISE = 2**31 - 3
_START = 2**31 - 4
_ORIGIN = 2**31 - 5
_FORK = 2**31 - 6


def _batch_key(config: Config, hyperparams: Hyperparams, state: State) -> PRNGKeyArray:
    """The key of the current step; see `State.key`."""
    key = state.key
    if config.fork_seed >= 0:
        other = jax.random.fold_in(jax.random.fold_in(key, _FORK), config.fork_seed)
        key = jnp.where(state.step < hyperparams.fork_step, key, other)
    return jax.random.fold_in(key, state.step)


def _at_precision(function: Callable) -> Callable:
    """Runs `function(config, …)` with matrix products at `config.matmul_precision`.

    This includes the matrix products of gradients.
    """

    @functools.wraps(function)
    def traced(config, *args):
        with jax.default_matmul_precision(config.matmul_precision):
            return function(config, *args)

    return traced


@jax.jit
@_at_precision
def train_step(
    config: Config,
    hyperparams: Hyperparams,
    world: World,
    state: State,
    features_bn: Float[Array, "b n"],
) -> tuple[State, Metrics]:
    """One optimiser step on one batch.

    The loss is the task loss plus `l1` times the L1 norm of the activations plus
    `alpha` times the polysemantic penalty. With `config.bias_pull` the term
    `biases.pull` is added; the origins `pull` and `connect` change the loss as
    described in `origins.ORIGINS`. With `config.noise` Gaussian noise is added to the
    inputs. Bias decay stops at half of `len(state.loss_t)` steps. Dropout, noise and
    penalties that sample inputs use the state's key and step. Dropout acts on the input
    of the output weights, so the recorded task loss includes its effect; the L1 norm
    and the penalty are computed from the activations before dropout.

    Args:
      config: Names the task, nonlinearity, penalty, optimiser and schedule;
        `batch_size` and `log2_steps` are ignored.
      hyperparams: Scalars.
      world: The embedding.
      state: From `begin`, or from the last step.
      features_bn: The batch, e.g. from `features.sample`.

    Returns:
      The state after the step, its task loss recorded, and the step's metrics.

    Raises:
      ValueError: Hyperparameters are stacked.

    Example:
      >>> config = Config(n=32, m=8, k=64, batch_size=64, log2_steps=6)
      >>> world, state = begin(config, Hyperparams(), jax.random.key(0))
      >>> features_bn = features.sample(config, Hyperparams(), jax.random.key(1))
      >>> state, metrics = train_step(config, Hyperparams(), world, state, features_bn)
      >>> state.step.item(), state.loss_t[0] == metrics.task_loss
      (1, Array(True, dtype=bool))
    """
    batching.refuse_stacked(hyperparams)
    chex.assert_rank([features_bn, state.loss_t, state.step], [2, 1, 0])
    x_bm, y_bo = world.inputs(features_bn), world.targets(features_bn)
    step_key = _batch_key(config, hyperparams, state)
    penalty_key = jax.random.fold_in(step_key, _PENALTY)
    origin = origins.ORIGINS[config.origin]
    context = StepContext(
        state.anchors, state.step, len(state.loss_t), jax.random.fold_in(step_key, _ORIGIN)
    )
    if config.noise == "on":
        noise_key = jax.random.fold_in(step_key, _NOISE)
        x_bm += hyperparams.noise_scale * jax.random.normal(noise_key, x_bm.shape, x_bm.dtype)

    def objective(model: AnyModel):
        net = origin.evaluated(hyperparams, model, context)
        hidden_bk = net.neurons(x_bm)
        read_bk = hidden_bk
        if config.dropout == "on":
            dropout_key = jax.random.fold_in(step_key, _DROPOUT)
            read_bk = models.dropout(hidden_bk, hyperparams.dropout_rate, dropout_key)
        output_bo = net.past(x_bm, net.read_out(read_bk))
        task_loss = ((output_bo - y_bo) ** 2).sum(axis=-1).mean()
        penalty = PENALTIES[config.penalty].on_features(net, world, penalty_key)
        loss = origin.loss(hyperparams, task_loss, model, context)
        loss += hyperparams.l1 * activation_l1(hidden_bk)
        loss += hyperparams.alpha * penalty
        if config.bias_pull == "on":
            loss += biases.pull(hyperparams, net)
        return loss, (task_loss, penalty, hidden_bk)

    grads, (task_loss, penalty, hidden_bk) = jax.grad(objective, has_aux=True)(state.model)
    state, grads = masks.changed(config, hyperparams, state, grads, step_key)
    updates, optimizer = optimizers.build(config, hyperparams).update(
        grads, state.optimizer, state.model
    )
    model = optax.apply_updates(state.model, updates)
    firing_k = biases.firing(state.firing_k, hidden_bk)
    model = biases.decay(
        config, hyperparams, state.model, model, firing_k, state.step, len(state.loss_t)
    )
    model = masks.applied(state.masks, origin.after(config, hyperparams, model, context))
    stepped = state.replace(
        model=model,
        optimizer=optimizer,
        loss_t=state.loss_t.at[state.step].set(task_loss),
        step=state.step + 1,
        firing_k=firing_k,
    )
    return stepped, Metrics(task_loss, penalty, optax.tree.norm(jax.tree.leaves(grads)))


@functools.partial(jax.jit, static_argnames="limits")
def advance(
    config: Config,
    hyperparams: Hyperparams,
    world: World,
    state: State,
    steps: Int[Array, ""] | int,
    limits: Limits | None = None,
) -> State:
    """Trains for `steps` more steps, each on a fresh batch.

    Args:
      config: Static settings.
      hyperparams: Scalars.
      world: The embedding.
      state: From `begin`, or from the last call.
      steps: How many. Traced, so that different lengths share one compiled program;
        losses of steps beyond `len(state.loss_t)` are not recorded.
      limits: Loop bounds from `features.limits`, for GPUs; None is always correct.

    Returns:
      The state after the steps.

    Example:
      >>> config, hyperparams = Config(n=32, m=8, k=64, batch_size=64, log2_steps=6), Hyperparams()
      >>> world, state = begin(config, hyperparams, jax.random.key(0))
      >>> advance(config, hyperparams, world, state, config.steps).step.item()
      64
    """

    def step(_, state: State) -> State:
        features_bn = features.sample(
            config, hyperparams, _batch_key(config, hyperparams, state), limits
        )
        state, _ = train_step(config, hyperparams, world, state, features_bn)
        return state

    return jax.lax.fori_loop(0, steps, step, state)


def finish(
    config: Config,
    hyperparams: Hyperparams,
    key: PRNGKeyArray,
    world: World,
    snapshots: AnyModel,
    state: State,
) -> Run:
    """The run of a finished training, or a stack of runs from stacks.

    Args:
      config: Static settings.
      hyperparams: As given to `begin`.
      key: As given to `begin`.
      world: From `begin`.
      snapshots: The model after each of `config.snapshot_steps`, `[c …]`.
      state: The state after the last step.
    """
    return Run(config, hyperparams, key, world, snapshots, state.loss_t, masks=state.masks)
