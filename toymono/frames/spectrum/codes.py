"""Closed forms as frames: capacity of a neuron under dropout, and survival of three codes.

They need no run; `runs` is taken so that a figure can ask for them like for any
other frame, and has no effect.
"""

from collections.abc import Iterable
from typing import Any

import jax
import numpy as np
import pandas as pd

from toymono.analysis import spectrum
from toymono.analysis.spectrum import information

CODES: dict[str, tuple[int, int]] = {
    "monosemantic": (1, 1),
    "superposed": (16, 16),
    "polysemantic, 2 copies": (2, 1),
    "polysemantic, 16 for 8": (16, 8),
    "polysemantic, 64 for 32": (64, 32),
}
"""Neurons that values are written on, and how many suffice to read them: our choice of sizes."""

BAND = (8.0, 23.0)
"""Bits of a present feature's value: a free choice of the theorem, whose own example has 23."""

# Codes whose information is estimated too: those of one value.
_ESTIMATED, _ESTIMATED_LAYERS = ("monosemantic", "polysemantic, 2 copies"), (1, 2, 4, 8)
_DROPOUTS, _LAYERS, _DRAWS, _SAMPLES = (0.2, 0.5), 10, 200, 4096


def dropout_capacity(runs: Iterable[Any] = ()) -> pd.DataFrame:
    """One row per number of bits and rate: `capacity`, exact, and the published bounds.

    Columns: `neuron_bits`, `code_dropout`, `capacity`, `capacity_lower`,
    `capacity_proven`, `capacity_upper`, see `analysis.spectrum.CapacityBounds`;
    all of a neuron, in bits.
    """
    bits, dropout = np.meshgrid([1.0, 3.0, 8.0], np.linspace(0, 1, 41))
    bounds = spectrum.dropout_capacity_bounds(bits, dropout)
    columns = {
        "neuron_bits": bits,
        "code_dropout": dropout,
        "capacity": spectrum.dropout_capacity(bits, dropout),
        "capacity_lower": bounds.lower,
        "capacity_proven": bounds.proven,
        "capacity_upper": bounds.upper,
    }
    return pd.DataFrame({name: values.ravel() for name, values in columns.items()})


def survival(runs: Iterable[Any] = ()) -> pd.DataFrame:
    """One row per code, rate and number of dropout layers, values rewritten after each.

    Columns: `code`, of `CODES`; `code_dropout`; `code_layers`; `survival`, the
    probability that the values can be read, in closed form; `simulated_survival`,
    of random linear codes; `information_share`, the estimated mutual information
    with one bit that was sent, as a share of it, NaN where it is not estimated.
    """
    found = []
    for code, (neurons, needed) in CODES.items():
        for dropout in _DROPOUTS:
            place = (neurons, needed, dropout)
            for layers, simulated in enumerate(
                spectrum.simulated_survival(*place, _LAYERS, _DRAWS)
            ):
                estimated = code in _ESTIMATED and layers in _ESTIMATED_LAYERS
                left = _information(neurons, dropout, layers) if estimated else np.nan
                found.append(
                    {
                        "code": code,
                        "code_dropout": dropout,
                        "code_layers": layers,
                        "survival": spectrum.survives(*place, layers),
                        "simulated_survival": simulated,
                        "information_share": left,
                    }
                )
    return pd.DataFrame(found)


def _information(copies: int, dropout: float, layers: int) -> float:
    """The estimated share of one bit that is left."""
    sent_bd = np.random.default_rng(layers).choice([-1.0, 1.0], (_SAMPLES, 1))
    received_bd = information.through_dropout(sent_bd, dropout, layers, copies)
    # All copies are equal after a rewriting.
    pair = (sent_bd.astype(np.float32), received_bd[:, :1])
    return float(information.information_bound(*pair, jax.random.key(layers)) / np.log(2))
