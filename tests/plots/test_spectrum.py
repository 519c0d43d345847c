"""Figures of the coding-theory lens, drawn from frames of tiny runs."""

import jax
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from toymono import Config, Hyperparams
from toymono.autoencoders import data as patches
from toymono.autoencoders import train as autoencoder_training
from toymono.autoencoders.config import AutoencoderConfig, AutoencoderHyperparams
from toymono.autoencoders.fields import AUTOENCODER
from toymono.classifiers import train as training
from toymono.classifiers.config import ClassifierConfig, ClassifierHyperparams
from toymono.frames import spectrum as frames
from toymono.plots import spectrum, spectrum_networks
from toymono.plots.registry import FIGURES
from toymono.plots.selection import MissingRuns, Selected, headers

SAMPLES = 4096


@pytest.fixture(autouse=True, scope="module")
def no_screen():
    mpl.use("Agg")


@pytest.fixture(scope="module")
def runs(untrained):
    return [
        untrained(Config(n=12, m=4, k=10), Hyperparams(eps=0.25, init_bias=b, learning_rate=r))
        for b, r in ((0.0, 0.01), (-0.3, 0.02))
    ]


def of_sweeps(frame):
    return frame.assign(sweep=np.where(frame["init_bias"] == 0, "LR1", "LR3"))


def texts(figure):
    return [text.get_text() for text in figure.findobj(mpl.text.Text)]


@pytest.mark.parametrize(
    ("draw", "frame"),
    [
        (spectrum.toy_spectra, lambda runs: frames.per_rank(runs, SAMPLES)),
        (spectrum.redundancy_by_learning_rate, lambda runs: frames.per_layer(runs, SAMPLES)),
        (spectrum.action_by_exponent, lambda runs: frames.per_layer(runs, SAMPLES)),
        (spectrum.explanations, frames.explanations),
    ],
)
def test_figures_of_toy_runs(draw, frame, runs):
    figure = draw(of_sweeps(frame(runs)), head="Small scale: ")
    figure.canvas.draw()
    assert any("Small scale" in text for text in texts(figure))
    assert not any("nan" in text.lower() for text in texts(figure))


def test_a_spectrum_is_drawn_as_it_is(runs):
    ranks = of_sweeps(frames.per_rank(runs[:1], SAMPLES))
    figure = spectrum.toy_spectra(ranks)
    trained = figure.axes[0].lines[0].get_ydata()
    expected = ranks[(ranks["weights"] == "trained") & (ranks["layer_name"] == "hidden")]
    np.testing.assert_allclose(trained, expected["eigenvalue_share"])


def test_dimensions_by_density(untrained):
    config = Config(model="tied", task="identity", n=12, m=4, k=10)
    runs = [untrained(config, Hyperparams(eps=eps, init_scale=1.0)) for eps in (1.0, 0.3, 0.1)]
    frame = frames.feature_dimensions(runs).assign(sweep="DIM10")
    figure = spectrum.dimensions_by_density(frame)
    [panel] = figure.axes
    np.testing.assert_allclose(panel.lines[0].get_xdata(), [1, 1 / 0.3, 10], rtol=1e-6)


def test_figures_of_closed_forms():
    figure = spectrum.dropout_capacity(frames.dropout_capacity())
    assert [axes.get_title() for axes in figure.axes] == ["1 bit", "3 bits", "8 bits"]
    rows = [
        {"code": code, "code_dropout": rate, "code_layers": layers, "survival": 0.5**layers}
        for code in frames.codes.CODES
        for rate in (0.2, 0.5)
        for layers in range(3)
    ]
    survival = pd.DataFrame(rows).assign(simulated_survival=0.5, information_share=np.nan)
    assert len(spectrum.code_survival(survival).axes) == 2


def test_figures_of_classifiers(digits):
    config = ClassifierConfig(sizes=(16, 12), batch_size=32, epochs=1)
    hyperparams = ClassifierHyperparams(0.0, 0.01).checked()
    run = training.fit(config, hyperparams, digits, jax.random.key(0)).replace(fingerprint="")
    ranks, layers = frames.per_network_rank([run]), frames.per_network_layer([run])
    assert len(spectrum_networks.network_spectra(ranks).axes) == 3
    assert len(spectrum_networks.redundancy_by_layer(layers).axes) == 3
    few = layers.assign(spectrum_exponent=np.nan)
    figure = spectrum_networks.redundancy_by_layer(few)
    assert len(figure.axes) == 2
    assert any("Too few images" in text for text in texts(figure))


def test_figures_of_autoencoders():
    config = AutoencoderConfig(patch=3, sizes=(12, 10), batch_size=16, steps=5)
    dataset = patches.load("photographs", 3)
    runs = [
        autoencoder_training.fit(
            config, AutoencoderHyperparams(dropout_rate=rate).checked(), dataset, jax.random.key(0)
        )
        for rate in (0.0, 0.5)
    ]
    ranks, layers = frames.per_patch_rank(runs), frames.per_patch_layer(runs)
    layers["collapsed"] = layers["dropout_rate"] == 0.5
    figure = spectrum_networks.redundancy_by_dropout(layers)
    assert [line.get_linestyle() for line in figure.axes[0].lines[:2]] == ["-", "--"]
    assert len(figure.axes) == 3
    assert len(spectrum_networks.patch_spectra(ranks).axes) == 3


def test_autoencoders_that_differ_in_dropout_are_shown():
    table = pd.DataFrame([dict.fromkeys(AUTOENCODER, 1)] * 3).assign(fingerprint="a")
    table["steps"] = [1, 1, 2]
    assert len(spectrum_networks.OfAutoencoders()(table).runs) == 2
    with pytest.raises(MissingRuns, match="no autoencoder"):
        spectrum_networks.OfAutoencoders()(table[:0])


def test_figures_are_registered():
    for figure in (*spectrum.FIGURES, *spectrum_networks.FIGURES):
        assert FIGURES[figure.name] is figure


def test_closed_forms_are_drawn_with_the_sweeps():
    runs = pd.DataFrame({"stored": [1, 2, 3]})
    select = spectrum.NoRun(lambda runs, by: Selected(runs[1:]))
    assert select(runs).runs["stored"].tolist() == [2]
    with pytest.raises(MissingRuns, match="LR1, LR3"):
        FIGURES["dropout_capacity"].select(headers([]))
