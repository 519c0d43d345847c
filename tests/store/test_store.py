"""Runs on disk: they come back as they were, under a name that is theirs."""

import dataclasses
import json
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file

from toymono import Config, Hyperparams, store, unstack
from toymono.config import CHOICES, field_types


def assert_same(run, other):
    """Equal to the bit; hyperparams are held as decimals on disk, which mean the same float32."""
    plain = [
        one.replace(hyperparams=one.hyperparams.checked(), key=jax.random.key_data(one.key))
        for one in (run, other)
    ]
    chex.assert_trees_all_equal(*plain)


def files(folder) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


# There and back.


@pytest.mark.parametrize("task", CHOICES["task"])
def test_a_run_comes_back_as_it_was(tmp_path, untrained, task):
    run = untrained(
        Config(task, 16, 4, 24, "solu", "power_law", batch_size=8, log2_steps=4), seed=7
    )
    path = store.save(tmp_path, run)
    assert_same(store.load(path), run)
    assert_same(store.load(str(path)), run)
    [kept] = store.find(tmp_path)
    assert_same(store.load(kept), run)
    assert (kept.path, kept.config, kept.seed, kept.diverged) == (path, run.config, 7, None)


def test_runs_of_many_come_back_as_they_were(tmp_path, runs):
    for run in unstack(runs):
        assert_same(store.load(store.save(tmp_path, run)), run)
    assert len(store.find(tmp_path)) == 3


def test_a_loaded_run_is_kept_under_its_own_name(tmp_path, run):
    path = store.save(tmp_path, run)
    assert store.save(tmp_path, store.load(path)) == path


def test_a_diverged_run_is_marked(tmp_path, diverged_run):
    store.save(tmp_path, diverged_run)
    [kept] = store.find(tmp_path)
    assert kept.diverged == diverged_run.diverged == store.load(kept).diverged
    assert kept.diverged is not None


def test_a_split_key_is_kept_whole(tmp_path, untrained):
    key = jax.random.split(jax.random.key(3))[1]
    run = untrained().replace(key=key)
    loaded = store.load(store.save(tmp_path, run))
    assert loaded.seed == run.seed > 2**32
    assert (jax.random.key_data(loaded.key) == jax.random.key_data(key)).all()


def test_a_key_of_another_implementation_is_refused(tmp_path, untrained):
    """Its seed 0 would have the name of the default's seed 0, and stand for other draws."""
    run = untrained()
    with pytest.raises(ValueError, match=r"^a run from a key of 'rbg' cannot be kept"):
        store.save(tmp_path, run.replace(key=jax.random.key(0, impl="rbg")))
    assert files(tmp_path) == []


def test_keys_are_the_same_whatever_the_default_is(tmp_path, run):
    path = store.save(tmp_path, run)
    with jax.default_prng_impl("rbg"):
        assert_same(store.load(path), run)


def test_stacked_runs_are_refused(tmp_path, runs):
    with pytest.raises(ValueError, match="unstack"):
        store.save(tmp_path, runs)


def test_a_file_describes_itself(tmp_path, run):
    with safe_open(store.save(tmp_path, run), framework="np") as file:
        header = json.loads(file.metadata()["toymono"])
        assert "loss_t" in file.keys()  # noqa: SIM118
    assert header["setup"] == dataclasses.asdict(run.config)
    assert header["dials"]["eps"] == 0.25
    assert header["dials"]["learning_rate"] == 0.01
    assert header["seed"] == 0
    assert header["versions"].keys() == {"toymono", "jax", "platform"}
    assert header["versions"]["platform"] == "cpu"


def test_a_run_from_before_the_platform_was_kept_is_found(tmp_path, run, monkeypatch):
    monkeypatch.setattr(store, "versions", lambda: {"toymono": "0.1.0", "jax": "0.10.2"})
    store.save(tmp_path, run)
    [kept] = store.find(tmp_path)
    assert "platform" not in kept.versions
    assert_same(store.load(kept), run)


# Names.


def test_the_name_of_a_run_stays():
    """StoredRun runs are found by it: a change here means that all are trained again."""
    config = Config("abs", 16, 4, 24, "gelu", "power_law", batch_size=8, log2_steps=4)
    hyperparams = Hyperparams(0.01, 1 / 8, -1.0, 0.1, 1e-3, exponent=1.1, cosine_period=1024.0)
    assert store.name(config, hyperparams, 5) == "0fee2a374a0f8561"


@given(st.floats(width=32, min_value=0.015625, max_value=1))
def test_a_name_does_not_depend_on_how_a_number_is_held(eps):
    names = {
        store.name(Config(), Hyperparams(eps=kind(eps)), seed)
        for kind in (float, np.float64, np.float32, jnp.float32, np.asarray)
        for seed in (3, np.int64(3))
    }
    assert len(names) == 1


@pytest.mark.parametrize("number", ["0.01", "0.1", "0.003", "1e-6", "0.007"])
def test_a_decimal_names_the_same_run_in_every_precision(number):
    exact, rounded = (
        store.name(Config(), Hyperparams(l1=kind(number)), 0) for kind in (float, np.float32)
    )
    assert exact == rounded


def test_equal_settings_have_equal_names():
    assert Hyperparams(init_bias=-0.0) == Hyperparams(init_bias=0.0)
    assert store.name(Config(), Hyperparams(init_bias=-0.0), 0) == store.name(
        Config(), Hyperparams(), 0
    )


def test_every_field_is_in_the_name():
    other = {"penalty": "soft", "optimizer": "adam", "schedule": "constant", "task": "abs"}
    other |= {"nonlinearity": "gelu", "feature_law": "power_law", "matmul_precision": "bfloat16"}
    names = {store.name(Config(), Hyperparams(), 0), store.name(Config(), Hyperparams(), 1)}
    for field in field_types(Config):
        value = other.get(field, 7)
        names.add(store.name(dataclasses.replace(Config(m=1), **{field: value}), Hyperparams(), 0))
    for field in field_types(Hyperparams):
        names.add(store.name(Config(), Hyperparams(**{field: 0.375}), 0))
    assert len(names) == 2 + len(field_types(Config)) + len(field_types(Hyperparams))


# Finding.


@pytest.fixture(scope="module")
def shelf(tmp_path_factory, untrained):
    """A folder with runs of two sizes, three rates and two seeds."""
    folder = tmp_path_factory.mktemp("shelf")
    for k in (8, 24):
        config = Config(n=16, m=4, k=k, batch_size=8, log2_steps=1)
        for rate in (0.03, 0.001, 0.01):
            for seed in (0, 1):
                store.save(folder, untrained(config, Hyperparams(learning_rate=rate), seed))
    (folder / "README.md").write_text("not a run")
    return folder


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({}, 12),
        ({"k": 8}, 6),
        ({"k": [8, 24, 99]}, 12),
        ({"k": []}, 0),
        ({"learning_rate": 0.01}, 4),
        ({"learning_rate": (0.01, 0.03), "seed": 1}, 4),
        ({"learning_rate": np.float32(0.01), "k": 24, "seed": 0}, 1),
        ({"init_bias": 0}, 12),
        ({"task": "abs"}, 0),
        ({"task": ["abs", "decoder"], "k": 24}, 6),
    ],
)
def test_runs_are_found_by_their_fields(shelf, wanted, count):
    found = store.find(shelf, **wanted)
    assert len(found) == count
    for kept in found:
        for field, value in wanted.items():
            values = value if isinstance(value, list | tuple) else [value]
            assert any(kept.fields[field] == pytest.approx(v) for v in values)


def test_found_runs_are_in_the_order_of_their_fields(shelf):
    found = [
        (kept.config.k, kept.hyperparams.learning_rate, kept.seed) for kept in store.find(shelf)
    ]
    assert found == sorted(found)


def test_an_unknown_field_is_named_with_the_choices(shelf):
    with pytest.raises(ValueError, match=r"^'rate' is not one of task, .*learning_rate.*, seed$"):
        store.find(shelf, rate=0.01)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("k", 8.5, "k=8.5 is not a whole number"),
        ("seed", "0", "seed='0' is not a whole number"),
        ("eps", "often", "eps='often' is not a number"),
        ("eps", [0.5, None], "eps=None is not a number"),
        ("task", ["abs", "decode"], "task='decode' is not one of decoder, reproject, abs"),
    ],
)
def test_a_value_that_a_field_cannot_have_is_named(shelf, field, value, told):
    with pytest.raises(ValueError, match=f"^{told}$"):
        store.find(shelf, **{field: value})


def test_an_empty_folder_is_not_one_that_is_missing(tmp_path):
    assert store.find(tmp_path) == []
    with pytest.raises(FileNotFoundError, match=r"^there is no folder '.*none'$"):
        store.find(tmp_path / "none")


# Files that are not whole.


@pytest.mark.parametrize("size", [0, 4, 100, -1])
def test_a_truncated_file_is_named(tmp_path, untrained, size):
    path = store.save(tmp_path, untrained())
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match=rf"{path.name} is not a run of this lab, or not whole"):
        store.find(tmp_path)
    with pytest.raises(ValueError, match=path.name):
        store.load(path)


def test_a_strange_file_is_named(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"x": np.zeros(3)}, path)
    with pytest.raises(ValueError, match=r"other.safetensors is not a run of this lab"):
        store.find(tmp_path)


def test_a_file_of_another_format_is_named(tmp_path, untrained, monkeypatch):
    run = untrained()
    identity = (run.config, run.hyperparams, run.seed)
    with monkeypatch.context() as later:
        later.setattr(store, "FORMAT", 2)
        path = store.save(tmp_path, run)
        store.save_partial(tmp_path, *identity, {"step": np.asarray(5)})
    told = r" is of format 2; this toymono reads format 1$"
    for reading in (lambda: store.find(tmp_path), lambda: store.load(path)):
        with pytest.raises(store.BrokenRun, match=f"{path.name}{told}"):
            reading()
    with pytest.raises(store.BrokenRun, match=told):
        store.load_partial(tmp_path, *identity)


def test_writing_is_all_or_nothing(tmp_path, untrained, monkeypatch):
    def fill_the_disk(tensors, path, metadata):
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    whole = store.save(tmp_path, untrained())
    monkeypatch.setattr(store, "save_file", fill_the_disk)
    for seed in (0, 1):
        with pytest.raises(OSError, match="No space left"):
            store.save(tmp_path, untrained(seed=seed))
    assert files(tmp_path) == [whole.name]
    assert_same(store.load(whole), untrained())


def test_a_file_is_renamed_to_its_place_when_it_is_whole(tmp_path, untrained, monkeypatch):
    written = {}

    def spy(tensors, path, metadata):
        assert list(tmp_path.glob("*.safetensors")) == []
        save_file(tensors, path, metadata=metadata)
        written.update(inode=Path(path).stat().st_ino)

    monkeypatch.setattr(store, "save_file", spy)
    assert store.save(tmp_path, untrained()).stat().st_ino == written["inode"]


# Runs unfinished.


def test_what_is_unfinished_waits_until_the_run_is_saved(tmp_path, untrained):
    run = untrained()
    identity = (run.config, run.hyperparams, run.seed)
    assert store.load_partial(tmp_path, *identity) is None
    tensors = {"step": np.asarray(5), "w": np.arange(6.0).reshape(2, 3).T}
    store.save_partial(tmp_path, *identity, tensors)
    assert store.find(tmp_path) == []
    loaded = store.load_partial(tmp_path, *identity)
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(loaded[name], tensor)
        assert loaded[name].shape == tensor.shape
    path = store.save(tmp_path, run)
    assert files(tmp_path) == [path.name]
