"""The dictionary that the authors' program saves of a run, and the run that it describes.

    k, log2_batch_size, log2_training_steps, learning_rate, sample_kind, initial_bias,
    nonlinearity, task, decay, eps, m, N, reg     the settings
    losses                                        task loss of every 16th step, from the first
    final_model                                   state dict of the trained network
    log2_spaced_models                            state dicts after 1, 2, 4, … steps
    setup                                         fixed_embedder, output_embedder [m n], settings

A state dict has the arrays `0.weight` [k m], `0.bias` [k] and `2.weight` [o k].

Reference:
  Jermyn, Schiefer & Hubinger (2022), the paper's program, `model3.py`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from toymono.batching import key_of
from toymono.config import Config, Hyperparams, decimal, split
from toymono.job import Job
from toymono.models import AnyModel, Model, SkipModel
from toymono.tasks import TASKS, World
from toymono.train import Run

_TASKS = {"autoencoder": "decoder", "random_proj": "reproject", "abs": "abs"}
_NONLINEARITIES = {"ReLU": "relu", "GeLU": "gelu", "SoLU": "solu"}
_SAMPLE_KINDS = {"equal": "equal", "power_law": "power_law"}
_LOSS_EVERY = 16

_NUMBERS = {
    "learning_rate": "learning_rate",
    "initial_bias": "init_bias",
    "decay": "bias_decay",
    "eps": "eps",
    "reg": "l1",
}
"""Their names of hyperparameters, and ours."""

_FIXED = ("exponent", "cosine_period", "optimizer", "schedule", "penalty", "dropout", "model")
_FIXED += ("noise", "bias_start", "decay_rule", "bias_pull", "sparsity")
"""Fields of ours that their program has at our default only."""


def run_of(contents: Mapping[str, Any]) -> Run:
    """The run that a file of the authors' program describes, with all its snapshots.

    Their program records the loss of every 16th step only: the steps after it
    get the same loss here. It has no seed: the key is made from the contents, so
    that the same file always gives the same run, and is no key of a sweep.

    Args:
      contents: The dictionary, its arrays as numpy arrays.

    Raises:
      ValueError: An entry is missing or wrong; the message names it.
    """
    config, hyperparams = _settings(contents)
    models = [
        _model(config, _checked(state, dict, f"log2_spaced_models[{index}]"))
        for index, state in enumerate(_entry(contents, list, "log2_spaced_models"))
    ]
    if len(models) != len(config.snapshot_steps):
        raise ValueError(
            f"log2_spaced_models has {len(models)} entries, not {len(config.snapshot_steps)} "
            f"for 2**{config.log2_steps} steps"
        )
    final = _model(config, _entry(contents, dict, "final_model"))
    arrays = ("w_mk", "b_k", "w_ko")
    last = models[-1]
    if not all(np.array_equal(getattr(final, a), getattr(last, a), True) for a in arrays):
        raise ValueError("final_model is not the last of log2_spaced_models")
    return Run(
        config=config,
        hyperparams=hyperparams.checked(),
        key=key_of(_seed(contents)),
        world=_world(config, _entry(contents, dict, "setup")),
        snapshots=Model(
            *(jnp.stack([getattr(model, a) for model in models]) for a in arrays),
            nonlinearity=config.nonlinearity,
        ),
        loss_t=_losses(config, contents),
    )


def contents_of(run: Run) -> dict[str, Any]:
    """The inverse of `run_of`: what the authors' program would have saved of a run.

    Args:
      run: A single run of a two-layer model.

    Raises:
      ValueError: Their program has no such run.
    """
    config, fields = run.config, Job(run.config, run.hyperparams, run.seed).fields
    default = Job(Config(), Hyperparams(), 0).fields
    for name in _FIXED:
        matters = Job(config, run.hyperparams, run.seed).kind.fields[name].matters(fields)
        if matters and fields[name] != default[name]:
            raise ValueError(f"the authors' program has no {name}={fields[name]}")
    log2_batch = config.batch_size.bit_length() - 1
    if config.batch_size != 2**log2_batch:
        raise ValueError(
            f"the authors' program has no batch_size={config.batch_size}: a power of 2"
        )
    embedders = {"fixed_embedder": run.world.embed_nm, "output_embedder": run.world.reproject_nm}
    settings = {
        **{theirs: fields[ours] for theirs, ours in _NUMBERS.items()},
        "k": config.k,
        "m": config.m,
        "N": config.n,
        "task": _theirs("task", config.task, _TASKS),
    }
    return {
        **settings,
        "log2_batch_size": log2_batch,
        "log2_training_steps": config.log2_steps,
        "sample_kind": _theirs("feature_law", config.feature_law, _SAMPLE_KINDS),
        "nonlinearity": _theirs("nonlinearity", config.nonlinearity, _NONLINEARITIES),
        "losses": [float(loss) for loss in np.asarray(run.loss_t)[::_LOSS_EVERY]],
        "final_model": state_dict(run.final),
        "log2_spaced_models": [
            state_dict(jax.tree.map(lambda leaf: leaf[c], run.snapshots))  # noqa: B023
            for c in range(len(config.snapshot_steps))
        ],
        "setup": {
            **{name: settings[name] for name in ("N", "m", "k", "learning_rate", "eps", "task")},
            "batch_size": config.batch_size,
            "decay": settings["decay"],
            "reg": settings["reg"],
            **{
                name: np.ascontiguousarray(np.asarray(array).T)
                for name, array in embedders.items()
                if array is not None
            },
        },
    }


def state_dict(model: AnyModel) -> dict[str, np.ndarray]:
    """The weights as `torch.nn.Sequential(Linear, activation, Linear)` names and lays them out.

    Raises:
      ValueError: It is not a two-layer model.

    Example:
      >>> model = Model(jnp.ones((2, 3)), jnp.zeros(3), jnp.ones((3, 4)))
      >>> {name: array.shape for name, array in state_dict(model).items()}
      {'0.weight': (3, 2), '0.bias': (3,), '2.weight': (4, 3)}
    """
    if not isinstance(model, Model) or isinstance(model, SkipModel):
        raise ValueError(f"a {type(model).__name__} has no state dict of two linear layers")
    model.assert_single()
    return {
        "0.weight": np.ascontiguousarray(np.asarray(model.w_mk).T),
        "0.bias": np.ascontiguousarray(model.b_k),
        "2.weight": np.ascontiguousarray(np.asarray(model.w_ko).T),
    }


def _settings(contents: Mapping[str, Any]) -> tuple[Config, Hyperparams]:
    values: dict[str, Any] = {ours: _number(contents, theirs) for theirs, ours in _NUMBERS.items()}
    for theirs, ours in (("k", "k"), ("m", "m"), ("N", "n"), ("log2_training_steps", "log2_steps")):
        values[ours] = _whole(contents, theirs)
    log2_batch = _whole(contents, "log2_batch_size")
    if not 0 <= log2_batch <= 24:
        raise ValueError(f"log2_batch_size={log2_batch} is not in [0, 24]")
    values["batch_size"] = 2**log2_batch
    for theirs, ours, names in (
        ("task", "task", _TASKS),
        ("nonlinearity", "nonlinearity", _NONLINEARITIES),
        ("sample_kind", "feature_law", _SAMPLE_KINDS),
    ):
        word = _entry(contents, str, theirs)
        if word not in names:
            raise ValueError(f"{theirs}={word!r} is not one of {', '.join(names)}")
        values[ours] = names[word]
    return split(values)


def _entry(contents: Mapping[str, Any], kind: type, name: str) -> Any:
    if name not in contents:
        raise ValueError(f"{name} is missing")
    return _checked(contents[name], kind, name)


def _checked(value: Any, kind: type, name: str) -> Any:
    allowed: Any = {dict: Mapping, list: list | tuple}.get(kind, kind)
    if not isinstance(value, allowed):
        raise ValueError(f"{name} is a {type(value).__name__}, not a {kind.__name__}")
    return value


def _number(contents: Mapping[str, Any], name: str) -> float:
    """A number, which some forks of the program save as an array of no dimensions."""
    value = _entry(contents, object, name)
    array = np.asarray(value) if not isinstance(value, str | Mapping | Sequence) else None
    if array is None or array.size != 1 or array.dtype.kind not in "iuf":
        raise ValueError(f"{name}={_short(value)} is not a number")
    return decimal(array.item())


def _whole(contents: Mapping[str, Any], name: str) -> int:
    number = _number(contents, name)
    if not number.is_integer():
        raise ValueError(f"{name}={number:g} is not a whole number")
    return int(number)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 40 else f"{text[:40]}…"


def _array(state: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(_entry(state, object, name))
    if array.dtype.kind != "f" or array.shape != shape:
        raise ValueError(f"{name} is {array.dtype} {list(array.shape)}, not floats {list(shape)}")
    return array.astype(np.float32)


def _model(config: Config, state: Mapping[str, Any]) -> Model:
    task = TASKS[config.task]
    return Model(
        w_mk=jnp.asarray(_array(state, "0.weight", (config.k, task.inputs(config))).T),
        b_k=jnp.asarray(_array(state, "0.bias", (config.k,))),
        w_ko=jnp.asarray(_array(state, "2.weight", (task.outputs(config), config.k)).T),
        nonlinearity=config.nonlinearity,
    )


def _world(config: Config, setup: Mapping[str, Any]) -> World:
    shape = (config.m, config.n)
    reproject = TASKS[config.task].second_embedding
    return World(
        embed_nm=jnp.asarray(_array(setup, "fixed_embedder", shape).T),
        reproject_nm=(
            jnp.asarray(_array(setup, "output_embedder", shape).T) if reproject else None
        ),
        task=config.task,
    )


def _losses(config: Config, contents: Mapping[str, Any]) -> Any:
    entry = _entry(contents, list, "losses")
    try:
        losses = np.asarray(entry, np.float32)
    except (TypeError, ValueError):
        raise ValueError("losses is not a list of numbers") from None
    expected = -(-config.steps // _LOSS_EVERY)
    if losses.shape != (expected,):
        raise ValueError(
            f"losses has {len(losses)} entries, not {expected} for {config.steps} steps"
        )
    return jnp.asarray(np.repeat(losses, _LOSS_EVERY)[: config.steps])


def _seed(contents: Mapping[str, Any]) -> int:
    """A number between 2**32, above all seeds of sweeps, and 2**48, from the file's weights."""
    digest = hashlib.sha256()
    for state in (contents["setup"], *contents["log2_spaced_models"]):
        for name, value in sorted(state.items()):
            if isinstance(value, np.ndarray) and value.ndim:
                digest.update(f"{name} {value.shape}\n".encode())
                digest.update(np.ascontiguousarray(value, np.float32).data)
    drawn = int.from_bytes(digest.digest()[:8], "big")
    return 2**32 + drawn % (2**48 - 2**32)


def _theirs(field: str, value: str, names: Mapping[str, str]) -> str:
    found = [theirs for theirs, ours in names.items() if ours == value]
    if not found:
        raise ValueError(f"the authors' program has no {field}={value}")
    return found[0]
