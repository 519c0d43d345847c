"""Scores of one's own: more columns of `per_run` and `per_neuron`."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from toymono.models import AnyModel
from toymono.quantities import INDEX_COLUMNS, QUANTITIES
from toymono.quantities.quantity import Quantity
from toymono.records import Records
from toymono.tasks import World


@dataclasses.dataclass(frozen=True)
class Score:
    """A number per model or per neuron, computed from each final model."""

    quantity: Quantity
    """The column's name, label, range and format."""
    function: Callable[[AnyModel, World], Any]
    """`(model, world) -> [k]`, or a scalar if it is `per` run."""
    per: str = "neuron"
    """`neuron`: a column of `frames.per_neuron`; `run`: of `frames.per_run`."""

    def __post_init__(self):
        if self.per not in ("neuron", "run"):
            raise ValueError(f"per={self.per!r} is not one of neuron, run")

    @property
    def name(self) -> str:
        """Its column."""
        return self.quantity.name


class _Scores(Records[Score]):
    def _check(self, name: str, record: Score) -> None:
        if name in QUANTITIES or name in INDEX_COLUMNS:
            raise ValueError(f"{self.kind} {name!r} is a column already; choose another name")
        if name != record.name:
            raise ValueError(f"{self.kind} {record.name!r} cannot be registered as {name!r}")
        QUANTITIES[name] = record.quantity

    def remove(self, name: str) -> None:
        super().remove(name)
        del QUANTITIES[name]


SCORES: Records[Score] = _Scores("score", {})
"""Scores that were registered; the package's own are columns already."""


def registered(model: AnyModel, world: World, per: str) -> dict[str, np.ndarray]:
    """The registered scores of one model, by their names.

    Raises:
      ValueError: A function returned another shape than its score should have.
    """
    wanted = (model.w_mk.shape[-1],) if per == "neuron" else ()
    found = {}
    for name, score in SCORES.items():
        if score.per == per:
            found[name] = np.asarray(jax.device_get(score.function(model, world)))
            if found[name].shape != wanted:
                raise ValueError(
                    f"score {name!r} has shape {found[name].shape}, not {wanted}, per {per}"
                )
    return found
