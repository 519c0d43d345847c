"""Training of toy models: `train_step`, `advance`, `fit` and `fit_many`.

`train_step` is one optimiser step on one batch, `advance` a loop over steps on
fresh batches. `fit` runs `advance` inside one jitted call, for notebooks and
`vmap`. The sweep command calls `advance` in short segments, so that it can show
progress, save and stop. The random numbers of a run depend only on its key and
config.
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray
from tqdm import tqdm

from toymono import batching, biases, features, models, optimizers
from toymono.config import Config, Hyperparams
from toymono.features import Limits, World
from toymono.models import AnyModel
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
    """Base key; step t uses `fold_in(key, t)`."""
    firing_k: Float[Array, "*r k"] | None = None
    """Running share of samples that each neuron fires on, if `Config.decay_rule` needs it."""


class Metrics(NamedTuple):
    """What a step computes on its batch, before the weights are updated."""

    task_loss: Float[Array, ""]
    """Squared error, summed over outputs and averaged over the batch."""
    penalty: Float[Array, ""]
    """The polysemantic penalty of `Config.penalty`, not yet multiplied by alpha; 0 for `none`."""
    gradient_norm: Float[Array, ""]
    """Euclidean norm of the gradient of the whole loss, over all weights."""


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
def begin(config: Config, hyperparams: Hyperparams, key: PRNGKeyArray) -> tuple[World, State]:
    """The world and the untrained state that `key` determines.

    With `config.world_seed` the world is the one that this seed determines, so
    that it may be shared by models that start and are trained differently.
    """
    batching.refuse_stacked(hyperparams)
    world_key, model_key, batch_key = jax.random.split(key, 3)
    if config.world_seed >= 0:
        world_key, _, _ = jax.random.split(batching.key_of(config.world_seed), 3)
    world = features.build(config, world_key)
    model = models.MODELS[config.model].init(config, hyperparams, model_key)
    start_key = jax.random.fold_in(batch_key, _START)
    model = biases.start(config, hyperparams, model, world, start_key)
    return world, _untrained(config, hyperparams, model, config.steps, batch_key)


def _untrained(
    config: Config, hyperparams: Hyperparams, model: AnyModel, steps: int, key: PRNGKeyArray
) -> State:
    return State(
        model=model,
        optimizer=optimizers.build(config, hyperparams).init(model),
        loss_t=jnp.full(steps, jnp.nan, jnp.float32),
        step=jnp.zeros((), jnp.int32),
        key=key,
        firing_k=biases.before_firing(config),
    )


# Folded into the batch key to get the keys of what is named. Large, because
# `fold_in(key, i)` equals the i-th key of `split(key)` for small i.
_PENALTY = 2**31 - 1
_DROPOUT = 2**31 - 2
_NOISE = 2**31 - 3
_START = 2**31 - 4


def _batch_key(state: State) -> PRNGKeyArray:
    return jax.random.fold_in(state.key, state.step)


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
    `alpha` times the polysemantic penalty. Bias decay stops at half of
    `len(state.loss_t)` steps. Dropout and penalties that sample inputs use the
    state's key and step. Dropout acts on the input of the output weights, so
    the recorded task loss includes its effect; the L1 norm and the penalty are
    computed from the activations before dropout.

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
    penalty_key = jax.random.fold_in(_batch_key(state), _PENALTY)
    if config.noise == "on":
        noise_key = jax.random.fold_in(_batch_key(state), _NOISE)
        x_bm += hyperparams.noise_scale * jax.random.normal(noise_key, x_bm.shape, x_bm.dtype)

    def objective(model: AnyModel):
        hidden_bk = model.neurons(x_bm)
        read_bk = hidden_bk
        if config.dropout == "on":
            dropout_key = jax.random.fold_in(_batch_key(state), _DROPOUT)
            read_bk = models.dropout(hidden_bk, hyperparams.dropout_rate, dropout_key)
        task_loss = ((model.past(x_bm, model.read_out(read_bk)) - y_bo) ** 2).sum(axis=-1).mean()
        penalty = PENALTIES[config.penalty].on_features(model, world, penalty_key)
        loss = task_loss + hyperparams.l1 * activation_l1(hidden_bk)
        loss += hyperparams.alpha * penalty
        if config.bias_pull == "on":
            loss += biases.pull(hyperparams, model)
        return loss, (task_loss, penalty, hidden_bk)

    grads, (task_loss, penalty, hidden_bk) = jax.grad(objective, has_aux=True)(state.model)
    updates, optimizer = optimizers.build(config, hyperparams).update(
        grads, state.optimizer, state.model
    )
    model = optax.apply_updates(state.model, updates)
    firing_k = biases.firing(state.firing_k, hidden_bk)
    model = biases.decay(
        config, hyperparams, state.model, model, firing_k, state.step, len(state.loss_t)
    )
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
    """Trains for `steps` more steps.

    `steps` is traced, so different lengths share one compiled program. `limits` are those
    of `features.sample`; they change no result.

    Example:
      >>> config, hyperparams = Config(n=32, m=8, k=64, batch_size=64, log2_steps=6), Hyperparams()
      >>> world, state = begin(config, hyperparams, jax.random.key(0))
      >>> advance(config, hyperparams, world, state, config.steps).step.item()
      64
    """

    def step(_, state: State) -> State:
        features_bn = features.sample(config, hyperparams, _batch_key(state), limits)
        state, _ = train_step(config, hyperparams, world, state, features_bn)
        return state

    return jax.lax.fori_loop(0, steps, step, state)


def fit(config: Config, hyperparams: Hyperparams, key: PRNGKeyArray) -> Run:
    """Trains one model from scratch. Pure: `jax.vmap` it over hyperparams and keys.

    Args:
      config: Static settings.
      hyperparams: Traced settings, scalars.
      key: Source of all randomness.

    Raises:
      ValueError: A hyperparameter is out of range, or hyperparams or keys are stacked.
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
    return Run(config, hyperparams, key, world, snapshots, state.loss_t)


def fit_many(
    config: Config, hyperparams: Hyperparams, keys: PRNGKeyArray, progress: bool = False
) -> Run:
    """Trains many models in one program: `jit(vmap(fit))`.

    Rounding depends on the number of runs and training amplifies it; not so in sweeps.

    Args:
      config: Shared by all runs.
      hyperparams: Each `[r]`, or a scalar that all runs share.
      keys: One key for each run, `[r]`.
      progress: Whether to show a live bar with the mean loss. Training is then
        divided into about 64 calls of `advance`, with the same results.

    Returns:
      A `Run` whose arrays are stacked, `[r …]`; `config.unstack` separates them.

    Raises:
      ValueError: A hyperparameter is out of range, or its length is not that of the keys.
      TypeError: The keys are not PRNG keys, or config or hyperparams are something else.

    Example:
      >>> config = Config(n=32, m=8, k=64, batch_size=64, log2_steps=6)
      >>> hyperparams = Hyperparams(eps=1 / 8, init_bias=jnp.array([-1.0, -0.5, 0.0]))
      >>> fit_many(config, hyperparams, jax.random.split(jax.random.key(0), 3)).loss_t.shape
      (3, 64)
    """
    batching.refuse_others(config, hyperparams, (Config, Hyperparams))
    hyperparams, keys = batching.broadcast(hyperparams, keys)
    if progress:
        return _fit_many_with_bar(config, hyperparams, keys)
    return _fit_many(config, hyperparams, keys, features.limits_on_device(config, hyperparams))


@functools.partial(jax.jit, static_argnums=3)
def _fit_many(config, hyperparams, keys, limits):
    return jax.vmap(lambda one, key: _fit(config, one, key, limits))(hyperparams, keys)


_begin_many = jax.jit(jax.vmap(begin, in_axes=(None, 0, 0)))
_advance_many = jax.jit(jax.vmap(advance, in_axes=(None, 0, 0, 0, None)))

_SEGMENTS = 64  # Our choice: updates of a bar, between which a call's overhead is small.


def _fit_many_with_bar(config: Config, hyperparams: Hyperparams, keys: PRNGKeyArray) -> Run:
    world, state = _begin_many(config, hyperparams, keys)
    longest, snapshots = max(1, config.steps // _SEGMENTS), []
    with tqdm(total=config.steps, desc=f"{len(keys)} runs", unit="step") as bar:
        for start, end in itertools.pairwise((0, *config.snapshot_steps)):
            for step in range(start, end, longest):
                steps = min(longest, end - step)
                state = _advance_many(config, hyperparams, world, state, steps)
                loss = state.loss_t[:, step : step + steps].mean()
                bar.set_postfix_str(f"loss {loss:.3g}", refresh=False)
                bar.update(steps)
            snapshots.append(state.model)
    snapshots_rc = jax.tree.map(lambda *leaves: jnp.stack(leaves, axis=1), *snapshots)
    return Run(config, hyperparams, keys, world, snapshots_rc, state.loss_t)


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
      config: Names the task, nonlinearity, optimiser and schedule; `batch_size`
        and `log2_steps` are ignored.
      hyperparams: Scalars; `init_bias` and `eps` are ignored, since the model and
        the batches are given.
      world: The embedding.
      model: The weights before the first step.
      features_tbn: A batch for each step; signed for `abs`.

    Returns:
      The model after the last step, and the task loss before each step.
    """
    chex.assert_rank(features_tbn, 3)
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

    state = _untrained(config, hyperparams, model, len(features_tbn), jax.random.key(0))
    state, _ = jax.lax.scan(step, state, features_tbn)
    return state.model, state.loss_t
