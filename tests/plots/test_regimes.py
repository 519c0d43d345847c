"""Figures of features by frequency."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from toymono.fields import TOY
from toymono.plots import regimes
from toymono.plots.figure import NothingToDraw

FIELDS = {name: field.default for name, field in TOY.items()} | {"n": 4, "diverged": np.nan}
FIELDS |= {"feature_law": "power_law", "seed": 0}


@pytest.fixture(autouse=True, scope="module")
def no_screen():
    mpl.use("Agg")


def ranked(sweep, seed=0, **fields):
    """Feature 1 monosemantic, 2 and 3 polysemantic, 4 ignored."""
    shared = {**FIELDS, **fields, "seed": seed, "sweep": sweep, "run": f"{sweep}{seed}{fields}"}
    kinds = ["monosemantic", "polysemantic", "polysemantic", "ignored"]
    for rank, kind in enumerate(kinds, 1):
        yield {
            **shared,
            "frequency_rank": rank,
            "regime": kind,
            "recovery": 1 - rank / 4,
            "best_monosemanticity": 1 / rank,
        }


def test_a_map_has_a_row_per_setting_and_a_column_per_rank():
    rows = [*ranked("K2", k=2), *ranked("K2", k=8), *ranked("LR4", learning_rate=0.02)]
    rows += ranked("K2", seed=1, k=8)  # the first seed is shown
    figure = regimes.feature_regimes(pd.DataFrame(rows))
    panels = figure.axes[:6]
    assert [panel.get_title() for panel in panels[:2]] == ["Initial bias −1"] * 2
    code, other = (panel.collections[0].get_array() for panel in panels[:2])
    np.testing.assert_array_equal(code, [[0, 1, 1, 2]] * 2)
    assert other.shape == (1, 4)
    recovery = panels[2].collections[0].get_array()
    np.testing.assert_allclose(recovery, [[0.75, 0.5, 0.25, 0]] * 2)
    assert [text.get_text() for text in panels[0].get_yticklabels()] == ["1/2", "2"]


def test_without_a_power_law_there_is_no_map():
    with pytest.raises(NothingToDraw, match="no sweep of a power law"):
        regimes.feature_regimes(pd.DataFrame(ranked("K1")))


def test_each_exponent_has_a_map():
    rows = [*ranked("EXPONENT", k=2, exponent=0.5), *ranked("EXPONENT", k=8, exponent=0.5)]
    figure = regimes.exponent_regimes(pd.DataFrame([*rows, *ranked("EXPONENT", k=2, exponent=2.0)]))
    panels = figure.axes
    assert [panel.get_title() for panel in panels] == ["Exponent 0.5", "Exponent 2"]
    codes = [panel.collections[0].get_array() for panel in panels]
    np.testing.assert_array_equal(codes[0], [[0, 1, 1, 2]] * 2)
    np.testing.assert_array_equal(codes[1], [[0, 1, 1, 2], [np.nan] * 4])  # 8 is not trained
    assert [text.get_text() for text in panels[0].get_yticklabels()] == ["1/2", "2"]
    with pytest.raises(NothingToDraw, match="no runs of the sweep EXPONENT"):
        regimes.exponent_regimes(pd.DataFrame(ranked("K2")))


def test_without_its_sweeps_there_are_no_shares():
    with pytest.raises(NothingToDraw, match="no runs of the sweeps K0, K1, K2"):
        regimes.regime_shares(pd.DataFrame(ranked("LR2")))


def test_shares_are_stacked_to_one():
    rows = [
        {
            **FIELDS,
            **{"run": f"{k}", "k": k, "sweep": "K1", "neurons_per_feature": k / 4},
            **{"served_share": share, "poly_share": 0.5, "ignored_share": 0.5 - share},
            **{"served_loss": 0.1, "poly_loss": 0.2, "ignored_loss": 0.1, "absent_loss": 0.1},
        }
        for k, share in ((2, 0.0), (8, 0.25))
    ]
    figure = regimes.regime_shares(pd.DataFrame(rows))
    above, below = figure.axes
    tops = [area.get_paths()[0].vertices[:, 1].max() for area in above.collections]
    assert tops == pytest.approx([0.25, 0.75, 1])
    assert below.collections[-1].get_paths()[0].vertices[:, 1].max() == pytest.approx(0.5)
