"""Runs on disk: saved, found by what they are, and loaded."""

import contextlib
import dataclasses
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

import toymono
from toymono import catalog
from toymono.config import decimal, split
from toymono.fields import SEED
from toymono.files import BrokenRun
from toymono.job import KEY_IMPL, Job, job_of
from toymono.kinds import KINDS
from toymono.store import format as files
from toymono.store import shapes
from toymono.store.format import PARTIAL, SUFFIX, broken


@dataclasses.dataclass(frozen=True)
class StoredRun(Job):
    """A run on disk, known by its header; `load` reads its arrays."""

    path: Path = Path()
    diverged: int | None = None
    """Step at which it diverged, if it did."""
    versions: dict[str, str] = dataclasses.field(default_factory=dict, compare=False)
    """Versions of the packages that trained it, and `platform`: cpu, gpu or tpu."""
    date: str = dataclasses.field(default="", compare=False)
    """When it was stored."""


def path(runs_dir: str | Path, job: Job) -> Path:
    """Where the run of a job is, or would be, stored."""
    return Path(runs_dir) / (job.name + SUFFIX)


def partial_path(runs_dir: str | Path, job: Job) -> Path:
    """Where the unfinished run of a job is, or would be, stored."""
    return path(runs_dir, job).with_suffix(PARTIAL)


def parent_paths(runs_dir: str | Path, job: Job) -> list[Path]:
    """Where the runs that a job starts from are, or would be, stored."""
    return [Path(runs_dir) / (name + SUFFIX) for name in job.parents]


def versions() -> dict[str, str]:
    """Versions of toymono and JAX, and the JAX backend of this process, as in every header."""
    return {
        "toymono": toymono.__version__,
        "jax": jax.__version__,
        "platform": jax.default_backend(),
    }


def save(
    runs_dir: str | Path,
    run: Any,
    job: Job | None = None,
    trained_by: Mapping[str, str] | None = None,
) -> Path:
    """Stores one run and removes its unfinished part, if there is one.

    Args:
      runs_dir: The folder; created if it does not exist.
      run: A trained `Run`, `ClassifierRun` or `AutoencoderRun`.
      job: The job of the run; by default the one that the run itself describes.
      trained_by: The versions in its header, by package; by default those of this process.

    Raises:
      TypeError: `run` is not a trained run, or the arguments are in the wrong order.
      ValueError: The run is stacked, its key is not of JAX's default implementation, or it
        lacks earlier snapshots, as the models of `toymono.zoo` do.
      OSError: The folder cannot be written.
    """
    if not isinstance(runs_dir, str | Path):
        raise TypeError(f"runs_dir is a {type(runs_dir).__name__}: save(runs_dir, run)")
    if not isinstance(run, tuple(kind.run for kind in KINDS.values())):
        raise TypeError(f"run is a {type(run).__name__}, not a trained run: save(runs_dir, run)")
    job = job_of(run) if job is None else job
    expected_steps = job.config.snapshot_steps
    if getattr(run, "snapshot_steps", expected_steps) != expected_steps:
        raise ValueError("a run without its earlier snapshots cannot be stored")
    target = path(runs_dir, job)
    header = {
        **files.describe(job),
        "diverged": run.diverged,
        "versions": versions() if trained_by is None else dict(trained_by),
        "date": files.now(),
    }
    tensors = {"key": jax.random.key_data(run.key), **job.kind.tensors(run)}
    files.write(target, tensors, header)
    with contextlib.suppress(OSError):  # a directory of that name: the run itself is saved
        partial_path(runs_dir, job).unlink()
    return target


def load(stored: StoredRun | str | Path) -> Any:
    """The run that `find` returned, or the one in a file.

    Raises:
      BrokenRun: The file is not a run, is damaged, or has an unknown format.
    """
    source = stored.path if isinstance(stored, StoredRun) else Path(stored)
    header = files.read_header(source)
    job = stored if isinstance(stored, StoredRun) else _job(source, header)
    tensors = files.read_tensors(source, header, _like(job, header))
    key = jax.random.wrap_key_data(tensors.pop("key", _key_words(job)), impl=KEY_IMPL)
    try:
        run = job.kind.load(job.config, job.hyperparams, key, job.fingerprint, tensors)
        return run.replace(parents=job.parents) if job.parents else run
    except (KeyError, IndexError, TypeError) as error:
        raise broken(source, f"tensors are missing or unknown: {error}") from error


def _like(job: Job, header: dict[str, Any]) -> dict[str, Any] | None:
    """The shapes of all that the file of a run holds; format 1 of classifiers has no key."""
    expected = shapes.of_run(job)
    if expected is None or "labelled" in header:
        return expected
    return {**expected, "key": _key_words(job)}


def _key_words(job: Job) -> Any:
    return np.asarray(jax.random.key_data(job.key))


def find(runs_dir: str | Path, kind: str = "toy", **wanted: Any) -> list[StoredRun]:
    """The stored runs of a kind whose fields have these values, in the order of their fields.

    A list or tuple of values admits any of them. A file that cannot be read is
    skipped with one warning that names it.

    Args:
      runs_dir: The folder.
      kind: toy, classifier or autoencoder.
      **wanted: By field, the value or values that it may have.

    Raises:
      FileNotFoundError: There is no such folder.
      ValueError: The kind is unknown, a name is not a field of a run, or a field
        cannot have such a value.

    Example:
      >>> import tempfile
      >>> from toymono import Config, Hyperparams, fit
      >>> runs_dir = tempfile.mkdtemp()
      >>> config = Config(n=8, m=4, k=8, batch_size=8, log2_steps=2)
      >>> path = save(runs_dir, fit(config, Hyperparams(eps=0.5), jax.random.key(3)))
      >>> [stored] = find(runs_dir, k=8, eps=[0.25, 0.5])
      >>> load(stored).seed
      3
    """
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} is not one of {', '.join(KINDS)}")
    admitted = {name: _values(kind, name, value) for name, value in wanted.items()}
    matching = [
        stored
        for stored in every(runs_dir)
        if stored.kind.name == kind
        and all(stored.fields[name] in values for name, values in admitted.items())
    ]
    return sorted(matching, key=lambda stored: tuple(stored.fields.values()))


def every(runs_dir: str | Path) -> list[StoredRun]:
    """All runs in a folder, of every kind, each once; unreadable files are skipped with a warning.

    Raises:
      FileNotFoundError: There is no such folder.
    """
    by_name: dict[str, StoredRun] = {}
    for source in run_files(runs_dir):
        try:
            stored = read(source)
        except BrokenRun as error:
            warnings.warn(
                f"skipping an unreadable file: {error}. To move such files away: "
                f"python -m toymono.store check --runs_dir {runs_dir} --quarantine",
                stacklevel=3,
            )
        else:
            by_name[stored.name] = stored
    return list(by_name.values())


def named(runs_dir: str | Path, jobs: Sequence[Job]) -> list[StoredRun]:
    """The stored runs of jobs, in their order; those that are not on disk are left out."""
    by_name = {stored.name: stored for stored in every(runs_dir)}
    return [by_name[job.name] for job in jobs if job.name in by_name]


def run_files(runs_dir: str | Path) -> Iterator[Path]:
    """All `*.safetensors` files of a folder; format 1 had classifiers in a folder of their own.

    Raises:
      FileNotFoundError: There is no such folder.
      OSError: The folder cannot be read.
    """
    folder = Path(runs_dir)
    if not folder.is_dir():  # a mistyped name is not a folder without runs
        raise FileNotFoundError(f"there is no folder {str(runs_dir)!r}")
    names = os.listdir(folder)  # `Path.glob` finds nothing in a folder that cannot be read
    labelled = folder / "labelled"
    if "labelled" in names and labelled.is_dir():
        yield from _with_suffix(labelled, os.listdir(labelled))
    yield from _with_suffix(folder, names)


def _with_suffix(folder: Path, names: Sequence[str]) -> list[Path]:
    return [folder / name for name in sorted(names) if name.endswith(SUFFIX)]


def instead(runs_dir: str | Path, training: str) -> str:
    """What to do about runs that a folder lacks: train them, unless files there are unreadable.

    Args:
      runs_dir: The folder.
      training: What a message says if every file can be read.
    """
    unreadable = 0
    for source in run_files(runs_dir):
        try:
            read(source)
        except BrokenRun:
            unreadable += 1
    if not unreadable:
        return training
    count = "1 file" if unreadable == 1 else f"{unreadable} files"
    return f"{count} there cannot be read: python -m toymono.store check --runs_dir {runs_dir}"


def read(source: Path) -> StoredRun:
    """The run in a file, by its header alone.

    Raises:
      BrokenRun: The file is not a run, is damaged, or has an unknown format.
    """
    header = files.read_header(source)
    job = _job(source, header)
    try:
        return StoredRun(
            job.config,
            job.hyperparams,
            job.seed,
            job.fingerprint,
            job.parents,
            path=source,
            diverged=header.get("diverged"),
            versions=dict(header["versions"]),
            date=files.date_of(source, header),
        )
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise broken(source, error) from error


def _job(source: Path, header: dict[str, Any]) -> Job:
    try:
        job = files.read_job(header)
        name = files.name_of(header, job)
        if source.stem != name:
            raise ValueError(f"its header describes the run {name}")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise broken(source, error) from error
    return job


def _values(kind: str, name: str, value: Any) -> list[Any]:
    """The values of a field that `find` admits, as `Job.fields` has them."""
    table = {**KINDS[kind].fields, "seed": SEED}
    if name not in table:
        raise ValueError(f"{name!r} is not one of {', '.join(table)}")
    field = table[name]
    several = isinstance(value, list) or (isinstance(value, tuple) and field.type is not tuple)
    checked = [field.check(v) for v in (value if several else [value])]
    return [decimal(v) if field.type is float else v for v in checked]


def positions(sweep: str, scale: str, **changed: Any) -> dict[str, int]:
    """Index of each setting of a sweep: from `Job.setting` to the position in `catalog.points`.

    Args:
      sweep: The name of a sweep of the catalog.
      scale: One of `catalog.SCALES`.
      changed: Fields that replace the sweep's own.

    Raises:
      ValueError: The catalog has no such sweep.
    """
    points = enumerate(catalog.points([sweep], scale, **changed))
    return {Job(*split(point), seed=0).setting: index for index, point in points}
