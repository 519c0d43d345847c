"""Dataset runs on disk: one file per run, named by what determines it.

As in `toymono.store`: a name is a hash of config, hyperparams, seed and the data's
fingerprint, so that a finished run is never trained twice. Beside a run lies,
for each set of questions asked of it, a JSON file of the answers, named by the
run and a hash of the questions.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import PRNGKeyArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file

from toymono import store
from toymono.classifiers.config import ClassifierConfig, ClassifierHyperparams
from toymono.classifiers.train import ClassifierRun, Measures
from toymono.files import atomic_write

FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Job:
    """One run to be, or kept."""

    config: ClassifierConfig
    hyperparams: ClassifierHyperparams
    seed: int
    fingerprint: str
    """Of the data."""

    @property
    def fields(self) -> dict[str, Any]:
        """All that determines the run, in one flat dictionary of plain values."""
        numbers = {
            name: store.decimal(v) for name, v in dataclasses.asdict(self.hyperparams).items()
        }
        words = {**dataclasses.asdict(self.config), "sizes": list(self.config.sizes)}
        return {**words, **numbers, "seed": int(self.seed), "fingerprint": self.fingerprint}

    @property
    def name(self) -> str:
        """The run's name: 16 hexadecimal digits of a hash of `fields`."""
        return _hash(self.fields)

    @property
    def key(self) -> PRNGKeyArray:
        """All that is random about the run, whatever JAX's default implementation is."""
        return jax.random.key(self.seed, impl=store.KEY_IMPL)

    def path(self, folder: str | Path) -> Path:
        """Where the run is, or would be, kept."""
        return Path(folder) / f"{self.name}.safetensors"


def save(folder: str | Path, job: Job, run: ClassifierRun) -> Path:
    """Keeps one run.

    Raises:
      ValueError: The run's key is not of JAX's default implementation.
      OSError: The folder cannot be written.
    """
    store.check_key(run.key)
    tensors = {f"params.{layer}.{name}": leaf for layer, name, leaf in _leaves(run.params)}
    tensors |= {f"history.{name}": leaf for name, leaf in vars(run.history).items()}
    header = {"labelled": FORMAT, "run": job.fields, "versions": store.versions()}
    store.write(job.path(folder), tensors, header)
    return job.path(folder)


def load(folder: str | Path, job: Job) -> ClassifierRun:
    """The kept run of a job.

    Raises:
      ValueError: The file is not this run, or not whole.
    """
    path = job.path(folder)
    try:
        with safe_open(path, framework="np") as file:
            header = json.loads((file.metadata() or {})["toymono"])
        if header["run"] != job.fields:
            raise KeyError(f"made by {header['run']}")
        tensors = load_file(path)
        history = {field.name: tensors[f"history.{field.name}"] for field in _MEASURES}
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not the run of its name, or not whole: {error}") from error
    params: dict[str, dict[str, np.ndarray]] = {}
    for name, leaf in tensors.items():
        if name.startswith("params."):
            _, layer, part = name.split(".")
            params.setdefault(layer, {})[part] = leaf
    return ClassifierRun(job.config, job.hyperparams, job.key, params, Measures(**history))


def find(folder: str | Path) -> list[Job]:
    """Every run kept in the folder.

    Raises:
      ValueError: A file there is not a labelled run, or not whole.
    """
    jobs = []
    for path in sorted(Path(folder).glob("*.safetensors")):
        try:
            with safe_open(path, framework="np") as file:
                fields = json.loads((file.metadata() or {})["toymono"])["run"]
            jobs.append(_job(fields))
        except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"{path} is not a labelled run, or not whole: {error}") from error
    return jobs


def save_answers(
    folder: str | Path, job: Job, questions: Mapping[str, Any], answers: Mapping[str, Any]
) -> Path:
    """Keeps what was found out about a run."""
    path = _answers_path(folder, job, questions)
    content = {"run": job.fields, "questions": dict(questions), "answers": dict(answers)}
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content))
    return path


def load_answers(
    folder: str | Path, job: Job, questions: Mapping[str, Any]
) -> dict[str, Any] | None:
    """What `save_answers` kept; None where it kept nothing.

    Raises:
      ValueError: The file is damaged.
    """
    path = _answers_path(folder, job, questions)
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text())["answers"]
    except (json.JSONDecodeError, KeyError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged: {error}; delete it") from error


_MEASURES = dataclasses.fields(Measures)


def _leaves(params):
    for layer, of_layer in params.items():
        for name, leaf in of_layer.items():
            yield layer, name, leaf


def _job(fields: Mapping[str, Any]) -> Job:
    config, hyperparams = ({f.name for f in dataclasses.fields(kind)} for kind in _KINDS)
    return Job(
        ClassifierConfig(**{name: value for name, value in fields.items() if name in config}),
        ClassifierHyperparams(
            **{name: value for name, value in fields.items() if name in hyperparams}
        ),
        fields["seed"],
        fields["fingerprint"],
    )


_KINDS = (ClassifierConfig, ClassifierHyperparams)


def _hash(fields: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]


def _answers_path(folder: str | Path, job: Job, questions: Mapping[str, Any]) -> Path:
    asked = _hash({"format": FORMAT, **questions})[:8]
    return Path(folder) / f"{job.name}-{asked}.json"
