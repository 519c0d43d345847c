"""Several sweeps at once: each run is trained by one of them, and all end with all runs."""

import os
import re
import resource
import signal
import time

import pytest
from stored_runs import assert_same_runs

from toymono import Config, Hyperparams, files, store
from toymono.job import Job
from toymono.sweep import locks as module
from toymono.sweep.locks import Locks

JOB = Job(Config(n=16, m=4, k=24, batch_size=8, log2_steps=4), Hyperparams(eps=0.25), 0)


def lock(folder):
    [path] = folder.glob(".*.claim")
    return path


def test_a_run_is_locked_by_one(tmp_path):
    with Locks(tmp_path) as ours, Locks(tmp_path) as theirs:
        assert ours.acquire(JOB)
        lock(tmp_path).write_text("elsewhere-1-2")  # so that it looks like another process's
        assert not theirs.acquire(JOB)
        assert theirs.is_held(JOB.name)
        assert not theirs.is_held("0123456789abcdef")
        lock(tmp_path).write_text(files.owner())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("owner", "age", "expired"),
    [
        ("elsewhere-1-2", 0, False),
        ("elsewhere-1-2", 290, False),
        ("elsewhere-1-2", 310, True),
        ("", 0, False),  # just being written
        (f"{files._machine()}-{2**22 + 1}-7", 0, True),
        (files.owner(), 0, True),  # of an earlier attempt in this process
    ],
    # Fixed: the owners differ between processes, and parallel workers compare names of tests.
    ids=["alive elsewhere", "not touched", "stale", "being written", "ended here", "own"],
)
def test_a_lock_expires_with_its_process_or_after_five_minutes(tmp_path, owner, age, expired):
    path = tmp_path / f".{JOB.name}.claim"
    path.write_text(owner)
    then = time.time() - age
    os.utime(path, (then, then))
    locks = Locks(tmp_path)
    assert locks.acquire(JOB) == expired
    assert locks.is_held(JOB.name)
    assert path.read_text() == (files.owner() if expired else owner)
    assert sorted(tmp_path.iterdir()) == [path]


def test_a_lock_that_was_taken_over_is_not_released(tmp_path):
    with Locks(tmp_path) as locks:
        assert locks.acquire(JOB)
        lock(tmp_path).write_text("elsewhere-1-2")
    assert lock(tmp_path).read_text() == "elsewhere-1-2"


def test_locks_are_touched(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_BEAT_SECONDS", 0.01)
    with Locks(tmp_path) as locks:
        assert locks.acquire(JOB)
        os.utime(lock(tmp_path), (0, 0))
        end = time.monotonic() + 10
        while lock(tmp_path).stat().st_mtime == 0:
            assert time.monotonic() < end


@pytest.mark.parametrize("which", ["first", "second"])
def test_of_two_that_find_a_lock_expired_one_acquires_it(tmp_path, monkeypatch, which):
    """One acquires it between the moments at which the other judges and removes it."""
    path = tmp_path / f".{JOB.name}.claim"
    path.write_text(f"{files._machine()}-{2**22 + 1}-7")
    remove_if, theirs = module._remove_if, "elsewhere-1-2"

    def late(condition, path):
        monkeypatch.setattr(module, "_remove_if", remove_if)
        if which == "first":  # the other has finished with it
            path.unlink()
            path.write_text(theirs)
        else:  # the other is about to remove it
            descriptor = os.open(path, os.O_RDWR)
            module._flock(descriptor)
        remove_if(condition, path)

    monkeypatch.setattr(module, "_remove_if", late)
    assert not Locks(tmp_path).acquire(JOB)
    assert path.read_text() == (theirs if which == "first" else f"{files._machine()}-{2**22 + 1}-7")


@pytest.mark.parametrize("fsize", [0, 10])
def test_a_lock_that_does_not_fit_is_named_and_not_left(tmp_path, fsize):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Locks(tmp_path) as locks:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (fsize, limits[1]))
            with pytest.raises(OSError, match="File too large") as raised:
                locks.acquire(JOB)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert raised.value.filename == str(tmp_path / f".{JOB.name}.claim")
        assert list(tmp_path.iterdir()) == []
        assert not locks.is_held(JOB.name)


@pytest.mark.parametrize("how", ["SIGKILL", pytest.param("SIGSTOP", marks=pytest.mark.slow)])
def test_a_waiting_process_takes_over(commands, tiny, tmp_path, how):
    """From one that was killed, and from one that stands still for more than five minutes."""
    sweep = ["sweep", *tiny, "--log2_steps=14", "--seeds=2", "--group_size=2", "--save_every=0.05"]
    folder, whole = tmp_path / "runs", tmp_path / "whole"
    first = commands.start(*sweep, f"--runs_dir={folder}")
    first.until(lambda: len(list(folder.glob("*.partial"))) == 2)
    second = commands.start(*sweep, f"--runs_dir={folder}")
    second.until(lambda: "waiting for 2 runs" in second.err or first.code is not None)
    assert first.code is None
    first.send(getattr(signal, how))
    if how == "SIGSTOP":
        for path in folder.glob(".*.claim"):
            then = path.stat().st_mtime - 310
            os.utime(path, (then, then))
    second.wait()
    assert second.code == 0, second.err
    first.send(signal.SIGCONT)
    first.wait()
    assert first.code == (0 if how == "SIGSTOP" else -signal.SIGKILL), first.err
    assert commands.run(*sweep, f"--runs_dir={whole}").code == 0
    assert_same_runs(folder, whole)
    assert {path.suffix for path in folder.iterdir()} - {".tmp"} == {".safetensors"}


@pytest.mark.parametrize(
    ("processes", "seeds"), [(2, 4), pytest.param(20, 48, marks=pytest.mark.slow)]
)
def test_overlapping_sweeps_train_nothing_twice(commands, tiny, tmp_path, processes, seeds):
    flags = ["--log2_steps=12", "--group_size=1", f"--runs_dir={tmp_path}"]
    started = [
        commands.start("sweep", *tiny, *flags, f"--seeds={seeds - number % 2}")
        for number in range(processes)
    ]
    wrote: dict[str, set[int]] = {}
    while any(command.code is None for command in started):
        for path in tmp_path.glob("*.safetensors"):
            wrote.setdefault(path.name, set()).add(path.stat().st_ino)
        time.sleep(0.01)
    for number, command in enumerate(started):
        assert command.code == 0, command.err
        assert f"{seeds - number % 2} runs requested" in command.out
        assert len(re.findall(r"^ +\d+ +[\d.]+ ", command.out, re.MULTILINE)) == seeds - number % 2
    assert [len(inodes) for inodes in wrote.values()] == [1] * seeds  # none was replaced
    assert len(store.every(tmp_path)) == seeds
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".safetensors"] * seeds
