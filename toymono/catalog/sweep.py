"""Presets of the sweep command, and what a sweep of the catalog is."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from toymono import fields

Preset = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Maps the given fields to the preset's values for the others."""


def _smoke(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"n": 32, "m": 8, "k": 64, "eps": 1 / 8, "batch_size": 64, "log2_steps": 6}


def _laptop(given: Mapping[str, Any]) -> dict[str, Any]:
    return {}  # the defaults of Config and Hyperparams


def paper_preset(given: Mapping[str, Any]) -> dict[str, Any]:
    # Sizes of section 4 and appendix A; the batch shrinks as k grows, as in the
    # paper's program. Rate and decay are those of its batch K1.
    k = given.get("k", 1024)
    return {
        "k": k,
        "batch_size": 2 ** max(0, 23 - math.ceil(math.log2(k))) if k > 0 else 1,
        "log2_steps": 17,
        "learning_rate": 0.007,
        "bias_decay": 0.03,
    }


PRESETS: dict[str, Preset] = {"smoke": _smoke, "laptop": _laptop, "paper": paper_preset}

SCALES = ("paper", "small")

Grid = Mapping[str, tuple]


@dataclasses.dataclass(frozen=True)
class Sweep:
    """One row of Table 1: settings that the paper trained together."""

    title: str
    """What it varies."""
    swept: str
    """The field that it varies."""
    paper: tuple[Grid, ...]
    """Grids at the paper's scale; fields not named are those of the `paper` preset."""
    small: Grid
    """What replaces values other than 0 at the small scale, beside the sizes."""
    ours: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Fields whose values the paper does not state, and how they were chosen."""

    def points(self, scale: str, **changed: Any) -> Iterator[dict[str, Any]]:
        """Every setting of the sweep at a scale, as fields of `Config` and `Hyperparams`.

        Fields that are `changed` replace the sweep's own. `batch_size` is
        recomputed if `k` changes.
        """
        for grid in self.paper:
            axes = dict(grid)
            if scale == "small":
                axes |= {"n": (256,), "m": tuple(m // 2 for m in grid.get("m", (64,)))}
                axes["k"] = tuple(k // 2 for k in grid.get("k", (1024,)))
                axes |= {name: v for name, v in self.small.items() if any(grid.get(name, ()))}
            for point in fields.grid(axes):
                size = {"batch_size": 256, "log2_steps": 13} if scale == "small" else {}
                point |= changed
                yield {**paper_preset(point), **size, **point}
