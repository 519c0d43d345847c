"""What `test_devices.py` runs on four devices, in a process of its own."""

import sys
from pathlib import Path

import jax
from settings import POINTS, TINY

from toymono import stack
from toymono.job import Job
from toymono.kinds import KINDS
from toymono.sweep import devices, plan, trainer

# The points of the fixture `runs`, with its seeds; then two that are stopped on the way.
JOBS = [Job(TINY, point, seed) for seed, point in enumerate([*POINTS, *POINTS[:2]])]
STOPPED = JOBS[3:]
COUNTS = (1, 3, 5)


def train(jobs, folder, stop=False) -> None:
    """Trains the jobs as one group; `stop` ends it after a few steps."""
    answers = iter([False])
    made = plan.make(jobs, folder, group_size=len(jobs))
    list(trainer.run_plan(made, folder, stopped=lambda: stop and next(answers, True)))


def programs() -> dict[str, str]:
    """Optimised programs: the training of four runs, and one that has to communicate."""
    kind, keys = KINDS["toy"], jax.random.split(jax.random.key(0), 4)
    hyperparams = stack([POINTS[0].checked()] * 4)
    world, state = devices.begin(kind, 1, TINY, hyperparams, None, keys)
    training = devices.advance.lower(kind, 1, TINY, hyperparams, None, world, state, 1)
    mean_bias = jax.jit(lambda state: state.model.b_k.mean()).lower(state)
    return {"training": training.compile().as_text(), "mean_bias": mean_bias.compile().as_text()}


def main(folder: Path) -> None:
    assert jax.local_device_count() == 4
    for count in COUNTS:
        train(JOBS[:count], folder / f"four_{count}")
    train(STOPPED, folder / "one_to_four")  # the test has begun it
    train(STOPPED, folder / "four_to_one", stop=True)
    for name, text in programs().items():
        (folder / f"{name}.hlo").write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
