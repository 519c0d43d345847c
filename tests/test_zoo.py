"""The trained models that come with the package: what they are, and that their scores are true."""

import shutil

import jax
import pytest

from toymono import features, frames, store, zoo
from toymono.config import split
from toymono.fields import TOY
from toymono.job import Job
from toymono.store import format as files

NAMES = list(zoo.ZOO)


@pytest.fixture(scope="module")
def loaded():
    return {name: zoo.load(name) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_recorded_scores_are_those_of_the_weights(name, loaded):
    entry, run = zoo.ZOO[name], loaded[name]
    [found] = frames.per_run([run])[list(zoo.SCORES)].to_dict("records")
    assert found == pytest.approx(entry.scores, rel=1e-6)
    config = run.config
    features_bn = features.sample(config, run.hyperparams, jax.random.key(1))
    error_bo = run.final(run.world.inputs(features_bn)) - run.world.targets(features_bn)
    loss_b = (error_bo**2).sum(axis=1)
    # Training ends with a few steps at a low rate, so the final model is near the recorded mean.
    standard_error = float(loss_b.std()) / config.batch_size**0.5
    assert float(loss_b.mean()) == pytest.approx(entry.scores["loss"], abs=5 * standard_error)


@pytest.mark.parametrize("name", NAMES)
def test_files_are_of_the_runs_that_the_commands_train(name):
    entry = zoo.ZOO[name]
    assert files.read_job(files.read_header(entry.path)).name == entry.job.name
    program, *words = entry.command.removeprefix("python -m ").split()
    assert program == "toymono.sweep"
    flags = dict(zip(words[::2], words[1::2], strict=True))
    assert flags.pop("--seeds") == "1"
    values = {name: TOY[name].parse(text) for name, text in _plain(flags).items()}
    assert Job(*split(values), 0).name == entry.job.name


def _plain(flags):
    return {name.removeprefix("--"): text for name, text in flags.items()}


def test_the_files_are_small():
    assert sum(entry.path.stat().st_size for entry in zoo.ZOO.values()) < 6e6


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="'mono' is not one of decoder-mono, decoder-poly"):
        zoo.load("mono")


def test_frames_of_snapshots_have_the_final_one(loaded):
    run = loaded["decoder-mono"]
    rows = frames.per_snapshot(run)
    assert rows[["step", "log2_step"]].values.tolist() == [[2**13, 13]]
    assert rows["monosemantic"].item() == zoo.ZOO["decoder-mono"].scores["monosemantic"]
    neurons = frames.per_snapshot_neuron(run)
    assert neurons["step"].unique().tolist() == [2**13]
    assert neurons["log2_step"].unique().tolist() == [13]


def test_a_model_of_the_zoo_is_not_stored_as_a_run(loaded, tmp_path):
    with pytest.raises(ValueError, match="without its earlier snapshots"):
        store.save(tmp_path, loaded["tied"])


def test_a_file_is_written_from_its_own_run_only(loaded, monkeypatch, tmp_path):
    entry, scores = zoo.ZOO["tied"], zoo.ZOO["tied"].scores
    with pytest.raises(ValueError, match="is not that of tied"):
        zoo.save(entry, loaded["abs"], scores)
    path = shutil.copy(zoo.ZOO["abs"].path, tmp_path / "tied.safetensors")
    monkeypatch.setattr(zoo.Entry, "path", path)
    with pytest.raises(FileExistsError, match="is not overwritten: it is not the model tied"):
        zoo.save(entry, loaded["tied"], scores)
    path.unlink()
    for _ in range(2):  # the second replaces the first
        zoo.save(entry, loaded["tied"], scores)
    rows = zoo.table().set_index("name")
    assert scores == entry.scores == rows.loc["tied", list(zoo.SCORES)].to_dict()
    assert (zoo.load("tied").final.w_nm == loaded["tied"].final.w_nm).all()
