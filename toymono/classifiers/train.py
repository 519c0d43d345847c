"""Training on labelled data: one pure `fit`, and `jit(vmap(fit))` over alphas and seeds.

An epoch is a pass through a fresh permutation of the training examples. The
loss is the mean cross-entropy plus alpha times the polysemantic penalty, summed
over the hidden layers. Accuracy is arg-max accuracy: the mean over outputs of
whether each is right, which others report, is 82 % for a network that always
answers the same class.
"""

import functools
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from toymono import penalties, scores
from toymono.classifiers import network
from toymono.classifiers.config import ClassifierConfig, ClassifierHyperparams
from toymono.classifiers.data import CLASSES, Dataset
from toymono.classifiers.network import Params

# Wright: tensorflow_model_optimization's polynomial decay, of power 3, every 10 steps.
_FIRST_SPARSITY, _LAST_SPARSITY, _PRUNE_EVERY = 0.5, 0.9, 10


@flax.struct.dataclass
class Measures:
    """What is measured after each epoch, on the test examples unless said otherwise."""

    accuracy: Float[Array, "*e"]
    """Share of examples whose largest logit is that of their class."""
    cross_entropy: Float[Array, "*e"]
    penalty_l: Float[Array, "*e l"]
    """The polysemantic penalty of each hidden layer, whether or not it was trained on."""
    alive_l: Int[Array, "*e l"]
    """Neurons of each hidden layer that fire on some example."""
    answers: Int[Array, "*e"]
    """How many of the classes the network answers at least once."""
    train_loss: Float[Array, "*e"]
    """Mean over the epoch's steps of what was minimised, before each step's update."""


@flax.struct.dataclass
class ClassifierState:
    """A run in training: all that changes from epoch to epoch."""

    params: Params
    optimizer: Any
    """State of the optax transformation."""
    kept: Params
    """1 for each weight that is in use, 0 for those pruned."""
    key: PRNGKeyArray
    """What the permutations are drawn from, each with its epoch folded in."""


@flax.struct.dataclass
class ClassifierRun:
    """A trained classifier with its history; `[r]` leads every array when stacked."""

    config: ClassifierConfig
    hyperparams: ClassifierHyperparams
    key: PRNGKeyArray
    params: Params
    history: Measures
    """After each epoch, `[e]`."""

    @property
    def seed(self) -> int:
        """The s of `jax.random.key(s)`."""
        return int(jax.random.key_data(self.key)[-1])


def begin(
    config: ClassifierConfig, hyperparams: ClassifierHyperparams, data: Dataset, key: PRNGKeyArray
) -> ClassifierState:
    """The untrained state that `key` stands for."""
    init_key, order_key = jax.random.split(key)
    params = network.init(config, data.train_bhw.shape[1:], init_key)
    return ClassifierState(
        params=params,
        optimizer=optax.adam(hyperparams.learning_rate).init(params),
        kept=jax.tree.map(jnp.ones_like, params),
        key=order_key,
    )


@scores.precise
def advance(
    config: ClassifierConfig,
    hyperparams: ClassifierHyperparams,
    data: Dataset,
    state: ClassifierState,
    epoch: Int[Array, ""] | int,
) -> tuple[ClassifierState, Measures]:
    """Trains for epoch number `epoch`, counted from 0: the one training loop."""
    steps = steps_per_epoch(config, data)
    order_b = jax.random.permutation(jax.random.fold_in(state.key, epoch), len(data.train_label_b))
    order_tb = order_b[: steps * config.batch_size].reshape(steps, config.batch_size)

    def step(state: ClassifierState, step_and_order):
        step, order_b = step_and_order
        loss, grads = jax.value_and_grad(_objective, argnums=2)(
            config,
            hyperparams.alpha,
            state.params,
            data.train_bhw[order_b],
            data.train_label_b[order_b],
        )
        updates, optimizer = optax.adam(hyperparams.learning_rate).update(grads, state.optimizer)
        params, kept = optax.apply_updates(state.params, updates), state.kept
        if config.prune_epochs:
            params, kept = _prune(params, kept, step - config.epochs * steps, config, steps)
        return state.replace(params=params, optimizer=optimizer, kept=kept), loss

    state, loss_t = jax.lax.scan(step, state, (epoch * steps + jnp.arange(steps), order_tb))
    return state, measure(config, state.params, data).replace(train_loss=loss_t.mean())


def steps_per_epoch(config: ClassifierConfig, data: Dataset) -> int:
    """Whole batches in the training examples.

    Raises:
      ValueError: There is none.
    """
    examples = len(data.train_label_b)
    if examples < config.batch_size:
        raise ValueError(f"batch_size={config.batch_size} is more than {examples} examples")
    return examples // config.batch_size


def measure(config: ClassifierConfig, params: Params, data: Dataset) -> Measures:
    """The measures on the test examples; `train_loss` is NaN."""
    logits_by, activations, _ = network.answers(config, params, data.test_bhw)
    answer_b = logits_by.argmax(axis=1)
    return Measures(
        accuracy=(answer_b == data.test_label_b).mean(),
        cross_entropy=_cross_entropy(logits_by, data.test_label_b),
        penalty_l=_penalty_l(config, activations, data.test_label_b),
        alive_l=jnp.stack([(a_bk > 0).any(axis=0).sum() for a_bk in activations]),
        answers=(jnp.bincount(answer_b, length=CLASSES) > 0).sum(),
        train_loss=jnp.nan,
    )


def fit(
    config: ClassifierConfig, hyperparams: ClassifierHyperparams, data: Dataset, key: PRNGKeyArray
) -> ClassifierRun:
    """Trains one classifier from scratch. Pure: `jax.vmap` it over hyperparams and keys.

    Raises:
      ValueError: A hyperparam is out of range, or the data hold less than a batch.

    Example:
      >>> from toymono.classifiers import data
      >>> config = ClassifierConfig(sizes=(16,), epochs=2)
      >>> hyperparams = ClassifierHyperparams(alpha=0.01)
      >>> run = fit(config, hyperparams, data.load("digits"), jax.random.key(0))
      >>> run.history.accuracy.shape
      (2,)
    """
    return _fit(config, hyperparams.checked(), data, key)


@jax.jit
def _fit(config, hyperparams, data, key) -> ClassifierRun:
    state = begin(config, hyperparams, data, key)
    epochs = jnp.arange(config.epochs + config.prune_epochs)
    state, history = jax.lax.scan(
        functools.partial(advance, config, hyperparams, data), state, epochs
    )
    return ClassifierRun(config, hyperparams, key, state.params, history)


def fit_many(
    config: ClassifierConfig, hyperparams: ClassifierHyperparams, data: Dataset, keys: PRNGKeyArray
) -> ClassifierRun:
    """Trains many classifiers in one program: `jit(vmap(fit))`.

    Args:
      config: Shared by all runs.
      hyperparams: Each hyperparam `[r]`, or a scalar that all runs share.
      data: Shared by all runs.
      keys: One key for each run, `[r]`.

    Returns:
      A `ClassifierRun` whose arrays are stacked, `[r …]`.
    """
    return _fit_many(config, spread(hyperparams, keys), data, keys)


def spread(hyperparams: ClassifierHyperparams, keys: PRNGKeyArray) -> ClassifierHyperparams:
    """Checked hyperparams, each `[r]` like the keys."""
    return jax.tree.map(
        lambda hyperparam: jnp.broadcast_to(hyperparam, keys.shape), hyperparams.checked()
    )


_fit_many = jax.jit(jax.vmap(_fit, in_axes=(None, 0, None, 0)))

begin_many = jax.jit(jax.vmap(begin, in_axes=(None, 0, None, 0)))
"""`begin` for stacked hyperparams and keys."""

advance_many = jax.jit(jax.vmap(advance, in_axes=(None, 0, None, 0, None)), donate_argnums=3)
"""`advance` for a group of runs; the state that goes in is used up."""


def _objective(config, alpha, params, images_bhw, label_b) -> Float[Array, ""]:
    logits_by, activations, _ = network.build(config).apply({"params": params}, images_bhw)
    shared = _penalty_l(config, activations, label_b).sum()
    return _cross_entropy(logits_by, label_b) + alpha * shared


def _cross_entropy(logits_by, label_b) -> Float[Array, ""]:
    return optax.softmax_cross_entropy_with_integer_labels(logits_by, label_b).mean()


def _penalty_l(config, activations, label_b) -> Float[Array, " l"]:
    return jnp.stack(
        [penalties.polysemantic(a_bk, label_b, config.penalty, CLASSES) for a_bk in activations]
    )


def _prune(params, kept, step, config, steps_per_epoch):
    """The parameters with the smallest weights at 0, and what is kept, after a step of pruning.

    Pruning begins at step 0; before it nothing is pruned. Each kernel is pruned
    by itself; biases are not.
    """
    last = config.prune_epochs * steps_per_epoch - 1
    done = jnp.clip(step / max(last, 1), 0.0, 1.0)
    sparsity = _LAST_SPARSITY + (_FIRST_SPARSITY - _LAST_SPARSITY) * (1 - done) ** 3

    def smallest(weight):
        if weight.ndim == 1:
            return jnp.ones_like(weight)
        sorted_ = jnp.sort(abs(weight).ravel())
        floor = sorted_[jnp.minimum((sparsity * weight.size).astype(int), weight.size - 1)]
        return (abs(weight) >= floor).astype(weight.dtype)

    due = (step >= 0) & ((step % _PRUNE_EVERY == 0) | (step == last))
    kept = jax.lax.cond(due, lambda: jax.tree.map(smallest, params), lambda: kept)
    return jax.tree.map(jnp.multiply, params, kept), kept


def status(run: ClassifierRun, test_label_b: Int[np.ndarray, " b"]) -> str:
    """What became of one run: learned, collapsed, dead or diverged.

    `diverged`: a parameter or a measure is not finite. `dead`: in some hidden
    layer no neuron fires on any test example. `collapsed`: the test accuracy is
    that of chance, less than three standard errors above the share of the most
    frequent class, or half of the classes are never answered. Only runs that
    learned belong in a mean. The bounds are our choice.
    """
    last = jax.tree.map(lambda leaf: np.asarray(leaf)[-1], run.history)
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((run.params, last))):
        return "diverged"
    if not last.alive_l.all():
        return "dead"
    chance = np.bincount(test_label_b).max() / len(test_label_b)
    bound = chance + 3 * np.sqrt(chance * (1 - chance) / len(test_label_b))
    collapsed = last.accuracy < bound or last.answers <= CLASSES / 2
    return "collapsed" if collapsed else "learned"
