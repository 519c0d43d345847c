"""Share of the time that saving unfinished runs takes.

    python benchmarks/saves.py

Trains a group of toy runs and one of classifiers as the commands do, with the default
--save_every and without saves, in turn; the first time everything is compiled. So that
seconds of training show it, the default's shortest time between saves is half a second here in
place of 60; its other limit, 1 % of the time, is as it is.
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

from absl import app

from toymono import Config, Hyperparams
from toymono.classifiers import data
from toymono.classifiers.config import ClassifierConfig, ClassifierHyperparams
from toymono.job import Job
from toymono.sweep import plan, trainer, unfinished

SHORTEST, ROUNDS, RUNS = 0.5, 3, 4  # Our choices: two minutes for all on two idle cores.


def groups() -> dict[str, list[Job]]:
    """What is trained, by name."""
    toy = Config(n=128, m=32, k=256, batch_size=256, log2_steps=11)
    classifier = ClassifierConfig(sizes=(64, 64), epochs=60)
    fingerprint = data.load(classifier.data).fingerprint
    return {
        "toy": [Job(toy, Hyperparams(0.003, 1 / 32), seed) for seed in range(RUNS)],
        "classifier": [
            Job(classifier, ClassifierHyperparams(), seed, fingerprint) for seed in range(RUNS)
        ],
    }


def trained(jobs: list[Job], save_every: float | None) -> tuple[float, list[float], int]:
    """Wall time in seconds, the time of each save, and the bytes of one."""
    save, took, size = unfinished.save, [], 0

    def timed(members: Any, runs_dir: Any, *progress: Any) -> None:
        nonlocal size
        start = time.perf_counter()
        save(members, runs_dir, *progress)
        took.append(time.perf_counter() - start)
        size = sum(path.stat().st_size for path in Path(runs_dir).glob("*.partial"))

    with (
        tempfile.TemporaryDirectory(dir=".") as folder,
        mock.patch.object(unfinished, "save", timed),
    ):
        start = time.perf_counter()
        list(trainer.run_plan(plan.make(jobs, folder, RUNS), folder, save_every=save_every))
        return time.perf_counter() - start, took, size


def main(argv) -> None:
    unfinished._SAVE_SECONDS = SHORTEST
    for name, jobs in groups().items():
        trained(jobs, None)  # compiles
        rounds = [(trained(jobs, None), trained(jobs, 1e9)) for _ in range(ROUNDS)]
        saved, plain = (
            statistics.median(wall for wall, *_ in side) for side in zip(*rounds, strict=True)
        )
        walls = [wall for (wall, *_), _ in rounds]
        took = [seconds for (_, each, _), _ in rounds for seconds in each]
        print(
            f"{name}, {RUNS} runs: {saved:.2f} s with saves, {plain:.2f} s without (medians of "
            f"{ROUNDS}); {len(took)} saves of {rounds[0][0][2] / 2**20:.1f} MiB, "
            f"{statistics.median(took) if took else 0:.3f} s each, "
            f"{sum(took) / sum(walls):.2%} of the time"
        )


if __name__ == "__main__":
    app.run(main)
