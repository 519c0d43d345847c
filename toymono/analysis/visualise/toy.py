"""Feature vectors that maximise a unit of a toy model: a neuron, or an output.

Inputs are non-negative feature vectors of sum at most 1. Without such a bound the
best input turns on every feature of positive weight, which is no picture of any
of them. On this set a linear objective has its maximum at a single feature.

Signed features count twice: feature i and its negative, feature n + i, are
facets of their own (`of_features`).

An objective is divided by the unit's largest response to a single feature, so
that a weight of the diversity term means the same for every unit.
"""

import functools
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, ScalarLike

from toymono import scores
from toymono.analysis.visualise.diversity import diversity
from toymono.analysis.visualise.facets import THRESHOLD
from toymono.features import World
from toymono.models import NONLINEARITIES, Model
from toymono.tasks import TASKS

UNITS = ("neuron", "output")
"""What is maximised: a neuron's input under relu, its activation otherwise; or an output."""

TERMS = ("inputs", "hidden")
"""Where the diversity term compares a batch: the inputs, or the hidden layer as published."""

STEPS, LENGTH, IMAGES = 150, 0.05, 12
"""Steps of projected gradient, the length of the first one, and inputs in a batch; our choice."""

# For this fraction of the steps objectives have the gradient of softened neurons, which pass
# some everywhere: an inactive network has none. lucid overrides the gradient
# too, with one that cancels where two neurons read opposite signs. Both numbers are ours.
_OPEN, _SOFTNESS = 1 / 3, 0.2

# A single feature replaces a mixture that is better by less than this fraction of the
# unit's largest response: features may tie.
_TIE = 1e-4

# Entries of an input above this are features that it shows; our choice.
_SHOWN = 1e-3

_TINY = 1e-12


class Visualised(NamedTuple):
    """Inputs found for each unit."""

    features_ubn: Float[Array, "u b n"]
    """Feature vectors; zeros for inputs that were not needed."""
    value_ub: Float[Array, "u b"]
    """The unit's activation, in units of its largest response to a single feature; 0 if the
    unit has no positive response."""


def of_features(model: Model, world: World) -> Model:
    """The model as a function of feature vectors instead of embedded inputs.

    Signed features are doubled: inputs n … 2n - 1 are the negatives of 0 … n - 1.

    Raises:
      AssertionError: Several models are stacked.
      ValueError: The model has a skip path.
    """
    scores.assert_one_model(model, world)
    scores.refuse_skip(model)
    embed_nm = jnp.asarray(world.embed_nm)
    if TASKS[world.task].signed:
        embed_nm = jnp.concatenate([embed_nm, -embed_nm])
    with jax.default_matmul_precision("float32"):
        return model.replace(w_mk=embed_nm @ model.w_mk)


@functools.partial(jax.jit, static_argnames="of")
@scores.precise
def responses(net: Model, of: str = "neuron") -> Float[Array, "u n"]:
    """Activation of every neuron, or value of every output, on each single feature.

    Args:
      net: From `of_features`.
      of: One of `UNITS`.

    Raises:
      ValueError: `of` is not one of `UNITS`.
    """
    _check("of", of, UNITS)
    scores.assert_one_model(net)
    single_nn = jnp.eye(net.w_mk.shape[0])
    return (net.neurons(single_nn) if of == "neuron" else net(single_nn)).T


def maximise(
    net: Model,
    unit_u: Int[Array, " u"],
    key: PRNGKeyArray,
    *,
    weight: ScalarLike = 0.0,
    on: str = "inputs",
    of: str = "neuron",
    images: int = IMAGES,
    count_u: Int[Array, " u"] | None = None,
    steps: int = STEPS,
) -> Visualised:
    """A batch of feature vectors for each unit, by projected gradient from random starts.

    Maximises the mean over the batch of the unit's value, over its largest
    response to a single feature, minus `weight` times the diversity term. Under
    relu a neuron's value is its input, which has a gradient where the neuron is
    inactive.

    Args:
      net: From `of_features`.
      unit_u: Units to visualise.
      key: Draws the starts, uniform on the simplex.
      weight: Of the diversity term; 0: independent restarts.
      on: One of `TERMS`.
      of: One of `UNITS`.
      images: Inputs in a batch.
      count_u: For each unit, how many of the batch take part; the rest are 0.
      steps: Of projected gradient; their length decreases linearly to 0.

    Raises:
      ValueError: `on` or `of` is not one of their choices.
      AssertionError: Several models are stacked.
    """
    _check("of", of, UNITS)
    _check("on", on, TERMS)
    scores.assert_one_model(net)
    chex.assert_rank(unit_u, 1)
    count_u = jnp.full(unit_u.shape, images) if count_u is None else count_u
    # Arrays, so that another weight compiles nothing.
    weight = jnp.asarray(weight, jnp.float32)
    return _maximise(net, jnp.asarray(unit_u), key, weight, count_u, on, of, images, steps)


@functools.partial(jax.jit, static_argnames=("on", "of", "images", "steps"))
@scores.precise
def _maximise(net, unit_u, key, weight, count_u, on, of, images, steps) -> Visualised:
    n = net.w_mk.shape[0]
    open_steps = int(_OPEN * steps)
    largest_u = responses(net, of).max(axis=1)[unit_u]

    def of_unit(unit, largest, count, unit_key):
        taking_part_b1 = (jnp.arange(images) < count)[:, None].astype(jnp.float32)

        def objective(x_bn, passing):
            value_b = _value(net, unit, x_bn, of, passing) / _positive(largest)
            term_bd = x_bn if on == "inputs" else net.neurons(x_bn)
            # Rows of zeros are similar to nothing, so that only the mean changes.
            similar = diversity(taking_part_b1 * term_bd) * images / count
            return (value_b * taking_part_b1[:, 0]).sum() / count - weight * similar

        def step(t, x_bn):
            gradient_bn = jax.grad(objective)(x_bn, (t < open_steps).astype(jnp.float32))
            length_b1 = jnp.linalg.norm(gradient_bn, axis=1, keepdims=True)
            rate = LENGTH * (1 - t / steps)
            moved_bn = x_bn + rate * gradient_bn / jnp.maximum(length_b1, _TINY)
            return project(taking_part_b1 * moved_bn)

        start_bn = _random(unit_key, (images, n))
        x_bn = jax.lax.fori_loop(0, steps, step, taking_part_b1 * start_bn)
        return x_bn, _activation(net, unit, largest, x_bn, of) * taking_part_b1[:, 0]

    return Visualised(
        *jax.vmap(of_unit)(unit_u, largest_u, count_u, jax.random.split(key, len(unit_u)))
    )


def grow(
    net: Model,
    unit_u: Int[Array, " u"],
    key: PRNGKeyArray,
    *,
    weight: ScalarLike,
    on: str = "inputs",
    of: str = "neuron",
    most: int = IMAGES,
    threshold: float = THRESHOLD,
) -> tuple[Visualised, Int[Array, " u"]]:
    """The largest diverse batch in which no input falls below the threshold.

    A batch larger than the number of facets pushes inputs off the unit, and that
    number is what one wants to find. So the batch grows from 1 input until the
    unit's value on the weakest is below `threshold`.

    Args:
      most: Largest batch that is tried.
      threshold: Fraction of the unit's largest response.
      (others): As in `maximise`.

    Returns:
      The inputs, and the size of each unit's batch: 0 for a dead unit.
    """
    best = maximise(net, unit_u, key, weight=weight, on=on, of=of, images=most)
    best = jax.tree.map(jnp.zeros_like, best)
    size_u = jnp.zeros(unit_u.shape, int)
    for size in range(1, most + 1):
        count_u = jnp.full(unit_u.shape, size)
        tried = maximise(
            net, unit_u, key, weight=weight, on=on, of=of, images=most, count_u=count_u
        )
        enough_u = (tried.value_ub[:, :size] >= threshold).all(axis=1) & (size_u == size - 1)
        if not enough_u.any():
            break
        size_u = jnp.where(enough_u, size, size_u)
        best = jax.tree.map(
            lambda new, old, grown_u=enough_u: jnp.where(
                grown_u.reshape(-1, *[1] * (new.ndim - 1)), new, old
            ),
            tried,
            best,
        )
    return best, size_u


@functools.partial(jax.jit, static_argnames=("of", "most", "steps"))
@scores.precise
def greedy(
    net: Model,
    unit_u: Int[Array, " u"],
    key: PRNGKeyArray,
    *,
    of: str = "neuron",
    most: int = IMAGES,
    threshold: float = THRESHOLD,
    steps: int = STEPS,
) -> Visualised:
    """One input after the other, each orthogonal to those before, until the unit stays inactive.

    Non-negative vectors are orthogonal if they share no feature: each input is
    optimised over the features that no earlier one shows, from a random
    mixture of these. Where a single feature does at least as well as the mixture that was
    found, it takes the mixture's place. So a neuron whose input is linear shows its
    facets in the order of their responses, by construction.

    Args:
      most: Largest number of inputs.
      threshold: The unit counts as inactive below this fraction of its largest
        response; inputs from there on are 0.
      (others): As in `maximise`.
    """
    _check("of", of, UNITS)
    scores.assert_one_model(net)
    chex.assert_rank(unit_u, 1)
    n = net.w_mk.shape[0]
    open_steps = int(_OPEN * steps)
    largest_u = responses(net, of).max(axis=1)[unit_u]

    def of_unit(unit, largest, unit_key):
        def value(x_n, passing=0.0):
            return _value(net, unit, x_n[None], of, passing)[0]

        def active(x_n):
            return _activation(net, unit, largest, x_n[None], of)[0]

        def best(free_n, start_key):
            def step(t, x_n):
                gradient_n = jax.grad(value)(x_n, (t < open_steps).astype(jnp.float32))
                # Its length counts along the simplex alone, which a feature of large
                # negative weight would otherwise dominate.
                shown_n = x_n > 0
                mean = (gradient_n * shown_n).sum() / jnp.maximum(shown_n.sum(), 1)
                moving_n = (shown_n | (gradient_n > mean)) & (free_n > 0)
                tangent_n = jnp.where(moving_n, gradient_n - mean, 0)
                length = jnp.maximum(jnp.linalg.norm(tangent_n), _TINY)
                moved_n = x_n + LENGTH * (1 - t / steps) * tangent_n / length
                return _onto_simplex(moved_n[None], free_n[None] > 0)[0]

            start_n = _random(start_key, (n,)) * free_n
            x_n = jax.lax.fori_loop(0, steps, step, start_n / jnp.maximum(start_n.sum(), _TINY))
            single_n = jax.nn.one_hot(x_n.argmax(), n)
            as_good = value(single_n) >= value(x_n) - _TIE * _positive(largest)
            return jnp.where(as_good, single_n, x_n)

        def next_input(carry, start_key):
            free_n, going = carry
            x_n = best(free_n, start_key)
            going = going & (active(x_n) >= threshold) & (free_n.sum() > 0)
            shown_n = (x_n > _SHOWN).astype(jnp.float32)
            return (free_n * (1 - shown_n), going), jnp.where(going, x_n, 0.0)

        keys = jax.random.split(unit_key, most)
        _, x_bn = jax.lax.scan(next_input, (jnp.ones(n), jnp.array(True)), keys)
        shown_b = x_bn.any(axis=1)
        return x_bn, _activation(net, unit, largest, x_bn, of) * shown_b

    keys = jax.random.split(key, len(unit_u))
    return Visualised(*jax.vmap(of_unit)(unit_u, largest_u, keys))


def _random(key: PRNGKeyArray, shape: tuple[int, ...]) -> Array:
    """Uniform on the simplex along the last axis: exponential variables over their sum."""
    drawn = jax.random.exponential(key, shape)
    return drawn / drawn.sum(axis=-1, keepdims=True)


def project(x_bn: Float[Array, "b n"]) -> Float[Array, "b n"]:
    """The nearest non-negative vectors of sum at most 1.

    The same as `optax.projections.projection_simplex` where the sum of the
    positive entries is above 1, without its sort, which took most of the time on
    a CPU: entries below the mean excess of the remaining ones are dropped until
    none is.

    Example:
      >>> project(jnp.array([[2.0, 1.5], [0.25, -1.0]])).tolist()
      [[0.75, 0.25], [0.25, 0.0]]

    Reference:
      Michelot (1986), A finite algorithm for finding the projection of a point
      onto the canonical simplex of R^n.
    """
    chex.assert_rank(x_bn, 2)
    positive_bn = jnp.maximum(x_bn, 0)
    inside_b1 = positive_bn.sum(axis=1, keepdims=True) <= 1
    return jnp.where(inside_b1, positive_bn, _onto_simplex(x_bn, jnp.ones(x_bn.shape, bool)))


def _onto_simplex(x_bn: Array, free_bn: Array) -> Array:
    """The nearest non-negative vectors of sum 1 whose entries are 0 where they are not free."""

    def excess(left_bn):
        total_b1 = jnp.where(left_bn, x_bn, 0).sum(axis=1, keepdims=True)
        return (total_b1 - 1) / jnp.maximum(left_bn.sum(axis=1, keepdims=True), 1)

    def drop(carry):
        left_bn, _ = carry
        fewer_bn = left_bn & (x_bn > excess(left_bn))
        return fewer_bn, (fewer_bn != left_bn).any()

    left_bn, _ = jax.lax.while_loop(lambda carry: carry[1], drop, (free_bn, jnp.array(True)))
    return jnp.where(left_bn, jnp.maximum(x_bn - excess(left_bn), 0), 0)


def _value(net: Model, unit, x_bn: Array, of: str, passing: ScalarLike) -> Float[Array, " b"]:
    """What is maximised; with `passing` 1 it has the gradient of softened neurons."""
    if of == "neuron":
        drive_b = x_bn @ net.w_mk[:, unit] + net.b_k[unit]
        return drive_b if _by_input(net) else _neuron(net, drive_b, passing)
    drive_bk = x_bn @ net.w_mk
    drive_bk = drive_bk + jnp.broadcast_to(net.b_k, drive_bk.shape)
    return _neuron(net, drive_bk, passing) @ net.w_ko[:, unit]


def _by_input(net: Model) -> bool:
    """Whether a neuron's input ranks inputs as its activation does, where that is not flat."""
    return NONLINEARITIES[net.nonlinearity].breaks == (0.0,)


def _neuron(net: Model, drive: Array, passing: ScalarLike) -> Array:
    active = NONLINEARITIES[net.nonlinearity].function(drive)
    softened = _SOFTNESS * jax.nn.softplus(drive / _SOFTNESS)
    change = softened - active
    return active + passing * (change - jax.lax.stop_gradient(change))


def _activation(net: Model, unit, largest, x_bn: Array, of: str) -> Float[Array, " b"]:
    """The unit's activation over its largest response; 0 if that is not positive."""
    value_b = _value(net, unit, x_bn, of, 0.0)
    if of == "neuron" and _by_input(net):
        value_b = NONLINEARITIES[net.nonlinearity].function(value_b)
    return jnp.where(largest > 0, value_b / _positive(largest), 0.0)


def _positive(largest: Array) -> Array:
    return jnp.where(largest > 0, largest, 1.0)


def _check(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name}={value!r} is not one of {', '.join(choices)}")
