"""Training of classifiers, analogous to `toymono.train`; a step of a run is an epoch.

An epoch is a pass through a new permutation of the training examples. The
loss is the mean cross-entropy plus alpha times the polysemantic penalty, summed
over the hidden layers. Accuracy is arg-max accuracy: the mean over outputs of
whether each is right, which others report, is 82 % for a network that always
predicts the same class.
"""

from typing import Any

import chex
import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from toymono import batching, masks, penalties, scores
from toymono.classifiers import network
from toymono.classifiers.config import ClassifierConfig, ClassifierHyperparams
from toymono.classifiers.data import CLASSES, Dataset
from toymono.classifiers.network import Dropout, Params

# Wright: tensorflow_model_optimization's polynomial decay, of power 3, every 10 steps.
_FIRST_SPARSITY, _LAST_SPARSITY, _PRUNE_EVERY = 0.5, 0.9, 10


# Separates the draws of dropout from the permutation of an epoch, whose key it is folded into.
_DROPOUT = 2**31 - 2


class Measures(flax.struct.PyTreeNode):
    """What is measured after each epoch, on the test examples unless said otherwise."""

    accuracy: Float[Array, "*e"]
    """Fraction of examples whose largest logit is that of their class."""
    cross_entropy: Float[Array, "*e"]
    penalty_l: Float[Array, "*e l"]
    """The polysemantic penalty of each hidden layer, whether or not it was trained on."""
    alive_l: Int[Array, "*e l"]
    """Neurons of each hidden layer that are active on some example."""
    answers: Int[Array, "*e"]
    """How many of the classes the network predicts for at least one example."""
    train_loss: Float[Array, "*e"]
    """Mean over the epoch's steps of what was minimised, dropout included, before each update."""


class ClassifierState(flax.struct.PyTreeNode):
    """A run in training: all that changes from epoch to epoch."""

    params: Params
    optimizer: Any
    """State of the optax transformation."""
    mask: Params
    """1 for each weight that is in use, 0 for those pruned."""
    history: Measures
    """After each epoch taken so far, `[e …]`; NaN, or 0 for counts, for those to come."""
    step: Int[Array, "*r"]
    """Epochs taken so far."""
    key: Array
    """What the permutations are drawn from, each with its epoch folded in."""


class ClassifierRun(batching.OneRun, flax.struct.PyTreeNode):
    """A trained classifier with its history; `[r]` leads every array when stacked."""

    config: ClassifierConfig
    hyperparams: ClassifierHyperparams
    key: Array
    params: Params
    history: Measures
    """After each epoch, `[e …]`."""
    fingerprint: str = flax.struct.field(pytree_node=False, default="")
    """Of the data set, as in `data.Dataset`."""

    @property
    def diverged(self) -> int | None:
        """Epoch in which a measure, or after the last epoch a parameter, was first not finite.

        Raises:
          ValueError: The run is stacked.
        """
        self.refuse_stacked("diverged")
        return batching.first_not_finite(self.history, self.params)


@jax.jit
def begin(
    config: ClassifierConfig,
    hyperparams: ClassifierHyperparams,
    dataset: Dataset,
    key: PRNGKeyArray,
) -> ClassifierState:
    """The untrained state that `key` determines."""
    batching.refuse_stacked(hyperparams)
    init_key, order_key = jax.random.split(key)
    params = network.init(config, dataset.train_bhw.shape[1:], init_key)
    layers = len(config.sizes)
    not_yet_e = jnp.full(config.steps, jnp.nan, jnp.float32)
    return ClassifierState(
        params=params,
        optimizer=optax.adam(hyperparams.learning_rate).init(params),
        mask=jax.tree.map(jnp.ones_like, params),
        history=Measures(
            accuracy=not_yet_e,
            cross_entropy=not_yet_e,
            penalty_l=jnp.full((config.steps, layers), jnp.nan, jnp.float32),
            alive_l=jnp.zeros((config.steps, layers), jnp.int32),
            answers=jnp.zeros(config.steps, jnp.int32),
            train_loss=not_yet_e,
        ),
        step=jnp.zeros((), jnp.int32),
        key=order_key,
    )


@jax.jit
@scores.precise
def advance(
    config: ClassifierConfig,
    hyperparams: ClassifierHyperparams,
    dataset: Dataset,
    state: ClassifierState,
    epochs: Int[Array, ""] | int,
) -> ClassifierState:
    """Trains on for `epochs` epochs: the one training loop of classifiers.

    `epochs` is an ordinary argument of one compiled loop, so that segments of
    any length run the same code.

    Raises:
      ValueError: The data hold less than a batch, or hyperparameters are stacked.

    Example:
      >>> from toymono.classifiers import data
      >>> config, digits = ClassifierConfig(sizes=(16,), epochs=2), data.load("digits")
      >>> state = begin(config, ClassifierHyperparams(), digits, jax.random.key(0))
      >>> state = advance(config, ClassifierHyperparams(), digits, state, 1)
      >>> state.step.item(), jnp.isnan(state.history.train_loss).tolist()
      (1, [False, True])
    """
    batching.refuse_stacked(hyperparams)
    steps = steps_per_epoch(config, dataset)
    train_bhw, train_label_b = jnp.asarray(dataset.train_bhw), jnp.asarray(dataset.train_label_b)

    def epoch(_, state: ClassifierState) -> ClassifierState:
        epoch_key = jax.random.fold_in(state.key, state.step)
        order_b = jax.random.permutation(epoch_key, len(train_label_b))
        order_tb = order_b[: steps * config.batch_size].reshape(steps, config.batch_size)
        start = state.step * steps

        def step(state: ClassifierState, step_and_order):
            step, order_b = step_and_order
            dropout = None
            if config.dropout == "on":
                dropout_key = jax.random.fold_in(epoch_key, _DROPOUT)
                dropout_key = jax.random.fold_in(dropout_key, step - start)
                dropout = Dropout(hyperparams.dropout_rate, dropout_key)
            loss, grads = jax.value_and_grad(_objective, argnums=2)(
                config,
                hyperparams.alpha,
                state.params,
                train_bhw[order_b],
                train_label_b[order_b],
                dropout,
            )
            optimizer = optax.adam(hyperparams.learning_rate)
            updates, optimizer_state = optimizer.update(grads, state.optimizer)
            params, mask = optax.apply_updates(state.params, updates), state.mask
            if config.prune_epochs:
                params, mask = _prune(params, mask, step - config.epochs * steps, config, steps)
            return state.replace(params=params, optimizer=optimizer_state, mask=mask), loss

        state, loss_t = jax.lax.scan(step, state, (start + jnp.arange(steps), order_tb))
        measured = measure(config, state.params, dataset).replace(train_loss=loss_t.mean())
        history = jax.tree.map(
            lambda all_e, now: all_e.at[state.step].set(now), state.history, measured
        )
        return state.replace(history=history, step=state.step + 1)

    return jax.lax.fori_loop(0, epochs, epoch, state)


def steps_per_epoch(config: ClassifierConfig, dataset: Dataset) -> int:
    """Whole batches in the training examples.

    Raises:
      ValueError: There is none.
    """
    examples = len(dataset.train_label_b)
    if examples < config.batch_size:
        raise ValueError(f"batch_size={config.batch_size} is more than {examples} examples")
    return examples // config.batch_size


def measure(config: ClassifierConfig, params: Params, dataset: Dataset) -> Measures:
    """The measures on the test examples; `train_loss` is NaN."""
    label_b = jnp.asarray(dataset.test_label_b)
    chex.assert_rank([dataset.test_bhw, label_b], [3, 1])
    logits_by, activations, _ = network.outputs(config, params, dataset.test_bhw)
    predicted_b = logits_by.argmax(axis=1)
    return Measures(
        accuracy=(predicted_b == label_b).mean(),
        cross_entropy=_cross_entropy(logits_by, label_b),
        penalty_l=_penalty_l(config, activations, label_b),
        alive_l=jnp.stack([(a_bk > 0).any(axis=0).sum() for a_bk in activations]),
        answers=(jnp.bincount(predicted_b, length=CLASSES) > 0).sum(),
        train_loss=jnp.full((), jnp.nan),
    )


def fit(
    config: ClassifierConfig,
    hyperparams: ClassifierHyperparams,
    dataset: Dataset,
    key: PRNGKeyArray,
) -> ClassifierRun:
    """Trains one classifier from scratch. Pure: `jax.vmap` it over hyperparams and keys.

    Args:
      config: Shape and code of the run.
      hyperparams: Its numbers.
      dataset: From `data.load(config.data)`.
      key: Determines all that is random about it.

    Raises:
      ValueError: A hyperparameter is out of range, hyperparams or keys are
        stacked, or the data hold less than a batch.
      TypeError: The key is not a PRNG key.

    Example:
      >>> from toymono.classifiers import data
      >>> config = ClassifierConfig(sizes=(16,), epochs=2)
      >>> hyperparams = ClassifierHyperparams(alpha=0.01)
      >>> run = fit(config, hyperparams, data.load("digits"), jax.random.key(0))
      >>> run.history.accuracy.shape
      (2,)
    """
    batching.refuse_others(config, hyperparams, (ClassifierConfig, ClassifierHyperparams))
    return _fit(config, hyperparams.checked(), dataset, batching.one_key(key))


@jax.jit
def _fit(config, hyperparams, dataset, key) -> ClassifierRun:
    state = begin(config, hyperparams, dataset, key)
    state = advance(config, hyperparams, dataset, state, config.steps)
    return ClassifierRun(config, hyperparams, key, state.params, state.history, dataset.fingerprint)


def fit_many(
    config: ClassifierConfig,
    hyperparams: ClassifierHyperparams,
    dataset: Dataset,
    keys: PRNGKeyArray,
) -> ClassifierRun:
    """Trains many classifiers in one program: `jit(vmap(fit))`.

    The last digits of a run depend on how many runs are in the batch, and
    training amplifies them; those of the sweep command do not.

    Args:
      config: Shared by all runs.
      hyperparams: Each `[r]`, or a scalar that all runs share.
      dataset: Shared by all runs.
      keys: One key for each run, `[r]`.

    Returns:
      A `ClassifierRun` whose arrays are stacked, `[r …]`.

    Raises:
      ValueError: A hyperparameter is out of range, or its length is not that of the keys.
      TypeError: The keys are not PRNG keys.
    """
    batching.refuse_others(config, hyperparams, (ClassifierConfig, ClassifierHyperparams))
    hyperparams, keys = batching.broadcast(hyperparams, keys)
    return _fit_many(config, hyperparams, dataset, keys)


_fit_many = jax.jit(jax.vmap(_fit, in_axes=(None, 0, None, 0)))


def _objective(config, alpha, params, images_bhw, label_b, dropout) -> Float[Array, ""]:
    outputs: Any = network.build(config).apply({"params": params}, images_bhw, dropout=dropout)
    logits_by, activations, _ = outputs
    penalty = _penalty_l(config, activations, label_b).sum()
    return _cross_entropy(logits_by, label_b) + alpha * penalty


def _cross_entropy(logits_by, label_b) -> Float[Array, ""]:
    return optax.softmax_cross_entropy_with_integer_labels(logits_by, label_b).mean()


def _penalty_l(config, activations, label_b) -> Float[Array, " l"]:
    return jnp.stack(
        [penalties.polysemantic(a_bk, label_b, config.penalty, CLASSES) for a_bk in activations]
    )


def _prune(params, mask, step, config, steps_per_epoch):
    """The parameters with the smallest weights at 0, and the mask, after a step of pruning.

    Pruning begins at step 0; before it nothing is pruned. Each kernel is pruned
    by itself; biases are not.
    """
    last = config.prune_epochs * steps_per_epoch - 1
    done = jnp.clip(step / max(last, 1), 0.0, 1.0)
    sparsity = _LAST_SPARSITY + (_FIRST_SPARSITY - _LAST_SPARSITY) * (1 - done) ** 3

    def largest(weight):
        if weight.ndim == 1:
            return jnp.ones_like(weight)
        pruned = (sparsity * weight.size).astype(int)
        return masks.largest(abs(weight), weight.size - pruned).astype(weight.dtype)

    due = (step >= 0) & ((step % _PRUNE_EVERY == 0) | (step == last))
    mask = jax.lax.cond(due, lambda: jax.tree.map(largest, params), lambda: mask)
    return jax.tree.map(jnp.multiply, params, mask), mask


def status(run: ClassifierRun, test_label_b: Int[np.ndarray, " b"]) -> str:
    """The outcome of one run: learned, collapsed, dead or diverged.

    `diverged`: a parameter or a measure is not finite. `dead`: some hidden
    layer has no neuron that is active on any test example. `collapsed`: the test
    accuracy is that of chance, less than three standard errors above the
    fraction of the most frequent class, or half of the classes are never
    predicted. Only runs that learned belong in a mean. The bounds are our choice.
    """
    if run.diverged is not None:
        return "diverged"
    last = jax.tree.map(lambda leaf: np.asarray(leaf)[-1], run.history)
    if not last.alive_l.all():
        return "dead"
    chance = np.bincount(test_label_b).max() / len(test_label_b)
    bound = chance + 3 * np.sqrt(chance * (1 - chance) / len(test_label_b))
    collapsed = last.accuracy < bound or last.answers <= CLASSES / 2
    return "collapsed" if collapsed else "learned"
