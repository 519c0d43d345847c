"""Runs that the first file format stored are read, found by their header, and count as trained."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from toymono import store
from toymono.job import Job
from toymono.sweep import plan

FORMAT1 = Path(__file__).parents[1] / "fixtures" / "format1" / "runs"


def test_runs_of_format_1_are_found_by_their_fields():
    assert len(store.find(FORMAT1)) == 21
    assert {run.config.task for run in store.find(FORMAT1, penalty="soft")} == {"decoder", "abs"}
    [power_law] = store.find(FORMAT1, feature_law="power_law")
    assert power_law.fields["exponent"] == 1.5


def test_classifiers_of_format_1_are_found_beside_them():
    found = store.find(FORMAT1, kind="classifier")
    assert len(found) == 4
    [cnn] = store.find(FORMAT1, kind="classifier", network="cnn")
    assert (cnn.config.sizes, cnn.fingerprint != "") == ((4, 4), True)
    run = store.load(cnn)
    assert run.params["hidden_0"]["kernel"].shape == (3, 3, 1, 4)
    assert run.history.accuracy.shape == (2,)
    assert run.fingerprint == cnn.fingerprint


def test_a_run_of_format_1_is_loaded_with_its_world_and_history():
    run = store.load(store.find(FORMAT1, task="reproject", nonlinearity="gelu")[0])
    assert (run.config.task, run.world.task, run.final.nonlinearity) == ("reproject",) * 2 + (
        "gelu",
    )
    assert run.world.reproject_nm.shape == (16, 4)
    assert run.loss_t.shape == (32,)
    assert run.snapshots.w_mk.shape == (6, 4, 24)
    assert np.isfinite(run.loss_t).all()


@pytest.mark.parametrize("kind", ["toy", "classifier"])
def test_runs_of_format_1_count_as_trained(tmp_path, kind):
    """Their names follow rules of their time, and classifiers may have left their folder."""
    found = store.find(FORMAT1, kind=kind)
    for run in found:
        shutil.copy(run.path, tmp_path)
    jobs = [Job(run.config, run.hyperparams, run.seed, run.fingerprint) for run in found]
    assert plan.make(jobs, tmp_path).to_train == 0


@pytest.mark.parametrize("kind", ["toy", "classifier"])
def test_a_misnamed_run_of_format_1_is_refused(tmp_path, kind):
    run, other = store.find(FORMAT1, kind=kind)[:2]
    path = shutil.copy(run.path, tmp_path / other.path.name)
    with pytest.raises(store.BrokenRun, match=f"its header describes the run {run.path.stem}$"):
        store.load(path)


def test_a_run_without_effect_of_a_field_is_the_same_run():
    """Format 1 stored penalty=none with alpha=0 under a name of its own."""
    [idle] = store.find(FORMAT1, penalty="none", alpha=0.0)
    assert idle.name == store.name(idle.config, idle.hyperparams.replace(alpha=1.0), idle.seed)
