"""Evidence files: rows of runs, added, replaced, read back, and found for sweeps."""

import dataclasses
import math
import types

import pandas as pd
import pytest

from toymono import Config, Hyperparams, catalog, store
from toymono.papers import evidence
from toymono.papers.evidence import Source
from toymono.store import StoredRun

TINY = Config(n=16, m=4, k=24, batch_size=8, log2_steps=4)


def stored(rate=0.003, seed=0, date="2026-01-01T00:00:00+00:00", diverged=None, eps=2**-3.5):
    return StoredRun(
        TINY,
        Hyperparams(learning_rate=rate, eps=eps),
        seed,
        diverged=diverged,
        versions={"jax": "0.10", "platform": "cpu"},
        date=date,
    )


@pytest.fixture
def source():
    """A source whose runs and numbers a test sets: `runs`, `numbers`, `calls`."""
    numbers = {"settled": True, "loss": 1 / 3, "loss_half": 2 / 3, "first": math.nan}
    folder = types.SimpleNamespace(runs=[], numbers=numbers, calls=[])

    def measure(run):
        folder.calls.append(run.name)
        return {} if run.diverged is not None else folder.numbers

    made = Source(
        "s", "toy", ("settled", "loss", "first"), ("loss",), lambda _: folder.runs, measure
    )
    return made, folder


def test_a_row_is_read_back_as_it_was_written(source, tmp_path):
    source, folder = source
    folder.runs = [stored(seed=1), stored(0.1)]
    rows = evidence.extend([], source, "runs")
    evidence.write(tmp_path / "deep" / "s.csv", rows, source)
    assert evidence.read(tmp_path / "deep" / "s.csv", source) == rows
    frame = evidence.frame(rows, source)
    assert frame["learning_rate"].tolist() == [0.003, 0.1]
    assert frame["run"].tolist() == [run.name for run in folder.runs]
    assert frame["setting"].tolist() == [run.setting for run in folder.runs]
    assert frame["settled"].tolist() == [True, True]
    assert frame["loss"].tolist() == [0.333333, 0.333333]  # six significant digits
    assert frame["first"].isna().all()
    assert rows[0]["versions"] == "jax 0.10"
    assert rows[0]["platform"] == "cpu"


def test_a_file_older_than_a_field_has_the_value_from_before(source, tmp_path):
    source, folder = source
    folder.runs = [stored(seed=1)]
    path = tmp_path / "s.csv"
    evidence.write(path, evidence.extend([], source, "runs"), source)
    rows = evidence.read(path, source)
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame.drop(columns=["dropout", "dropout_rate"]).to_csv(path, index=False)
    assert evidence.read(path, source) == rows
    frame.drop(columns=["eps"]).to_csv(path, index=False)
    with pytest.raises(ValueError, match="not a row of evidence: 'eps'"):
        evidence.read(path, source)


def test_settings_round_trip_through_float32(source):
    source, folder = source
    folder.runs = [stored(eps=2**-3.5, rate=1e-3)]
    [row] = evidence.extend([], source, "runs")
    again = Hyperparams(float(row["learning_rate"]), float(row["eps"]))
    assert store.name(TINY, again, 0) == folder.runs[0].name
    assert row["eps"] == "0.088388346"


def test_measured_runs_are_not_measured_again(source):
    source, folder = source
    folder.runs = [stored()]
    rows = evidence.extend([], source, "runs")
    folder.runs += [stored(seed=1)]
    rows = evidence.extend(rows, source, "runs")
    assert folder.calls == [run.name for run in folder.runs]
    assert len(rows) == 2


def test_the_latest_date_of_a_run_counts(source):
    source, folder = source
    folder.runs = [stored()]
    rows = evidence.extend([], source, "runs")
    folder.runs, folder.numbers = [stored(date="2025-01-01T00:00:00+00:00")], {"loss": 5.0}
    assert evidence.extend(rows, source, "runs") == rows
    folder.runs = [stored(date="2027-01-01T00:00:00+00:00")]
    [row] = evidence.extend(rows, source, "runs")
    assert (row["loss"], row["date"][:4]) == ("5", "2027")


def test_rows_of_runs_that_are_gone_stay(source):
    source, folder = source
    folder.runs = [stored()]
    rows = evidence.extend([], source, "runs")
    folder.runs = [stored(seed=7)]
    assert [row["seed"] for row in evidence.extend(rows, source, "runs")] == ["0", "7"]


def test_a_new_column_is_measured_where_the_run_is_stored(source):
    source, folder = source
    folder.runs = [stored(), stored(seed=1)]
    rows = evidence.extend([], source, "runs")
    wider = dataclasses.replace(source, quantities=(*source.quantities, "more"))
    folder.runs, folder.numbers = [stored()], {**folder.numbers, "more": 2}
    found = evidence.frame(evidence.extend(rows, wider, "runs"), wider)["more"]
    assert found[0] == 2
    assert math.isnan(found[1])


def test_a_sweep_has_every_seed_of_its_settings_and_counts_diverged_runs(source):
    source, folder = source
    folder.runs = [stored(), stored(seed=1), stored(0.1), stored(0.2), stored(0.3, diverged=4)]
    frame = evidence.frame(evidence.extend([], source, "runs"), source)
    settings = [stored(rate).setting for rate in (0.003, 0.1, 0.3)]
    sweep = evidence.sweep("LR", frame, settings)
    assert sweep.frame[["learning_rate", "seed"]].to_numpy().tolist() == [
        [0.003, 0],
        [0.003, 1],
        [0.1, 0],
    ]
    assert (sweep.wanted, sweep.measured, sweep.complete) == (3, 2, False)
    assert (sweep.seeds, sweep.diverged) == ("1-2", 1)
    assert evidence.sweep("LR", frame, settings, with_diverged=True).complete
    empty = evidence.sweep("LR", frame.iloc[:0], settings)
    assert (empty.measured, empty.seeds, empty.complete) == (0, "0", False)


@pytest.mark.parametrize("scale", catalog.SCALES)
def test_the_settings_of_a_sweep_are_those_of_the_catalog_by_name(scale):
    for name in ("LR1", "K2", "RG1"):
        settings = evidence.settings(name, scale)
        assert list(settings.index) == list(store.positions(name, scale))
        points = list(catalog.points([name], scale))
        assert settings["learning_rate"].tolist() == [point["learning_rate"] for point in points]


def test_a_part_of_a_sweep_lists_only_some_of_its_settings(source):
    source, folder = source
    folder.runs = [stored(), stored(0.1), stored(0.1, seed=1)]
    frame = evidence.frame(evidence.extend([], source, "runs"), source)
    rates = [0.003, 0.1, 0.3]
    settings = pd.DataFrame({"learning_rate": rates}, [stored(rate).setting for rate in rates])
    sweep = evidence.sweep("LR", frame, settings)
    part = sweep.part(lambda rows: rows["learning_rate"] < 0.3)
    assert (sweep.complete, part.wanted, part.complete) == (False, 2, True)
    assert sweep.part(lambda rows: rows["learning_rate"] == 0.1).seeds == "2"
    assert not sweep.part(lambda rows: rows["learning_rate"] == 0.3).complete
    nothing = evidence.sweep("LR", frame.iloc[:0], settings)
    assert nothing.part(lambda rows: rows["learning_rate"] < 0.3).wanted == 2


def test_the_frame_at_half_of_training_has_the_same_columns(source):
    source, folder = source
    folder.runs = [stored()]
    frame = evidence.frame(evidence.extend([], source, "runs"), source)
    half = evidence.sweep("LR", frame, [stored().setting]).halfway
    assert (half["loss"][0], half["loss_end"][0]) == (0.666667, 0.333333)
    assert half["settled"].tolist() == [True]


@pytest.mark.parametrize(
    ("column", "text"), [("learning_rate", "fast"), ("task", "guess"), ("seed", "x"), ("run", "")]
)
def test_a_damaged_row_is_named(source, tmp_path, column, text):
    source, folder = source
    folder.runs = [stored()]
    [row] = evidence.extend([], source, "runs")
    evidence.write(tmp_path / "s.csv", [row, {**row, column: text}], source)
    with pytest.raises(ValueError, match=r"s\.csv, line 3: not a row of evidence"):
        evidence.read(tmp_path / "s.csv", source)


@pytest.mark.parametrize("content", ["", "my notes\n", "seed,run,my column\n1,2,3\n"])
def test_another_file_is_neither_read_nor_overwritten(source, tmp_path, content):
    source, folder = source
    folder.runs = [stored()]
    (path := tmp_path / "s.csv").write_text(content)
    with pytest.raises(ValueError, match=r"s\.csv is not an evidence file"):
        evidence.read(path, source)
    with pytest.raises(FileExistsError, match=r"s\.csv is not overwritten"):
        evidence.write(path, evidence.extend([], source, "runs"), source)
    assert path.read_text() == content


def test_without_a_file_there_are_no_rows(source, tmp_path):
    source, _ = source
    assert evidence.read(tmp_path / "none.csv", source) == []
    assert evidence.frame([], source).empty
