"""Spectra of autoencoders of image patches by layer and rate of dropout.

Frames begin as those of `frames.autoencoders`, with `collapsed`, whether the
network hardly reconstructs patches, `weights`, `trained` or
`untrained`, and `layer`, from 1; layer 0 are the pixels. Dropout is off, but in
the columns that say otherwise. The path of an action is that of `networks.dot_path`.
"""

import functools
from typing import Any

import jax
import numpy as np
import pandas as pd

from toymono import scores, store
from toymono.analysis import spectrum
from toymono.autoencoders import network
from toymono.autoencoders import train as training
from toymono.autoencoders.train import AutoencoderRun
from toymono.frames import autoencoders
from toymono.frames.autoencoders import EVALUATED, Runs
from toymono.frames.runs import checked
from toymono.frames.spectrum import networks, rows
from toymono.frames.spectrum.rows import Layer

COLLAPSED = 0.5
"""Squared error over variance from which a network counts as collapsed. Of the mean patch it is 1;
networks that learn are below 0.25 (our measurement, docs/papers/marshall2024.md)."""


def per_patch_layer(runs: Runs) -> pd.DataFrame:
    """One row per run, weights and layer; no runs that diverged.

    Columns: `error_share`; those of `rows.numbers`; `leading_exponent` and
    `leading_curvature`, of as many ranks as there are pixels, since a linear
    network has no more; of trained layers also
    `noisy_exponent`, that of the same ranks with dropout on, and `shared_exponent`,
    of what two draws of the masks share (`analysis.spectrum.cv_pca`); both are
    `leading_exponent` without dropout, and NaN for pixels and untrained layers.
    """
    found = []
    for run, identity in _each(runs):
        layers, noisy = store.cached(layers_of, run)
        for (weights, index), layer in layers.items():
            of = {"weights": weights, "layer": index, **rows.numbers(layer)}
            exponents = noisy.get(index) if weights == "trained" else None
            names = ("noisy_exponent", "shared_exponent")
            leading = {"last": identity["patch"] ** 2}
            of |= {
                "leading_exponent": spectrum.power_law_exponent(layer.eigenvalue_d, **leading),
                "leading_curvature": spectrum.curvature(layer.eigenvalue_d, **leading),
            }
            of |= dict(zip(names, exponents or (np.nan, np.nan), strict=True))
            found.append({**identity, **of})
    return pd.DataFrame(found)


def per_patch_rank(runs: Runs) -> pd.DataFrame:
    """One row per run, weights, layer and eigenvalue above 0; columns as in `toy.per_rank`."""
    frames = [
        pd.DataFrame({**identity, "weights": weights, "layer": index, **rows.ranks(layer)})
        for run, identity in _each(runs)
        for (weights, index), layer in store.cached(layers_of, run)[0].items()
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def layers_of(
    run: AutoencoderRun,
) -> tuple[dict[tuple[str, int], Layer], dict[int, tuple[float, float]]]:
    """By weights and layer what is measured, and by layer the two exponents with dropout on."""
    [(_, patches, _)] = autoencoders.each([run])
    patch_bd = patches.patch_bd[:EVALUATED]
    path_td = networks.dot_path((run.config.patch,) * 2, rows.FRAMES).reshape(rows.FRAMES, -1)
    path_td = (path_td - path_td.mean()) / path_td.std()  # as patches are
    first = training.begin(run.config, run.hyperparams, run.key).params
    pixels = networks.of_layer(np.asarray(patch_bd), path_td)
    found = {}
    for weights, params in {"trained": run.params, "untrained": first}.items():
        found[weights, 0] = pixels
        hidden, paths = (network.hidden(run.config, params, x) for x in (patch_bd, path_td))
        for index, (layer_bd, layer_td) in enumerate(zip(hidden, paths, strict=True), 1):
            found[weights, index] = networks.of_layer(np.asarray(layer_bd), np.asarray(layer_td))
    return found, _with_dropout(run, patch_bd)


def _with_dropout(run: AutoencoderRun, patch_bd: Any) -> dict[int, tuple[float, float]]:
    """By layer, the exponent of one draw of masks, and of what two draws share."""
    rate, pixels = run.hyperparams.dropout_rate, run.config.patch**2
    one, other = (
        _dropped(run.config, run.params, patch_bd, rate, jax.random.key(repeat))
        for repeat in range(2)
    )
    return {
        index: (
            spectrum.power_law_exponent(spectrum.eigenspectrum(first_bd), last=pixels),
            spectrum.power_law_exponent(spectrum.cv_pca(first_bd, second_bd), last=pixels),
        )
        for index, (first_bd, second_bd) in enumerate(zip(one, other, strict=True), 1)
    }


@functools.partial(jax.jit, static_argnums=0)
@scores.precise
def _dropped(config, params, patch_bd, rate, key) -> tuple[jax.Array, ...]:
    """Activations of every hidden layer, with dropout in those before it."""
    found: Any = network.build(config).apply({"params": params}, patch_bd, rate, key)
    return found.hidden


def _each(runs: Runs):
    """Runs as given, for the cache, and the columns that every frame begins with."""
    for run in checked(runs, AutoencoderRun):
        [row] = autoencoders.per_run([run]).to_dict("records")
        if np.isnan(row["diverged"]):
            yield run, {**row, "collapsed": row["error_share"] >= COLLAPSED}
