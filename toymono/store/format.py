"""The file format of runs: safetensors with a JSON header, format 2, and how format 1 is read.

The header of a run says everything in words: kind, config, hyperparameters,
seed, data fingerprint, parents, the step at which it diverged, versions, date,
and a checksum of the tensors.
"""

import datetime
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from toymono.files import BrokenRun, atomic_write
from toymono.job import Job
from toymono.kinds import KINDS

FORMAT = 2
SUFFIX, PARTIAL = ".safetensors", ".partial"


def broken(path: Path, reason: object) -> BrokenRun:
    """The error that names a file and what is wrong with it."""
    return BrokenRun(f"{path} is not a complete run of toymono: {reason}")


def write(path: Path, tensors: dict[str, Any], header: dict[str, Any]) -> None:
    """Writes a safetensors file with a checksum in its header; its folder is made if need be.

    Raises:
      OSError: The folder cannot be written.
    """
    arrays = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    header = {"format": FORMAT, **header, "checksum": checksum(arrays)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        try:
            save_file(arrays, temporary, metadata={"toymono": json.dumps(header)})
        except SafetensorError as error:  # a full disk, for one
            raise OSError(f"{path} cannot be written: {error}") from error


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
        with safe_open(path, framework="np") as file:
            header = json.loads((file.metadata() or {})["toymono"])
        version = header["labelled"] if "labelled" in header else header["format"]
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise broken(path, error) from error
    if version not in (1, FORMAT):
        raise BrokenRun(f"{path} has format {version}; this toymono reads formats 1 and {FORMAT}")
    return header


def read_tensors(path: Path, header: dict[str, Any]) -> dict[str, Any]:
    """The arrays of a file, checked against the checksum in its header (format 1 has none).

    Raises:
      BrokenRun: The file is damaged.
    """
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise broken(path, error) from error
    if "checksum" in header and checksum(tensors) != header["checksum"]:
        raise broken(path, "its checksum does not match its tensors")
    return tensors


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
    kind = KINDS[header["kind"]]
    config, hyperparams = kind.split({**header["config"], **header["hyperparams"]})
    parents = tuple(header["parents"])
    return Job(config, hyperparams, int(header["seed"]), header["fingerprint"], parents)


def date_of(path: Path, header: dict[str, Any]) -> str:
    """When the run was stored, as an ISO date and time; of format 1, when its file was written."""
    if "date" in header:
        return header["date"]
    written = datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC)
    return written.isoformat(timespec="seconds")


def now() -> str:
    """The current time as an ISO date and time."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
