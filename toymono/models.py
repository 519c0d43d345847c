"""The network under study: one hidden layer between two linear maps.

`h = phi(x W_in + b)`, `y = h W_out`; the second map has no bias (paper,
eqs. 4-6). A `Model` is a pytree of its weights, so that many are stacked,
mapped over and differentiated like any array.
"""

import dataclasses
from collections.abc import Callable, Mapping

import chex
import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from toymono.config import Config, Scalar
from toymono.tasks import TASKS


@dataclasses.dataclass(frozen=True)
class Nonlinearity:
    """The activation function of the hidden layer."""

    function: Callable[[Array], Array]
    """Acts on each entry."""
    breaks: tuple[float, ...] = ()
    """Where its slope jumps, if it is linear between these; empty if it is smooth."""

    @property
    def piecewise_linear(self) -> bool:
        """Whether it is linear between its breaks; a neuron has a kink at each."""
        return bool(self.breaks)


def _tent(x: Array) -> Array:
    """A bump that is relu up to 1: 0 at 0, 1 at 1, 0 at 2 and beyond.

    The simplest activation that is bounded, 0 where relu is, and piecewise
    linear, so that all regions of a network between its kinks are bounded too,
    but for those where neurons are off. Height and width are our choice.
    """
    return jax.nn.relu(1 - abs(x - 1))


NONLINEARITIES: Mapping[str, Nonlinearity] = {
    "relu": Nonlinearity(jax.nn.relu, breaks=(0.0,)),
    "gelu": Nonlinearity(lambda x: jax.nn.gelu(x, approximate=False)),
    # What the paper's program calls SoLU has neither the softmax nor the norm.
    "solu": Nonlinearity(lambda x: x * jnp.exp(x)),
    "tent": Nonlinearity(_tent, breaks=(0.0, 1.0, 2.0)),
}
"""By the name in `Config.nonlinearity`."""


class Model(flax.struct.PyTreeNode):
    """A network of k neurons from m embedding dimensions to o outputs."""

    w_mk: Float[Array, "*c m k"]
    """Input weights; column k is the direction that neuron k responds to."""
    b_k: Float[Array, "*c k"]
    """Hidden biases."""
    w_ko: Float[Array, "*c k o"]
    """Output weights; row k is what neuron k adds to the output."""
    nonlinearity: str = flax.struct.field(pytree_node=False, default="relu")
    """A key of `NONLINEARITIES`."""

    def neurons(self, x_bm: Float[Array, "*b m"]) -> Float[Array, "*b k"]:
        """Activation of each neuron."""
        chex.assert_rank([self.w_mk, self.b_k, self.w_ko], [2, 1, 2])
        input_bk = x_bm @ self.w_mk
        input_bk = input_bk + jnp.broadcast_to(self.b_k, input_bk.shape)
        return NONLINEARITIES[self.nonlinearity].function(input_bk)

    def __call__(self, x_bm: Float[Array, "*b m"]) -> Float[Array, "*b o"]:
        """Outputs of the network."""
        return self.neurons(x_bm) @ self.w_ko


def init(config: Config, init_bias: Float[Array, ""] | float, key: PRNGKeyArray) -> Model:
    """An untrained model with the initialisation of PyTorch's `nn.Linear`, biases shifted.

    Weights and biases are uniform in ±1/sqrt(fan in); `init_bias` is added to
    the biases, which keep that spread.

    Reference:
      The paper's program, `model3.py`; PyTorch's `nn.Linear`.
    """
    chex.assert_rank(init_bias, 0)
    w_in_key, bias_key, w_out_key = jax.random.split(key, 3)

    def uniform(key, shape, fan_in):
        bound = fan_in**-0.5
        return jax.random.uniform(key, shape, jnp.float32, -bound, bound)

    return Model(
        w_mk=uniform(w_in_key, (config.m, config.k), config.m),
        b_k=uniform(bias_key, (config.k,), config.m) + init_bias,
        w_ko=uniform(w_out_key, (config.k, TASKS[config.task].outputs(config)), config.k),
        nonlinearity=config.nonlinearity,
    )


def parameters(config: Config) -> int:
    """Number of weights and biases.

    Example:
      >>> parameters(Config(n=16, m=4, k=24))
      504
    """
    return config.m * config.k + config.k + config.k * TASKS[config.task].outputs(config)


def dropout(
    hidden_bd: Float[Array, "*b d"], rate: Scalar, key: PRNGKeyArray
) -> Float[Array, "*b d"]:
    """Inverted dropout: each activation is 0 with probability `rate`, else divided by 1 - rate.

    The mean stays the same, so that a model trained with dropout is used
    without it as it is. Used in training only.

    Example:
      >>> dropout(jnp.ones(6), 0.5, jax.random.key(0)).tolist()
      [0.0, 0.0, 2.0, 2.0, 0.0, 2.0]

    Reference:
      Srivastava et al. (2014), Dropout; their section 10 names the inverted form.
    """
    chex.assert_rank(rate, 0)
    kept_bd = jax.random.bernoulli(key, 1 - rate, hidden_bd.shape)
    return jnp.where(kept_bd, hidden_bd / (1 - rate), 0)


@dataclasses.dataclass(frozen=True)
class Architecture:
    """What the rest of the package asks of a kind of model before there is one."""

    init: Callable[[Config, Float[Array, ""] | float, PRNGKeyArray], Model]
    """An untrained model, from the config, the shift of its biases and a key."""
    parameters: Callable[[Config], int]
    """Number of weights and biases."""


MODELS: Mapping[str, Architecture] = {"two_layer": Architecture(init, parameters)}
"""The architectures by name."""


def permute(model: Model, order_k: Int[Array, " k"]) -> Model:
    """The same function with its neurons in another order: neuron i is `order_k[i]` of `model`.

    Example:
      >>> model = Model(jnp.array([[1.0, 2.0]]), jnp.array([3.0, 4.0]), jnp.array([[5.0], [6.0]]))
      >>> permute(model, jnp.array([1, 0])).b_k.tolist()
      [4.0, 3.0]
    """
    chex.assert_rank([model.w_mk, model.b_k, model.w_ko, order_k], [2, 1, 2, 1])
    return model.replace(
        w_mk=model.w_mk[:, order_k], b_k=model.b_k[order_k], w_ko=model.w_ko[order_k]
    )
