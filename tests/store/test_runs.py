"""Runs on disk: saved, found and loaded unchanged, under a name that they alone have."""

import dataclasses
import json
from pathlib import Path

import chex
import jax
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from toymono import Config, Hyperparams, masks, pruning, store, unstack
from toymono.fields import TOY_CONFIG
from toymono.job import job_of
from toymono.store import format as file_format
from toymono.store import partial as store_partial
from toymono.store import runs as store_runs


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


@pytest.mark.parametrize("task", list(TOY_CONFIG["task"].choices))
def test_save_load_round_trip(tmp_path, untrained, task):
    run = untrained(
        Config(task, 16, 4, 24, "solu", "power_law", batch_size=8, log2_steps=4), seed=7
    )
    path = store.save(tmp_path, run)
    assert_same(store.load(path), run)
    assert_same(store.load(str(path)), run)
    [stored] = store.find(tmp_path)
    assert_same(store.load(stored), run)
    assert (stored.path, stored.config, stored.seed, stored.diverged) == (path, run.config, 7, None)


def test_runs_of_many_come_back_as_they_were(tmp_path, runs):
    for run in unstack(runs):
        assert_same(store.load(store.save(tmp_path, run)), run)
    assert len(store.find(tmp_path)) == 3


def test_a_loaded_run_is_saved_under_its_own_name(tmp_path, run):
    path = store.save(tmp_path, run)
    assert store.save(tmp_path, store.load(path)) == path


def test_masks_are_stored_though_a_weight_in_use_is_0(tmp_path, run):
    """What is 0 does not say which weights are in use: one may have just grown."""
    used = pruning.prune(run.final, None, 0.5)
    thin = jax.vmap(lambda model: masks.applied(used, model))(run.snapshots)
    thin = thin.replace(w_ko=0 * thin.w_ko)
    config = dataclasses.replace(run.config, sparsity="set")
    path = store.save(tmp_path, run.replace(config=config, snapshots=thin, masks=used))
    loaded = store.load(path)
    chex.assert_trees_all_equal(loaded.masks, jax.device_get(used))
    assert loaded.masks.w_ko.dtype == bool
    assert store.load(store.save(tmp_path, run)).masks is None


def test_a_file_without_its_masks_is_refused(tmp_path, run):
    sparse = run.replace(config=dataclasses.replace(run.config, sparsity="set"))
    with pytest.raises(store.BrokenRun, match=r"lacks the tensors masks\.w_ko, masks\.w_mk"):
        store.load(store.save(tmp_path, sparse))


def test_a_diverged_run_is_marked(tmp_path, diverged_run):
    store.save(tmp_path, diverged_run)
    [stored] = store.find(tmp_path)
    assert stored.diverged == diverged_run.diverged == store.load(stored).diverged
    assert stored.diverged is not None


def test_a_split_key_is_stored_completely(tmp_path, untrained):
    key = jax.random.split(jax.random.key(3))[1]
    run = untrained().replace(key=key)
    loaded = store.load(store.save(tmp_path, run))
    assert loaded.seed == run.seed > 2**32
    assert (jax.random.key_data(loaded.key) == jax.random.key_data(key)).all()


def test_a_key_of_another_implementation_is_refused(tmp_path, untrained):
    """Its seed 0 would have the name of the default's seed 0, and stand for other draws."""
    run = untrained()
    with pytest.raises(ValueError, match=r"^a run from a key of 'rbg' cannot be stored"):
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
    assert (header["format"], header["kind"], header["seed"]) == (2, "toy", 0)
    assert header["config"] == dataclasses.asdict(run.config)
    assert header["hyperparams"]["eps"] == 0.25
    assert header["hyperparams"]["learning_rate"] == 0.01
    assert header["versions"].keys() == {"toymono", "jax", "platform"}
    assert header["versions"]["platform"] == "cpu"
    assert header["date"].endswith("+00:00")
    assert len(header["checksum"]) == 64


def test_a_changed_tensor_is_noticed(tmp_path, run):
    path = store.save(tmp_path, run)
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(store.BrokenRun, match="its checksum does not match its tensors"):
        store.load(path)


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
    for stored in found:
        for field, value in wanted.items():
            values = value if isinstance(value, list | tuple) else [value]
            assert any(stored.fields[field] == pytest.approx(v) for v in values)


def test_found_runs_are_in_the_order_of_their_fields(shelf):
    found = [
        (stored.config.k, stored.hyperparams.learning_rate, stored.seed)
        for stored in store.find(shelf)
    ]
    assert found == sorted(found)


def test_an_unknown_field_is_named_with_the_choices(shelf):
    with pytest.raises(ValueError, match=r"^'rate' is not one of task, .*learning_rate.*, seed$"):
        store.find(shelf, rate=0.01)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("k", 8.5, "k=8.5 is not a whole number of at least 1"),
        ("seed", "0", "seed='0' is not a whole number of at least 0"),
        ("eps", "often", "eps='often' is not a number"),
        ("eps", [0.5, None], "eps=None is not a number"),
        (
            "task",
            ["abs", "decode"],
            "task='decode' is not one of decoder, reproject, abs, identity",
        ),
    ],
)
def test_a_value_that_a_field_cannot_have_is_named(shelf, field, value, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        store.find(shelf, **{field: value})


def test_an_unknown_kind_is_named_with_the_choices(shelf):
    for wanted in ({}, {"k": 8}):
        with pytest.raises(
            ValueError, match=r"^kind='classifer' is not one of toy, classifier, auto"
        ):
            store.find(shelf, kind="classifer", **wanted)


def test_a_missing_folder_raises_and_an_empty_one_does_not(tmp_path):
    assert store.find(tmp_path) == []
    with pytest.raises(FileNotFoundError, match=r"^there is no folder '.*none'$"):
        store.find(tmp_path / "none")


# Files that cannot be read.


@pytest.mark.parametrize("size", [0, 4, 100, -1])
def test_a_truncated_file_is_skipped_with_one_warning(tmp_path, untrained, size):
    whole, path = (store.save(tmp_path, untrained(seed=seed)) for seed in (0, 1))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.warns(
        UserWarning, match=rf"{path.name} cannot be read as a run: .*--quarantine"
    ) as said:
        assert [stored.path for stored in store.find(tmp_path)] == [whole]
    assert len(said) == 1
    with pytest.raises(store.BrokenRun, match=path.name):
        store.load(path)


def test_a_file_of_another_program_is_skipped_with_a_warning(tmp_path):
    save_file({"x": np.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.warns(
        UserWarning,
        match=r"other.safetensors cannot be read as a run: its metadata has no entry 'toymono'\. ",
    ):
        assert store.find(tmp_path) == []


def test_a_file_of_a_later_format_is_named(tmp_path, untrained, monkeypatch):
    run = untrained()
    with monkeypatch.context() as later:
        later.setattr(file_format, "FORMAT", 3)
        path = store.save(tmp_path, run)
        later.setattr(store_partial, "FORMAT", 3)
        store.save_partial(tmp_path, job_of(run), 5, {})
    message = r" has format 3; this toymono reads formats 1 and 2"
    with pytest.warns(UserWarning, match=message):
        assert store.find(tmp_path) == []
    with pytest.raises(store.BrokenRun, match=f"{path.name}{message}$"):
        store.load(path)
    with pytest.raises(store.BrokenRun, match=f"{message}$"):
        store.load_partial(tmp_path, job_of(run))


def test_writing_is_all_or_nothing(tmp_path, untrained, file_limit):
    complete = store.save(tmp_path, untrained())
    for seed in (0, 1):
        with file_limit(4000), pytest.raises(OSError, match="File too large"):
            store.save(tmp_path, untrained(seed=seed))
    assert files(tmp_path) == [complete.name]
    assert_same(store.load(complete), untrained())


def test_arguments_in_the_wrong_order_are_named(tmp_path, untrained):
    with pytest.raises(TypeError, match=r"save\(runs_dir, run\)"):
        store.save(untrained(), tmp_path)


def test_only_trained_runs_are_saved(tmp_path, run):
    store.save(tmp_path, run)
    [stored] = store.find(tmp_path)
    for wrong, name in ((5, "int"), (stored, "StoredRun"), (run.config, "Config")):
        with pytest.raises(TypeError, match=f"^run is a {name}, not a trained run"):
            store.save(tmp_path, wrong)
    assert files(tmp_path) == [stored.path.name]


BEFORE_SEALS = {"date": "2026-11-24T12:00:00+00:00"}  # the header may lack its seal


def test_missing_and_unknown_tensors_are_both_named(tmp_path, run):
    path = store.save(tmp_path, run)
    header = file_format.read_header(path)
    tensors = file_format.read_tensors(path, header)
    tensors["other"] = tensors.pop("loss_t")
    del header["checksum"], header["seal"]
    file_format.write(path, tensors, header)
    with pytest.raises(
        store.BrokenRun, match=r"it lacks the tensors loss_t and has the unknown tensors other$"
    ):
        store.load(path)


@pytest.mark.parametrize("entry", ["versions", "seed", "format"])
def test_a_missing_entry_of_the_header_is_named(tmp_path, run, entry):
    path = store.save(tmp_path, run)
    header = file_format.read_header(path) | BEFORE_SEALS
    del header[entry], header["seal"]
    file_format.save_tensors(path, {}, {"toymono": json.dumps(header)})
    with pytest.raises(store.BrokenRun, match=f"its header has no entry '{entry}'$"):
        store.read(path)


def test_an_unknown_kind_in_a_header_is_named(tmp_path, run):
    path = store.save(tmp_path, run)
    header = file_format.read_header(path) | BEFORE_SEALS | {"kind": "language_model"}
    del header["seal"]
    file_format.save_tensors(path, {}, {"toymono": json.dumps(header)})
    with pytest.raises(store.BrokenRun, match="kind='language_model' is not one of toy"):
        store.read(path)


# Unfinished runs.


def test_saving_deletes_the_partial_file(tmp_path, untrained):
    run = untrained()
    job = job_of(run)
    assert store.partial_step(tmp_path, job) == 0
    tensors = {"w": np.arange(6.0).reshape(2, 3).T}
    store.save_partial(tmp_path, job, 5, tensors)
    assert store.find(tmp_path) == []
    assert store.partial_step(tmp_path, job) == 5
    loaded = store.load_partial(tmp_path, job)
    np.testing.assert_array_equal(loaded["w"], tensors["w"])
    assert loaded["w"].shape == (3, 2)
    path = store.save(tmp_path, run)
    assert files(tmp_path) == [path.name]


def test_the_step_of_an_unfinished_run_is_read_without_its_arrays(tmp_path, untrained, monkeypatch):
    job = job_of(untrained())
    store.save_partial(tmp_path, job, 5, {"w": np.zeros(3)})
    monkeypatch.setattr(file_format, "read_tensors", None)
    assert store.partial_step(tmp_path, job) == 5


@pytest.mark.parametrize("step", [-1, 16, 99, "5", None, 2.5])
def test_an_unfinished_run_with_an_impossible_step_is_refused(tmp_path, untrained, step):
    job = job_of(untrained())
    store.save_partial(tmp_path, job, step, {})
    with pytest.raises(store.BrokenRun, match=rf"its step {step!r} is not in \[0, 16\)$"):
        store.partial_step(tmp_path, job)


def test_an_unfinished_run_of_another_job_is_refused(tmp_path, untrained):
    job, other = (job_of(untrained(seed=seed)) for seed in (0, 1))
    store.save_partial(tmp_path, other, 5, {})
    store_runs.path(tmp_path, other).with_suffix(".partial").rename(
        store_runs.path(tmp_path, job).with_suffix(".partial")
    )
    with pytest.raises(store.BrokenRun, match=r"its header describes another run$"):
        store.load_partial(tmp_path, job)
