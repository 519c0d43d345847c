"""Real signals and kills: what was trained stays, and the command continues to the same runs."""

import fcntl
import os
import pty
import random
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from toymono import signals, store

STOPS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def tensors(folder) -> dict:
    return {run.name: load_file(run.path) for run in store.every(folder)}


def assert_same_runs(folder, other):
    ours, theirs = tensors(folder), tensors(other)
    assert ours.keys() == theirs.keys()
    for name, arrays in ours.items():
        assert arrays.keys() == theirs[name].keys()
        for key, array in arrays.items():
            np.testing.assert_array_equal(array, theirs[name][key])


def suffixes(folder) -> list[str]:
    return sorted(path.suffix for path in folder.iterdir())


@pytest.fixture(scope="module")
def sweep(tiny):
    """A sweep of four runs in groups of two, each of about a second."""
    flags = ["--log2_steps=12", "--seeds=4", "--group_size=2", "--save_every=0.05"]
    return ["sweep", *tiny, *flags]


@pytest.fixture(scope="module")
def whole(commands, sweep, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    done = commands.run(*sweep, f"--runs_dir={folder}")
    assert (done.code, suffixes(folder)) == (0, [".safetensors"] * 4), done.err
    return folder


def partials(folder) -> int:
    return len(list(folder.glob("*.partial")))


@pytest.mark.parametrize("signum", STOPS, ids=lambda signum: signum.name)
def test_a_signal_saves_and_the_same_command_continues(commands, sweep, whole, tmp_path, signum):
    command = commands.start(*sweep, "--save_every=1000", f"--runs_dir={tmp_path}")
    command.until(lambda: "0%" in command.err)
    command.send(signum)
    command.wait()
    assert command.code == 130, command.err
    assert "stopped; the same command continues from here" in command.out
    assert "Traceback" not in command.err
    assert partials(tmp_path) == 2
    assert commands.run(*sweep, f"--runs_dir={tmp_path}").code == 0
    assert_same_runs(tmp_path, whole)


def killed_at(commands, sweep, folder, moments):
    """Starts the sweep, kills it at each of the moments in turn, and lets it end."""
    for moment in moments:
        command = commands.start(*sweep, f"--runs_dir={folder}")
        moment(command)
        command.send(signal.SIGKILL)
        command.wait()
    done = commands.run(*sweep, f"--runs_dir={folder}")
    assert done.code == 0, done.err
    # What a kill leaves of a write stays for an hour; locks do not.
    assert [suffix for suffix in suffixes(folder) if suffix != ".tmp"] == [".safetensors"] * 4


def test_kills_between_the_saves_of_a_group_change_nothing(commands, sweep, whole, tmp_path):
    """After one, the runs of a group have come unequally far, and continue in other groups."""

    def first_save(command):
        # Mostly one of two files: the second is written some milliseconds later.
        command.until(lambda: tmp_path.is_dir() and partials(tmp_path) > 0)

    def unequal(command):
        command.until(lambda: partials(tmp_path) > 0 and len(set(times())) > 1)

    def times():
        return [path.stat().st_mtime_ns for path in tmp_path.glob("*.partial")]

    killed_at(commands, sweep, tmp_path, [first_save, unequal])
    assert_same_runs(tmp_path, whole)


@pytest.mark.slow
def test_a_hundred_kills_and_signals_lose_nothing(commands, sweep, whole, numbered):
    """At random moments: 100 SIGKILLs, and every tenth folder also each of the other signals."""
    random.seed(0)
    for _ in range(20):
        folder = numbered()
        for signum in [*[signal.SIGKILL] * 5, random.choice(STOPS), random.choice(STOPS)]:
            command = commands.start(*sweep, f"--runs_dir={folder}")
            time.sleep(random.expovariate(1 / 1.5))
            command.send(signum)
            command.wait()
            # The default action of a signal, if it comes before the command has taken it over.
            assert command.code in (0, 130, -9, -15, -1, -2), command.err
            assert "Traceback" not in command.err
        assert commands.run(*sweep, f"--runs_dir={folder}").code == 0
        assert_same_runs(folder, whole)


def test_a_terminal_that_closes_saves_all_the_same(commands, sweep, tmp_path):
    """It sends SIGHUP, and every word printed to it from then on is an error."""
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    name = os.ttyname(terminal)
    command = commands.start(*sweep, f"--runs_dir={tmp_path}", terminal=name)
    shown = b""
    while b"%" not in shown:
        assert select.select([main], [], [], 60)[0], shown
        shown += os.read(main, 1000)
    os.close(terminal)
    os.close(main)
    command.wait()
    assert command.code == 130
    assert partials(tmp_path) == 2


def test_a_save_that_fails_is_a_warning_and_training_goes_on(commands, sweep, whole, tmp_path):
    """Folders stand in the places of the unfinished runs."""
    for run in store.every(whole):
        (tmp_path / run.path.with_suffix(".partial").name).mkdir()
    done = commands.run(*sweep, f"--runs_dir={tmp_path}")
    assert done.code == 0
    assert "unfinished runs could not be saved, training continues: " in done.err
    assert "Traceback" not in done.err
    assert_same_runs(tmp_path, whole)


@pytest.mark.parametrize("library", ["numpy/", "jaxlib/"])
def test_ctrl_c_while_modules_are_imported_ends_in_one_line(tmp_path, library):
    """In a process that imports everything anew, as soon as it has a library's code."""
    process = subprocess.Popen(
        [sys.executable, "-m", "toymono.sweep", "--preset=smoke", "--dry_run"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while library not in Path(f"/proc/{process.pid}/maps").read_text():
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err.count("\n")) == (130, 1), err


def test_an_interrupt_that_a_callback_swallows_comes_again():
    class Careless:
        def __del__(self):
            try:
                os.kill(os.getpid(), signal.SIGINT)
                for _ in range(100):
                    pass
            except KeyboardInterrupt:
                dropped.append(1)

    dropped = []
    with pytest.raises(KeyboardInterrupt), signals.interrupting():  # noqa: PT012
        Careless()
        assert dropped
        time.sleep(3)


def test_a_signal_ignored_by_the_parent_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.deferred() as stopped:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stopped()
            os.kill(os.getpid(), signal.SIGTERM)
            assert stopped()
    finally:
        signal.signal(signal.SIGHUP, before)
