"""The features of a run as a synthetic model of SAELens, for its sparse autoencoders.

SAELens trains and scores sparse autoencoders on activations with known features.
Its synthetic model is a folder of two files: `synthetic_model_config.json` and
`synthetic_model.safetensors` with `feature_vectors` [n m], `bias` [m] and
`firing_probabilities` [n].

Directions and frequencies are exact. Amplitudes are not: ours are uniform in
[0, 1), and SAELens has normal ones that are cut at 0, so they get the same mean
and standard deviation before the cut, which sets 4 % of them to 0. Signed features
cannot be expressed at all.

Reference:
  SAELens (github.com/decoderesearch/SAELens), `synthetic/synthetic_model.py`;
  release 6.54.12 reads what is written here.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from toymono.feature_laws import frequencies
from toymono.files import atomic_write
from toymono.store.format import save_tensors
from toymono.tasks import TASKS
from toymono.torch_io.files import new
from toymono.train import Run

CONFIG, WEIGHTS = "synthetic_model_config.json", "synthetic_model.safetensors"


def write(folder: str | Path, run: Run) -> Path:
    """Writes the world of a run for `SyntheticModel.load_from_source(folder)` of SAELens.

    Args:
      folder: It is made if need be.
      run: Of a task with unsigned features.

    Raises:
      FileExistsError: The folder has a synthetic model, or other weights under its name.
      ValueError: The features are signed.
      OSError: A file cannot be written.
    """
    if TASKS[run.config.task].signed:
        raise ValueError(
            f"task={run.config.task}: its features are signed, and those of SAELens are not"
        )
    folder = Path(folder)
    config_path, weights_path = new(folder / CONFIG), folder / WEIGHTS
    direction_nm = np.ascontiguousarray(run.world.embed_nm, np.float32)
    frequency_n = np.asarray(frequencies(run.config, run.hyperparams), np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        "feature_vectors": direction_nm,
        "bias": np.zeros(direction_nm.shape[1], np.float32),
        "firing_probabilities": frequency_n,
    }
    if not _same(weights_path, weights):  # the same are left by an export that was killed
        save_tensors(new(weights_path), weights, {"format": "pt"})
    with atomic_write(config_path) as temporary:
        temporary.write_text(json.dumps(_config(run, weights), indent=2) + "\n")
    return folder


def _same(path: Path, weights: dict[str, np.ndarray]) -> bool:
    """Whether a file holds exactly these weights."""
    try:
        stored = load_file(path)
    except (OSError, SafetensorError):
        return False
    return stored.keys() == weights.keys() and all(
        np.array_equal(stored[name], array) for name, array in weights.items()
    )


def _config(run: Run, weights: dict[str, np.ndarray]) -> dict[str, Any]:
    n, m = weights["feature_vectors"].shape
    return {
        "num_features": n,
        "hidden_dim": m,
        "firing_probability": _law(run, weights["firing_probabilities"]),
        "hierarchy": None,
        "orthogonalization": None,
        "correlation": None,
        "mean_firing_magnitudes": 0.5,
        "std_firing_magnitudes": 12**-0.5,
        "bias": False,
        "dtype": "float32",
        "seed": None,
    }


def _law(run: Run, frequency_n: np.ndarray) -> dict[str, Any]:
    """Its nearest law; the saved frequencies replace what it gives."""
    first, last = float(frequency_n[0]), float(frequency_n[-1])
    if first == last:
        return {"probability": first, "generator_name": "constant"}
    exponent = float(run.hyperparams.exponent)
    return {
        "exponent": exponent,
        "max_prob": first,
        "min_prob": last,
        "generator_name": "zipfian",
    }
