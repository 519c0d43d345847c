"""The neurons of a few runs at every snapshot: images of their activations, packed numbers."""

import base64
import io
import itertools
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from PIL import Image

from toymono import store
from toymono.frames import neurons
from toymono.plots.neurons import largest
from toymono.store import StoredRun

NEURONS = 256
"""Neurons of a run with curves, and rows of its image, at most: our choice, for the page's size."""

LEVELS = 32
"""Colours of an image: our choice; an eye sees no difference with more, which take more room."""

# The range of colours of the paper's program. Hidden dimensions of tied models take both signs,
# neurons do not but for the shallow dips of some nonlinearities: a run counts as signed if its
# lowest activation is more than half as large as its highest, our choice.
_UNSIGNED, _SIGNED = (0.0, 1.02, "viridis"), (-1.02, 1.02, "RdBu_r")


def spread(names_by_score: Sequence[str], count: int) -> list[str]:
    """At most `count` names, the first, the last and some evenly between.

    Example:
      >>> spread(["a", "b", "c", "d", "e"], 3)
      ['a', 'c', 'e']
    """
    found = np.linspace(0, len(names_by_score) - 1, min(count, len(names_by_score)))
    return [names_by_score[int(i)] for i in found.round()]


def detail(stored: StoredRun, title: str) -> dict[str, Any]:
    """What the page holds of one toy run, as JSON can hold it.

    Of more than `NEURONS` neurons, some evenly among the sorted ones are kept:
    `shown` has their ranks. Arrays `[c s …]` over snapshots and these neurons are
    packed by `packed`.
    """
    run = store.load(stored)
    frame = neurons.snapshot_neurons([run])
    steps = frame["step"].unique()
    k = frame["rank"].max() + 1
    shown = np.unique(np.linspace(0, k - 1, min(k, NEURONS)).round().astype(int))
    kinds = ("monosemantic", "polysemantic", "dead")
    counts = [
        [int((of_step["neuron_kind"] == kind).sum()) for kind in kinds]
        for _, of_step in frame.groupby("step")
    ]
    frame = frame[frame["rank"].isin(shown)]

    def stacked(column: str) -> np.ndarray:
        values = np.stack(frame[column].to_numpy()) if frame[column].dtype == object else None
        values = frame[column].to_numpy() if values is None else values
        return values.reshape(len(steps), len(shown), *values.shape[1:])

    first = frame.iloc[0]
    kind_cs = frame["neuron_kind"].map(kinds.index).to_numpy().reshape(len(steps), -1)
    responses = neurons.snapshot_responses([run])["response_kn"].tolist()
    signed = -responses[-1].min() > responses[-1].max() / 2
    low, high, cmap = _SIGNED if signed else _UNSIGNED
    columns = ("neuron", "feature_count", "strongest_feature", "second_feature")
    columns += ("monosemanticity", "bias", "curve_b", "second_curve_b", "monosemanticity_s")
    return {
        "run": stored.name,
        "title": title,
        "k": int(k),
        "n": int(first["n"]),
        "steps": steps.tolist(),
        "shown": shown.tolist(),
        "kinds": kinds,
        "counts": counts,
        "amplitudes": first["amplitude_b"].tolist(),
        "active": first["active_s"].tolist(),
        "colors": {"low": low, "high": high, "stops": _stops(cmap)},
        "images": [image(response_kn, low, high, cmap) for response_kn in responses],
        "numbers": {
            "kind": packed(kind_cs),
            **{column: packed(stacked(column)) for column in columns},
        },
    }


def packed(values: np.ndarray) -> dict[str, Any]:
    """Numbers as text: whole ones as they are, others as 16 bits of the largest magnitude.

    Example:
      >>> packed(np.array([0.5, -1.0]))["scale"] == 1 / 32767
      True
    """
    if np.issubdtype(values.dtype, np.integer):
        scale, whole = 1.0, values.astype("<i4")
    else:
        scale = float(np.abs(values).max()) / 32767 or 1.0
        whole = (values / scale).round().astype("<i2")
    data = base64.b64encode(whole.tobytes()).decode()
    return {"shape": values.shape, "scale": scale, "bytes": whole.itemsize, "data": data}


def image(response_kn: np.ndarray, low: float, high: float, cmap: str) -> str:
    """The activations as a PNG in a data address, neurons from top to bottom.

    Each dot of a large array shows the largest activation that it covers.
    """
    fraction = (largest(response_kn, NEURONS) - low) / (high - low)
    level = (np.clip(fraction, 0, 1) * (LEVELS - 1)).round().astype(np.uint8)
    rows, columns = level.shape
    picture = Image.frombytes("P", (columns, rows), level.tobytes())
    picture.putpalette(list(itertools.chain.from_iterable(_palette(cmap, LEVELS))))
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _palette(cmap: str, count: int) -> list[tuple[int, int, int]]:
    colors = mpl.colormaps[cmap](np.linspace(0, 1, count), bytes=True)
    return [(int(r), int(g), int(b)) for r, g, b, _ in colors]


def _stops(cmap: str) -> list[str]:
    """Colours from the lowest to the highest value, for a legend."""
    return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in _palette(cmap, 9)]
