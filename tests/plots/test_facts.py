"""Facts: numbers read off frames, in words."""

import numpy as np
import pandas as pd

from toymono.plots.facts import Fact


def test_a_peak_fact_gives_its_location():
    frame = pd.DataFrame({"k": [8, 16, 16, 32], "mono_per_neuron": [0.1, 0.5, 0.7, 0.2]})
    assert Fact("mono_per_neuron", "k", peak=True).text(frame) == "mono/neuron at most 0.60, at 16"
    assert Fact("mono_per_neuron").text(frame) == "mono/neuron 0.10 … 0.70"
    missing = frame.assign(second_kink=[np.nan, 0.5, np.nan, 0.75])
    assert Fact("second_kink").text(missing) == "second kink 0.50 … 0.75"
    assert Fact("second_kink").text(missing[:1]) == "second kink none"
    half = Fact("mono_per_neuron", "k", half=True)
    assert half.text(frame) == "mono/neuron below half the maximum from 32"
    assert half.text(frame[:3]) == "mono/neuron never below half the maximum"
    fields = pd.DataFrame({"eps": [1 / 16, 2**-3.5], "l1": [1e-6, 1e-6]})
    assert Fact("eps").text(fields) == "ε 1/16 … 2^-3.5"
    assert Fact("l1").text(fields) == "L1 10^-6"
    assert Fact("output").text(pd.DataFrame({"output": [-1.62e-5, 0.023]})) == (
        "output −1.6·10^-5 … 0.023"
    )
