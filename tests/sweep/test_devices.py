"""Devices and processes: however runs are distributed, the same bits are stored."""

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import chex
import four_devices
import jax
import pytest
from four_devices import COUNTS, JOBS, STOPPED, train
from settings import TINY

import toymono
from toymono import Hyperparams, store
from toymono.job import Job
from toymono.sweep import devices

TREE = Path(toymono.__file__).parents[1]


def assert_same(run, other):
    """Equal to the bit."""
    plain = [
        one.replace(hyperparams=one.hyperparams.checked(), key=jax.random.key_data(one.key))
        for one in (run, other)
    ]
    chex.assert_trees_all_equal(*plain)


def assert_same_files(folder, other, count):
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == count
    for name in names:
        assert_same(store.load(folder / name), store.load(other / name))


def suffixes(folder):
    return [path.suffix for path in folder.iterdir()]


@contextlib.contextmanager
def python(log, *args, xla_flags=""):
    """A process that imports the lab from where this one did and ends with the block.

    What it says goes into the file `log`: a pipe that nobody reads would stop it.
    """
    env = dict(os.environ)
    env["PYTHONPATH"] = f"{TREE}{os.pathsep}{env.get('PYTHONPATH', '')}".rstrip(os.pathsep)
    env["XLA_FLAGS"] = f"{env.get('XLA_FLAGS', '')} {xla_flags}".strip()
    command = [sys.executable, *map(str, args)]
    with (
        log.open("w") as said,
        subprocess.Popen(command, cwd=TREE, env=env, stdout=said, stderr=said) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def reserved_port():
    """A port that nobody but a server which shares its port, like gRPC's, can take."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder of what four devices did, some of it together with one."""
    folder = tmp_path_factory.mktemp("devices")
    train(STOPPED, folder / "one_to_four", stop=True)
    assert suffixes(folder / "one_to_four") == [".partial"] * 2
    log = folder / "four.log"
    count = "--xla_force_host_platform_device_count=4"
    with python(log, four_devices.__file__, folder, xla_flags=count) as four:
        train(JOBS, folder / "one")
        assert four.wait(timeout=600) == 0, log.read_text()
    assert suffixes(folder / "four_to_one") == [".partial"] * 2
    train(STOPPED, folder / "four_to_one")
    return folder


# Devices.


@pytest.mark.parametrize("count", COUNTS)
def test_four_devices_give_the_same_runs_as_one(trained, count):
    folder = trained / f"four_{count}"
    assert suffixes(folder) == [".safetensors"] * count
    for job in JOBS[:count]:
        assert_same(
            store.load(store.path(folder, job)), store.load(store.path(trained / "one", job))
        )


@pytest.mark.parametrize("way", ["one_to_four", "four_to_one"])
def test_stopped_runs_resume_on_a_different_number_of_devices(trained, way):
    assert_same_files(trained / way, trained / "one", 2)


def test_training_uses_no_collectives(trained):
    def collectives(name):
        text = (trained / f"{name}.hlo").read_text()
        assert "num_partitions=4" in text
        words = ("all-reduce", "all-gather", "all-to-all", "permute", "reduce-scatter")
        return [word for word in words if word in text]

    assert collectives("training") == []
    assert collectives("mean_bias") == ["all-reduce"]  # so one would be seen


@pytest.mark.parametrize(
    ("items", "count", "padded"),
    [("a", 4, "aaaa"), ("abcde", 4, "abcdeeee"), ("abcd", 4, "abcd"), ("abc", 1, "abc")],
)
def test_groups_are_padded_to_a_multiple_of_the_devices(monkeypatch, items, count, padded):
    monkeypatch.setattr(jax, "local_device_count", lambda: count)
    assert devices.pad_to_devices(items) == list(padded)


# Hosts.


def test_two_processes_store_the_same_runs_as_one(tmp_path):
    jobs = [
        Job(TINY, Hyperparams(eps=0.25, init_bias=bias), seed)
        for bias in (-0.5, 0)
        for seed in (0, 1)
    ]
    sizes = ("n", "m", "k", "batch_size", "log2_steps")
    sweep = ["-m", "toymono.sweep", *(f"--{name}={getattr(TINY, name)}" for name in sizes)]
    sweep += ["--eps=0.25", "--init_bias=-0.5,0", "--seeds=2", f"--runs_dir={tmp_path / 'two'}"]
    logs = [tmp_path / f"host_{host}.log" for host in (0, 1)]
    with contextlib.ExitStack() as started:
        port = started.enter_context(reserved_port())
        sweep += [f"--coordinator=127.0.0.1:{port}", "--hosts=2"]
        processes = [
            started.enter_context(python(log, *sweep, f"--host={host}"))
            for host, log in enumerate(logs)
        ]
        for pair in (jobs[:2], jobs[2:]):
            train(pair, tmp_path / "one")
        for process, log in zip(processes, logs, strict=True):
            assert process.wait(timeout=600) == 0, log.read_text()
    logged = [log.read_text() for log in logs]
    for text in logged:
        assert "Traceback" not in text
        assert "4 to train, 2 of them by this process" in text
    assert_same_files(tmp_path / "two", tmp_path / "one", 4)
    assert ["mono/feature" in text for text in logged] == [True, False]  # process 0 prints
