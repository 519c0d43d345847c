"""Figures of schemes for biases."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from toymono.fields import TOY
from toymono.plots import biases

FIELDS = {name: field.default for name, field in TOY.items()} | {"diverged": np.nan, "seed": 0}


@pytest.fixture(autouse=True, scope="module")
def no_screen():
    mpl.use("Agg")


def test_a_scheme_that_never_gets_there_says_so():
    numbers = {"run": "a", "firing_step": 100.0, "mono_per_feature": 0.5, "loss": 0.5}
    runs = pd.DataFrame(
        [
            {**FIELDS, **numbers, "scheme": "start at -1", "low_step": 3000.0},
            {**FIELDS, **numbers, "scheme": "pulled down, weight 0.01", "low_step": np.nan},
        ]
    )
    figure = biases.bias_schemes(runs)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "start at −1",
        "pulled down, weight 0.01",
    ]
    never = [[text.get_text() for text in panel.texts] for panel in figure.axes]
    assert never == [[], ["never"], [], []]


def test_the_unit_of_each_loss_is_named():
    """Thresholds are fractions of the zero-output loss, the last panel is not."""
    numbers = {"run": "a", "firing_step": 9.0, "low_step": 9.0, "mono_per_feature": 0.5}
    figure = biases.bias_schemes(pd.DataFrame([{**FIELDS, **numbers, "loss": 0.5, "scheme": "s"}]))
    labels = [panel.get_xlabel().replace("\n", " ") for panel in figure.axes]
    assert labels == [
        "Steps until loss < 0.9 of the zero-output loss",
        "Steps until loss < 0.4 of the zero-output loss",
        "Monosemantic neurons per feature",
        "Task loss",
    ]
