"""The file format of runs: safetensors with a JSON header, format 2, and how format 1 is read.

The header of a run says everything in words: kind, config, hyperparameters,
seed, data fingerprint, parents, the step at which it diverged, versions, date,
a checksum of the tensors, and a seal: a checksum of all the rest of the header.
Only finished runs that were stored before 2026-11-25 may lack the seal.
"""

import datetime
import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from toymono.files import BrokenRun, atomic_write
from toymono.job import Job
from toymono.kinds import KINDS

FORMAT = 2
SUFFIX, PARTIAL = ".safetensors", ".partial"

_SEALED = "2026-11-25"  # Headers have a seal since the evening before.

_JOINED = {"penalty": "none", "alpha": 1.0, "matmul_precision": "float32"}
"""Fields that format 1 of toy models left out of a run's name at these values."""


def broken(path: Path, reason: object) -> BrokenRun:
    """The error that names a file and what is wrong with it; a KeyError names a missing entry."""
    if isinstance(reason, KeyError):
        reason = f"its header has no entry {reason}"
    elif isinstance(reason, OSError) and reason.strerror:  # its own text repeats the path
        reason = reason.strerror
    return BrokenRun(f"{path} cannot be read as a run: {reason}")


def write(path: Path, tensors: dict[str, Any], header: dict[str, Any]) -> None:
    """Writes a safetensors file with a checksum in its header; its folder is made if need be.

    Raises:
      OSError: The folder cannot be written.
    """
    arrays = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    header = {"format": FORMAT, **header, "checksum": checksum(arrays)}
    header["seal"] = _seal(header)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_tensors(path, arrays, {"toymono": json.dumps(header)})


def save_tensors(path: Path, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Writes a safetensors file atomically.

    Raises:
      OSError: It cannot be written.
    """
    with atomic_write(path) as temporary:
        try:
            save_file(arrays, temporary, metadata=metadata)
        except SafetensorError as error:  # a full disk, for one
            number = re.search(r"\(os error (\d+)\)", str(error))
            if number is None:
                raise OSError(f"{path} cannot be written: {error}") from error
            raise OSError(int(number[1]), os.strerror(int(number[1]))) from error


def _seal(header: Mapping[str, Any]) -> str:
    """SHA-256 of a header's other entries."""
    rest = {name: value for name, value in header.items() if name != "seal"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def checksum(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 of the names, types, shapes and bytes of arrays."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()


def read_header(path: Path) -> dict[str, Any]:
    """The header of a file of any format that is known here.

    Raises:
      BrokenRun: The file has none.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # to open a pipe would wait for ever
            raise broken(path, "it is not a file")
        os.close(os.open(path, os.O_RDONLY))  # safetensors reports every failure as a missing file
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
        if "toymono" not in metadata:
            raise broken(path, "its metadata has no entry 'toymono'")
        header = json.loads(metadata["toymono"])
        version = header["labelled"] if "labelled" in header else header["format"]
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise error if isinstance(error, BrokenRun) else broken(path, error) from error
    if type(version) is not int or version not in (1, FORMAT):
        raise BrokenRun(f"{path} has format {version}; this toymono reads formats 1 and {FORMAT}")
    if version == FORMAT:
        for entry in ("checksum", "seal"):
            if entry not in header and not (entry == "seal" and _before_seals(header)):
                raise broken(path, KeyError(entry))
        if "seal" in header and header["seal"] != _seal(header):
            raise broken(path, "its header does not match the seal in it")
    return header


def _before_seals(header: Mapping[str, Any]) -> bool:
    """Whether a header is of a finished run from before headers had a seal."""
    date = header.get("date")
    return isinstance(date, str) and "2026" <= date < _SEALED


def read_tensors(
    path: Path, header: dict[str, Any], like: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The arrays of a file, checked against the checksum in its header (format 1 has none).

    Args:
      path: The file.
      header: From `read_header`.
      like: By name, the shape and type that each array must have, as attributes
        `shape` and `dtype`; a length of None may be any up to 2**20. It is checked before
        memory is taken. None takes what comes.

    Raises:
      BrokenRun: The file is damaged.
    """
    try:
        with safe_open(path, framework="np") as file:
            if like is not None:
                _check_shapes(path, file, like)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError, ValueError, MemoryError) as error:
        raise error if isinstance(error, BrokenRun) else broken(path, error) from error
    if "checksum" in header and checksum(tensors) != header["checksum"]:
        raise broken(path, "its checksum does not match its tensors")
    return tensors


_LONGEST = 2**20  # Our choice: more pixels than any supported image has.

_TYPES = {"float32": "F32", "int32": "I32", "uint32": "U32", "bool": "BOOL"}
"""Names of types in safetensors files; others are not compared."""


def _check_shapes(path: Path, file: Any, like: Mapping[str, Any]) -> None:
    found = set(file.keys())
    differences = {
        "lacks the tensors": set(like) - found,
        "has the unknown tensors": found - set(like),
    }
    if words := [
        f"{verb} {', '.join(sorted(names))}" for verb, names in differences.items() if names
    ]:
        raise broken(path, f"it {' and '.join(words)}")
    for name, expected in like.items():
        stored = file.get_slice(name)
        shape, kind = tuple(stored.get_shape()), stored.get_dtype()
        fits = len(shape) == len(expected.shape) and all(
            length <= _LONGEST if wanted is None else length == wanted
            for length, wanted in zip(shape, expected.shape, strict=True)
        )
        if not fits or kind != _TYPES.get(str(expected.dtype), kind):
            raise broken(
                path,
                f"{name} is {kind} {list(shape)}, not {expected.dtype} {list(expected.shape)}",
            )


def describe(job: Job) -> dict[str, Any]:
    """What the header of a run says about its job."""
    kind = job.kind
    values = {name: job.fields[name] for name in kind.fields}
    return {
        "kind": kind.name,
        "config": {name: value for name, value in values.items() if name in kind.static},
        "hyperparams": {name: v for name, v in values.items() if name not in kind.static},
        "seed": job.seed,
        "fingerprint": job.fingerprint,
        "parents": list(job.parents),
    }


def read_job(header: dict[str, Any]) -> Job:
    """The job that a header describes.

    Raises:
      KeyError, TypeError, ValueError: It does not describe one.
    """
    if "labelled" in header:  # format 1 of classifiers: one flat dictionary
        flat = dict(header["run"])
        seed, fingerprint = flat.pop("seed"), flat.pop("fingerprint")
        return Job(*KINDS["classifier"].split(flat), seed, fingerprint)
    if header["format"] == 1:
        flat = {**header["setup"], **header["dials"]}
        return Job(*KINDS["toy"].split(flat), header["seed"])
    if header["kind"] not in KINDS:
        raise ValueError(f"kind={header['kind']!r} is not one of {', '.join(KINDS)}")
    kind = KINDS[header["kind"]]
    config, hyperparams = kind.split({**header["config"], **header["hyperparams"]})
    parents = tuple(header["parents"])
    return Job(config, hyperparams, int(header["seed"]), header["fingerprint"], parents)


def name_of(header: Mapping[str, Any], job: Job) -> str:
    """The name that the file of a run has: format 1 named runs by rules of its own.

    Args:
      header: From `read_header`.
      job: From `read_job`.
    """
    if "labelled" in header:
        identity = header["run"]
    elif header["format"] == 1:
        fields = {**header["setup"], **header["dials"], "seed": header["seed"]}
        identity = {name: value for name, value in fields.items() if _JOINED.get(name) != value}
    else:
        return job.name
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def date_of(path: Path, header: dict[str, Any]) -> str:
    """When the run was stored, as an ISO date and time; of format 1, when its file was written."""
    if "date" in header:
        return header["date"]
    written = datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC)
    return written.isoformat(timespec="seconds")


def now() -> str:
    """The current time as an ISO date and time."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
