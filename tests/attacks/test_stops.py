"""Real signals and kills: what was trained stays, and the command continues to the same runs."""

import fcntl
import os
import pty
import random
import select
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import numpy as np
import pytest
from stored_runs import assert_same_runs, same_arrays, tensors

from toymono import Config, Hyperparams, signals, store
from toymono.job import Job

STOPS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


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


@pytest.mark.parametrize(
    "signum",
    [signal.SIGINT, *(pytest.param(signum, marks=pytest.mark.slow) for signum in STOPS[1:])],
    ids=lambda signum: signum.name,
)
def test_a_signal_saves_and_the_same_command_continues(commands, sweep, whole, tmp_path, signum):
    command = commands.start(*sweep, "--save_every=1000", f"--runs_dir={tmp_path}")
    command.stop(signum)
    assert_two_saved(tmp_path)
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


LONG = 16  # the log2 of so many steps that training does not end before the signal comes


def jobs(log2_steps: int = 12):
    """The runs of the fixture `sweep`."""
    config = Config(n=16, m=4, k=24, batch_size=8, log2_steps=log2_steps)
    return [Job(config, Hyperparams(eps=0.25), seed) for seed in range(4)]


def steps_saved(folder, log2_steps: int = 12) -> dict[str, int]:
    saved = [job for job in jobs(log2_steps) if store.partial_path(folder, job).exists()]
    return {job.name: store.partial_step(folder, job) for job in saved}


def assert_two_saved(folder, log2_steps: int = 12):
    """Both runs of a group, which have taken some steps."""
    steps = steps_saved(folder, log2_steps).values()
    assert len(steps) == 2
    assert min(steps) > 0


def test_after_a_kill_training_continues_from_the_file(commands, sweep, whole, tmp_path):
    """The first loss in the file of a killed process is changed: the finished run has it too."""
    command = commands.start(*sweep, f"--runs_dir={tmp_path}")
    command.until(lambda: tmp_path.is_dir() and partials(tmp_path) == 2)
    command.send(signal.SIGKILL)
    command.wait()
    [job, _] = [job for job in jobs() if job.name in steps_saved(tmp_path)]
    step = store.partial_step(tmp_path, job)
    assert step > 0
    saved = store.load_partial(tmp_path, job)
    saved["['state'].loss_t"] = np.concatenate([[-1], saved["['state'].loss_t"][1:]]).astype("f4")
    store.save_partial(tmp_path, job, step, saved)
    assert commands.run(*sweep, f"--runs_dir={tmp_path}").code == 0
    changed, unchanged = tensors(tmp_path), tensors(whole)
    assert changed[job.name]["loss_t"][0] == -1
    changed[job.name]["loss_t"][0] = unchanged[job.name]["loss_t"][0]
    assert all(same_arrays(changed[name], unchanged[name]) for name in unchanged)


@pytest.mark.slow
def test_a_hundred_kills_and_signals_lose_nothing(commands, sweep, whole, numbered):
    """At random moments: 100 SIGKILLs, 40 other signals and 20 Ctrl-C twice.

    No run goes back behind its last save.
    """
    print("seed:", seed := random.randrange(2**32))  # shown if the test fails
    chance = random.Random(seed)
    for _ in range(20):
        folder, before = numbered(), {}
        others = [[chance.choice(STOPS)], [chance.choice(STOPS)], [signal.SIGINT] * 2]
        for signums in [*[[signal.SIGKILL]] * 5, *others]:
            command = commands.start(*sweep, f"--runs_dir={folder}")
            time.sleep(chance.expovariate(1 / 1.5))
            for signum in signums:
                command.send(signum)
                time.sleep(chance.uniform(0, 0.1))
            command.wait()
            # The default action of a signal, if it comes before the command has taken it over.
            assert command.code in (0, 130, -9, -15, -1, -2), command.err
            assert "Traceback" not in command.err
            saved = steps_saved(folder)
            assert all(saved[name] >= step for name, step in before.items() if name in saved)
            before = saved
        assert commands.run(*sweep, f"--runs_dir={folder}").code == 0
        assert_same_runs(folder, whole)


@pytest.mark.parametrize(
    "several",
    [
        (signal.SIGTERM, signal.SIGHUP),
        pytest.param((signal.SIGHUP, signal.SIGHUP), marks=pytest.mark.slow),
        (signal.SIGINT, signal.SIGINT),
    ],
    ids=["SIGTERM and SIGHUP", "SIGHUP twice", "SIGINT twice"],
)
def test_two_signals_at_once_save_like_one(commands, sweep, whole, tmp_path, several):
    """A machine that shuts down sends two, and so do a shell and the terminal that it ran in."""
    command = commands.start(*sweep, "--save_every=1000", f"--runs_dir={tmp_path}")
    command.until(lambda: "0%" in command.err)
    for signum in several:
        command.send(signum)
        time.sleep(0.001)  # or the system delivers two of the same kind as one
    command.wait()
    assert command.code == 130, command.err
    assert "stopped; the same command continues from here" in command.out
    assert_two_saved(tmp_path)
    assert commands.run(*sweep, f"--runs_dir={tmp_path}").code == 0
    assert_same_runs(tmp_path, whole)


def test_only_a_later_ctrl_c_ends_training_without_saving(monkeypatch):
    monkeypatch.setattr(signals, "_PATIENCE_SECONDS", 0.2)
    with signals.interrupting(), signals.deferred() as stopped:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert stopped()
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGHUP)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def new_terminal() -> tuple[int, int]:
    """Both ends of a terminal of 24 lines and 80 columns."""
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    return main, terminal


def until_shown(main: int, word: bytes) -> None:
    shown = b""
    while word not in shown:
        assert select.select([main], [], [], 120)[0], shown
        shown += os.read(main, 1000)


SHELL = """
import os, sys
os.setsid()
terminal = os.open(sys.argv[1], os.O_RDWR)  # becomes the controlling one
for descriptor in range(3):
    os.dup2(terminal, descriptor)
os.close(terminal)
os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
"""


def test_a_terminal_of_a_shell_that_closes_saves(sweep, tmp_path):
    """Both the system and the shell send SIGHUP."""
    main, terminal = new_terminal()
    shell = subprocess.Popen(
        [sys.executable, "-c", SHELL, os.ttyname(terminal)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PS1": "$ "},
    )
    flags = [*sweep[1:], f"--log2_steps={LONG}", f"--runs_dir={tmp_path}"]
    line = [sys.executable, "-m", f"toymono.{sweep[0]}", *flags]
    os.write(main, (shlex.join(line) + "\n").encode())
    until_shown(main, b"%")
    until_locks(tmp_path, 2)  # the bar stands there before them
    os.close(terminal)
    os.close(main)
    shell.wait(60)
    until_locks(tmp_path, 0)  # they are removed when it ends
    assert_two_saved(tmp_path, LONG)


def until_locks(folder, count: int) -> None:
    end = time.monotonic() + 60
    while len(list(folder.glob(".*.claim"))) != count:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_terminal_that_closes_saves_all_the_same(commands, sweep, tmp_path):
    """It sends SIGHUP, and every word printed to it from then on is an error."""
    main, terminal = new_terminal()
    flags = [*sweep, f"--log2_steps={LONG}", f"--runs_dir={tmp_path}"]
    command = commands.start(*flags, terminal=os.ttyname(terminal))
    until_shown(main, b"%")
    os.close(terminal)
    os.close(main)
    command.wait()
    assert command.code == 130
    assert_two_saved(tmp_path, LONG)


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
