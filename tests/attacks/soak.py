"""Disturbs training until a time is over, and counts what was lost: nothing, or it exits with 1.

    python tests/attacks/soak.py --minutes 60
    python tests/attacks/soak.py --minutes 5 --seed 1234    # the same choices again

A round trains overlapping grids in one new folder, in several processes at once, and
sometimes classifiers and autoencoders beside them. The processes are killed, sent
signals and limited in the size of their files at random moments, and files are
damaged between the attempts. Then all processes run to their end, and every array
of every run is compared with that of a run that was never disturbed. The choices
follow from the seed; the moments at which they meet the processes do not.
"""

# ruff: noqa: E402

import argparse
import collections
import dataclasses
import os
import random
import re
import secrets
import shutil
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")  # before JAX is imported
sys.path[:0] = [str(Path(__file__).parents[up]) for up in range(3)]

import numpy as np
from commands import Command, Commands
from safetensors.numpy import load_file, save_file
from stored_runs import same_arrays, tensors

from toymono import store
from toymono.store import format as files

TINY = ("--n=16", "--m=4", "--k=24", "--batch_size=8", "--eps=0.25", "--log2_steps=12")
BIASES, SEEDS = ("-1.0", "0.0", "0.5"), 8
OTHERS = (
    ("sweep", *TINY, "--sparsity=rigl", "--density=0.3", "--seeds=2"),
    ("classifiers", "--sizes=6", "--epochs=30", "--alpha=0", "--seeds=2", "--nostructure"),
    ("autoencoders", "--sizes=8", "--patch=4", "--steps=4000", "--batch_size=8", "--seeds=2"),
)
SIGNALS = (
    *[(signal.SIGKILL,)] * 4,
    *((signum,) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)),
    (signal.SIGINT, signal.SIGINT),
    (signal.SIGTERM, signal.SIGHUP),
    (signal.SIGHUP, signal.SIGHUP),
)
ENDS = {0, 130, *(-signum for signums in SIGNALS for signum in signums)}
"""Exit codes of a command that has met no full disk and no damaged file."""

IMPOSTORS = (
    lambda path: path.write_text("not a run"),
    lambda path: save_file({"loss_t": np.zeros(3)}, path),
    Path.mkdir,
    os.mkfifo,
    lambda path: path.symlink_to("nowhere"),
)
"""They put something else in the place of a run."""

FULL = re.compile(r"[a-z]+: \S+: File too large")
"""The last line of a command that was stopped by a full disk: it names the file."""

COUNTED = (
    *("rounds", "processes", "SIGKILL", "SIGINT", "SIGTERM", "SIGHUP", "full-disk stops"),
    *("unfinished runs damaged", "finished runs damaged", "runs compared", "runs lost", "faults"),
)


@dataclasses.dataclass(frozen=True)
class Line:
    """A command that trains, and the names of its runs."""

    arguments: tuple[str, ...]
    names: frozenset[str]


class Soak:
    """Rounds of disturbances; what was found is in `counts`."""

    def __init__(self, folder: Path, commands: Commands, seed: int):
        self.folder, self.commands, self.chance = folder, commands, random.Random(seed)
        self.counts: collections.Counter[str] = collections.Counter()
        self.reference, self.toy, self.others = {}, {}, []

    def train_reference(self) -> None:
        """Trains every run that any round trains, undisturbed."""
        folder = self.folder / "reference"
        grid = ("sweep", *TINY, f"--init_bias={','.join(BIASES)}", f"--seeds={SEEDS}")
        for arguments in (grid, *OTHERS):
            before = set(store.every(folder)) if folder.is_dir() else set()
            command = self._start(arguments, folder).wait(900)
            assert command.code == 0, command.err
            new = [run for run in store.every(folder) if run not in before]
            if arguments is grid:
                self.toy = {(str(run.fields["init_bias"]), run.seed): run.name for run in new}
            else:
                self.others.append(Line(arguments, frozenset(run.name for run in new)))
        self.reference = tensors(folder)
        assert len(self.reference) == len(BIASES) * SEEDS + 2 * len(OTHERS), "reference"

    def round(self) -> None:
        """One folder: disturbed several times, then finished and compared."""
        self.counts["rounds"] += 1
        folder = self.folder / f"round{self.counts['rounds']}"
        folder.mkdir()
        faults = self.counts["faults"] + self.counts["runs lost"]
        many = self.chance.random() < 0.05
        lines = [self._line() for _ in range(20 if many else self.chance.randint(2, 4))]
        lines += [line for line in self.others if self.chance.random() < 0.15]
        damaged: set[str] = set()
        broken: set[str] = set()
        for _ in range(self.chance.randint(1, 3)):
            before = self._steps(folder)
            self._disturb(folder, lines, broken)
            for name, step in self._steps(folder).items():
                if name not in damaged and step < before.get(name, 0):
                    self._fault(f"{folder}: {name} went back from {before[name]} to {step} steps")
            self._damage(folder, lines, damaged, broken)
        self._finish(folder, lines, broken)
        if broken:
            self.commands.run("store", "check", f"--runs_dir={folder}", "--quarantine")
            self._finish(folder, lines, set())
        self._compare(folder, frozenset().union(*(line.names for line in lines)))
        if faults == self.counts["faults"] + self.counts["runs lost"]:
            shutil.rmtree(folder)

    def _line(self) -> Line:
        """A random part of the grid of toy runs, in random groups."""
        biases = self.chance.sample(BIASES, self.chance.randint(1, len(BIASES)))
        first = self.chance.randrange(SEEDS)
        seeds = range(first, self.chance.randint(first, SEEDS - 1) + 1)
        arguments = [f"--init_bias={','.join(biases)}", f"--seed={first}", f"--seeds={len(seeds)}"]
        arguments.append(f"--group_size={self.chance.choice(('1', '2', '4', 'auto'))}")
        names = frozenset(self.toy[bias, seed] for bias in biases for seed in seeds)
        return Line(("sweep", *TINY, *arguments), names)

    def _start(self, arguments: tuple[str, ...], folder: Path, **limits) -> Command:
        self.counts["processes"] += 1
        return self.commands.start(*arguments, f"--runs_dir={folder}", **limits)

    def _disturb(self, folder: Path, lines: list[Line], broken: set[str]) -> None:
        """Starts all commands, and meets most of them with signals or a full disk."""
        started, moments = [], []
        for line in lines:
            save_every = f"--save_every={self.chance.choice((0.02, 0.2, 1))}"
            limits = {}
            if self.chance.random() < 0.2:
                limits["fsize"] = self.chance.randint(4000, 40000)
            started.append((line, self._start((*line.arguments, save_every), folder, **limits)))
            if self.chance.random() < 0.9:
                moment = time.monotonic() + self.chance.expovariate(1 / 4)
                moments.append((moment, len(started) - 1, self.chance.choice(SIGNALS)))
            time.sleep(self.chance.choice((0, 0, 0.1, 0.5)))
        for moment, number, signums in sorted(moments):
            time.sleep(max(0, moment - time.monotonic()))
            for signum in signums:
                if started[number][1].code is None:
                    self.counts[signum.name] += 1
                started[number][1].send(signum)
                time.sleep(self.chance.choice((0, 0.001, 0.1)))
        for line, command in started:
            self._wait(command)
            full = "File too large" in command.err
            self.counts["full-disk stops"] += full and command.code == 1
            named = full and FULL.fullmatch(command.err.splitlines()[-1])
            ends = ENDS | {1} if named or broken & line.names else ENDS
            if command.code not in ends or "Traceback" in command.err:
                self._fault(f"{folder}: {line.arguments} ended with {command.code}: {command.err}")

    def _steps(self, folder: Path) -> dict[str, int]:
        """Steps of the unfinished runs that can be read."""
        found = {}
        for path in folder.glob("*.partial"):
            try:
                found[path.stem] = files.read_header(path)["step"]
            except store.BrokenRun:
                continue
        return found

    def _damage(self, folder: Path, lines: list[Line], damaged: set[str], broken: set[str]) -> None:
        """Mutates some files, and puts something else in the place of some.

        Adds the runs whose unfinished part was changed to `damaged`, and those whose own
        place has no run that can be read to `broken`.
        """
        for path in sorted(folder.glob("*.partial")):
            if self.chance.random() < 0.2:
                self.counts["unfinished runs damaged"] += 1
                self._mutate(path)
                damaged.add(path.stem)
        if self.chance.random() < 0.5:
            return
        names = sorted(frozenset().union(*(line.names for line in lines)) - broken)
        for name in names:
            path = folder / f"{name}.safetensors"
            if self.chance.random() > 1 / len(names):
                continue
            self.counts["finished runs damaged"] += 1
            if path.exists():
                self._mutate(path)
            else:
                self.chance.choice(IMPOSTORS)(path)
            try:
                store.load(path)
                if not same_arrays(load_file(path), self.reference[name]):
                    self._fault(f"{path} was damaged and is accepted")
            except store.BrokenRun:
                broken.add(name)

    def _mutate(self, path: Path) -> None:
        content = bytearray(path.read_bytes())
        # Half of all places in the header, which is the smaller part.
        end = self.chance.choice((min(2000, len(content)), len(content)))
        place, length = self.chance.randrange(end), self.chance.randint(1, 40)
        how = self.chance.choice(("flip", "cut", "repeat", "truncate"))
        if how == "flip":
            content[place] ^= self.chance.randint(1, 255)
        elif how == "cut":
            del content[place : place + length]
        elif how == "repeat":
            content[place:place] = content[place : place + length]
        else:
            del content[place:]
        path.write_bytes(content)

    def _wait(self, command: Command) -> None:
        try:
            command.wait(900)
        except AssertionError as error:
            self._fault(f"{command.folder}: {error}")
            command.wait()

    def _finish(self, folder: Path, lines: list[Line], broken: set[str]) -> None:
        """Runs all commands to their end, at once; those with broken files must name them."""
        started = [(line, self._start(line.arguments, folder)) for line in lines]
        for line, command in started:
            self._wait(command)
            theirs = broken & line.names
            words = command.out + command.err
            if command.code != bool(theirs) or "Traceback" in words:
                self._fault(f"{folder}: {line.arguments} finished with {command.code}: {words}")
            if unnamed := [name for name in theirs if f"{name}.safetensors" not in words]:
                self._fault(f"{folder}: {line.arguments} names no {unnamed}: {words}")

    def _compare(self, folder: Path, names: frozenset[str]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = tensors(folder)
        for name in names:
            self.counts["runs compared"] += 1
            if name not in found or not same_arrays(found[name], self.reference[name]):
                self.counts["runs lost"] += 1
                self._fault(f"{folder}: {name} is {'another' if name in found else 'not there'}")
        left = {path.suffix for path in folder.iterdir() if path.is_file()}
        if left - {".safetensors", ".tmp"}:  # what a kill leaves of a write stays for an hour
            self._fault(f"{folder}: files are left, {left}")

    def _fault(self, text: str) -> None:
        self.counts["faults"] += 1
        print(text, file=sys.stderr, flush=True)

    def summary(self) -> str:
        """The counts in one line."""
        return ", ".join(f"{self.counts[name]} {name}" for name in COUNTED)


def main() -> int:
    """Runs rounds for as long as the flags say; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--minutes", type=float, default=60, help="after which no round starts; there is one"
    )
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(2**32), help="of all choices; new by default"
    )
    flags = parser.parse_args()
    print(f"soak of {flags.minutes:g} minutes, --seed {flags.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="soak"))
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder / "jax")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"
    commands = Commands(folder / "commands")
    soak = Soak(folder, commands, flags.seed)
    try:
        soak.train_reference()
        start = time.monotonic()
        while True:
            soak.round()
            minutes = (time.monotonic() - start) / 60
            print(f"{minutes:.1f} minutes: {soak.summary()}", flush=True)
            if minutes >= flags.minutes:
                break
    finally:
        commands.close()
    if soak.counts["faults"]:
        print(f"what is left of the rounds with faults is in {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
