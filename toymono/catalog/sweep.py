"""Presets of the sweep command, and what a sweep of the catalog is."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

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

Grid = Mapping[str, tuple]


class Ancestor(NamedTuple):
    """A run that another starts from."""

    point: Mapping[str, Any]
    """Fields of `Config` and `Hyperparams`, all that are not defaults."""
    seed: int
    parents: tuple["Ancestor", ...] = ()
    """The runs that it starts from itself."""


Ancestry = Callable[[str, Mapping[str, Any], int], Sequence[tuple[Ancestor, ...]]]
"""From the scale, a point of a sweep and a seed to what the run starts from. Several answers
mean several runs."""


def _none(scale: str, point: Mapping[str, Any], seed: int) -> Sequence[tuple[Ancestor, ...]]:
    return ((),)


@dataclasses.dataclass(frozen=True)
class Scale:
    """A size at which the paper's sweeps can be trained."""

    title: str
    """What a caption begins with."""
    sizes: str
    """Its sizes, steps and batches in words."""
    halved: bool = False
    """Whether n, m and k are half of the paper's, which keeps n/m, m/(n eps) and k/n."""
    fields: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """What replaces the batch size and the steps of the `paper` preset."""
    short: bool = False
    """Whether `Sweep.small` replaces learning rates and decays, to compensate for few steps."""


SCALES: dict[str, Scale] = {
    "paper": Scale("Paper scale", "n = 512, 2^17 steps of 2^23/k samples"),
    # Our choice: the largest power of two with which two CPU cores train the paper's
    # k = 1024 in half an hour.
    "paper512": Scale(
        "Paper scale, batches of 512",
        "n = 512, 2^17 steps of 512 samples",
        fields={"batch_size": 512},
    ),
    # Our choice. With half of n only half as many features are active at a time, and fewer
    # neurons become monosemantic.
    "paper14": Scale(
        "Paper sizes, fewer steps",
        "n = 512, 2^14 steps of 512 samples, higher learning rates and decays",
        fields={"batch_size": 512, "log2_steps": 14},
        short=True,
    ),
    "half": Scale(
        "Half scale",
        "n = 256, half the paper's m and k, 2^17 steps of 256 samples",
        halved=True,
        fields={"batch_size": 256},
    ),
    "small": Scale(
        "Small scale",
        "n = 256, half the paper's m and k, 2^13 steps of 256 samples, higher learning rates "
        "and decays",
        halved=True,
        fields={"batch_size": 256, "log2_steps": 13},
        short=True,
    ),
}
"""By their sizes, then their steps, from the paper's own to the smallest."""


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
    """What replaces values other than 0 at a scale with few steps, beside the sizes."""
    ours: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Fields whose values the paper does not state, and how they were chosen."""
    parents: Ancestry = _none
    """What its runs start from; by default no other run."""

    def points(self, scale: str, **changed: Any) -> Iterator[dict[str, Any]]:
        """Every setting of the sweep at a scale, as fields of `Config` and `Hyperparams`.

        Fields that are `changed` replace the sweep's own. `batch_size` is
        recomputed if `k` changes.
        """
        of_scale = SCALES[scale]
        for grid in self.paper:
            axes = dict(grid)
            if of_scale.halved:
                sizes = {"n": 512, "m": 64, "k": 1024}
                sizes |= {name: 0 for name in ("skip_rank",) if name in grid}
                for name, paper in sizes.items():
                    axes[name] = tuple(size // 2 for size in grid.get(name, (paper,)))
            if of_scale.short:
                axes |= {name: v for name, v in self.small.items() if any(grid.get(name, ()))}
            for point in fields.grid(axes):
                point |= changed
                yield {**paper_preset(point), **of_scale.fields, **point}
