"""The models of the zoo: what each shows, the settings that train it, and its file."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jax
import pandas as pd

from toymono.config import split
from toymono.fields import TOY
from toymono.job import Job
from toymono.kinds import KINDS
from toymono.store import format as files
from toymono.train import Run

SCORES = ("loss", "monosemantic", "polysemantic", "dead")
"""Columns of `frames.per_run` that are recorded in each file."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One model of the zoo: what it shows and what determines it."""

    name: str
    description: str
    """What it shows, in a sentence."""
    settings: Mapping[str, Any] = dataclasses.field(hash=False)
    """Fields of `Config` and `Hyperparams` that differ from their defaults."""

    @property
    def job(self) -> Job:
        """The run, of seed 0, that the model is taken from."""
        return Job(*split(self.settings), 0)

    @property
    def command(self) -> str:
        """The command that trains it."""
        words = [f"--{name} {TOY[name].text(value)}" for name, value in self.settings.items()]
        return " ".join(["python -m toymono.sweep", *words, "--seeds 1"])

    @property
    def path(self) -> Path:
        """Its file in the package."""
        return Path(__file__).parent / f"{self.name}.safetensors"

    @property
    def scores(self) -> dict[str, float]:
        """The recorded `SCORES`; a test computes them again from the weights."""
        return files.read_header(self.path)["scores"]


_SMALL = {"n": 256, "m": 32, "batch_size": 256}
_NEGATIVE_BIAS = {**_SMALL, "init_bias": -1.0}


def _entries(*entries: tuple[str, str, Mapping[str, Any]]) -> Mapping[str, Entry]:
    return MappingProxyType({name: Entry(name, text, values) for name, text, values in entries})


ZOO: Mapping[str, Entry] = _entries(
    (
        "decoder-mono",
        "Recovers 256 features; a bias of -1 at the start gives many monosemantic neurons.",
        _NEGATIVE_BIAS,
    ),
    (
        "decoder-poly",
        "As decoder-mono from a bias of 0: all neurons are polysemantic.",
        _SMALL,
    ),
    (
        "decoder-penalised",
        "From a bias of 0 in half the steps, with the soft polysemantic penalty.",
        {
            **_SMALL,
            "penalty": "soft",
            "log2_steps": 12,
            "learning_rate": 0.015,
            "bias_decay": 0.0,
        },
    ),
    (
        "decoder-gelu",
        "As decoder-mono, with gelu, a smooth nonlinearity.",
        {**_NEGATIVE_BIAS, "nonlinearity": "gelu"},
    ),
    (
        "decoder-power-law",
        "As decoder-mono, with feature frequencies that fall as a power law.",
        {**_NEGATIVE_BIAS, "feature_law": "power_law"},
    ),
    (
        "abs",
        "Outputs the absolute value of signed features.",
        {**_NEGATIVE_BIAS, "task": "abs"},
    ),
    (
        "reproject",
        "Outputs a second, independent embedding of the features.",
        {**_NEGATIVE_BIAS, "task": "reproject"},
    ),
    (
        "tied",
        "60 features in 6 hidden dimensions, decoded with the same weights.",
        {
            "model": "tied",
            "task": "identity",
            "n": 60,
            "m": 6,
            "batch_size": 256,
            "optimizer": "adamw",
            "schedule": "constant",
            "learning_rate": 0.001,
            "eps": 0.02,
            "bias_decay": 0.0,
        },
    ),
)
"""Every model by its name."""


def load(name: str) -> Run:
    """A trained model of the zoo, as a run whose only snapshot is the final one.

    Args:
      name: A key of `ZOO`.

    Returns:
      A `Run`: `run.final` is the model and `run.world` its embedding. Every
      frame can be made from it.

    Raises:
      ValueError: There is no such model.

    Example:
      >>> from toymono import frames
      >>> frames.per_run(load("decoder-poly"))[["monosemantic", "polysemantic"]].values.tolist()
      [[0, 512]]
    """
    if name not in ZOO:
        raise ValueError(f"zoo model {name!r} is not one of {', '.join(ZOO)}")
    entry = ZOO[name]
    tensors = files.read_tensors(entry.path, files.read_header(entry.path))
    tensors = jax.tree.map(jax.numpy.asarray, tensors)
    job = entry.job
    return KINDS["toy"].load(job.config, job.hyperparams.checked(), job.key, "", tensors)


def save(entry: Entry, run: Run, scores: Mapping[str, float]) -> Path:
    """Writes the file of an entry: the run's final weights, embedding and losses.

    Raises:
      ValueError: The run is not the entry's.
      FileExistsError: Another file is in the entry's place.
    """
    if entry.path.exists() and files.read_header(entry.path).get("zoo") != entry.name:
        raise FileExistsError(f"{entry.path} is not overwritten: it is not the model {entry.name}")
    job = Job(run.config, run.hyperparams, run.seed)
    if job.name != entry.job.name:
        raise ValueError(f"run {job.name} is not that of {entry.name}, {entry.job.name}")
    final = jax.tree.map(lambda leaf: leaf[-1:], run.snapshots)
    tensors = KINDS["toy"].tensors(run.replace(snapshots=final))
    header = {
        **files.describe(entry.job),
        "zoo": entry.name,
        "scores": {name: scores[name] for name in SCORES},
        "date": files.now(),
    }
    files.write(entry.path, tensors, header)
    return entry.path


def table() -> pd.DataFrame:
    """One row per model: `name`, `description`, the recorded `SCORES`, and `command`."""
    return pd.DataFrame(
        [
            {"name": name, "description": entry.description, **entry.scores}
            | {"command": entry.command}
            for name, entry in ZOO.items()
        ]
    )
