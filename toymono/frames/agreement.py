"""Every per-model measure of every lens in one frame, and how far the measures agree.

The measures say, each in its own way, how monosemantic a model is. Whether they
say the same is a question about runs, not about one model: `correlations`
answers it within each sweep, so that a measure that merely follows the swept
field is compared on that field's own range.
"""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from toymono import store
from toymono.analysis import clusters, coherence
from toymono.frames import penalty, polytopes, spectrum, summary, toy, visualise
from toymono.frames.runs import checked
from toymono.frames.statistics import SETTING
from toymono.frames.toy import Runs
from toymono.train import Run

# Bootstrap samples, and the interval that they give; conventional choices.
_SAMPLES, _INTERVAL = 500, (0.025, 0.975)

# Fewer runs with both numbers say nothing about their order; our choice.
_FEWEST_RUNS = 5


@dataclasses.dataclass(frozen=True)
class Measure:
    """One number per model."""

    column: str
    """The column of a frame of this lab that it is taken from."""
    per: str = ""
    """The field of a run that it is divided by because it grows with it; empty if it does not."""

    @property
    def name(self) -> str:
        """Its column here."""
        return f"{self.column}_per_{self.per}" if self.per else self.column


MEASURES: tuple[Measure, ...] = (
    Measure("mono_per_neuron"),
    Measure("pair_monosemanticity"),
    Measure("response_capacity"),
    Measure("positive_bias", "k"),
    Measure("effective_rank", "m"),
    Measure("n_cut"),
    Measure("coherence"),
    Measure("participation_share"),
    Measure("spectrum_exponent"),
    Measure("normalised_action"),
    Measure("boundary_density_gap"),
    Measure("code_ami_gap"),
    Measure("facets_found"),
)
"""What is compared, lens by lens."""


def per_run(runs: Runs) -> pd.DataFrame:
    """One row per run with every measure of `MEASURES`, of the final model.

    A measure that grows with a field of the run is divided by that field. All
    are NaN for a run that diverged. Slow: about a minute of processor time for
    each run that is not cached.

    Args:
      runs: Toy runs with relu whose outputs are the features.
    """
    rows = []
    for given in checked(runs, Run):
        for run, identity in toy.each([given]):
            finite = run.diverged is None
            found = store.cached(_measures, given) if finite else {}
            rows.append({**identity, **{m.name: found.get(m.name, np.nan) for m in MEASURES}})
    return pd.DataFrame(rows)


def _measures(run: Run) -> dict[str, float]:
    frames = [toy.per_run([run]), penalty.part_losses([run])]
    frames += [lens.per_run([run]) for lens in (spectrum, polytopes)]
    columns = {name: value for frame in frames for name, value in frame.iloc[0].items()}
    columns |= {name: float(v) for name, v in summary.anatomy(run.final, run.world).items()}
    model, world = run.final, run.world
    columns["facets_found"] = visualise.facets_found(run)
    columns["response_capacity"] = toy.per_feature([run])["response_capacity"].mean()
    strengths = [abs(np.asarray(w, np.float64)) for w in (model.w_mk, model.w_ko)]
    columns["n_cut"] = clusters.clusterability(strengths, shuffles=0).n_cut
    columns["coherence"] = coherence.toy_coherence(model, world).score
    fields = vars(run.config)
    return {m.name: float(columns[m.column]) / (fields[m.per] if m.per else 1) for m in MEASURES}


def correlations(
    measured: pd.DataFrame,
    measures: Sequence[str] = tuple(measure.name for measure in MEASURES),
    samples: int = _SAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Spearman's rank correlation of each pair of measures over runs, within sweeps.

    The correlation is computed in each sweep and averaged over the sweeps. The
    interval resamples the settings of each sweep, with all their seeds, since
    runs of one setting are not independent evidence on the sweep.

    Args:
      measured: From `per_run`, with a column `sweep`.
      measures: Columns to compare.
      samples: Bootstrap samples.
      seed: Of the bootstrap.

    Returns:
      One row per ordered pair: `measure`, `other_measure`, `rank_correlation`,
      `rank_correlation_low` and `rank_correlation_high`, the ends of the 95 %
      interval, and `sweeps`, the number of sweeps in which both vary. A pair
      that varies together in no sweep, or in fewer than five runs, has NaN.
    """
    rng = np.random.default_rng(seed)
    sweeps = [
        (
            runs[list(measures)].to_numpy(float),
            list(runs.groupby(SETTING, sort=False).indices.values()),
        )
        for _, runs in measured.groupby("sweep")
    ]
    drawn_sqq = [_mean_correlation(sweeps, None)]
    drawn_sqq += [_mean_correlation(sweeps, rng) for _ in range(samples)]
    (found_qq, sweeps_qq), *resampled = drawn_sqq
    interval = np.full((2, *found_qq.shape), np.nan)
    if resampled:
        stacked_sqq = np.stack([correlation_qq for correlation_qq, _ in resampled])
        known = ~np.isnan(stacked_sqq).all(axis=0)
        interval[:, known] = np.nanquantile(stacked_sqq[:, known], _INTERVAL, axis=0)
    interval[:, np.isnan(found_qq)] = np.nan
    rows = [
        {
            "measure": measures[i],
            "other_measure": measures[j],
            "rank_correlation": found_qq[i, j],
            "rank_correlation_low": interval[0, i, j],
            "rank_correlation_high": interval[1, i, j],
            "sweeps": sweeps_qq[i, j],
        }
        for i, j in itertools.product(range(len(measures)), repeat=2)
    ]
    return pd.DataFrame(rows)


def _mean_correlation(
    sweeps: Sequence[tuple[np.ndarray, list[np.ndarray]]], rng: np.random.Generator | None
) -> tuple[np.ndarray, np.ndarray]:
    """The mean over sweeps of the correlation matrix, and how many sweeps have each entry.

    A sweep is the values of its runs, and the rows of each setting. With a generator,
    the settings of each sweep are drawn with replacement.
    """
    matrices = []
    for value_rq, settings in sweeps:
        if rng is not None:
            drawn = rng.integers(len(settings), size=len(settings))
            value_rq = value_rq[np.concatenate([settings[i] for i in drawn])]
        matrices.append(_rank_correlation(value_rq))
    stacked = np.stack(matrices)
    count_qq = (~np.isnan(stacked)).sum(axis=0)
    total_qq = np.nansum(stacked, axis=0)
    return np.where(count_qq > 0, total_qq / np.maximum(count_qq, 1), np.nan), count_qq


def _rank_correlation(value_rq: np.ndarray) -> np.ndarray:
    """Spearman's correlation of each pair of columns; NaN for one that does not vary."""
    if len(value_rq) < _FEWEST_RUNS:
        return np.full((value_rq.shape[1],) * 2, np.nan)
    return pd.DataFrame(value_rq).corr(method="spearman", min_periods=_FEWEST_RUNS).to_numpy()
