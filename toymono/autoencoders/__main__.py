"""Trains autoencoders of image patches with dropout, and prints how well they reconstruct.

    toymono autoencoders --dropout_rate 0,.2,.5,.8 --seeds 5
    toymono autoencoders --data folder --data_dir ~/images --patch 12 --sizes 256x4

Each setting takes a comma-separated list, and lists multiply into a grid. Runs on
disk are not trained again. Ctrl-C, SIGTERM or SIGHUP stops training within about a
second and saves the unfinished runs; the same command resumes them. Unfinished runs
are also saved every minute, see --save_every.
"""

import os

from absl import flags

from toymono import cli
from toymono.autoencoders.fields import AUTOENCODER
from toymono.fields import grid

cli.define_fields(AUTOENCODER)
_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Folder of the images or IDX files of --data folder; or TOYMONO_DATA_DIR."
)
_seeds = cli.seeds(5)
_SAVE_EVERY = cli.save_every()
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "Print the plan and its cost; train nothing.")
flags.declare_key_flag("runs_dir")


def main() -> int:
    """Trains and tabulates what the flags request."""
    seeds = _seeds()
    if _DATA_DIR.value is not None:
        os.environ["TOYMONO_DATA_DIR"] = _DATA_DIR.value
    cli.prepare_jax()
    from toymono import store  # after the flags: what follows imports JAX
    from toymono.autoencoders import data
    from toymono.frames import autoencoders as frames
    from toymono.job import Job
    from toymono.kinds import KINDS
    from toymono.sweep import plan, progress

    runs_dir = cli.RUNS_DIR.value
    try:
        jobs = []
        for point in grid(cli.given(AUTOENCODER)):
            config, hyperparams = KINDS["autoencoder"].split(point)
            fingerprint = data.load(config.data, config.patch).fingerprint
            jobs += [Job(config, hyperparams, seed, fingerprint) for seed in seeds]
            cli.limited(jobs)
        todo = plan.make(jobs, runs_dir)
    except (ValueError, FileNotFoundError) as error:
        raise cli.UsageError(str(error)) from None
    cli.refuse_unused(AUTOENCODER, cli.given(AUTOENCODER), [job.fields for job in jobs])
    print(progress.describe(todo))
    if _DRY_RUN.value:
        return 0
    cli.writable(runs_dir)
    if not progress.train(todo, runs_dir, _SAVE_EVERY.value):
        return cli.stopped(runs_dir)
    runs = store.named(runs_dir, todo.jobs)
    if runs:
        print(frames.summary(runs))
    progress.refuse_missing(todo, runs, runs_dir)
    print(f"runs are in {runs_dir}/")
    return 0


if __name__ == "__main__":
    cli.run(main)
