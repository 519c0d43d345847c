"""What the kept runs of each sweep show: one row of numbers per run."""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from toymono import catalog, frames, scores, store
from toymono.analysis import kinks, parts
from toymono.features import World
from toymono.models import Model
from toymono.sweep import plan
from toymono.train import Run

# Our choices: a run has settled if, from half of its training to the end, its
# loss changed by no more than this share and its monosemantic neurons per feature
# by no more than that.
SETTLED_FALL, SETTLED_RISE = 0.02, 0.02

DECOMPOSED = ("LR1", "LR3", "E1", "E3", "M")
"""Sweeps whose models are taken apart as well."""

LARGER = ("log2_steps", "batch_size")
"""Fields of which more may bring a scale nearer to the paper."""

# The paper's band for singular values of M, and our margin for those that are 0.
_ONE, _ZERO = (0.99, 1.03), 0.01


@dataclasses.dataclass(frozen=True)
class Sweep:
    """The kept runs of one sweep."""

    name: str
    wanted: int
    """Settings that the catalog lists."""
    kept: int
    """Settings with at least one run that did not diverge."""
    frame: pd.DataFrame
    """One row per run that did not diverge: the columns of `row`."""
    halfway: pd.DataFrame = dataclasses.field(default_factory=pd.DataFrame)
    """The same of the same runs at half of their training."""
    diverged: int = 0
    """Runs left out since they diverged."""
    versions: frozenset[str] = frozenset()
    """Of the packages that trained the runs, such as `jax 0.10.2`, and the platform: `cpu`."""

    @property
    def complete(self) -> bool:
        """Whether every setting has a run."""
        return self.kept == self.wanted

    @property
    def seeds(self) -> str:
        """Runs of a setting, fewest to most."""
        if self.frame.empty:
            return "0"
        sizes = self.frame.groupby(SETTING)["seed"].size()
        return "-".join(str(size) for size in sorted({sizes.min(), sizes.max()}))


SETTING = [field for field in frames.RUN_FIELDS if field != "seed"]
"""The columns that a run shares with its like of other seeds."""


def gather(
    runs_dir: str | Path,
    scale: str,
    names: Iterable[str] = tuple(catalog.SWEEPS),
    **changed: Any,
) -> dict[str, Sweep]:
    """The named sweeps with what is kept of them; no run is read more often than need be.

    Args:
      runs_dir: Where runs are kept.
      scale: One of `catalog.SCALES`.
      names: Of sweeps.
      changed: Fields that replace the sweeps' own.

    Raises:
      ValueError: A file is not a run.
    """
    rows: dict[Path, tuple[dict[str, Any], dict[str, Any]]] = {}
    sweeps, every = {}, store.find(runs_dir)
    for name in names:
        places = plan.places(name, scale, **changed)
        kept = [run for run in every if run.setting in places]
        whole = [run for run in kept if run.diverged is None]
        for kept_run in whole:
            have, _ = rows.get(kept_run.path, ({}, {}))
            if not have or (name in DECOMPOSED and "first_kink" not in have):
                run, decomposed = store.load(kept_run), name in DECOMPOSED
                rows[kept_run.path] = row(run, decomposed), row(halfway(run), decomposed)
        ends, halves = zip(*(rows[run.path] for run in whole), strict=True) if whole else ((), ())
        sweeps[name] = Sweep(
            name,
            wanted=len(places),
            kept=len({run.setting for run in whole}),
            frame=pd.DataFrame(ends),
            halfway=pd.DataFrame(halves),
            diverged=len(kept) - len(whole),
            versions=frozenset(
                version if package == "platform" else f"{package} {version}"
                for run in kept
                for package, version in run.versions.items()
            ),
        )
    return sweeps


def larger(runs_dir: str | Path, scale: str) -> dict[tuple[str, int], dict[str, Sweep]]:
    """The sweeps that are kept whole with more steps, or samples in a step, than the scale's own.

    Returns:
      By the field of `LARGER` and its value, those sweeps.

    Raises:
      ValueError: A file is not a run.
    """
    whole = [run for run in store.find(runs_dir) if run.diverged is None]
    settings = {run.setting for run in whole}
    found = {}
    for field in LARGER:
        own = max((point[field] for point in catalog.points(["all"], scale)), default=math.inf)
        values = {getattr(run.config, field) for run in whole}
        for value in sorted(value for value in values if value > own):
            change = {field: value}
            complete = [
                name
                for name in catalog.SWEEPS
                if settings.issuperset(plan.places(name, scale, **change))
            ]
            if complete:
                found[field, value] = gather(runs_dir, scale, complete, **change)
    return found


def halfway(run: Run) -> Run:
    """The run as it was when half of its steps were taken."""
    half = dataclasses.replace(run.config, log2_steps=run.config.log2_steps - 1)
    snapshots = jax.tree.map(lambda array: array[:-1], run.snapshots)
    return run.replace(config=half, snapshots=snapshots, loss_t=run.loss_t[: half.steps])


def row(run: Run, decomposed: bool = False) -> dict[str, Any]:
    """The columns of `frames.per_run` and more, for one run.

    `loss_share`, the loss over that of an output of 0, NaN but for decoders of
    equally frequent features; `fall`, by which share
    the loss fell from half of the training to the end, each averaged over an
    eighth of all steps; `rise` of the monosemantic neurons per feature in the
    same time; `settled`; `mono_bias` and `poly_bias`, mean biases of the
    monosemantic neurons and of those that answer to a quarter of all features
    or more, NaN where these are fewer than 1 in 100; `nearly`, features without
    a monosemantic neuron that have one with a score of 0.9 or more. If
    `decomposed`, the columns of `anatomy` as well.
    """
    [told] = frames.per_run([run]).to_dict("records")
    neurons = frames.per_neuron([run])
    before, after = frames.per_snapshot([run])["mono_per_feature"].iloc[[-2, -1]]
    loss_t, steps = np.asarray(run.loss_t, np.float64), run.config.steps
    window = max(1, steps // 8)
    halfway, end = (loss_t[at - window : at].mean() for at in (steps // 2, steps))
    told |= {"fall": 1 - end / halfway, "rise": after - before}
    told["settled"] = abs(told["fall"]) <= SETTLED_FALL and abs(told["rise"]) <= SETTLED_RISE
    plain = run.config.task == "decoder" and run.config.feature_law == "equal"
    silence = run.config.n * float(run.hyperparams.eps) / 3 if plain else math.nan
    told["loss_share"] = told["loss"] / silence

    mono_k = neurons["kind"] == "monosemantic"
    poly_k = 4 * neurons["features"] >= run.config.n
    for kind, of_kind in (("mono", mono_k), ("poly", poly_k)):
        enough = 100 * of_kind.sum() >= run.config.k
        told[f"{kind}_bias"] = neurons.loc[of_kind, "bias"].mean() if enough else np.nan
    served = neurons.loc[mono_k, "strongest"]
    close = neurons.loc[neurons["monosemanticity"] >= 0.9, "strongest"]
    told["nearly"] = len(set(close) - set(served))
    if decomposed:
        told |= {name: value.item() for name, value in anatomy(run.final, run.world).items()}
    return told


@jax.jit
def anatomy(model: Model, world: World) -> Mapping[str, Any]:
    """The paper's section 5 in numbers, of a decoder with relu.

    `in_band`, the share of M's singular values that are 0 or within the
    paper's band, `largest_singular`, `effective_rank`; `slope`, the mean over
    features of the poly part's slope along its own feature, with the ends of
    its middle 9 tenths; `slope_change`, the median over features of its
    largest change of slope on [0, 1]; `offset`, the largest output of the poly
    part at 0. `first_kink`, the median over the features with one monosemantic
    neuron of its kink; `two_first` and `two_second`, the same for two; `top`,
    the mono part's output at full strength for the features with one.
    """
    n = world.embed_nm.shape[0]
    mono, poly = parts.split(model)
    linear = parts.linearise(poly, world)
    count_n = scores.mono_neurons_per_feature(scores.responses(model, world))

    def along(feature):
        bends = kinks.kinks(poly, world, feature)
        change = abs(jnp.cumsum(bends.change_k)).max()
        top = kinks.kinks(mono, world, feature)(jnp.ones(()))
        return change, *kinks.own_kinks(model, world, feature), top

    change_n, first_n, second_n, top_n = jax.vmap(along)(jnp.arange(n))
    one_n = (count_n == 1) & jnp.isfinite(first_n)
    two_n = (count_n == 2) & jnp.isfinite(second_n)
    singular_m = linear.singular_m

    def median(value_n, mask_n):
        return jnp.nanmedian(jnp.where(mask_n, value_n, jnp.nan))

    low, high = _ONE
    return {
        "in_band": ((singular_m < _ZERO) | ((singular_m >= low) & (singular_m <= high))).mean(),
        "largest_singular": singular_m.max(),
        "effective_rank": parts.effective_rank(singular_m),
        "slope": linear.slope_n.mean(),
        "slope_low": jnp.quantile(linear.slope_n, 0.05),
        "slope_high": jnp.quantile(linear.slope_n, 0.95),
        "slope_change": jnp.median(change_n),
        "offset": abs(linear.offset_o).max(),
        "first_kink": median(first_n, one_n),
        "top": median(top_n, one_n),
        "two_first": median(first_n, two_n),
        "two_second": median(second_n, two_n),
        "two_features": two_n.sum(),
    }
