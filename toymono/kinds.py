"""Kinds of run as records: how a run of each kind begins, advances and is stored.

The trainer, the store and the planner use only these records, nothing specific
to toy models or classifiers. Every function is written for one run; `sweep.devices` maps them
over groups.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from toymono import features, origins, train
from toymono.autoencoders import data as patch_data
from toymono.autoencoders import train as autoencoder_train
from toymono.autoencoders.config import AutoencoderConfig, AutoencoderHyperparams
from toymono.autoencoders.data import Patches
from toymono.autoencoders.fields import AUTOENCODER, AUTOENCODER_CONFIG
from toymono.autoencoders.train import AutoencoderRun
from toymono.batching import KEY_IMPL
from toymono.classifiers import data, network
from toymono.classifiers import train as classifier_train
from toymono.classifiers.config import ClassifierConfig, ClassifierHyperparams
from toymono.classifiers.fields import CLASSIFIER, CLASSIFIER_CONFIG
from toymono.classifiers.train import ClassifierRun, Measures
from toymono.config import Config, Hyperparams, split_fields
from toymono.features import World
from toymono.fields import TOY, TOY_CONFIG, Field
from toymono.masks import Masks
from toymono.models import MODELS
from toymono.penalties import PENALTIES
from toymono.tasks import TASKS
from toymono.train import Run

Tensors = dict[str, Any]


class Cost(NamedTuple):
    """Estimated cost of one run."""

    flops: int
    """Floating-point operations of the matrix products of the whole training."""
    training_bytes: int
    """Device memory while it trains, an estimate."""
    stored_bytes: int
    """Size of its file, apart from the header."""
    step_flops: int
    """Floating-point operations of the matrix products of one optimiser step."""


@dataclasses.dataclass(frozen=True)
class RunKind:
    """One kind of run. Training time is counted in steps or epochs, see `unit`."""

    name: str
    unit: str
    """'steps' or 'epochs'."""
    fields: Mapping[str, Field] = dataclasses.field(hash=False)
    """All settings except the seed."""
    static: Mapping[str, Field] = dataclasses.field(hash=False)
    """Those of `fields` that belong to the config."""
    config: type
    hyperparams: type
    run: type
    shared: Callable[[Any, str | None], Any]
    """`(config, data_dir) -> shared`: data that all runs of the config read, or None."""
    begin: Callable[..., tuple[Any, Any]]
    """`(config, hyperparams, shared, key) -> (world, state)`, untrained; `state.step` is 0."""
    advance: Callable[..., Any]
    """`(config, hyperparams, shared, world, state, units, limits) -> state`."""
    snapshot: Callable[[Any], Any]
    """`state -> snapshot`, saved after each of `config.snapshot_steps`."""
    loss: Callable[[Any], Any]
    """`state -> loss`, one value per step or epoch; `[r t]` for stacked states."""
    finish: Callable[..., Any]
    """`(config, hyperparams, shared, key, world, snapshots, state) -> run`, trained."""
    tensors: Callable[[Any], dict[str, Any]]
    """The arrays of a run, as its file names them."""
    load: Callable[..., Any]
    """`(config, hyperparams, key, fingerprint, tensors) -> run`, the inverse."""
    cost: Callable[[Any, Any], Cost]
    """`(config, shared) -> Cost`."""
    check_parents: Callable[[Any, Sequence[Any]], None] = lambda job, parents: None
    """`(job, jobs of its parents)`: raises `ValueError` if the run cannot start from these."""
    gather: Callable[[Any, Sequence[Any]], Any] = lambda config, runs: None
    """`(config, parents) -> shared`, in place of `shared` for runs that start from stored runs."""
    limits: Callable[[Any, Any], Any] = lambda config, hyperparams: None
    """`(config, hyperparams) -> limits` of the loops in a step that the hyperparameters, `[r]`,
    decide; hashable, None if there are none."""

    def split(self, values: Mapping[str, Any]) -> tuple[Any, Any]:
        """The config and the hyperparameters that `values` describe; others keep their defaults.

        Raises:
          ValueError: A name is not a field, or a value is out of its range.
        """
        return split_fields(values, self.fields, self.config, self.hyperparams)


def _toy_begin(config, hyperparams, parents, key):
    return train.begin(config, hyperparams, key, parents)


def _toy_advance(config, hyperparams, shared, world, state, steps, limits):
    return train.advance(config, hyperparams, world, state, steps, limits)


def _toy_finish(config, hyperparams, shared, key, world, snapshots, state) -> Run:
    return train.finish(config, hyperparams, key, world, snapshots, state)


def _toy_tensors(run: Run) -> dict[str, Any]:
    tensors = {"loss_t": run.loss_t}
    trees = {"world": run.world, "snapshots": run.snapshots, "masks": run.masks}
    for prefix, tree in trees.items():
        tensors |= {
            f"{prefix}.{name}": leaf
            for name, leaf in (() if tree is None else vars(tree).items())
            if isinstance(leaf, jax.Array | np.ndarray)
        }
    return tensors


def _toy_load(config, hyperparams, key, fingerprint, tensors: Tensors) -> Run:
    def named(prefix: str) -> dict[str, Any]:
        start = f"{prefix}."
        return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}

    used = named("masks")
    return Run(
        config=config,
        hyperparams=hyperparams,
        key=key,
        world=World(**named("world"), task=config.task),
        snapshots=MODELS[config.model].model(
            **named("snapshots"), nonlinearity=config.nonlinearity
        ),
        loss_t=tensors["loss_t"],
        masks=Masks(**used) if used else None,
    )


def _toy_cost(config: Config, shared: Any) -> Cost:
    task, k = TASKS[config.task], MODELS[config.model].neurons(config)
    n, m, o, b = config.n, task.inputs(config), task.outputs(config), config.batch_size
    embeddings = task.embedded + task.second_embedding
    # The input, and the re-projector's target.
    products = embeddings * n * m + MODELS[config.model].products(config)
    parameters = MODELS[config.model].parameters(config)
    # The model, its two moments, gradients and updates; then each batch's features,
    # inputs, neurons and outputs with the gradients of the last two.
    arrays = 5 * parameters + b * (2 * n + m + 2 * k + 2 * o) + config.steps
    arrays += PENALTIES[config.penalty].elements(n, k)
    arrays += b * k if config.dropout == "on" else 0
    snapshots = len(config.snapshot_steps) * parameters
    masks = 0 if config.sparsity == "none" else k * (m + o)  # a byte each
    return Cost(
        flops=config.steps * 2 * b * products,
        training_bytes=4 * arrays + masks,
        stored_bytes=4 * (snapshots + max(embeddings, 1) * n * m + config.steps) + masks,
        step_flops=2 * b * products,
    )


def _classifier_begin(config, hyperparams, dataset, key):
    return (), classifier_train.begin(config, hyperparams, dataset, key)


def _classifier_advance(config, hyperparams, dataset, world, state, epochs, limits):
    return classifier_train.advance(config, hyperparams, dataset, state, epochs)


def _classifier_finish(config, hyperparams, dataset, key, world, snapshots, state):
    return ClassifierRun(config, hyperparams, key, state.params, state.history, dataset.fingerprint)


def _classifier_tensors(run: ClassifierRun) -> dict[str, Any]:
    history = {f"history.{name}": leaf for name, leaf in vars(run.history).items()}
    return {**history, **_params_tensors(run.params)}


def _params_tensors(params: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        f"params.{layer}.{name}": leaf
        for layer, of_layer in params.items()
        for name, leaf in of_layer.items()
    }


def _read_params(tensors: Tensors) -> dict[str, dict[str, Any]]:
    params: dict[str, dict[str, Any]] = {}
    for place, leaf in tensors.items():
        group, *inner = place.split(".")
        if group == "params":
            params.setdefault(inner[0], {})[inner[1]] = leaf
    return params


def _classifier_load(config, hyperparams, key, fingerprint, tensors: Tensors) -> ClassifierRun:
    start = "history."
    history = {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
    params = _read_params(tensors)
    return ClassifierRun(config, hyperparams, key, params, Measures(**history), fingerprint)


def _classifier_cost(config: ClassifierConfig, dataset: data.Dataset) -> Cost:
    image_hw: Any = dataset.train_bhw.shape[1:]
    params = jax.eval_shape(
        lambda key: network.init(config, image_hw, key), jax.ShapeDtypeStruct((), _KEY)
    )
    parameters = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))
    pixels = network.NETWORKS[config.network].positions(image_hw)
    steps = config.steps * classifier_train.steps_per_epoch(config, dataset)
    # Forward, weight gradient, gradient of the neurons; a kernel slides over the map.
    step_flops = 6 * config.batch_size * parameters * pixels
    neurons = sum(config.sizes) * pixels
    arrays = 6 * parameters + 4 * config.batch_size * neurons
    memory = 4 * arrays + dataset.train_bhw.nbytes
    return Cost(steps * step_flops, memory, 4 * parameters, step_flops)


def _autoencoder_begin(config, hyperparams, patches, key):
    return (), autoencoder_train.begin(config, hyperparams, key)


def _autoencoder_advance(config, hyperparams, patches, world, state, steps, limits):
    return autoencoder_train.advance(config, hyperparams, patches, state, steps)


def _autoencoder_finish(config, hyperparams, patches, key, world, snapshots, state):
    params, loss_t = state.params, state.loss_t
    return AutoencoderRun(config, hyperparams, key, params, loss_t, patches.fingerprint)


def _autoencoder_load(config, hyperparams, key, fingerprint, tensors: Tensors) -> AutoencoderRun:
    params, loss_t = _read_params(tensors), tensors["loss_t"]
    return AutoencoderRun(config, hyperparams, key, params, loss_t, fingerprint)


def _autoencoder_cost(config: AutoencoderConfig, patches: Patches) -> Cost:
    widths = (config.patch**2, *config.sizes, config.patch**2)
    parameters = sum(before * after + after for before, after in itertools.pairwise(widths))
    arrays = 6 * parameters + 4 * config.batch_size * sum(widths) + config.steps
    return Cost(
        flops=config.steps * 6 * config.batch_size * parameters,
        training_bytes=4 * arrays + patches.patch_bd.nbytes,
        stored_bytes=4 * (parameters + config.steps),
        step_flops=6 * config.batch_size * parameters,
    )


_KEY = jax.eval_shape(lambda: jax.random.key(0, impl=KEY_IMPL)).dtype

KINDS: dict[str, RunKind] = {
    kind.name: kind
    for kind in (
        RunKind(
            name="toy",
            unit="steps",
            fields=TOY,
            static=TOY_CONFIG,
            config=Config,
            hyperparams=Hyperparams,
            run=Run,
            shared=lambda config, data_dir: None,
            begin=_toy_begin,
            advance=_toy_advance,
            snapshot=lambda state: state.model,
            loss=lambda state: state.loss_t,
            finish=_toy_finish,
            tensors=_toy_tensors,
            load=_toy_load,
            cost=_toy_cost,
            check_parents=origins.check_parents,
            gather=origins.gather,
            limits=features.limits_on_device,
        ),
        RunKind(
            name="classifier",
            unit="epochs",
            fields=CLASSIFIER,
            static=CLASSIFIER_CONFIG,
            config=ClassifierConfig,
            hyperparams=ClassifierHyperparams,
            run=ClassifierRun,
            shared=lambda config, data_dir: data.load(config.data, data_dir),
            begin=_classifier_begin,
            advance=_classifier_advance,
            snapshot=lambda state: (),
            loss=lambda state: state.history.train_loss,
            finish=_classifier_finish,
            tensors=_classifier_tensors,
            load=_classifier_load,
            cost=_classifier_cost,
        ),
        RunKind(
            name="autoencoder",
            unit="steps",
            fields=AUTOENCODER,
            static=AUTOENCODER_CONFIG,
            config=AutoencoderConfig,
            hyperparams=AutoencoderHyperparams,
            run=AutoencoderRun,
            shared=lambda config, data_dir: patch_data.load(config.data, config.patch, data_dir),
            begin=_autoencoder_begin,
            advance=_autoencoder_advance,
            snapshot=lambda state: (),
            loss=lambda state: state.loss_t,
            finish=_autoencoder_finish,
            tensors=lambda run: {"loss_t": run.loss_t, **_params_tensors(run.params)},
            load=_autoencoder_load,
            cost=_autoencoder_cost,
        ),
    )
}
"""Every kind of run by its name."""


def kind_of(run: Any) -> RunKind:
    """The kind of a trained run, or of a config.

    Raises:
      TypeError: It is neither.
    """
    for kind in KINDS.values():
        if isinstance(run, kind.run | kind.config):
            return kind
    raise TypeError(f"{type(run).__name__} is neither a run nor a config of toymono")
