"""Time that a sweep of many tiny runs spends outside its compiled training.

    python benchmarks/overhead.py

Plans, trains, stores, loads and scores 64 runs twice, as the sweep command does;
the second time everything is compiled.
"""

import tempfile
import time
from unittest import mock

import jax
from absl import app

from toymono import Config, Hyperparams, frames, store
from toymono.job import Job
from toymono.sweep import devices, plan, progress, trainer

RUNS, LENGTHS = 64, (6, 10, 13)


def swept(jobs: list[Job]) -> tuple[float, float]:
    """Seconds that the sweep takes, and the part of them within compiled training."""
    advance, inside = devices.advance, 0.0

    def timed(*args, **limits):
        nonlocal inside
        start = time.perf_counter()
        state = jax.block_until_ready(advance(*args, **limits))
        inside += time.perf_counter() - start
        return state

    with tempfile.TemporaryDirectory() as folder, mock.patch.object(devices, "advance", timed):
        start = time.perf_counter()
        todo = plan.make(jobs, folder)
        progress.describe(todo)
        list(trainer.run_plan(todo, folder))
        progress.summary(frames.per_run(store.named(folder, todo.jobs)))
        return time.perf_counter() - start, inside


def main(argv) -> None:
    for log2_steps in LENGTHS:
        config = Config(n=32, m=8, k=64, batch_size=64, log2_steps=log2_steps)
        jobs = [Job(config, Hyperparams(), seed) for seed in range(RUNS)]
        swept(jobs)  # compiles
        total, inside = swept(jobs)
        print(
            f"{RUNS} runs of 2^{log2_steps} steps: {total:.2f} s, "
            f"of which {1 - inside / total:.0%} outside compiled training"
        )


if __name__ == "__main__":
    app.run(main)
