"""Training of plans: any kind of run, in any group, stopped anywhere, ends in the same bits."""

import dataclasses
import itertools

import chex
import jax
import numpy as np
import pytest

from toymono import Config, Hyperparams, fit, store
from toymono.classifiers.config import ClassifierConfig, ClassifierHyperparams
from toymono.job import Job
from toymono.kinds import KINDS
from toymono.sweep import plan, trainer, unfinished


def toy_jobs(config):
    """Four of one config, two biases with two seeds each."""
    return [
        Job(config, Hyperparams(eps=0.25, init_bias=bias), seed)
        for bias, seed in itertools.product((-0.5, 0.0), (3, 7))
    ]


@pytest.fixture(scope="module", params=["toy", "classifier"])
def jobs(request, config, digits):
    if request.param == "toy":
        return toy_jobs(dataclasses.replace(config, dropout="on"))
    classifier = ClassifierConfig(
        sizes=(6, 5), batch_size=32, epochs=3, prune_epochs=1, dropout="on"
    )
    return [
        Job(classifier, ClassifierHyperparams(alpha=alpha), seed, digits.fingerprint)
        for alpha, seed in itertools.product((0.0, 0.1), (3, 7))
    ]


@pytest.fixture(autouse=True)
def few_digits(monkeypatch, digits):
    few = dataclasses.replace(KINDS["classifier"], shared=lambda config, data_dir: digits)
    monkeypatch.setitem(KINDS, "classifier", few)


def trained(jobs, folder, group_size=2, stopped=lambda: False):
    made = plan.make(jobs, folder, group_size)
    return list(trainer.run_plan(made, folder, stopped=stopped))


def assert_same(run, other, **tolerance):
    plain = [
        one.replace(hyperparams=one.hyperparams.checked(), key=jax.random.key_data(one.key))
        for one in (run, other)
    ]
    if tolerance:
        chex.assert_trees_all_close(*plain, **tolerance)
    else:
        chex.assert_trees_all_equal(*plain)


def assert_same_files(folder, other):
    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in other.iterdir())
    for path in folder.iterdir():
        assert_same(store.load(path), store.load(other / path.name))


def suffixes(folder):
    return [path.suffix for path in folder.iterdir()]


@pytest.fixture(scope="module")
def whole(jobs, tmp_path_factory, digits):
    """A folder with the four runs, trained two at a time without a stop."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        few = dataclasses.replace(KINDS["classifier"], shared=lambda config, data_dir: digits)
        patch.setitem(KINDS, "classifier", few)
        assert len(trained(jobs, folder)) == 4
    return folder


# The same bits.


def test_stored_toy_runs_are_those_of_fit(config, tmp_path):
    for job, run in zip(toy_jobs(config), trained(toy_jobs(config), tmp_path, 4), strict=True):
        alone = fit(job.config, job.hyperparams, job.key)
        assert_same(run, alone, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("order", "size"), [((2, 0, 3, 1), 1), ((3, 1, 0, 2), 3), ((0, 1, 2, 3), 4)]
)
def test_a_run_does_not_depend_on_its_group(jobs, whole, tmp_path, order, size):
    trained([jobs[index] for index in order], tmp_path, size)
    assert_same_files(tmp_path, whole)


LONGER = {
    "tiny": (Config(n=16, m=4, k=24, batch_size=8, log2_steps=10), 0.25),
    "small": (Config(n=256, m=32, k=512, batch_size=256, log2_steps=10), 1 / 64),
}


def assert_exact(config, eps, folder):
    """1, 2, 3 and 6 runs together, and a stop after which they are grouped otherwise."""
    jobs = [Job(config, Hyperparams(0.02, eps), seed) for seed in range(6)]
    trained(jobs, folder / "6", 6)
    for count in (1, 2, 3):
        trained(jobs[:count], folder / str(count), count)
    stops = iter([False] * 4)
    trained(jobs, folder / "stopped", 3, stopped=lambda: next(stops, True))
    trained(jobs[:2], folder / "stopped", 2)
    trained(jobs[2:], folder / "stopped", 1)
    assert len(list((folder / "stopped").iterdir())) == 6
    for other in ("1", "2", "3", "stopped"):
        for path in (folder / other).iterdir():
            assert_same(store.load(path), store.load(folder / "6" / path.name))


def test_runs_are_exact_after_2_to_the_10_steps(tmp_path):
    assert_exact(*LONGER["tiny"], tmp_path)


@pytest.mark.slow
def test_runs_of_the_small_scale_are_exact_after_2_to_the_10_steps(tmp_path):
    assert_exact(*LONGER["small"], tmp_path)


# Progress.


def test_runs_are_yielded_as_they_are_stored(jobs, tmp_path):
    for job, run in zip(jobs, trained(jobs[:2], tmp_path), strict=False):
        assert_same(run, store.load(store.path(tmp_path, job)))


def test_progress_is_reported_to_the_last_step(jobs, tmp_path):
    reports = []
    made = plan.make(jobs, tmp_path, 2)
    list(trainer.run_plan(made, tmp_path, lambda *report: reports.append(report)))
    for group in (0, 1):
        taken = sum(units for index, units, _ in reports if index == group)
        assert taken == 2 * jobs[0].config.steps
    assert np.isfinite([loss for _, units, loss in reports if units]).all()


def test_a_diverging_run_is_stored_and_the_rest_continues(config, tmp_path):
    wild, tame = Job(config, Hyperparams(1e30, 0.5), 0), Job(config, Hyperparams(eps=0.5), 0)
    trained([wild, tame], tmp_path)
    assert {
        stored.hyperparams.learning_rate: stored.diverged is None for stored in store.find(tmp_path)
    } == {float(str(np.float32(1e30))): False, 0.01: True}


def test_the_mean_loss_is_that_of_the_segment(compilations):
    loss_rt = (
        jax.random.normal(jax.random.key(0), (3, 20)).at[1, 4].set(np.nan).at[:, 12:].set(np.nan)
    )
    with compilations() as compiled:
        for start, end in [(0, 1), (5, 12), (2, 8)]:
            wanted_r = np.asarray(loss_rt)[:, start:end].mean(axis=1)
            np.testing.assert_allclose(trainer._mean_loss(loss_rt, start, end), wanted_r, rtol=1e-5)
    assert len(compiled) == 1


# Stopping and continuing.


def stop_after(segments):
    asked = itertools.count(1)
    return lambda: next(asked) >= segments


@pytest.mark.parametrize("segments", [1, 2])
def test_a_stopped_plan_continues_to_the_same_runs(jobs, whole, tmp_path, segments):
    assert trained(jobs, tmp_path, stopped=stop_after(segments)) == []
    assert store.every(tmp_path) == []
    assert suffixes(tmp_path) == [".partial"] * 2
    assert len(trained(jobs, tmp_path)) == 4
    assert_same_files(tmp_path, whole)


@pytest.mark.parametrize("rule", [pytest.param("set", marks=pytest.mark.slow), "rigl"])
def test_masks_continue_where_they_were_stopped(config, tmp_path, rule):
    """Stopped between two changes of the masks, and trained in other groups from there on."""
    sparse = dataclasses.replace(config, sparsity=rule, log2_steps=8)
    jobs = [Job(sparse, Hyperparams(0.02, eps=0.25, density=density), 3) for density in (0.3, 0.6)]
    runs = trained(jobs, tmp_path / "whole")
    assert trained(jobs, tmp_path / "parts", stopped=stop_after(8)) == []
    steps = [store.partial_step(tmp_path / "parts", job) for job in jobs]
    assert 64 < steps[0] == steps[1] < 192
    trained(jobs[::-1], tmp_path / "parts", 1)
    assert_same_files(tmp_path / "parts", tmp_path / "whole")
    for job, run in zip(jobs, runs, strict=True):
        stored = store.load(store.path(tmp_path / "parts", job))
        assert stored.masks.w_ko.dtype == bool
        assert_same(stored, run)
        for name in ("w_mk", "w_ko"):
            assert not np.asarray(getattr(stored.final, name))[~getattr(stored.masks, name)].any()
            density = float(job.hyperparams.density)
            size = getattr(stored.masks, name).size
            assert getattr(stored.masks, name).sum() == round(density * size)


def test_stop_is_checked_once_per_segment(jobs, tmp_path):
    """Or a Ctrl-C between two answers would end the training with nothing saved."""
    answers = itertools.chain([False, True], itertools.repeat(False))
    assert trained(jobs[:2], tmp_path, stopped=lambda: next(answers)) == []
    assert suffixes(tmp_path) == [".partial"] * 2


def test_periodic_saves_survive_a_crash(jobs, whole, tmp_path):
    calls = itertools.count()

    def crash(*report):
        if next(calls) == 2:  # the first call says what was resumed
            raise MemoryError

    with pytest.raises(MemoryError):
        list(trainer.run_plan(plan.make(jobs[:2], tmp_path, 2), tmp_path, crash, save_every=1e-9))
    for job in jobs[:2]:
        assert 0 < store.partial_step(tmp_path, job) < job.config.steps
    trained(jobs[:2], tmp_path)
    for job in jobs[:2]:
        assert_same(store.load(store.path(tmp_path, job)), store.load(store.path(whole, job)))


def test_a_plan_stopped_at_every_segment_finishes(jobs, whole, tmp_path):
    for _ in range(40):
        trained(jobs[:2], tmp_path, stopped=lambda: True)
        if len(store.every(tmp_path)) == 2:
            break
    for job in jobs[:2]:
        assert_same(store.load(store.path(tmp_path, job)), store.load(store.path(whole, job)))


def test_a_damaged_unfinished_run_starts_again_with_a_warning(jobs, whole, tmp_path):
    trained(jobs[:2], tmp_path, stopped=lambda: True)
    partial = store.path(tmp_path, jobs[0]).with_suffix(".partial")
    partial.write_bytes(partial.read_bytes()[:100])
    with pytest.warns(UserWarning, match="training from the start: "):
        trained(jobs[:2], tmp_path)
    for job in jobs[:2]:
        assert_same(store.load(store.path(tmp_path, job)), store.load(store.path(whole, job)))


def test_an_unfinished_run_that_another_process_finishes_meanwhile(
    jobs, whole, tmp_path, monkeypatch, recwarn
):
    """Its file is gone between the moments at which its header and its arrays are read."""
    trained(jobs[:1], tmp_path, stopped=lambda: True)
    load_partial = store.load_partial

    def late(runs_dir, job, like):
        store.save(runs_dir, store.load(store.path(whole, job)), job)
        return load_partial(runs_dir, job, like)

    monkeypatch.setattr(store, "load_partial", late)
    trained(jobs[:1], tmp_path)
    assert suffixes(tmp_path) == [".safetensors"]
    assert_same(*(store.load(store.path(folder, jobs[0])) for folder in (tmp_path, whole)))
    assert not [warning for warning in recwarn if "from the start" in str(warning.message)]


# When unfinished runs are saved.


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set."""
    now = [1000.0]
    monkeypatch.setattr(unfinished.time, "monotonic", lambda: now[0])
    return now


def saves(clock, timer, seconds, took, size):
    """Moments and lengths of the saves of a group that trains in segments of a second."""
    start, found = clock[0], []

    def save():
        found.append((clock[0] - start, took))
        clock[0] += took

    timer.restart()
    while clock[0] - start < seconds:
        clock[0] += 1
        timer.save_if_due(save, size)
    return found


@pytest.mark.parametrize("took", [0.01, 2.0, 30.0])
def test_saving_takes_less_than_two_percent_of_the_time(clock, took):
    found = saves(clock, unfinished.Timer(None), 50_000, took, 1000)
    assert found[0] == (60, took)
    spent = 0.0
    for moment, length in found:
        # Of the time up to here, all saves but the first, whose length is not known before.
        assert spent <= 0.02 * moment
        spent += length
    assert spent >= 0.8 * min(50_000 / 60 * took, 0.01 * 50_000)


def test_the_first_save_waits_for_as_long_as_its_size_requires(clock):
    """Of 10 GB, which take 100 s if they are written as fast as is assumed."""
    [(first, _)] = saves(clock, unfinished.Timer(None), 15_000, 100.0, 10**10)
    assert first == 10_000


def test_a_slow_save_of_one_group_postpones_those_of_the_next(clock):
    timer = unfinished.Timer(None)
    assert saves(clock, timer, 80, 5.0, 1000) == [(60, 5.0)]
    assert [moment for moment, _ in saves(clock, timer, 600, 5.0, 1000)] == [500]


def test_save_every_is_kept(clock):
    found = saves(clock, unfinished.Timer(10), 100, 5.0, 10**10)
    assert [moment for moment, _ in found] == [10, 25, 40, 55, 70, 85, 100]
