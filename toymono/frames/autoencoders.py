"""Autoencoder runs to tidy frames: one row per run or bin of the loss.

Every frame begins with the columns that determine a run, `fingerprint` of its
patches, `run`, its name, and `diverged`, the step at which it diverged, NaN if
it did not. The patches are read again: those of a folder from the one that
TOYMONO_DATA_DIR names.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from toymono import fields, store
from toymono.autoencoders import data, network
from toymono.autoencoders.data import Patches
from toymono.autoencoders.fields import AUTOENCODER
from toymono.autoencoders.train import AutoencoderRun
from toymono.frames.runs import checked
from toymono.frames.statistics import octave_bins
from toymono.store import StoredRun

Runs = Iterable[AutoencoderRun | StoredRun]

EVALUATED = 40_000
"""Patches that a network is evaluated on, at most: our choice, 300 for each of 128 neurons."""


def each(runs: Runs) -> Iterator[tuple[AutoencoderRun, Patches, dict[str, Any]]]:
    """Each run, loaded, its patches, and the columns that every frame begins with.

    Raises:
      FileNotFoundError: The folder of its patches is not known or not there.
      ValueError: The images are not those that it was trained on.
    """
    for run in checked(runs, AutoencoderRun):
        run = store.load(run) if isinstance(run, StoredRun) else run
        patches = data.load(run.config.data, run.config.patch)
        name = store.name(run.config, run.hyperparams, run.seed, run.fingerprint)
        if patches.fingerprint != run.fingerprint:
            raise ValueError(f"run {name} was trained on other images than those found now")
        values = store.fields(run.config, run.hyperparams, run.seed)
        values["sizes"] = fields.widths_text(run.config.sizes)
        diverged = np.nan if run.diverged is None else run.diverged
        identity = {"fingerprint": run.fingerprint, "run": name, "diverged": diverged}
        yield run, patches, {**values, **identity}


def per_run(runs: Runs) -> pd.DataFrame:
    """One row per run: `loss`, averaged over the last 1/16 of the steps, and `error_share`.

    The loss is that of training, dropout included; `network.error_share` is
    without dropout, on the first `EVALUATED` patches of the data. Both are NaN
    if the run diverged.
    """
    rows = []
    for run, patches, identity in each(runs):
        last_t = np.asarray(run.loss_t)[-max(1, run.config.steps // 16) :]
        share = float(network.error_share(run.config, run.params, patches.patch_bd[:EVALUATED]))
        numbers = {"loss": float(last_t.mean(dtype=np.float64)), "error_share": share}
        if run.diverged is not None:
            numbers = dict.fromkeys(numbers, np.nan)
        rows.append({**identity, **numbers})
    return pd.DataFrame(rows)


def per_bin(runs: Runs) -> pd.DataFrame:
    """The training loss, averaged over eight bins per doubling of `step`, the last of the bin."""
    frames = []
    for run, _, identity in each(runs):
        step, loss = octave_bins(np.asarray(run.loss_t))
        frames.append(pd.DataFrame({**identity, "step": step, "loss": loss}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def summary(runs: Runs) -> str:
    """The table at the end of a command: the settings that differ, seed, loss, error."""
    frame = per_run(runs)
    swept = [name for name in AUTOENCODER if frame[name].nunique() > 1]
    table = frame[[*swept, "seed", "loss", "error_share"]]
    table = table.rename(columns={"error_share": "error/variance"})
    return table.to_string(index=False, float_format="{:.4g}".format)
