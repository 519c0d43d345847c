"""Neurons of two models matched with each other, and the line between two models.

A two-layer model computes the same function with its neurons in any order, and
under relu with each neuron's input weights and bias multiplied by a positive
number and its output weights divided by it. Two models are compared modulo
these symmetries: `align` finds the best order exactly, since the distance
between two models of one hidden layer is a sum over matched neurons; `balanced`
and `rescaled` choose the factors. A skip path has no neurons to permute: it is
interpolated as it is, although any invertible mixture of its s dimensions computes the same.

Reference:
  Ainsworth, Hayase & Srinivasa (2022), Git Re-Basin, for matching weights and
  activations; Entezari et al. (2021) for the question. Factors and contributions
  are ours.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, ScalarLike
from scipy.optimize import linear_sum_assignment

from toymono.models import AnyModel, Model, SkipModel, permute

__all__ = ["MATCHINGS", "align", "balanced", "cost", "interpolate", "permute", "rescaled"]

Halves = tuple[np.ndarray, np.ndarray]
"""`[k m+1]`, input weights with biases, and `[k o]`, output weights, in float64."""


def halves(model: Model) -> Halves:
    """Each neuron's input weights and bias as one vector, and its output weights."""
    model.assert_single()
    into_k = np.vstack([np.asarray(model.w_mk), np.asarray(model.b_k)[None]]).T
    return into_k.astype(np.float64), np.asarray(model.w_ko, np.float64)


def _square_distances(a_kd: np.ndarray, b_kd: np.ndarray) -> np.ndarray:
    return _norms(a_kd)[:, None] + _norms(b_kd)[None, :] - 2 * a_kd @ b_kd.T


def _norms(a_kd: np.ndarray) -> np.ndarray:
    """Squared lengths of the rows."""
    return (a_kd**2).sum(axis=1)


def _weights(model: Model, other: Model, x_bm: np.ndarray | None) -> np.ndarray:
    (u_kd, v_ko), (p_kd, q_ko) = halves(model), halves(other)
    return _square_distances(u_kd, p_kd) + _square_distances(v_ko, q_ko)


def _balanced(model: Model, other: Model, x_bm: np.ndarray | None) -> np.ndarray:
    return _weights(balanced(model), balanced(other), None)


def _scaled(model: Model, other: Model, x_bm: np.ndarray | None) -> np.ndarray:
    _refuse_scaling(model)
    (u_kd, v_ko), (p_kd, q_ko) = halves(model), halves(other)
    squares = (_norms(u_kd)[:, None], _norms(v_ko)[:, None], _norms(p_kd), _norms(q_ko))
    return _least(*np.broadcast_arrays(*squares, u_kd @ p_kd.T, v_ko @ q_ko.T))[1]


def _least(u2, v2, p2, q2, up, vq) -> tuple[np.ndarray, np.ndarray]:
    """The factor c > 0 of least |u - c p|^2 + |v - q / c|^2, and that value.

    The derivative is 0 at the positive roots of |p|^2 c^4 - <u,p> c^3 + <v,q> c - |q|^2.
    Where p is 0 the leading coefficients vanish, and where p and q are 0 any
    factor does; 1 is chosen.
    """

    def value(c):
        return u2 - 2 * c * up + c**2 * p2 + v2 - 2 * vq / c + q2 / c**2

    # Newton's method in s = log c. The value is not convex in s if a product is large, so
    # several starts are compared.
    best, least = np.ones_like(up), value(np.ones_like(up))
    middle = 0.25 * (np.log(np.maximum(q2, _TINY)) - np.log(np.maximum(p2, _TINY)))
    for start in (-2.0, -0.7, 0.0, 0.7, 2.0):
        s = middle + start
        for _ in range(_NEWTON_STEPS):
            c = np.exp(s)
            slope = 2 * c**2 * p2 - 2 * c * up + 2 * vq / c - 2 * q2 / c**2
            bend = 4 * c**2 * p2 - 2 * c * up - 2 * vq / c + 4 * q2 / c**2
            # Where the curvature is not positive the step goes downhill by a fixed length.
            step = np.where(
                bend > _TINY, slope / np.maximum(bend, _TINY), np.sign(slope) * _LONGEST
            )
            s = s - np.clip(step, -_LONGEST, _LONGEST)
        found = value(np.exp(s))
        better = found < least
        best, least = np.where(better, np.exp(s), best), np.where(better, found, least)
    return best, least


_TINY, _NEWTON_STEPS, _LONGEST = 1e-30, 30, 0.5


def _correlation(model: Model, other: Model, x_bm: np.ndarray) -> np.ndarray:
    ours_bk, theirs_bk = (_standardised(_activations(net, x_bm)) for net in (model, other))
    return -(ours_bk.T @ theirs_bk) / len(ours_bk)


def _standardised(hidden_bk: np.ndarray) -> np.ndarray:
    centred_bk = hidden_bk - hidden_bk.mean(axis=0)
    spread_k = centred_bk.std(axis=0)
    return np.divide(centred_bk, spread_k, where=spread_k > 0, out=np.zeros_like(centred_bk))


def _products(model: Model, other: Model, x_bm: np.ndarray) -> np.ndarray:
    return -(_activations(model, x_bm).T @ _activations(other, x_bm)) / len(x_bm)


def _contributions(model: Model, other: Model, x_bm: np.ndarray) -> np.ndarray:
    ours_bk, theirs_bk = (_activations(net, x_bm) for net in (model, other))
    v_ko, q_ko = halves(model)[1], halves(other)[1]
    own_k = (ours_bk**2).mean(axis=0) * _norms(v_ko)
    their_k = (theirs_bk**2).mean(axis=0) * _norms(q_ko)
    return own_k[:, None] + their_k - 2 * (ours_bk.T @ theirs_bk / len(ours_bk)) * (v_ko @ q_ko.T)


def _activations(model: Model, x_bm: np.ndarray) -> np.ndarray:
    return np.asarray(model.neurons(jnp.asarray(x_bm, jnp.float32)), np.float64)


MATCHINGS: Mapping[str, Callable[..., np.ndarray]] = {
    "weights": _weights,
    "balanced": _balanced,
    "scaled": _scaled,
    "correlation": _correlation,
    "activations": _products,
    "contributions": _contributions,
}
"""The cost `[k k]` of matching neuron i of one model with neuron j of another.

`weights`: squared distance of all weights. `balanced`: the same of both models
after `balanced`. `scaled`: the same at each pair's best factor. `correlation`:
minus the Pearson correlation of the activations, 0 for a neuron that never
changes. `activations`: minus their mean product. `contributions`: mean squared
distance of what the two add to the output. The last three need inputs.
"""

_ON_INPUTS = ("correlation", "activations", "contributions")


def cost(
    model: AnyModel, other: AnyModel, by: str = "weights", x_bm: Float[Array, "b m"] | None = None
) -> Float[np.ndarray, "k k"]:
    """The cost of matching each neuron of `model` with each of `other`, see `MATCHINGS`.

    Raises:
      ValueError: The models differ in shape or nonlinearity, `by` is not one of
        `MATCHINGS`, inputs are missing, or a nonlinearity without the symmetry is rescaled.
    """
    check_alike(model, other)
    if by not in MATCHINGS:
        raise ValueError(f"by={by!r} is not one of {', '.join(MATCHINGS)}")
    if by in _ON_INPUTS and x_bm is None:
        raise ValueError(f"by={by!r} compares neurons on inputs: x_bm is missing")
    return MATCHINGS[by](model, other, None if x_bm is None else np.asarray(x_bm))


def align(
    model: AnyModel, other: AnyModel, by: str = "weights", x_bm: Float[Array, "b m"] | None = None
) -> Int[np.ndarray, " k"]:
    """The neurons of `other` in the order in which they match those of `model` best.

    The total cost is the least over all k! orders: one linear assignment.

    Args:
      model: A two-layer model, not stacked.
      other: One of the same shapes and nonlinearity.
      by: What is compared, see `MATCHINGS`.
      x_bm: Inputs, for the costs that compare activations.

    Returns:
      Index into `other`: `permute(other, order_k)` is the match of `model`.

    Raises:
      ValueError: As `cost`.

    Example:
      >>> model = Model(jnp.eye(3), jnp.zeros(3), jnp.eye(3))
      >>> align(model, permute(model, jnp.array([2, 0, 1]))).tolist()
      [1, 2, 0]
    """
    return linear_sum_assignment(cost(model, other, by, x_bm))[1].astype(np.int32)


def balanced(model: Model) -> Model:
    """The same function with each neuron's input half, bias included, as long as its output half.

    A neuron with a half of length 0 stays as it is.

    Raises:
      ValueError: The nonlinearity is not relu.
    """
    _refuse_scaling(model)
    into_kd, out_ko = halves(model)
    into_k, out_k = _norms(into_kd), _norms(out_ko)
    both = (into_k > 0) & (out_k > 0)
    factor_k = np.where(both, out_k / np.where(both, into_k, 1), 1) ** 0.25
    return _times(model, factor_k)


def rescaled(model: Model, other: Model) -> Model:
    """`other`, each neuron at the factor that brings it nearest to the same neuron of `model`.

    Raises:
      ValueError: The models differ in shape, or the nonlinearity is not relu.
    """
    check_alike(model, other)
    _refuse_scaling(model)
    (u_kd, v_ko), (p_kd, q_ko) = halves(model), halves(other)
    products = (u_kd * p_kd).sum(axis=1), (v_ko * q_ko).sum(axis=1)
    factor_k, _ = _least(_norms(u_kd), _norms(v_ko), _norms(p_kd), _norms(q_ko), *products)
    return _times(other, factor_k)


def _times(model: Model, factor_k: np.ndarray) -> Model:
    times_k = jnp.asarray(factor_k, jnp.float32)
    return model.replace(
        w_mk=model.w_mk * times_k[None],
        b_k=model.b_k * times_k,
        w_ko=model.w_ko / times_k[:, None],
    )


def interpolate(model: Model, other: Model, t: ScalarLike) -> Model:
    """`(1 - t) model + t other`, of all weights and biases; exact at both ends.

    Example:
      >>> one, three = (Model(x * jnp.eye(2), jnp.zeros(2), jnp.eye(2)) for x in (1.0, 3.0))
      >>> interpolate(one, three, 0.25).w_mk[0, 0].item()
      1.5
    """

    def between(a: Array, b: Array) -> Array:
        # Equal weights stay equal to the last bit, unlike with the formula above.
        return jnp.where(jnp.less(t, 0.5), a + t * (b - a), b - (1 - t) * (b - a))

    return jax.tree.map(between, model, other)


def square_distance(model: AnyModel, other: AnyModel) -> Float[Array, ""]:
    """Squared distance of all weights and biases of two models of one shape."""
    pairs = zip(jax.tree.leaves(model), jax.tree.leaves(other), strict=True)
    return sum((((a - b) ** 2).sum() for a, b in pairs), jnp.zeros(()))


def check_alike(model: AnyModel, other: AnyModel) -> None:
    """Refuses models that have no line between them.

    Raises:
      ValueError: They differ in shape or nonlinearity, or have no hidden neurons.
    """
    for net in (model, other):
        if not isinstance(net, Model):
            raise ValueError(f"a {type(net).__name__} has no hidden neurons to match")
        net.assert_single()
    assert isinstance(model, Model)  # of the types; checked above
    assert isinstance(other, Model)
    if model.nonlinearity != other.nonlinearity:
        raise ValueError(
            f"the models differ in nonlinearity: {model.nonlinearity} and {other.nonlinearity}"
        )
    if type(model) is not type(other):
        raise ValueError(f"a {type(model).__name__} and a {type(other).__name__} have no line")
    shapes = [" and ".join(str(w.shape) for w in _maps(net)) for net in (model, other)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"the models differ in size: weights of {shapes[0]}, and of {shapes[1]}")


def _maps(model: Model) -> list[Array]:
    """The linear maps of a model."""
    path = [model.skip_ms, model.skip_so] if isinstance(model, SkipModel) else []
    return [model.w_mk, model.w_ko, *path]


def _refuse_scaling(model: Model) -> None:
    if model.nonlinearity != "relu":
        raise ValueError(
            f"nonlinearity={model.nonlinearity}: only under relu does a neuron keep its function "
            "when its weights are rescaled"
        )
