"""Runs that started from stored runs, beside these."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from settings import TINY, TINY_HYPERPARAMS

from toymono import store
from toymono.analysis import connectivity
from toymono.frames import origins
from toymono.job import Job
from toymono.origins import gather
from toymono.quantities import INDEX_COLUMNS, QUANTITIES
from toymono.sweep import plan, trainer

WORLD = dataclasses.replace(TINY, world_seed=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One stored run of every origin, with its parents."""
    parents = [Job(WORLD, TINY_HYPERPARAMS, seed) for seed in (0, 1)]
    names = tuple(job.name for job in parents)
    children = [
        Job(
            dataclasses.replace(WORLD, origin=origin, log2_steps=3),
            TINY_HYPERPARAMS.replace(attraction=1.0), 3, parents=names[:count],
        )
        for origin, count in (("curve", 2), ("pull", 2), ("connect", 2), ("continued", 1))
    ]  # fmt: skip
    forked = Job(dataclasses.replace(WORLD, fork_seed=1), TINY_HYPERPARAMS, 0)
    path = tmp_path_factory.mktemp("runs")
    list(trainer.run_plan(plan.make([*parents, *children, forked], path), path))
    return path


@pytest.fixture(scope="module")
def runs(folder):
    return {
        "fork" if run.config.fork_seed >= 0 else run.config.origin: run
        for run in store.find(folder)
    }


def of(run):
    [row] = origins.per_run([run], points=5).to_dict("records")
    return row


def ends(runs, folder):
    parents = [store.load(path) for path in store.parent_paths(folder, runs["curve"])]
    return gather(runs["curve"].config, parents), parents[0]


def test_runs_without_parents_are_left_out(runs):
    assert origins.per_run([runs["fresh"]]).empty
    assert set(origins.per_run(runs.values(), points=3)["origin"]) == set(runs) - {"fork"} | {
        "fresh"
    }


def test_the_line_is_that_between_the_aligned_parents(runs, folder):
    (world, (start, target), _), parent = ends(runs, folder)
    samples = jnp.asarray(np.random.default_rng(0).random((4, TINY.n)), jnp.float32)
    plain = connectivity.path(start, target, world, samples, 5)
    paths = origins.paths([runs["curve"]], points=5)
    line = paths[paths["path_kind"] == "line"]
    assert line["path_mono"].tolist() == plain.mono_p.tolist()
    row = of(runs["curve"])
    assert row["start_loss"] == pytest.approx(line["path_loss"].iloc[0], rel=1e-5)
    assert row["target_loss"] == pytest.approx(line["path_loss"].iloc[-1], rel=1e-5)
    chord = np.interp(line["path_position"], [0, 1], line["path_loss"].iloc[[0, -1]])
    rise = max((line["path_loss"] - chord).max(), 0)
    zero = of(runs["pull"])["line_barrier"]
    assert row["line_barrier"] == zero
    assert (row["line_barrier"] > 0) == (rise > 1e-6)
    assert parent.config.world_seed == 5


def test_a_curve_has_the_lines_ends(runs):
    paths = origins.paths([runs["curve"]], points=5)
    for t in (0.0, 1.0):
        at = paths[paths["path_position"] == t]
        assert len(at) == 2
        assert at["path_loss"].nunique() == 1
    assert origins.paths([runs["pull"]]).empty


def test_a_pull_is_measured_while_it_lasts_and_after(runs, folder):
    row = of(runs["pull"])
    assert row["distance_left"] < 1
    assert row["held_loss"] != row["task_loss"]
    (_, (start, target), _), _ = ends(runs, folder)
    pairs = zip(jax.tree.leaves(start), jax.tree.leaves(target), strict=True)
    square = sum(float(((a - b) ** 2).sum()) for a, b in pairs)
    if row["line_barrier"] > 0:
        assert row["pull_ratio"] > 0
        assert row["pull_ratio"] == pytest.approx(0.5 * square / _barrier(runs), rel=1e-3)


def _barrier(runs):
    paths = origins.paths([runs["curve"]], points=5)
    line = paths[paths["path_kind"] == "line"]
    chord = np.interp(line["path_position"], [0, 1], line["path_loss"].iloc[[0, -1]])
    return max((line["path_loss"] - chord).max(), 0)


def test_others_are_compared_with_what_they_come_from(runs):
    for origin in ("connect", "continued", "fork"):
        assert of(runs[origin])["end_barrier"] >= 0
        assert np.isnan(of(runs[origin])["curve_barrier"])


def test_a_missing_parent_is_named(runs, folder):
    [first, _] = store.parent_paths(folder, runs["pull"])
    away = first.with_suffix(".away")
    first.rename(away)
    try:
        with pytest.raises(FileNotFoundError, match=first.name):
            origins.per_run([runs["pull"]])
    finally:
        away.rename(first)


def test_every_column_is_described(runs):
    for frame in (origins.per_run(runs.values(), points=3), origins.paths([runs["curve"]], 3)):
        unknown = set(frame.columns) - set(QUANTITIES) - set(INDEX_COLUMNS)
        assert unknown <= {"seed", "diverged"}
