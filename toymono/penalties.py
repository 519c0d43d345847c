"""What joins the task loss of a training step."""

import math

import chex
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from toymono.features import World
from toymono.models import Model


def activation_l1(hidden_bk: Float[Array, "b k"]) -> Float[Array, ""]:
    """L1 norm of the hidden activations, summed over neurons and averaged over the batch.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), section 4.1.3.
    """
    # abs(h) = h sign(h), whose gradient at 0 is 0, as PyTorch has it; that of jnp.abs is 1.
    return (hidden_bk * jnp.sign(hidden_bk)).sum(axis=-1).mean()


KINDS = ("soft", "hard", "soft_random_amplitude", "multi_feature")
"""The polysemantic penalties on the toy model; labelled data knows the first two."""

# Keeps an example that no neuron answers to from dividing by zero (Wright, `utils.py`).
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

    with all pairs in the divisor, those of one label too. A network's penalty is
    the sum over its hidden layers. It is 0 if no neuron serves two labels, and
    at most k times the share of pairs that differ. The pairs are never formed:
    with S_y the sum of x over the examples of label y and T over all, the sum is
    `sum_y S_y · (T - S_y) / 2`.

    `soft` is the penalty as published. `hard`, which its author proposed and
    did not build, counts the neurons that both examples fire, x being 1 where
    a > 0 and else 0; its gradient is that of `soft` at the counted values
    (straight through).

    Args:
      activations_bk: One layer's activations on a batch of at least two
        examples. What is below 0 counts as 0: under relu, nothing is.
      labels_b: The examples' classes.
      kind: `soft` or `hard`.
      classes: If known, how many there are, labels being 0 … classes - 1; it
        spares a sort. Otherwise labels are any whole numbers.

    Raises:
      ValueError: The kind is neither.

    Example:
      >>> activations_bk = jnp.array([[2.0, 0.0], [0.0, 4.0], [1.0, 1.0]])
      >>> round(float(polysemantic(activations_bk, jnp.array([0, 0, 1]))), 6)
      0.666667

    Note:
      Variants on record that we describe and do not rebuild, in the author's
      branch `polysemantic_penalisation`: `soft_dot` means to divide by
      N (N - 1), but by operator precedence multiplies by N - 1, about 2.6e5
      times too much at N = 512, and compares neurons instead of features, so
      that it drives all but one neuron per feature to death; `jacob` looks up
      neurons by the numbers of features; `hard_dot`, `all_for_one` and
      `frac_act` count, and have no gradient. The published README writes the
      sum over i and j ≠ i, each pair twice; the program, and we, take i < j.

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
    """Each neuron's part of `polysemantic`, which is their sum; arguments as there.

    One part can be nearly all: a neuron that fires strongly on every example
    costs no more than 1, and by the rescaling hides the layer's other neurons.
    """
    if kind not in ("soft", "hard"):
        raise ValueError(f"kind={kind!r} is not one of soft, hard")
    chex.assert_rank([activations_bk, labels_b], [2, 1])
    b = len(labels_b)
    if classes is None:
        _, labels_b = jnp.unique(labels_b, size=b, return_inverse=True)
        classes = b
    x_bk = _rescaled(activations_bk, kind)
    sum_yk = jax.ops.segment_sum(x_bk, labels_b, classes)
    return _shared(sum_yk) / math.comb(b, 2)


def on_features(kind: str, model: Model, world: World, key: PRNGKeyArray) -> Float[Array, ""]:
    """The polysemantic penalty of a toy model, a feature alone playing the part of a class.

    The n examples are the features one at a time, each its own label, so that
    every pair counts. With x_f the model's rescaled activations on feature f:

    `soft`, `hard`: as `polysemantic`, on features at full strength.
    `soft_random_amplitude`: each at an amplitude uniform in [0, 1), drawn anew,
    which also reaches neurons that fire on a faint feature only.
    `multi_feature`: `soft`, plus the mean over features of `x_f · z_f`, where
    z_f are the rescaled activations on an input that lacks f and holds every
    other feature with a probability uniform in [0, 1), drawn anew for each f, at
    an amplitude uniform in [0, 1). It is 0 only if f's neurons also stay silent
    whenever f is absent. Its range is [0, 2k], that of the others [0, k].

    For `abs`, a feature alone is both its signs, and the responses add up, as
    in `scores.responses`; the input that lacks f has random signs.

    Args:
      kind: One of `KINDS`.
      model: Its gradient is wanted, as a rule.
      world: How features enter it.
      key: For the kinds that draw; `soft` and `hard` ignore it.

    Raises:
      ValueError: The kind is not one of `KINDS`.

    Reference:
      Wright, polysemantic-neurons, branch `polysemantic_penalisation`:
      `soft_dot_choose_2`, `soft_dot_choose_2_rand_act`, and in the spirit of
      `sfa_abofa_dot`, whose second input holds all features but one.
    """
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} is not one of {', '.join(KINDS)}")
    n = len(world.embed_nm)
    alone_key, density_key, present_key, amplitude_key = jax.random.split(key, 4)
    alone_nm = world.embed_nm
    if kind == "soft_random_amplitude":
        alone_nm = jax.random.uniform(alone_key, (n, 1), jnp.float32) * alone_nm
    response_nk = model.neurons(alone_nm)
    if world.task == "abs":
        response_nk = response_nk + model.neurons(-alone_nm)
    x_nk = _rescaled(response_nk, "hard" if kind == "hard" else "soft")
    penalty = _shared(x_nk).sum() / max(1, math.comb(n, 2))
    if kind == "multi_feature":
        low = -1.0 if world.task == "abs" else 0.0
        density_n1 = jax.random.uniform(density_key, (n, 1), jnp.float32)
        present_nn = jax.random.uniform(present_key, (n, n), jnp.float32) < density_n1
        others_nn = present_nn * jax.random.uniform(amplitude_key, (n, n), jnp.float32, low)
        others_nn = jnp.fill_diagonal(others_nn, 0.0, inplace=False)
        z_nk = _rescaled(model.neurons(world.inputs(others_nn)), "soft")
        penalty = penalty + (x_nk * z_nk).sum() / n
    return penalty


def _rescaled(activations_bk: Float[Array, "b k"], kind: str) -> Float[Array, "b k"]:
    """Each row divided by its maximum; for `hard` 0 or 1, with the same gradient."""
    fired_bk = jax.nn.relu(activations_bk)
    soft_bk = fired_bk / (fired_bk.max(axis=1, keepdims=True) + _DELTA)
    if kind == "soft":
        return soft_bk
    return (fired_bk > 0) + (soft_bk - jax.lax.stop_gradient(soft_bk))


def _shared(sum_yk: Float[Array, "y k"]) -> Float[Array, " k"]:
    """Sum over pairs of rows of their product, never below 0 for rows that are not."""
    return (sum_yk * (sum_yk.sum(axis=0) - sum_yk)).sum(axis=0) / 2
