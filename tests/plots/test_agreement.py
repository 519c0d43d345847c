"""The figure of the measures' rank correlations, with measures that some runs lack."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from toymono.fields import TOY
from toymono.frames.agreement import MEASURES
from toymono.plots.agreement import measure_agreement

NAMES = [measure.name for measure in MEASURES]


@pytest.fixture(autouse=True, scope="module")
def no_screen():
    mpl.use("Agg")


def frame(**columns):
    """Two sweeps of six runs; measures rise with k where `columns` has no others."""
    rows = []
    for sweep in "AB":
        for i in range(6):
            fields = {**{name: field.default for name, field in TOY.items()}, "k": 8 + i}
            rows.append({**fields, **dict.fromkeys(NAMES, float(i)), "seed": 0, "sweep": sweep})
    measured = pd.DataFrame(rows)
    measured["run"] = [str(row) for row in range(len(measured))]
    return measured.assign(**columns)


def cells(figure):
    """Texts in the cells, and how many cells are hatched for lack of a correlation."""
    panel = figure.axes[0]
    figure.canvas.draw()
    hatched = [p for p in panel.patches if isinstance(p, Rectangle) and p.get_hatch()]
    return [text.get_text() for text in panel.texts], len(hatched)


def words(figure):
    return " ".join(t.get_text() for t in figure.findobj(mpl.text.Text))


def test_whole_measures_fill_every_cell():
    texts, hatched = cells(measure_agreement(frame()))
    count = len(NAMES)
    assert texts == ["1.00"] * (count * (count - 1) // 2)
    assert hatched == 0


def test_a_measure_without_a_number_is_left_out():
    figure = measure_agreement(frame(**{NAMES[3]: np.nan}))
    count = len(NAMES) - 1
    assert len(cells(figure)[0]) == count * (count - 1) // 2
    assert "nan" not in words(figure)


def test_measures_that_vary_in_no_common_sweep_have_a_hatched_cell():
    rising, none = np.arange(6.0), np.full(6, np.nan)
    only_a, only_b = np.concatenate([rising, none]), np.concatenate([none, rising])
    figure = measure_agreement(frame(**{NAMES[0]: only_a, NAMES[1]: only_b}))
    texts, hatched = cells(figure)
    assert hatched == 1
    assert len(texts) == len(NAMES) * (len(NAMES) - 1) // 2 - 1
    assert "nan" not in words(figure)
