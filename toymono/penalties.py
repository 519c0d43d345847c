"""Terms that are added to the task loss: the L1 norm of activations, and polysemantic penalties.

`polysemantic` is the penalty on labelled examples. On a toy model each feature,
presented alone, is an example with a label of its own; `PENALTIES` has a record
for every variant.
"""

import dataclasses
import math
from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from toymono.fields import TOY_CONFIG
from toymono.models import AnyModel
from toymono.records import Records
from toymono.tasks import TASKS, World


def activation_l1(hidden_bk: Float[Array, "b k"]) -> Float[Array, ""]:
    """L1 norm of the hidden activations, summed over neurons and averaged over the batch.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), section 4.1.3.
    """
    chex.assert_rank(hidden_bk, 2)
    # abs(h) = h sign(h), whose gradient at 0 is 0, as PyTorch has it; that of jnp.abs is 1.
    return (hidden_bk * jnp.sign(hidden_bk)).sum(axis=-1).mean()


# Keeps an example that activates no neuron from dividing by zero (Wright, `utils.py`).
_DELTA = 1e-9


def polysemantic(
    activations_bk: Float[Array, "b k"],
    labels_b: Int[Array, " b"],
    kind: str = "soft",
    classes: int | None = None,
) -> Float[Array, ""]:
    """How much examples with different labels share neurons, in one layer.

    Each example's activations are rescaled to a largest of 1,
    `x_i = a_i / (max_k a_ik + 1e-9)`, and the penalty is

        sum over pairs i < j with different labels of x_i · x_j / C(b, 2)

    where C(b, 2) counts all pairs, also those with equal labels. A network's
    penalty is the sum over its hidden layers. It is 0 if no neuron responds to
    two labels, and at most k times the fraction of pairs that differ. The pairs
    are never formed: with S_y the sum of x over the examples of label y and T
    over all, the sum is `sum_y S_y · (T - S_y) / 2`.

    `soft` is the penalty as published. `hard`, which its author proposed and
    did not build, counts the neurons that are active on both examples, x being
    1 where a > 0 and else 0; its gradient is that of `soft` at the counted
    values (straight through).

    Args:
      activations_bk: One layer's activations on a batch of at least two
        examples. What is below 0 counts as 0: under relu, nothing is.
      labels_b: The examples' classes.
      kind: `soft` or `hard`.
      classes: How many classes there are, if labels are 0 … classes - 1; this
        avoids a sort. Otherwise labels are any whole numbers.

    Raises:
      ValueError: The kind is not defined on labelled examples.

    Example:
      >>> activations_bk = jnp.array([[2.0, 0.0], [0.0, 4.0], [1.0, 1.0]])
      >>> round(float(polysemantic(activations_bk, jnp.array([0, 0, 1]))), 6)
      0.666667

    Note:
      Variants of the author's branch `polysemantic_penalisation` that are
      described here and not rebuilt: `soft_dot` means to divide by N (N - 1),
      but by operator precedence multiplies by N - 1, about 2.6e5 times too much
      at N = 512, and compares neurons instead of features, so that all but one
      neuron per feature die; `jacob` indexes neurons by the numbers of
      features; `hard_dot`, `all_for_one` and `frac_act` count, and have no
      gradient. The published README writes the sum over i and j ≠ i, each pair
      twice; its program, like this one, takes i < j.

    Reference:
      Wright, polysemantic-neurons (2022), `code/utils/utils.py`.
    """
    return per_neuron(activations_bk, labels_b, kind, classes).sum()


def per_neuron(
    activations_bk: Float[Array, "b k"],
    labels_b: Int[Array, " b"],
    kind: str = "soft",
    classes: int | None = None,
) -> Float[Array, " k"]:
    """Each neuron's term of `polysemantic`, which is their sum; arguments as there.

    One term can be nearly all: a neuron that is strongly active on every
    example costs no more than 1, and by the rescaling hides the layer's other
    neurons.
    """
    on_labels = [name for name, penalty in PENALTIES.items() if penalty.on_labels]
    if kind not in on_labels:
        raise ValueError(f"kind={kind!r} is not one of {', '.join(on_labels)}")
    chex.assert_rank([activations_bk, labels_b], [2, 1])
    chex.assert_equal_shape_prefix([activations_bk, labels_b], 1)
    b = len(labels_b)
    if classes is None:
        _, labels_b = jnp.unique(labels_b, size=b, return_inverse=True)
        classes = b
    x_bk = PENALTIES[kind].rescale(activations_bk)
    sum_yk = jax.ops.segment_sum(x_bk, labels_b, classes)
    return _shared(sum_yk) / math.comb(b, 2)


def _soft(activations_bk: Float[Array, "b k"]) -> Float[Array, "b k"]:
    """Each row divided by its maximum."""
    positive_bk = jax.nn.relu(activations_bk)
    return positive_bk / (positive_bk.max(axis=1, keepdims=True) + _DELTA)


def _hard(activations_bk: Float[Array, "b k"]) -> Float[Array, "b k"]:
    """1 where a neuron is active, else 0, with the gradient of `_soft`."""
    soft_bk = _soft(activations_bk)
    return (activations_bk > 0) + (soft_bk - jax.lax.stop_gradient(soft_bk))


def _shared(sum_yk: Float[Array, "y k"]) -> Float[Array, " k"]:
    """Sum over pairs of rows of their product, never below 0 for rows that are not."""
    return (sum_yk * (sum_yk.sum(axis=0, keepdims=True) - sum_yk)).sum(axis=0) / 2


# On the features of a toy model.


def _responses(model: AnyModel, world: World, alone_nm: Float[Array, "n m"]) -> Float[Array, "n k"]:
    """Activations on inputs with a single feature each, over both signs if features have them."""
    return TASKS[world.task].sum_over_signs(model.neurons, alone_nm)


def _mean_of_pairs(x_nk: Float[Array, "n k"]) -> Float[Array, ""]:
    """Mean over all pairs of features of the product of their rows."""
    return _shared(x_nk).sum() / max(1, math.comb(len(x_nk), 2))


def _none_on_features(model: AnyModel, world: World, key: PRNGKeyArray) -> Float[Array, ""]:
    return jnp.zeros((), jnp.float32)


def _soft_on_features(model: AnyModel, world: World, key: PRNGKeyArray) -> Float[Array, ""]:
    """`polysemantic` on features at full strength."""
    return _mean_of_pairs(_soft(_responses(model, world, world.embed_nm)))


def _hard_on_features(model: AnyModel, world: World, key: PRNGKeyArray) -> Float[Array, ""]:
    """`polysemantic` of kind `hard` on features at full strength."""
    return _mean_of_pairs(_hard(_responses(model, world, world.embed_nm)))


def _random_amplitude_on_features(
    model: AnyModel, world: World, key: PRNGKeyArray
) -> Float[Array, ""]:
    """`soft`, each feature at an amplitude uniform in [0, 1), drawn anew in each step.

    It also reaches neurons that respond to a feature only when it is faint.
    """
    amplitude_key, *_ = jax.random.split(key, 4)
    amplitude_n1 = jax.random.uniform(amplitude_key, (len(world.embed_nm), 1), jnp.float32)
    return _mean_of_pairs(_soft(_responses(model, world, amplitude_n1 * world.embed_nm)))


def _multi_feature_on_features(
    model: AnyModel, world: World, key: PRNGKeyArray
) -> Float[Array, ""]:
    """`soft`, plus the mean over features f of `x_f · z_f`.

    x_f are the rescaled activations on feature f alone, z_f those on an input
    that lacks f and holds every other feature with a probability uniform in
    [0, 1), drawn anew for each f, at an amplitude uniform in [0, 1), with
    random signs if features are signed. It is 0 only if f's neurons are also
    inactive whenever f is absent.
    """
    n = len(world.embed_nm)
    _, density_key, present_key, amplitude_key = jax.random.split(key, 4)
    x_nk = _soft(_responses(model, world, world.embed_nm))
    low = -1.0 if TASKS[world.task].signed else 0.0
    density_n1 = jax.random.uniform(density_key, (n, 1), jnp.float32)
    present_nn = jax.random.uniform(present_key, (n, n), jnp.float32) < density_n1
    others_nn = present_nn * jax.random.uniform(amplitude_key, (n, n), jnp.float32, low)
    others_nn = jnp.fill_diagonal(others_nn, 0.0, inplace=False)
    z_nk = _soft(model.neurons(world.inputs(others_nn)))
    return _mean_of_pairs(x_nk) + (x_nk * z_nk).sum() / n


# Elements as XLA's own account has them: the responses, rescaled, and their
# gradients; `multi_feature` has them twice, and an input for each feature.
def _none_elements(n: int, k: int) -> int:
    return 0


def _elements(n: int, k: int) -> int:
    return 3 * n * k


def _multi_feature_elements(n: int, k: int) -> int:
    return 7 * n * k + 5 * n * n


@dataclasses.dataclass(frozen=True)
class Penalty:
    """A polysemantic penalty, to be added to the loss with weight alpha."""

    on_features: Callable[[AnyModel, World, PRNGKeyArray], Float[Array, ""]]
    """The penalty of a toy model, from the model, its world and a key.

    Each feature alone is an example with its own label, so that every pair of
    features counts. If features are signed, one alone is presented with both
    signs, and the activations are added, as in `scores.responses`. The range is
    [0, k], for `multi_feature` [0, 2k].
    """
    draws: bool = False
    """Whether `on_features` depends on its key."""
    on_labels: bool = False
    """Whether it is defined on labelled examples, in `polysemantic`."""
    rescale: Callable[[Float[Array, "b k"]], Float[Array, "b k"]] = _soft
    """Activations of each example, as the penalty compares them."""
    elements: Callable[[int, int], int] = _elements
    """From n and k the number of array elements that its value and gradient take in memory."""


PENALTIES: Records[Penalty] = Records(
    "penalty",
    {
        "none": Penalty(
            _none_on_features, draws=False, on_labels=False, rescale=_soft, elements=_none_elements
        ),
        "soft": Penalty(
            _soft_on_features, draws=False, on_labels=True, rescale=_soft, elements=_elements
        ),
        "hard": Penalty(
            _hard_on_features, draws=False, on_labels=True, rescale=_hard, elements=_elements
        ),
        "soft_random_amplitude": Penalty(
            _random_amplitude_on_features,
            draws=True,
            on_labels=False,
            rescale=_soft,
            elements=_elements,
        ),
        "multi_feature": Penalty(
            _multi_feature_on_features,
            draws=True,
            on_labels=False,
            rescale=_soft,
            elements=_multi_feature_elements,
        ),
    },
    TOY_CONFIG["penalty"],
)
"""By the name in `Config.penalty`.

Reference:
  Wright, polysemantic-neurons, branch `polysemantic_penalisation`:
  `soft_dot_choose_2`, `soft_dot_choose_2_rand_act`, and, for `multi_feature`,
  in the spirit of `sfa_abofa_dot`, whose second input holds all features but one.
"""
