"""Runs on disk: one safetensors file each, which describes itself.

A file is named by a hash of what determines its run (config, hyperparams, seed), so
that a finished run is never trained twice and no meaning hides in a path. The
header says everything in words; the tensors are the run. Files are written
atomic_write and renamed, so that what has a run's name is whole.

    >>> import tempfile
    >>> from toymono.train import Hyperparams, Config, fit
    >>> runs_dir = tempfile.mkdtemp()
    >>> config = Config(n=8, m=4, k=8, batch_size=8, log2_steps=2)
    >>> path = save(runs_dir, fit(config, Hyperparams(eps=0.5), jax.random.key(3)))
    >>> [kept] = find(runs_dir, k=8, eps=0.5)
    >>> load(kept).seed
    3
"""

import dataclasses
import functools
import hashlib
import json
import operator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import PRNGKeyArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

import toymono
from toymono.config import CHOICES, Config, Hyperparams, field_types
from toymono.features import World
from toymono.files import atomic_write
from toymono.models import Model
from toymono.train import Run

FORMAT = 1
KEY_IMPL = "threefry2x32"
"""Of the keys of kept runs, JAX's default; under another a seed means other draws."""
# Fields that joined later, with the value that means what was before: a run
# with that value keeps the name that it had without the field.
_JOINED = {"penalty": "none", "alpha": 1.0, "matmul_precision": "float32"}
_RUN, _PARTIAL = ".safetensors", ".partial"


class BrokenRun(ValueError):
    """A file in the place of a run is none, not whole, or of a format that is not known here."""


@dataclasses.dataclass(frozen=True)
class StoredRun:
    """A run on disk, known by its header; `load` brings its arrays."""

    path: Path
    config: Config
    hyperparams: Hyperparams
    seed: int
    diverged: int | None
    """Step at which it diverged, if it did."""
    versions: dict[str, str] = dataclasses.field(compare=False)
    """Of the packages that trained it, and `platform`: cpu, gpu or tpu."""

    @property
    def fields(self) -> dict[str, Any]:
        """Its config, hyperparams and seed in one flat dictionary."""
        return fields(self.config, self.hyperparams, self.seed)

    @functools.cached_property
    def setting(self) -> str:
        """What it has in common with its like of other seeds: the name of that with seed 0."""
        return name(self.config, self.hyperparams, seed=0)


def fields(config: Config, hyperparams: Hyperparams, seed: int) -> dict[str, Any]:
    """What determines a run, flat; hyperparams as the shortest decimals of their float32 values."""
    numbers = {name: decimal(value) for name, value in vars(hyperparams).items()}
    return {**vars(config), **numbers, "seed": int(seed)}


def name(config: Config, hyperparams: Hyperparams, seed: int) -> str:
    """The run's name: 16 hexadecimal digits of a hash of `fields`."""
    told = fields(config, hyperparams, seed).items()
    told = {field: value for field, value in told if _JOINED.get(field) != value}
    canonical = json.dumps(told, sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def path(runs_dir: str | Path, config: Config, hyperparams: Hyperparams, seed: int) -> Path:
    """Where the run is, or would be, kept."""
    return Path(runs_dir) / (name(config, hyperparams, seed) + _RUN)


def decimal(value: Any) -> float:
    """The shortest decimal of a number's float32 value, as files and names have it."""
    return float(str(np.float32(value))) + 0.0  # -0 is 0


def versions() -> dict[str, str]:
    """What trains in this process, as kept with every run; older runs lack the platform."""
    return {
        "toymono": toymono.__version__,
        "jax": jax.__version__,
        "platform": jax.default_backend(),
    }


def save(runs_dir: str | Path, run: Run) -> Path:
    """Keeps one run, and drops what was kept of it unfinished.

    Raises:
      ValueError: The run is stacked, or its key is not of JAX's default implementation.
      OSError: The folder cannot be written.
    """
    config, hyperparams, seed = run.config, run.hyperparams, run.seed
    check_key(run.key)
    tensors = {"key": jax.random.key_data(run.key), "loss_t": run.loss_t}
    tensors |= {f"world.{k}": v for k, v in _arrays(run.world).items()}
    tensors |= {f"snapshots.{k}": v for k, v in _arrays(run.snapshots).items()}
    header = {
        "format": FORMAT,
        "setup": vars(config),
        "dials": {name: decimal(value) for name, value in vars(hyperparams).items()},
        "seed": seed,
        "diverged": run.diverged,
        "versions": versions(),
    }
    target = path(runs_dir, config, hyperparams, seed)
    write(target, tensors, header)
    target.with_suffix(_PARTIAL).unlink(missing_ok=True)
    return target


def check_key(key: PRNGKeyArray) -> None:
    """Raises a ValueError if a run from this key cannot be kept: another run has its seed."""
    if (keys := str(jax.random.key_impl(key))) != KEY_IMPL:
        raise ValueError(f"a run from a key of {keys!r} cannot be kept; use keys of {KEY_IMPL!r}")


def load(kept: StoredRun | str | Path) -> Run:
    """The run of `find`, or in a file.

    Raises:
      BrokenRun: The file is not a run, not whole, or of another format.
    """
    if not isinstance(kept, StoredRun):
        kept = _header(Path(kept))
    tensors = _tensors(kept.path)
    return Run(
        config=kept.config,
        hyperparams=kept.hyperparams,
        key=jax.random.wrap_key_data(tensors["key"], impl=KEY_IMPL),
        world=World(**_named(tensors, "world."), task=kept.config.task),
        snapshots=Model(**_named(tensors, "snapshots."), nonlinearity=kept.config.nonlinearity),
        loss_t=tensors["loss_t"],
    )


def find(runs_dir: str | Path, **wanted: Any) -> list[StoredRun]:
    """The kept runs whose fields have these values; a list or tuple admits any of its members.

    Raises:
      FileNotFoundError: There is no such folder.
      ValueError: A name is no field of a run, or a value none that it can have.
      BrokenRun: A file is not a run, or not whole, or of another format.
    """
    if not Path(runs_dir).is_dir():  # a name mistyped is not a folder without runs
        raise FileNotFoundError(f"there is no folder {str(runs_dir)!r}")
    admitted = {
        field: [_plain(field, v) for v in (value if isinstance(value, list | tuple) else [value])]
        for field, value in wanted.items()
    }
    kept = map(_header, Path(runs_dir).glob("*" + _RUN))
    matching = [k for k in kept if all(k.fields[f] in values for f, values in admitted.items())]
    return sorted(matching, key=lambda k: tuple(k.fields.values()))


def save_partial(
    runs_dir: str | Path,
    config: Config,
    hyperparams: Hyperparams,
    seed: int,
    tensors: dict[str, np.ndarray],
) -> None:
    """Keeps an unfinished run's arrays, whatever they are, until it is saved whole."""
    target = path(runs_dir, config, hyperparams, seed).with_suffix(_PARTIAL)
    write(target, tensors, {"format": FORMAT})


def load_partial(
    runs_dir: str | Path, config: Config, hyperparams: Hyperparams, seed: int
) -> dict[str, np.ndarray] | None:
    """What `save_partial` kept; None where nothing was.

    Raises:
      BrokenRun: The file is not whole, or of another format.
    """
    source = path(runs_dir, config, hyperparams, seed).with_suffix(_PARTIAL)
    if not source.exists():
        return None
    _metadata(source)
    return _tensors(source)


def write(target: Path, tensors: dict[str, Any], header: dict[str, Any]) -> None:
    """Writes a safetensors file, whole or not at all; its folder is made if need be.

    Raises:
      OSError: The folder cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(target) as temporary:
        save_file(
            {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()},
            temporary,
            metadata={"toymono": json.dumps(header)},
        )


def _arrays(tree: World | Model) -> dict[str, Any]:
    return {name: v for name, v in vars(tree).items() if isinstance(v, jax.Array | np.ndarray)}


def _named(tensors: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


_KINDS = {**field_types(Config), **field_types(Hyperparams), "seed": int}


def _plain(field: str, value: Any) -> str | int | float:
    """A field's value as `fields` has it."""
    if field not in _KINDS:
        raise ValueError(f"{field!r} is not one of {', '.join(_KINDS)}")
    if _KINDS[field] is str:
        if value not in CHOICES[field]:
            raise ValueError(f"{field}={value!r} is not one of {', '.join(CHOICES[field])}")
        return value
    whole = _KINDS[field] is int
    try:
        return operator.index(value) if whole else decimal(float(value))
    except (TypeError, ValueError):
        noun = "a whole number" if whole else "a number"
        raise ValueError(f"{field}={value!r} is not {noun}") from None


def _header(path: Path) -> StoredRun:
    header = _metadata(path)
    try:
        return StoredRun(
            path,
            Config(**header["setup"]),
            Hyperparams(**header["dials"]),
            header["seed"],
            header["diverged"],
            header["versions"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _broken(path, error) from error


def _metadata(path: Path) -> dict[str, Any]:
    try:
        with safe_open(path, framework="np") as file:
            header = json.loads((file.metadata() or {})["toymono"])
        format_ = header["format"]
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise _broken(path, error) from error
    if format_ != FORMAT:
        raise BrokenRun(f"{path} is of format {format_}; this toymono reads format {FORMAT}")
    return header


def _tensors(path: Path) -> dict[str, np.ndarray]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> BrokenRun:
    return BrokenRun(f"{path} is not a run of this lab, or not whole: {error}")
