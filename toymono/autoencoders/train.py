"""Training of autoencoders, analogous to `toymono.train`.

The loss is the squared error, summed over pixels and averaged over the batch, in
units of a pixel's variance.
Batches and dropout are drawn from the state's key and step, so that a run that
was stopped continues to the same bits.
"""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from toymono import batching, scores
from toymono.autoencoders import network
from toymono.autoencoders.config import AutoencoderConfig, AutoencoderHyperparams
from toymono.autoencoders.data import Patches
from toymono.autoencoders.network import Params


class AutoencoderState(flax.struct.PyTreeNode):
    """A run in training: all that changes from step to step."""

    params: Params
    optimizer: Any
    """State of the optax transformation."""
    loss_t: Float[Array, "*r t"]
    """Loss before each step taken so far, dropout included; NaN for those to come."""
    step: Int[Array, "*r"]
    """Steps taken so far."""
    key: Array
    """What each step draws from, with the step folded in."""


class AutoencoderRun(batching.OneRun, flax.struct.PyTreeNode):
    """A trained autoencoder with its history; `[r]` leads every array when stacked."""

    config: AutoencoderConfig
    hyperparams: AutoencoderHyperparams
    key: Array
    params: Params
    loss_t: Float[Array, "*r t"]
    """Loss before each step, dropout included."""
    fingerprint: str = flax.struct.field(pytree_node=False, default="")
    """Of the patches, as in `data.Patches`."""

    @property
    def diverged(self) -> int | None:
        """Step at which the loss, or after the last step a parameter, was first not finite.

        Raises:
          ValueError: The run is stacked.
        """
        self.refuse_stacked("diverged")
        return batching.first_not_finite(self.loss_t, self.params)


@jax.jit
def begin(
    config: AutoencoderConfig, hyperparams: AutoencoderHyperparams, key: PRNGKeyArray
) -> AutoencoderState:
    """The untrained state that `key` determines."""
    batching.refuse_stacked(hyperparams)
    init_key, step_key = jax.random.split(key)
    params = network.init(config, init_key)
    return AutoencoderState(
        params=params,
        optimizer=optax.adam(hyperparams.learning_rate).init(params),
        loss_t=jnp.full(config.steps, jnp.nan, jnp.float32),
        step=jnp.zeros((), jnp.int32),
        key=step_key,
    )


@jax.jit
@scores.precise
def advance(
    config: AutoencoderConfig,
    hyperparams: AutoencoderHyperparams,
    patches: Patches,
    state: AutoencoderState,
    steps: Int[Array, ""] | int,
) -> AutoencoderState:
    """Trains on for `steps` steps: the one training loop of autoencoders.

    `steps` is an ordinary argument of one compiled loop, so that segments of
    any length run the same code.

    Raises:
      ValueError: Hyperparameters are stacked.

    Example:
      >>> config = AutoencoderConfig(patch=2, sizes=(3,), batch_size=4, steps=5)
      >>> patches = Patches(jax.random.uniform(jax.random.key(1), (20, 4)))
      >>> state = begin(config, AutoencoderHyperparams(), jax.random.key(0))
      >>> state = advance(config, AutoencoderHyperparams(), patches, state, 2)
      >>> state.step.item(), jnp.isnan(state.loss_t).tolist()
      (2, [False, False, True, True, True])
    """
    batching.refuse_stacked(hyperparams)
    patch_bd = jnp.asarray(patches.patch_bd)
    optimizer = optax.adam(hyperparams.learning_rate)

    def step(_, state: AutoencoderState) -> AutoencoderState:
        batch_key, dropout_key = jax.random.split(jax.random.fold_in(state.key, state.step))
        index_b = jax.random.randint(batch_key, (config.batch_size,), 0, len(patch_bd))
        x_bd = patch_bd[index_b]

        def objective(params: Params) -> Float[Array, ""]:
            found: Any = network.build(config).apply(
                {"params": params}, x_bd, hyperparams.dropout_rate, dropout_key
            )
            return ((found.output_bd - x_bd) ** 2).sum(axis=1).mean()

        loss, grads = jax.value_and_grad(objective)(state.params)
        updates, optimizer_state = optimizer.update(grads, state.optimizer)
        return state.replace(
            params=optax.apply_updates(state.params, updates),
            optimizer=optimizer_state,
            loss_t=state.loss_t.at[state.step].set(loss),
            step=state.step + 1,
        )

    return jax.lax.fori_loop(0, steps, step, state)


def fit(
    config: AutoencoderConfig,
    hyperparams: AutoencoderHyperparams,
    patches: Patches,
    key: PRNGKeyArray,
) -> AutoencoderRun:
    """Trains one autoencoder from scratch.

    Args:
      config: Shape and code of the run.
      hyperparams: Its numbers.
      patches: From `data.load(config.data, config.patch)`.
      key: Determines all that is random about it.

    Raises:
      ValueError: A hyperparameter is out of range, or hyperparams or keys are stacked.
      TypeError: The key is not a PRNG key.
    """
    batching.refuse_others(config, hyperparams, (AutoencoderConfig, AutoencoderHyperparams))
    hyperparams, key = hyperparams.checked(), batching.one_key(key)
    state = begin(config, hyperparams, key)
    state = advance(config, hyperparams, patches, state, config.steps)
    return AutoencoderRun(config, hyperparams, key, state.params, state.loss_t, patches.fingerprint)
