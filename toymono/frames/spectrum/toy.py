"""Spectra of toy runs, trained and beside their baselines; how well units tell features.

Frames begin as those of `frames.toy`. What is measured of a run is cached beside
stored runs. `weights` names whose weights a row is of: `trained`, or one of
`analysis.baselines.COPIES`. Layers are the embedded `input`, the `hidden`
neurons, of them those with a bias of at most 0 (`hidden_mono`) and above it
(`hidden_poly`), and the `output`; of baselines the hidden layer only.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from toymono import features, scores, store
from toymono.analysis import baselines, spectrum
from toymono.config import Config, Hyperparams
from toymono.features import World
from toymono.frames.runs import checked
from toymono.frames.spectrum import rows
from toymono.frames.spectrum.rows import Layer
from toymono.frames.toy import Runs, each
from toymono.models import Model
from toymono.train import Run

SAMPLES = 51_200
"""Inputs that a spectrum is of: 100 for each of 512 units."""

SIZES = (600, 1200, 5000, 20_000)
"""Numbers of inputs that `sample_sizes` compares."""

_BATCH = 4096  # of these, the first is also that of `explanations`

_PAIRS = 20  # of features, whose amplitudes move around a circle: our choice


def per_run(runs: Runs, samples: int = SAMPLES) -> pd.DataFrame:
    """One row per run: the trained hidden layer, and how it compares with its baselines.

    Columns: those of `rows.numbers`; `participation_gain`, `participation_gain_own`
    and `participation_gain_rotated`, its participation ratio over that of the
    untrained copy with biases spread around 0, with its own biases, and of the
    rotated one, NaN where that is dead; `action_gain`, its normalised action over
    that of the copy with biases around 0; `neuron_auc`, `projection_auc`, see
    `explanations`. NaN for runs that diverged.
    """
    found = []
    for run, identity in _each(runs):
        if run.diverged is not None:
            continue
        layers = {key: rows.numbers(layer) for key, layer in measured(run, samples).items()}
        own = layers["trained", "hidden"]
        gains = {
            "participation_gain": ("participation_ratio", "untrained_spread"),
            "participation_gain_own": ("participation_ratio", "untrained"),
            "participation_gain_rotated": ("participation_ratio", "rotated"),
            "action_gain": ("normalised_action", "untrained_spread"),
        }
        compared = {
            name: _over(own[column], layers[weights, "hidden"][column])
            for name, (column, weights) in gains.items()
        }
        aucs = {name: value for (w, name), value in detection(run).items() if w == "trained"}
        found.append({**identity, **own, **compared, **aucs})
    return pd.DataFrame(found)


def per_layer(runs: Runs, samples: int = SAMPLES) -> pd.DataFrame:
    """One row per run, weights and layer: the columns of `rows.numbers`."""
    return pd.DataFrame(
        [
            {**identity, "weights": weights, "layer_name": name, **rows.numbers(layer)}
            for run, identity in _each(runs)
            if run.diverged is None
            for (weights, name), layer in measured(run, samples).items()
        ]
    )


def per_rank(runs: Runs, samples: int = SAMPLES) -> pd.DataFrame:
    """One row per run, weights, layer and eigenvalue above 0.

    Columns: `spectrum_index`, the eigenvalue's rank from 1; `eigenvalue`;
    `eigenvalue_share`, its share of the layer's variance.
    """
    frames = [
        pd.DataFrame({**identity, "weights": weights, "layer_name": name, **rows.ranks(layer)})
        for run, identity in _each(runs)
        if run.diverged is None
        for (weights, name), layer in measured(run, samples).items()
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def explanations(runs: Runs) -> pd.DataFrame:
    """One row per run and weights, trained or untrained: how well units tell features.

    Columns: `neuron_auc`, the area under the ROC curve of the neuron that tells a
    feature best, mean over features; `projection_auc`, of the best of as many
    orthogonal random projections of the hidden layer. 1/2 is chance. The best
    unit is chosen on inputs other than those that it is measured on.
    """
    found = []
    for run, identity in _each(runs):
        if run.diverged is not None:
            continue
        aucs = detection(run)
        for weights in dict.fromkeys(weights for weights, _ in aucs):
            names = ("neuron_auc", "projection_auc")
            columns = {name: aucs[weights, name] for name in names}
            found.append({**identity, "weights": weights, **columns})
    return pd.DataFrame(found)


def sample_sizes(runs: Runs) -> pd.DataFrame:
    """One row per run and number of inputs: what a spectrum is if inputs are few.

    Columns, of the trained hidden layer: `samples`, of `SIZES`; `few_exponent`,
    whatever the rule of `SAMPLES_PER_DIMENSION` says; `plain_participation_ratio`
    and, by unbiased moments, `participation_ratio`.
    """
    return pd.DataFrame(
        [
            {**identity, "samples": samples, **numbers}
            for run, identity in _each(runs)
            if run.diverged is None
            for samples, numbers in store.cached(by_samples, run).items()
        ]
    )


def measured(run: Any, samples: int = SAMPLES) -> dict[tuple[str, str], Layer]:
    """By weights and layer, what is measured of a run; cached for stored runs."""
    return store.cached(layers_of, run, samples=samples)


def detection(run: Any) -> dict[tuple[str, str], float]:
    """By weights and column, the numbers of `explanations`; cached for stored runs."""
    return store.cached(detection_of, run)


def layers_of(run: Run, samples: int) -> dict[tuple[str, str], Layer]:
    """What `measured` returns, computed."""
    trained = run.final
    copies = baselines.copies(run.config, run.hyperparams, run.key, trained)
    batches = -(-samples // _BATCH)
    inputs = [run.world.inputs(_features(run, batch)) for batch in range(batches)]
    path_ptm = _paths(run.world, run.config.n)
    count = batches * _BATCH

    def covariance_and_paths(function):
        return spectrum.covariance(function(x_bm) for x_bm in inputs), np.asarray(
            function(path_ptm)
        )

    def layer(covariance_dd, path_ptd) -> Layer:
        return Layer(spectrum.eigenvalues(covariance_dd), count, **rows.along_paths(path_ptd))

    covariance_kk, path_ptk = covariance_and_paths(lambda x_bm: _neurons(trained, x_bm))
    found = {
        ("trained", "input"): layer(*covariance_and_paths(lambda x_bm: x_bm)),
        ("trained", "hidden"): layer(covariance_kk, path_ptk),
        ("trained", "output"): layer(*covariance_and_paths(lambda x_bm: _outputs(trained, x_bm))),
    }
    positive_k = np.asarray(trained.b_k) > 0
    for name, kept_k in (("hidden_mono", ~positive_k), ("hidden_poly", positive_k)):
        if kept_k.any():
            part = covariance_kk[np.ix_(kept_k, kept_k)], path_ptk[..., kept_k]
            found["trained", name] = layer(*part)
    for weights, model in copies.items():
        of_copy = covariance_and_paths(lambda x_bm, model=model: _neurons(model, x_bm))
        found[weights, "hidden"] = layer(*of_copy)
    return found


def detection_of(run: Run) -> dict[tuple[str, str], float]:
    """What `detection` returns, computed."""
    features_bn = _features(run, 0)
    x_bm, present_bn = run.world.inputs(features_bn), np.asarray(features_bn != 0)
    copies = baselines.copies(run.config, run.hyperparams, run.key, run.final)
    found = {}
    for weights, model in {"trained": run.final, "untrained": copies["untrained_spread"]}.items():
        hidden_bk = np.asarray(_neurons(model, x_bm))
        units = {"neuron_auc": hidden_bk, "projection_auc": spectrum.random_projections(hidden_bk)}
        for name, unit_bd in units.items():
            found[weights, name] = rows.mean(spectrum.best_unit_auc(unit_bd, present_bn))
    return found


def by_samples(run: Run) -> dict[int, dict[str, float]]:
    """By number of inputs, the numbers of `sample_sizes`."""
    batches = -(-max(SIZES) // _BATCH)
    hidden_bk = np.concatenate(
        [_neurons(run.final, run.world.inputs(_features(run, batch))) for batch in range(batches)]
    )
    found = {}
    for samples in SIZES:
        value_d = spectrum.eigenspectrum(hidden_bk[:samples])
        found[samples] = {
            "few_exponent": spectrum.power_law_exponent(value_d),
            "plain_participation_ratio": spectrum.participation_ratio(value_d),
            "participation_ratio": spectrum.unbiased_participation_ratio(
                hidden_bk[: min(samples, rows.MOMENTS)]
            ),
        }
    return found


def _each(runs: Runs):
    """Runs as given, for the cache, and the columns that every frame begins with."""
    if isinstance(runs, Run):
        yield from each(runs)
        return
    for run in checked(runs, Run):
        for _, identity in each([run]):
            yield run, identity


def _over(value: float, baseline: float) -> float:
    return value / baseline if baseline > 0 else float("nan")


def _paths(world: World, n: int) -> Float[Array, "p t m"]:
    """Inputs along which the amplitudes of two features move around a circle."""
    rng = np.random.default_rng(0)
    pair_p2 = [rng.choice(n, 2, replace=False) for _ in range(_PAIRS)]
    feature_ptn = np.zeros((_PAIRS, rows.FRAMES, n), np.float32)
    for path, pair in enumerate(pair_p2):
        feature_ptn[path][:, pair] = 0.5 + 0.5 * spectrum.circle(rows.FRAMES)
    return world.inputs(jnp.asarray(feature_ptn))


def _features(run: Run, batch: int) -> Float[Array, "b n"]:
    """A batch of inputs that no run was trained on, the same for all runs of a setting."""
    config = dataclasses.replace(run.config, batch_size=_BATCH, penalty="none")
    return _sample(config, run.hyperparams, jax.random.fold_in(jax.random.key(_BATCH), batch))


@jax.jit
def _sample(config: Config, hyperparams: Hyperparams, key: Array) -> Float[Array, "b n"]:
    return features.sample(config, hyperparams, key)


@jax.jit
@scores.precise
def _neurons(model: Model, x_bm: Float[Array, "*b m"]) -> Float[Array, "*b k"]:
    return model.neurons(x_bm)


@jax.jit
@scores.precise
def _outputs(model: Model, x_bm: Float[Array, "*b m"]) -> Float[Array, "*b o"]:
    return model(x_bm)
