"""Dimensions per feature of tied models, beside the optimum that entropy allows."""

import numpy as np
import pandas as pd

from toymono.analysis import spectrum
from toymono.frames.spectrum.codes import BAND
from toymono.frames.toy import Runs, each
from toymono.models import TiedModel


def feature_dimensions(runs: Runs) -> pd.DataFrame:
    """One row per run of a tied model; other runs have none.

    Columns: `feature_dimensions`, D* = m / |W|^2; `dimension_floor`, m / n, where
    it ends if all features have weights of length 1; `optimum_8` and
    `optimum_23`, `dimensions_per_feature` at the ends of the band of bits; the
    features' density is the field `eps`.
    """
    rows = []
    for run, identity in each(runs):
        model = run.final
        if not isinstance(model, TiedModel):
            continue
        absent = 1 - np.clip(float(run.hyperparams.eps), 0, 1)
        low, high = (float(spectrum.dimensions_per_feature(absent, bits)) for bits in BAND)
        rows.append(
            {
                **identity,
                "feature_dimensions": spectrum.weight_dimensions_per_feature(
                    np.asarray(model.w_nm).T
                ),
                "dimension_floor": run.config.m / run.config.n,
                "optimum_8": low,
                "optimum_23": high,
            }
        )
    return pd.DataFrame(rows)
