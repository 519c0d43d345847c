"""Spectra of classifiers by layer, trained and untrained, on the training images.

Frames begin as those of `frames.classifiers`, with `weights`, `trained` or
`untrained`, and `layer`, from 1; layer 0 is the image itself. The path of an
action is that of a Gaussian dot on a circle.
"""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from toymono import store
from toymono.analysis import spectrum
from toymono.classifiers import network
from toymono.classifiers import train as training
from toymono.classifiers.train import ClassifierRun
from toymono.frames import classifiers
from toymono.frames.classifiers import Runs
from toymono.frames.spectrum import rows
from toymono.frames.spectrum.rows import Layer

# Radius of a dot's circle and the dot's width as shares of the image's height: 2 and 1 pixels of
# 8, our choice, since the published numbers are not known.
_RADIUS, _WIDTH = 1 / 4, 1 / 8


def per_network_layer(runs: Runs) -> pd.DataFrame:
    """One row per run, weights and layer: the columns of `rows.numbers`; no runs that diverged."""
    return pd.DataFrame(
        [
            {**identity, "weights": weights, "layer": index, **rows.numbers(layer)}
            for run, responses, identity in classifiers.each(runs)
            if responses.status != "diverged"
            for (weights, index), layer in measured(run).items()
        ]
    )


def per_network_rank(runs: Runs) -> pd.DataFrame:
    """One row per run, weights, layer and eigenvalue above 0; columns as in `toy.per_rank`."""
    frames = [
        pd.DataFrame({**identity, "weights": weights, "layer": index, **rows.ranks(layer)})
        for run, responses, identity in classifiers.each(runs)
        if responses.status != "diverged"
        for (weights, index), layer in measured(run).items()
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def measured(run: Any) -> dict[tuple[str, int], Layer]:
    """By weights and layer, what is measured of a network; cached for stored runs."""
    return store.cached(layers_of, run)


def layers_of(run: ClassifierRun) -> dict[tuple[str, int], Layer]:
    """What `measured` returns, computed."""
    dataset = classifiers.dataset_of(run)
    images_bhw = dataset.train_bhw
    path_thw = dot_path(images_bhw.shape[1:], rows.FRAMES)
    first = training.begin(run.config, run.hyperparams, dataset, run.key).params
    pixels = of_layer(*(np.asarray(x).reshape(len(x), -1) for x in (images_bhw, path_thw)))
    found = {}
    for weights, params in {"trained": run.params, "untrained": first}.items():
        activations = network.outputs(run.config, params, images_bhw).activations
        paths = network.outputs(run.config, params, path_thw).activations
        found[weights, 0] = pixels
        for index, (layer_bd, path_td) in enumerate(zip(activations, paths, strict=True), 1):
            found[weights, index] = of_layer(np.asarray(layer_bd), np.asarray(path_td))
    return found


def of_layer(layer_bd: Float[np.ndarray, "b d"], path_td: Float[np.ndarray, "t d"]) -> Layer:
    """What is measured of one layer's activations; with few samples, by unbiased moments."""
    few = len(layer_bd) < spectrum.SAMPLES_PER_DIMENSION * layer_bd.shape[1]
    return Layer(
        spectrum.eigenspectrum(layer_bd),
        len(layer_bd),
        **rows.along_paths(path_td[None]),
        unbiased=spectrum.unbiased_participation_ratio(layer_bd[: rows.MOMENTS]) if few else np.nan,
    )


def dot_path(image_hw: tuple[int, ...], frames: int) -> Float[np.ndarray, "t h w"]:
    """Images of a Gaussian dot of height 1 that moves around a circle about the centre."""
    height, width = image_hw
    place_t2 = _RADIUS * height * spectrum.circle(frames)
    y_h, x_w = (np.arange(size) - (size - 1) / 2 for size in (height, width))
    square_thw = (y_h[None, :, None] - place_t2[:, 1, None, None]) ** 2 + (
        x_w[None, None, :] - place_t2[:, 0, None, None]
    ) ** 2
    return np.exp(-square_thw / 2 / (_WIDTH * height) ** 2).astype(np.float32)
