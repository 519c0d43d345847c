"""The figure of models with a skip path."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from toymono.fields import TOY
from toymono.plots import skip

FIELDS = {name: field.default for name, field in TOY.items()} | {"seed": 0, "diverged": np.nan}


@pytest.fixture(autouse=True, scope="module")
def no_screen():
    mpl.use("Agg")


def test_measures_against_the_rank_and_no_path_at_0():
    rows = [
        {
            **FIELDS,
            **{"model": "skip" if rank else "two_layer", "skip_rank": rank or 32},
            **{"run": f"{rank} {bias}", "init_bias": bias, "path_rank": rank},
            **dict.fromkeys(skip._MEASURES, rank + bias),
        }
        for rank in (0, 8, 16)
        for bias in (-1.0, 0.0)
    ]
    figure = skip.skip_path(pd.DataFrame(rows))
    assert len(figure.axes) == len(skip._MEASURES)
    for panel in figure.axes:
        lines = [line for line in panel.lines if len(line.get_xdata()) == 3]
        found = [line.get_ydata().tolist() for line in lines]
        assert found == [[-1, 7, 15], [0, 8, 16]]
        assert panel.get_xticks().tolist() == [0, 8, 16]
