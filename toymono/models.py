"""The networks under study: one hidden layer between two linear maps, and two variants.

`h = phi(x W_in + b)`, `y = h W_out`; the second map has no bias (paper,
eqs. 4-6). The model with a skip path adds a linear map of x. The tied model,
`h = W x`, `y = phi(W^T h + b)`, is that of Elhage et al. (2022). A model is a
pytree of its weights, so that many are stacked, mapped over and differentiated
like any array.
"""

import dataclasses
from collections.abc import Callable, Mapping

import chex
import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from toymono.config import Config, Hyperparams, Scalar
from toymono.fields import TOY_CONFIG
from toymono.precision import product
from toymono.records import Records
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


NONLINEARITIES: Records[Nonlinearity] = Records(
    "nonlinearity",
    {
        "relu": Nonlinearity(jax.nn.relu, breaks=(0.0,)),
        "gelu": Nonlinearity(lambda x: jax.nn.gelu(x, approximate=False)),
        # What the paper's program calls SoLU has neither the softmax nor the norm.
        "solu": Nonlinearity(lambda x: x * jnp.exp(x)),
        "tent": Nonlinearity(_tent, breaks=(0.0, 1.0, 2.0)),
    },
    TOY_CONFIG["nonlinearity"],
)
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

    def assert_single(self) -> None:
        """Raises AssertionError if several models are stacked."""
        chex.assert_rank([self.w_mk, self.b_k, self.w_ko], [2, 1, 2])

    def neurons(self, x_bm: Float[Array, "*b m"]) -> Float[Array, "*b k"]:
        """Activation of each neuron."""
        self.assert_single()
        return self.activate(product(x_bm, self.w_mk))

    def activate(self, input_bk: Float[Array, "*b k"]) -> Float[Array, "*b k"]:
        """Activations, from what the input weights give, without the biases."""
        input_bk = input_bk + jnp.broadcast_to(self.b_k, input_bk.shape)
        return NONLINEARITIES[self.nonlinearity].function(input_bk)

    def read_out(self, hidden_bk: Float[Array, "*b k"]) -> Float[Array, "*b o"]:
        """Outputs, from the activations."""
        return product(hidden_bk, self.w_ko)

    def past(self, x_bm: Float[Array, "*b m"], output_bo: Float[Array, "*b o"]) -> Array:
        """Outputs with what reaches them past the neurons: nothing, but for a `SkipModel`."""
        return output_bo

    def __call__(self, x_bm: Float[Array, "*b m"]) -> Float[Array, "*b o"]:
        """Outputs of the network."""
        return self.past(x_bm, self.read_out(self.neurons(x_bm)))

    def to_output(self, output: Int[Array, ""] | int) -> "Model":
        """The network with one of its outputs alone."""
        return self.replace(w_ko=self.w_ko[:, output, None])

    def scale_biases(self, factor: Float[Array, "*k"]) -> "Model":
        """The model with its biases times `factor`, one number or one for each neuron."""
        return self.replace(b_k=self.b_k * factor)

    def last(self) -> "Model":
        """The last of the snapshots `[… c]` that are stacked."""
        return self.replace(
            w_mk=self.w_mk[..., -1, :, :], b_k=self.b_k[..., -1, :], w_ko=self.w_ko[..., -1, :, :]
        )


_SKIP_MAPS = ("w_mk", "w_ko", "skip_ms", "skip_so")


class SkipModel(Model, kw_only=True):
    """A network with a linear path of rank s beside its neurons: `phi(x W_in + b) W_out + x P Q`.

    Wherever neurons are scored, they are those of the hidden layer alone.
    Monosemantic models use about m neurons of positive bias as a linear map of low
    rank; the path can take it over.
    """

    skip_ms: Float[Array, "*c m s"]
    """P, into the path."""
    skip_so: Float[Array, "*c s o"]
    """Q, out of the path."""

    def past(self, x_bm: Float[Array, "*b m"], output_bo: Float[Array, "*b o"]) -> Array:
        """Outputs with those of the path added."""
        return output_bo + product(product(x_bm, self.skip_ms), self.skip_so)

    def to_output(self, output: Int[Array, ""] | int) -> "SkipModel":
        """The network with one of its outputs alone."""
        w_ko, skip_so = (weight[:, output, None] for weight in (self.w_ko, self.skip_so))
        return self.replace(w_ko=w_ko, skip_so=skip_so)

    def without_skip(self) -> "SkipModel":
        """The network with its path closed."""
        return self.replace(skip_so=jnp.zeros_like(self.skip_so))

    def assert_single(self) -> None:
        """Raises AssertionError if several models are stacked."""
        super().assert_single()
        chex.assert_rank([self.skip_ms, self.skip_so], 2)

    def last(self) -> "SkipModel":
        """The last of the snapshots `[… c]` that are stacked."""
        maps = {name: getattr(self, name)[..., -1, :, :] for name in _SKIP_MAPS}
        return self.replace(b_k=self.b_k[..., -1, :], **maps)


class TiedModel(flax.struct.PyTreeNode):
    """n features in m hidden dimensions and back with the same weights: `phi(W^T W x + b)`.

    Its neurons, wherever scores speak of them, are the hidden dimensions: they
    are linear and have no bias. `w_nm` is the transpose of the paper's W.

    Reference:
      Elhage et al. (2022), Toy Models of Superposition, the "ReLU output model".
    """

    w_nm: Float[Array, "*c n m"]
    """Row n is the direction of feature n, W_n, among the hidden dimensions."""
    b_n: Float[Array, "*c n"]
    """Output biases."""
    nonlinearity: str = flax.struct.field(pytree_node=False, default="relu")
    """Of the outputs; a key of `NONLINEARITIES`."""

    def assert_single(self) -> None:
        """Raises AssertionError if several models are stacked."""
        chex.assert_rank([self.w_nm, self.b_n], [2, 1])

    @property
    def w_mk(self) -> Float[Array, "*c n m"]:
        """The input weights, by the name that they have in `Model`."""
        return self.w_nm

    @property
    def b_k(self) -> Float[Array, "*c m"]:
        """The biases of the hidden dimensions: 0."""
        return jnp.zeros_like(self.w_nm[..., 0, :])

    def neurons(self, x_bn: Float[Array, "*b n"]) -> Float[Array, "*b m"]:
        """The hidden dimensions."""
        self.assert_single()
        return product(x_bn, self.w_nm)

    def activate(self, input_bm: Float[Array, "*b m"]) -> Float[Array, "*b m"]:
        """The hidden dimensions, from what the input weights give: the same."""
        return input_bm

    def past(self, x_bn: Float[Array, "*b n"], output_bn: Float[Array, "*b n"]) -> Array:
        """The outputs: nothing reaches them past the hidden dimensions."""
        return output_bn

    def read_out(self, hidden_bm: Float[Array, "*b m"]) -> Float[Array, "*b n"]:
        """Outputs, from the hidden dimensions."""
        output_bn = product(hidden_bm, self.w_nm.T)
        output_bn = output_bn + jnp.broadcast_to(self.b_n, output_bn.shape)
        return NONLINEARITIES[self.nonlinearity].function(output_bn)

    def __call__(self, x_bn: Float[Array, "*b n"]) -> Float[Array, "*b n"]:
        """Outputs of the network."""
        return self.read_out(self.neurons(x_bn))

    def scale_biases(self, factor: Float[Array, ""]) -> "TiedModel":
        """The model with its biases times `factor`."""
        return self.replace(b_n=self.b_n * factor)

    def last(self) -> "TiedModel":
        """The last of the snapshots `[… c]` that are stacked."""
        return self.replace(w_nm=self.w_nm[..., -1, :, :], b_n=self.b_n[..., -1, :])


AnyModel = Model | TiedModel


def init(config: Config, init_bias: Float[Array, ""] | float, key: PRNGKeyArray) -> Model:
    """An untrained model with the initialisation of PyTorch's `nn.Linear`, biases shifted.

    Weights and biases are uniform in ±1/sqrt(fan in); `init_bias` is added to
    the biases, which keep that spread.

    Reference:
      The paper's program, `model3.py`; PyTorch's `nn.Linear`.
    """
    chex.assert_rank(init_bias, 0)
    inputs = TASKS[config.task].inputs(config)
    w_in_key, bias_key, w_out_key = jax.random.split(key, 3)

    def uniform(key, shape, fan_in):
        bound = fan_in**-0.5
        return jax.random.uniform(key, shape, jnp.float32, -bound, bound)

    return Model(
        w_mk=uniform(w_in_key, (inputs, config.k), inputs),
        b_k=uniform(bias_key, (config.k,), inputs) + init_bias,
        w_ko=uniform(w_out_key, (config.k, TASKS[config.task].outputs(config)), config.k),
        nonlinearity=config.nonlinearity,
    )


# Folded into the key of the model; the other weights are those of the two-layer model.
_SKIP = 2**31 - 1


def init_skip(config: Config, hyperparams: Hyperparams, key: PRNGKeyArray) -> SkipModel:
    """An untrained model with a skip path: the two-layer model of the same key, its path closed.

    P is uniform in ±1/sqrt(m), as the other maps of m inputs, and Q is 0: training
    begins with the same function as without a path, so that runs of several
    ranks differ in nothing but what they can learn. Q alone gets a gradient in
    the first step, P from the second on.

    Reference:
      Hu et al. (2021), LoRA, section 4.1, starts its path so.
    """
    whole = init(config, hyperparams.init_bias, key)
    shape = (whole.w_mk.shape[0], config.skip_rank)
    bound = shape[0] ** -0.5
    skip_key = jax.random.fold_in(key, _SKIP)
    return SkipModel(
        **vars(whole),
        skip_ms=jax.random.uniform(skip_key, shape, jnp.float32, -bound, bound),
        skip_so=jnp.zeros((config.skip_rank, whole.w_ko.shape[1]), jnp.float32),
    )


def init_tied(config: Config, hyperparams: Hyperparams, key: PRNGKeyArray) -> TiedModel:
    """An untrained tied model: Gaussian weights, biases equal to `init_bias`.

    The standard deviation is that of Xavier's initialisation of one model,
    sqrt(2 / (n + m)), times `init_scale`. Public descendants of the paper's
    notebook initialise a tensor of several models, whose deviation shrinks with
    their number: for 20 models with n = 200 and m = 20 a scale of 0.22 is theirs.
    """
    scale = hyperparams.init_scale * (2 / (config.n + config.m)) ** 0.5
    return TiedModel(
        w_nm=scale * jax.random.normal(key, (config.n, config.m), jnp.float32),
        b_n=jnp.full((config.n,), hyperparams.init_bias, jnp.float32),
        nonlinearity=config.nonlinearity,
    )


def parameters(config: Config) -> int:
    """Number of weights and biases.

    Example:
      >>> parameters(Config(n=16, m=4, k=24))
      504
    """
    task = TASKS[config.task]
    return config.k * (task.inputs(config) + 1 + task.outputs(config))


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

    model: type
    """Its pytree of weights."""
    init: Callable[[Config, Hyperparams, PRNGKeyArray], AnyModel]
    """An untrained model."""
    parameters: Callable[[Config], int]
    """Number of weights and biases."""
    neurons: Callable[[Config], int]
    """Number of neurons: the width of what penalties and scores read."""
    products: Callable[[Config], int]
    """Multiplications per sample of a training step."""


def _products(config: Config) -> int:
    """Forward and weight gradient of both maps, and the gradient of the neurons."""
    task = TASKS[config.task]
    return config.k * (2 * task.inputs(config) + 3 * task.outputs(config))


def _skip_parameters(config: Config) -> int:
    task = TASKS[config.task]
    return config.skip_rank * (task.inputs(config) + task.outputs(config))


MODELS: Mapping[str, Architecture] = {
    "two_layer": Architecture(
        model=Model,
        init=lambda config, hyperparams, key: init(config, hyperparams.init_bias, key),
        parameters=parameters,
        neurons=lambda config: config.k,
        products=_products,
    ),
    "skip": Architecture(
        model=SkipModel,
        init=init_skip,
        parameters=lambda config: parameters(config) + _skip_parameters(config),
        neurons=lambda config: config.k,
        # Forward and weight gradient of both maps, and the gradient between them.
        products=lambda config: (
            _products(config)
            + 2 * _skip_parameters(config)
            + config.skip_rank * TASKS[config.task].outputs(config)
        ),
    ),
    "tied": Architecture(
        model=TiedModel,
        init=init_tied,
        parameters=lambda config: config.n * (config.m + 1),
        neurons=lambda config: config.m,
        products=lambda config: 5 * config.n * config.m,
    ),
}
"""The architectures, by the name in `Config.model`."""


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
