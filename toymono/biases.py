"""Where biases start, how they decay, and what pulls them down.

A model becomes monosemantic if its biases are negative while it learns. The
paper starts all biases at one value and lets them decay towards 0, so that
training begins with a phase in which no neuron fires. The other schemes here
answer what its authors and readers asked: start just below where neurons begin
to fire, let only silent neurons' biases decay, or pull biases down by a loss.

Reference:
  Jermyn, Schiefer & Hubinger (2022), sections 4.1.2, 4.3 and 6, and the discussion
  of the post on LessWrong. Definitions of the schemes that they name are ours.
"""

from collections.abc import Callable, Mapping

import chex
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from toymono import features
from toymono.config import Config, Hyperparams
from toymono.features import World
from toymono.models import AnyModel, Model

BATCHES = 32
"""Batches drawn before training to see where neurons begin to fire; our choice."""

STARTS: Mapping[str, Callable[[Float[Array, "g k"]], Float[Array, " k"]]] = {
    "below_all": lambda most_gk: jnp.broadcast_to(most_gk.max(), most_gk.shape[1:]),
    "below_each": lambda most_gk: most_gk.max(axis=0),
    "below_batch": lambda most_gk: most_gk.mean(axis=0),
}
"""By the name in `Config.bias_start`: from the largest weighted input of each neuron in each
batch to the bias, up to its sign, at which a neuron is about to fire."""


def start(
    config: Config, hyperparams: Hyperparams, model: AnyModel, world: World, key: PRNGKeyArray
) -> AnyModel:
    """The untrained model with its biases where `config.bias_start` says.

    With `shifted` they stay as they are. Otherwise a neuron's bias is
    `-(1 + start_margin)` times the largest weighted input that it gets: of all
    neurons and samples, of its own, or the mean over batches of its own largest.
    Above a margin of 0 the first two leave every neuron silent on these samples,
    below 0 each neuron fires on some of them (with `below_each`).
    """
    if config.bias_start == "shifted":
        return model
    assert isinstance(model, Model)  # of the types: `Config` refuses tied models

    def most(batch_key: PRNGKeyArray) -> Float[Array, " k"]:
        x_bm = world.inputs(features.sample(config, hyperparams, batch_key))
        return (x_bm @ model.w_mk).max(axis=0)

    most_gk = jax.lax.map(most, jax.random.split(key, BATCHES))
    return model.replace(b_k=-(1 + hyperparams.start_margin) * STARTS[config.bias_start](most_gk))


RATES: Mapping[str, Callable[..., Float[Array, "*k"]]] = {
    "silent": lambda hyperparams, firing_k, change_k: firing_k < hyperparams.firing_target,
    "moving": lambda hyperparams, firing_k, change_k: jnp.minimum(change_k, 1),
}
"""By the name in `Config.decay_rule`, where not all biases decay: the share of the decay that each
neuron's bias gets, from the running share of samples on which it fires, and from how far its input
weights moved in the step, relative to their length and to the learning rate."""

FIRING_STEPS = 256
"""Steps over which the share of samples that a neuron fires on is averaged; our choice."""


def firing(
    firing_k: Float[Array, " k"] | None, hidden_bk: Float[Array, "b k"]
) -> Float[Array, " k"] | None:
    """The running share of samples that each neuron fires on, after one more batch.

    None, and nothing is computed, if it was None: only one rule needs it.
    """
    if firing_k is None:
        return None
    return firing_k + ((hidden_bk > 0).mean(axis=0) - firing_k) / FIRING_STEPS


def before_firing(config: Config) -> Float[Array, " k"] | None:
    """What `firing` starts from: no neuron has fired."""
    return jnp.zeros(config.k, jnp.float32) if config.decay_rule == "silent" else None


def decay(
    config: Config,
    hyperparams: Hyperparams,
    before: AnyModel,
    model: AnyModel,
    firing_k: Float[Array, " k"] | None,
    step: Int[Array, ""],
    steps: Int[Array, ""] | int,
) -> AnyModel:
    """Multiplies biases by a factor below 1 after step `step`, in the first half of `steps`.

    The factor is `1 - bias_decay * learning_rate` with the base rate, whatever
    the schedule says; for neurons to which `config.decay_rule` gives a smaller
    share of the decay it is nearer to 1. The second half has no decay, so that
    training ends in a minimum of the loss itself.

    Args:
      config: Names the rule.
      hyperparams: Scalars.
      before: The model before the step.
      model: The model after the optimiser's step.
      firing_k: From `firing`.
      step: Number of the step, from 0; the decay of a run that does not begin there is further
        on by `config.first_step`.
      steps: Steps of the training.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), section 4.1.2, and their `model3.py`.
    """
    model.assert_single()
    decayed = hyperparams.bias_decay * hyperparams.learning_rate
    if config.decay_rule != "all":
        moved_k, length_k = (
            jnp.linalg.norm(w_mk, axis=0) for w_mk in (model.w_mk - before.w_mk, before.w_mk)
        )
        change_k = moved_k / jnp.maximum(hyperparams.learning_rate * length_k, 1e-30)
        decayed *= RATES[config.decay_rule](hyperparams, firing_k, change_k)
    decays = 2 * (step + config.first_step) < steps
    return model.scale_biases(jnp.where(decays, 1 - decayed, 1.0))


def pull(hyperparams: Hyperparams, model: AnyModel) -> Float[Array, ""]:
    """The term of the loss that pulls biases down: `pull_weight * mean(relu(b - pull_target)^2)`.

    Example:
      >>> model = Model(jnp.zeros((1, 2)), jnp.array([0.5, -2.0]), jnp.zeros((2, 1)))
      >>> float(pull(Hyperparams(pull_weight=3.0, pull_target=-0.5), model))
      1.5
    """
    chex.assert_rank(model.b_k, 1)
    above_k = jax.nn.relu(model.b_k - hyperparams.pull_target)
    return hyperparams.pull_weight * (above_k**2).mean()
