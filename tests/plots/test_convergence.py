"""The figure of training's octaves."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from toymono.fields import TOY
from toymono.plots import convergence

FIELDS = {name: field.default for name, field in TOY.items()} | {"seed": 0, "diverged": np.nan}
FIELDS["n"] = 64


@pytest.fixture(autouse=True, scope="module")
def no_screen():
    mpl.use("Agg")


def rows_of(sweep, name, verdict, **fields):
    shared = {**FIELDS, **fields, "sweep": sweep, "run": name}
    octaves = [
        {
            **{**shared, "log2_step": c, "octave_mono_change": 0.1},
            **dict.fromkeys(convergence._ROWS, c / 10),
        }
        for c in (1, 2, 3)
    ]
    return octaves, {**shared, "convergence": verdict}


def test_each_sweep_has_a_column_and_settled_runs_a_mark():
    given = [
        rows_of("K1", "a", "moving", k=8),
        rows_of("K1", "b", "ridge", k=16),
        rows_of("LR4", "c", "converged", learning_rate=0.02),
    ]
    octaves = pd.DataFrame([row for rows, _ in given for row in rows])
    runs = pd.DataFrame([row for _, row in given])
    figure = convergence.late_convergence(octaves, runs)
    assert len(figure.axes) == 2 * len(convergence._ROWS)
    first, second = figure.axes[:2]
    assert first.get_title().endswith("1 of 2 settled")
    assert second.get_title().endswith("1 of 1 settled")
    marks = [line.get_marker() for line in first.lines if len(line.get_xdata()) == 1]
    assert sorted(marks) == ["", "^"]
    # Of 64 features: 0, 6.4 and 12.8 neurons before the octaves, 6.4, 12.8 and 19.2 after.
    for row, shown in ((4, 2), (5, 1)):
        [line] = [line for line in figure.axes[2 * row + 1].lines if len(line.get_xdata()) == 3]
        assert np.isfinite(line.get_ydata()).sum() == shown
    [legend] = figure.legends
    words = [text.get_text() for text in legend.get_texts()]
    assert "ends: ridge" in words
    assert "ends: converged" in words
    assert "Neurons $k$" in words
