"""How a step changes the weights: LAMB as published, and its schedule.

The paper used `torch_optimizer.Lamb` with its defaults, which differs from the
LAMB of the textbooks in three ways that are kept here: no bias correction, an
epsilon of 1e-6, and weight norms clamped to 10 in the trust ratio.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from toymono.config import Config, Hyperparams

# torch_optimizer 0.3.0, Lamb: the defaults that the paper's program runs with.
_B1, _B2, _EPS, _LARGEST_NORM = 0.9, 0.999, 1e-6, 10.0


def build(config: Config, hyperparams: Hyperparams) -> optax.GradientTransformation:
    """The config's optimiser with its schedule; `hyperparams` may be traced."""
    return OPTIMIZERS[config.optimizer](schedule(config, hyperparams), hyperparams)


def schedule(config: Config, hyperparams: Hyperparams) -> optax.Schedule:
    """Learning rate at each step of the training, counted from 0."""
    rate = SCHEDULES[config.schedule](hyperparams)
    first = config.first_step
    return (lambda step: rate(step + first)) if first else rate


def cosine(hyperparams: Hyperparams) -> optax.Schedule:
    """A periodic cosine, `learning_rate * (1 + cos(2 pi step / cosine_period)) / 2`.

    The paper's program continues PyTorch's `CosineAnnealingLR(T_max=512)` for
    the whole run, which does not restart it: the rate climbs back to its peak
    and falls again, with a period of 1024 steps, and training ends at a peak.
    """

    def rate(step: Int[Array, ""]) -> Float[Array, ""]:
        # The remainder first: float32 loses the phase of large angles.
        # sin(pi/2 - x/2)**2 is (1 + cos x)/2 without its cancellation near 0.
        phase = jnp.mod(step, hyperparams.cosine_period) / hyperparams.cosine_period
        return hyperparams.learning_rate * jnp.sin(jnp.pi * (0.5 - phase)) ** 2

    return rate


def constant(hyperparams: Hyperparams) -> optax.Schedule:
    """The rate `learning_rate` at every step."""
    return lambda step: hyperparams.learning_rate


def published_lamb(rate: optax.Schedule) -> optax.GradientTransformation:
    """LAMB as in the paper's program."""
    return optax.chain(scale_by_published_lamb(), optax.scale_by_learning_rate(rate))


def scale_by_published_lamb() -> optax.GradientTransformation:
    """Adam's direction without bias correction, scaled per tensor by the weight norm.

    With `a = mu / (sqrt(nu) + 1e-6)`, a tensor p moves along `min(|p|, 10) a / |a|`;
    along plain `a` where p or a is all zeros.

    Reference:
      torch_optimizer 0.3.0, `Lamb`; paper, appendix A.
    """

    def init(params):
        zeros = optax.tree.zeros_like(params)
        return optax.ScaleByAdamState(jnp.zeros([], jnp.int32), mu=zeros, nu=zeros)

    def trusted(direction, param):
        size = jnp.linalg.norm(direction)
        weight = jnp.minimum(jnp.linalg.norm(param), _LARGEST_NORM)
        zero = (size == 0) | (weight == 0)
        return direction * jnp.where(zero, 1.0, weight / jnp.where(zero, 1.0, size))

    def update(grads, state, params):
        mu = optax.tree.update_moment(grads, state.mu, _B1, 1)
        nu = optax.tree.update_moment(grads, state.nu, _B2, 2)
        direction = jax.tree.map(lambda mu, nu: mu / (jnp.sqrt(nu) + _EPS), mu, nu)
        updates = jax.tree.map(trusted, direction, params)
        return updates, optax.ScaleByAdamState(state.count + 1, mu, nu)

    return optax.GradientTransformation(init, update)


SCHEDULES: Mapping[str, Callable[[Hyperparams], optax.Schedule]] = {
    "cosine": cosine,
    "constant": constant,
}
"""By the name in `Config.schedule`."""

OPTIMIZERS: Mapping[str, Callable[[optax.Schedule, Hyperparams], optax.GradientTransformation]] = {
    "lamb": lambda rate, hyperparams: published_lamb(rate),
    "adam": lambda rate, hyperparams: optax.adam(rate),
    # As PyTorch's: weights and biases decay, by the scheduled rate.
    "adamw": lambda rate, hyperparams: optax.adamw(rate, weight_decay=hyperparams.weight_decay),
}
"""By the name in `Config.optimizer`."""
