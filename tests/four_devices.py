"""What `test_placement.py` has done on four devices, in a process of its own."""

import sys
from pathlib import Path

import jax
from settings import POINTS, TINY

from toymono import stack
from toymono.sweep import devices, plan
from toymono.sweep.plan import Job

# The points of the fixture `runs`, with its seeds; then two that stop on the way.
JOBS = [Job(TINY, hyperparams, seed) for seed, hyperparams in enumerate([*POINTS, *POINTS[:2]])]
STOPPED = JOBS[3:]
COUNTS = (1, 3, 5)


def train(jobs, folder, stop=False) -> None:
    """Trains the jobs as one group; `stop` ends it after a few steps."""
    asked = iter([False])
    made = plan.make(jobs, folder, group_size=len(jobs))
    list(plan.run_plan(made, folder, stopped=lambda: stop and next(asked, True)))


def programs() -> dict[str, str]:
    """Optimised programs: the training of four runs, and one that has to communicate."""
    hyperparams, keys = stack([POINTS[0].checked()] * 4), jax.random.split(jax.random.key(0), 4)
    world, state = devices.begin_many(TINY, hyperparams, keys)
    training = jax.jit(devices.advance_many).lower(TINY, hyperparams, world, state, 1)
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
