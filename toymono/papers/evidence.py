"""Evidence: one CSV row per trained run, in git, from which pages are made without the runs.

A row holds what determines the run (its fields and seed), where and when it was
trained, and every number that a claim reads, at the end of training and, with
the suffix `_half`, at half of it. Rows are only ever added, or replaced by
those of a newer run of the same name.
"""

import csv
import dataclasses
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from toymono import catalog, store
from toymono.config import split
from toymono.fields import MISSING, SEED, Field
from toymono.files import atomic_write
from toymono.job import Job
from toymono.kinds import KINDS
from toymono.store import StoredRun

Row = dict[str, str]
"""One line of an evidence file, as text."""

DIGITS = 6
"""Significant digits of a measured number in the file; our choice."""

HALF, END = "_half", "_end"
_ORIGIN = ("fingerprint", "run", "diverged", "platform", "versions", "date")


@dataclasses.dataclass(frozen=True)
class Source:
    """What one evidence file holds, and where its rows come from."""

    name: str
    """Of the file, without its suffix."""
    kind: str
    """Of its runs: a name in `kinds.KINDS`."""
    quantities: tuple[str, ...]
    """Columns with what was measured at the end."""
    halves: tuple[str, ...]
    """Those of them that are measured at half of training too."""
    find: Callable[[str | Path], Sequence[StoredRun]]
    """The stored runs in a folder that belong in the file."""
    measure: Callable[[StoredRun], Mapping[str, Any]]
    """From a run to its quantities, and its halves with the suffix `_half`; those that it
    leaves out are empty in the file."""

    @property
    def fields(self) -> Mapping[str, Field]:
        """What determines a run, apart from its seed."""
        return KINDS[self.kind].fields

    @property
    def measured(self) -> tuple[str, ...]:
        """Columns of measured numbers, in order."""
        return (*self.quantities, *(name + HALF for name in self.halves))

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of the file, in order."""
        return (*self.fields, "seed", *_ORIGIN, *self.measured)

    def setting(self, values: Mapping[str, Any]) -> str:
        """The name of a setting, whatever the data: that of its run with seed 0."""
        return Job(*KINDS[self.kind].split(values), seed=0).name


def stored_of(sweeps: Sequence[str], scale: str, runs_dir: str | Path) -> list[StoredRun]:
    """The stored toy runs of sweeps of the catalog."""
    settings = {name for sweep in sweeps for name in store.positions(sweep, scale)}
    return [run for run in store.find(runs_dir) if run.setting in settings]


def settings(sweep: str, scale: str, **changed: Any) -> pd.DataFrame:
    """The fields of each setting of a sweep of the catalog, by the setting's name.

    Args:
      sweep: The name of a sweep of the catalog.
      scale: One of `catalog.SCALES`.
      changed: Fields that replace the sweep's own.
    """
    jobs = [Job(*split(point), seed=0) for point in catalog.points([sweep], scale, **changed)]
    return pd.DataFrame([job.fields for job in jobs], index=[job.setting for job in jobs])


def row_of(per_run: Callable[..., pd.DataFrame]) -> Callable[[StoredRun], Mapping[str, Any]]:
    """Measures a run by a frame of one row per run; nothing if the frame leaves the run out."""

    def measured(stored: StoredRun) -> Mapping[str, Any]:
        rows = per_run([stored])
        return rows.iloc[0].to_dict() if len(rows) else {}

    return measured


def read(path: str | Path, source: Source) -> list[Row]:
    """The rows of an evidence file; none if there is no such file.

    A file that is older than a field lacks its column: its rows have the value
    that all runs had before the field existed.

    Raises:
      ValueError: It is another file, or a row lacks what determines its run.
    """
    path = Path(path)
    if not path.exists():
        return []
    if not _replaceable(path):
        raise ValueError(f"{path} is not an evidence file: its first line names no such columns")
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    older = {
        name: _exact(field.before, field)
        for name, field in source.fields.items()
        if field.before is not MISSING
    }
    for line, row in enumerate(rows, 2):
        for name, value in older.items():
            row.setdefault(name, value)
        try:
            for name, field in source.fields.items():
                field.parse(row[name])
            SEED.parse(row["seed"])
            if not row["run"]:
                raise ValueError("run is empty")
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}, line {line}: not a row of evidence: {error}") from None
    return rows


def _replaceable(path: Path) -> bool:
    """Whether nothing is at a path, or a file whose first line has the columns of every version."""
    if not path.exists():
        return True
    with path.open(encoding="utf-8", errors="replace") as file:
        return {"seed", "run", "date"} <= set(file.readline().rstrip().split(","))


def extend(
    rows: Sequence[Row],
    source: Source,
    runs_dir: str | Path,
    progress: Callable[[Sequence[StoredRun]], Iterable[StoredRun]] = iter,
) -> list[Row]:
    """The rows, with those of stored runs that are new, newer, or lack a column.

    Args:
      rows: From `read`.
      source: The file's.
      runs_dir: Folder with stored runs.
      progress: Iterates over the runs to be measured.

    Returns:
      One row per run, sorted by what determines it.

    Raises:
      FileNotFoundError: There is no such folder.
    """
    by_run = {row["run"]: row for row in rows}

    def outdated(stored: StoredRun) -> bool:
        row = by_run.get(stored.name)
        return row is None or stored.date > row["date"] or not set(source.columns) <= set(row)

    for stored in progress([stored for stored in source.find(runs_dir) if outdated(stored)]):
        by_run[stored.name] = _row(stored, source)
    return sorted(by_run.values(), key=lambda row: _identity(row, source))


def _row(stored: StoredRun, source: Source) -> Row:
    versions = dict(stored.versions)
    row = {name: _exact(stored.fields[name], field) for name, field in source.fields.items()}
    row |= {
        "seed": str(stored.seed),
        "fingerprint": stored.fingerprint,
        "run": stored.name,
        "diverged": "" if stored.diverged is None else str(stored.diverged),
        "platform": versions.pop("platform", ""),
        "versions": ", ".join(
            f"{package} {number}" for package, number in sorted(versions.items())
        ),
        "date": stored.date,
    }
    measured = source.measure(stored)
    return row | {name: rounded(measured.get(name, math.nan)) for name in source.measured}


def _exact(value: Any, field: Field) -> str:
    """A field's value so that it is read back the same."""
    return repr(float(value)) if field.type is float else field.text(value)


def rounded(value: Any) -> str:
    """A measured number as the file has it.

    Example:
      >>> rounded(1 / 3), rounded(512), rounded(True), rounded(float("nan")), rounded("learned")
      ('0.333333', '512', '1', '', 'learned')
    """
    if isinstance(value, str):
        return value
    number = float(value)
    return "" if math.isnan(number) else f"{number + 0.0:.{DIGITS}g}"  # -0 is 0


def _identity(row: Row, source: Source) -> tuple:
    return (*(field.parse(row[name]) for name, field in source.fields.items()), int(row["seed"]))


def write(path: str | Path, rows: Iterable[Row], source: Source) -> None:
    """Writes an evidence file atomically.

    Raises:
      FileExistsError: There is another file at `path`.
      OSError: The folder cannot be written.
    """
    if not _replaceable(Path(path)):
        raise FileExistsError(f"{path} is not overwritten: it is not an evidence file")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.DictWriter(
        text, source.columns, restval="", extrasaction="ignore", lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(rows)
    with atomic_write(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def frame(rows: Sequence[Row], source: Source) -> pd.DataFrame:
    """The rows as numbers, with the column `setting`; an empty frame if there are none."""
    settings: dict[tuple[str, ...], str] = {}
    records = []
    for row in rows:
        values = {name: field.parse(row[name]) for name, field in source.fields.items()}
        identity = tuple(row[name] for name in source.fields)
        if identity not in settings:
            settings[identity] = source.setting(values)
        record = {
            name: field.text(values[name]) if field.type is tuple else values[name]
            for name, field in source.fields.items()
        }
        record |= {"seed": int(row["seed"]), "setting": settings[identity]}
        record |= {name: row[name] for name in ("run", "platform", "versions", "date")}
        record |= {name: _number(row.get(name, "")) for name in ("diverged", *source.measured)}
        if "settled" in record:
            record["settled"] = record["settled"] == 1
        records.append(record)
    return pd.DataFrame(records)


def _number(text: str) -> float | str:
    """The inverse of `rounded`."""
    try:
        return float(text) if text else math.nan
    except ValueError:
        return text


@dataclasses.dataclass(frozen=True)
class Sweep:
    """What the evidence has of one sweep."""

    name: str
    wanted: int
    """Settings that the sweep lists."""
    frame: pd.DataFrame
    """One row per run, from `frame`; without those that diverged, unless claims judge them."""
    diverged: int = 0
    """Runs that diverged."""
    command: str = ""
    """Trains the sweep, if it is not one of the catalog's."""
    settings: pd.DataFrame = dataclasses.field(default_factory=pd.DataFrame)
    """Those that it lists: from the function `settings`, which `part` needs, or only names."""

    def part(self, holds: Callable[[pd.DataFrame], pd.Series]) -> "Sweep":
        """The sweep as if it listed only some of its settings.

        Args:
          holds: From `settings` to a boolean for each.
        """
        kept = self.settings[holds(self.settings)]
        frame = (
            self.frame if self.frame.empty else self.frame[self.frame["setting"].isin(kept.index)]
        )
        return dataclasses.replace(self, wanted=len(kept), frame=frame, settings=kept)

    @property
    def measured(self) -> int:
        """Settings with at least one row in `frame`."""
        return 0 if self.frame.empty else self.frame["setting"].nunique()

    @property
    def complete(self) -> bool:
        """Whether every setting has a row."""
        return self.measured == self.wanted

    @property
    def seeds(self) -> str:
        """Runs per setting, from the fewest to the most."""
        if self.frame.empty:
            return "0"
        sizes = self.frame.groupby("setting").size()
        return "-".join(str(size) for size in sorted({sizes.min(), sizes.max()}))

    @property
    def halfway(self) -> pd.DataFrame:
        """The same runs at half of training; numbers of the end have the suffix `_end`."""
        names = [name.removesuffix(HALF) for name in self.frame if str(name).endswith(HALF)]
        at_end = self.frame.rename(columns={name: name + END for name in names})
        return at_end.rename(columns={name + HALF: name for name in names})


def sweep(
    name: str,
    runs: pd.DataFrame,
    settings: Sequence[str] | pd.DataFrame,
    command: str = "",
    with_diverged: bool = False,
) -> Sweep:
    """The runs of a sweep, by the names of its settings.

    Args:
      name: The sweep's.
      runs: From `frame`.
      settings: Names of all its settings, as in the column `setting`; from `settings`, if
        claims read a part of it.
      command: Trains the sweep, if it is not one of the catalog's.
      with_diverged: Whether runs that diverged are among its rows.
    """
    frame = settings if isinstance(settings, pd.DataFrame) else pd.DataFrame(index=[*settings])
    if runs.empty:
        return Sweep(name, len(frame), runs, command=command, settings=frame)
    mine = runs[runs["setting"].isin(frame.index)]
    whole = mine[mine["diverged"].isna()]
    rows = mine if with_diverged else whole
    return Sweep(name, len(frame), rows, len(mine) - len(whole), command, frame)


@dataclasses.dataclass(frozen=True)
class Evidence:
    """All that a paper's claims are judged on."""

    sweeps: Mapping[str, Sweep]
    larger: Mapping[tuple[str, int], Mapping[str, Sweep]] = dataclasses.field(default_factory=dict)
    """By a field and its value: the sweeps that were also trained, whole, with that value."""
