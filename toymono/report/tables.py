"""The runs of each kind as the page's tables: settings that differ, numbers, training traces."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from toymono import frames, store
from toymono.fields import Field
from toymono.frames import autoencoders, classifiers
from toymono.kinds import KINDS
from toymono.quantities import INDEX_COLUMNS, QUANTITIES, plain
from toymono.store import StoredRun

# Words of settings that labels of runs leave out.
_NOTHING = ("none", "off")


class Trace(NamedTuple):
    """Quantities that change during training, from one frame."""

    frame: Callable[[list], pd.DataFrame]
    time: str
    """Its column of training time."""
    columns: tuple[str, ...]


class Shown(NamedTuple):
    """What the page shows of one kind of run."""

    title: str
    per_run: Callable[[list], pd.DataFrame]
    columns: tuple[str, ...]
    """Of that frame; the first two are the first axes of the scatter plot."""
    traces: tuple[Trace, ...]
    logarithmic: bool
    """Whether training time has a logarithmic axis."""


SHOWN = {
    "toy": Shown(
        "Toy models",
        frames.per_run,
        ("loss", "mono_per_feature", "monosemantic", "polysemantic", "dead", "mean_bias"),
        (
            Trace(frames.per_bin, "step", ("loss",)),
            Trace(frames.per_snapshot, "step", ("mono_per_feature", "dead", "mean_bias")),
        ),
        True,
    ),
    "classifier": Shown(
        "Classifiers",
        classifiers.per_run,
        ("penalty_sum", "accuracy", "cross_entropy", "mean_monosemanticity", "dead_share"),
        (Trace(classifiers.per_epoch, "epoch", ("accuracy", "cross_entropy", "penalty_sum")),),
        False,
    ),
    "autoencoder": Shown(
        "Autoencoders",
        autoencoders.per_run,
        ("loss", "error_share"),
        (Trace(autoencoders.per_bin, "step", ("loss",)),),
        True,
    ),
}
"""By kind of run, in the order of the page."""


class Tables(NamedTuple):
    """The tables of the page, and the runs that could not be read."""

    tables: list[dict[str, Any]]
    skipped: dict[str, str]
    """For each run without a row the reason."""


def tables(
    stored: Sequence[StoredRun],
    progress: Callable[[Iterable[StoredRun]], Iterable[StoredRun]] = lambda runs: runs,
) -> Tables:
    """The tables of runs of any kinds, as JSON can hold them.

    A table has `kind`, `title`, `held` (the settings that all its runs share, in
    words), `columns`, `rows` (a list for each run, in the order of the columns),
    `labels` (what each run is called: the settings in which it differs), `axes` of
    the scatter plot, `time`, `quantities` and `traces`: for each run and quantity,
    time and values.

    Args:
      stored: The runs; each is loaded once.
      progress: Wraps the runs while they are read.
    """
    found: dict[str, list[tuple[pd.DataFrame, dict]]] = {kind: [] for kind in SHOWN}
    skipped = {}
    for run in progress(stored):
        try:
            found[run.kind.name].append(_read(run))
        except (FileNotFoundError, ValueError) as error:  # its data are not on this machine
            skipped[run.name] = str(error)
    return Tables([_table(kind, parts) for kind, parts in found.items() if parts], skipped)


def settings(frame: pd.DataFrame, fields: Mapping[str, Field]) -> list[str]:
    """The fields in which the runs of a frame differ, and the data, if these do."""
    names = [*fields, *(["fingerprint"] if "fingerprint" in frame else [])]
    return [name for name in names if frame[name].astype(str).nunique() > 1]


def titles(stored: Sequence[StoredRun]) -> list[str]:
    """What toy runs are called where they are compared with each other alone."""
    return _labels(pd.DataFrame([run.fields for run in stored]), KINDS["toy"].fields)


def _read(stored: StoredRun) -> tuple[pd.DataFrame, dict[str, list]]:
    """The row of one run, and for each quantity its training time and values."""
    shown = SHOWN[stored.kind.name]
    # The frames of classifiers cache what they compute of runs on disk.
    run = stored if stored.kind.name == "classifier" else store.load(stored)
    traces = {}
    for trace in shown.traces:
        frame = trace.frame([run])
        time = frame[trace.time].tolist()
        for column in trace.columns:
            traces[column] = [time, [number(value) for value in frame[column]]]
    return shown.per_run([run]), traces


def _table(kind: str, parts: list[tuple[pd.DataFrame, dict]]) -> dict[str, Any]:
    shown, fields = SHOWN[kind], KINDS[kind].fields
    frame = pd.concat([row for row, _ in parts], ignore_index=True)
    swept = settings(frame, fields)
    results = [name for name in shown.columns if name in frame]
    if "diverged" in frame and frame["diverged"].notna().any():
        results.append("diverged")
    status = ["status"] if "status" in frame else []
    names = ["run", *status, *results, *swept, "seed"]  # numbers first: settings may be many
    held = [
        QUANTITIES[name].setting(frame[name].iloc[0])
        for name, field in fields.items()
        if name not in swept and (field.in_caption or frame[name].iloc[0] != field.default)
    ]
    return {
        "kind": kind,
        "title": shown.title,
        "held": plain(", ".join(held)),
        "columns": [_column(name, frame, [*swept, "seed"], results) for name in names],
        "rows": [[_cell(name, row, fields) for name in names] for row in frame.to_dict("records")],
        "labels": _labels(frame, fields),
        "axes": results[:2],
        "logarithmic": shown.logarithmic,
        "time": _label("epoch" if shown.traces[0].time == "epoch" else "step"),
        "quantities": [
            {"name": name, "label": _label(name)}
            for trace in shown.traces
            for name in trace.columns
        ],
        "traces": {row["run"].iloc[0]: traces for row, traces in parts},
    }


def _column(
    name: str, frame: pd.DataFrame, settings: list[str], results: list[str]
) -> dict[str, Any]:
    role = "setting" if name in settings else "result" if name in results else "name"
    numeric = pd.api.types.is_numeric_dtype(frame[name])
    column = {"name": name, "label": _label(name), "role": role, "numeric": numeric}
    if role == "setting" and name in QUANTITIES:
        quantity = QUANTITIES[name]
        values = sorted(frame[name].unique().tolist())
        column["texts"] = {json_key(value): quantity.text(value) for value in values}
    return column


def json_key(value: Any) -> str:
    """A value as JavaScript names it as the key of an object: whole numbers without a point."""
    number_ = number(value) if isinstance(value, float) else value
    if isinstance(number_, float) and number_.is_integer():
        number_ = int(number_)
    return str(number_)


def _cell(name: str, row: dict, fields: Mapping[str, Field]) -> Any:
    if name in fields and not fields[name].matters(row):
        return None
    value = row[name]
    return value if isinstance(value, str) else number(value)


def _labels(frame: pd.DataFrame, fields: Mapping[str, Field]) -> list[str]:
    """What runs are called: first the settings of most values, since a menu cuts what is long."""
    swept = [name for name in settings(frame, fields) if name in fields]
    swept.sort(key=lambda name: -frame[name].astype(str).nunique())
    return [_words(row, swept, fields) for row in frame.to_dict("records")]


def _words(row: dict, swept: list[str], fields: Mapping[str, Field]) -> str:
    shown = [name for name in swept if fields[name].matters(row) and row[name] not in _NOTHING]
    words = [QUANTITIES[name].setting(row[name]) for name in shown]
    return plain(", ".join([*words, f"seed {row['seed']}"]))


def _label(name: str) -> str:
    if name in QUANTITIES:
        return plain(QUANTITIES[name].axis)
    words = {"run": "Run", "seed": "Seed", "status": "Status", "epoch": "Epoch"}
    return words.get(name, INDEX_COLUMNS[name])


def number(value: Any, digits: int = 6) -> float | int | None:
    """A number as JSON can hold it, with a few significant digits; None for NaN and infinities."""
    if isinstance(value, int | np.integer):
        return int(value)
    value = float(value)
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None
