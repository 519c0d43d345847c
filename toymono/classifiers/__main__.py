"""Trains classifiers with a polysemantic penalty, scores them and draws the figures.

    toymono classifiers --data digits --alpha 0,0.1,-0.001 --seeds 5
    toymono classifiers --alpha -0.001,0,0.1 --penalty soft,hard --epochs 100
    toymono classifiers --capacity --seeds 5
    toymono classifiers --data mnist --data_dir ~/mnist --network cnn

Each setting takes a comma-separated list, and lists multiply into a grid. Runs on
disk are not trained again, and analyses of them are cached. Ctrl-C, SIGTERM or SIGHUP
stops training within about a second, or after the current epoch if that takes longer,
and saves the unfinished runs; the same command resumes them. Unfinished runs are also
saved every minute, see --save_every. Tables go to runs_dir/classifiers, figures to
figures_dir.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from toymono import catalog, cli
from toymono.classifiers.fields import CLASSIFIER
from toymono.fields import grid

cli.define_fields(CLASSIFIER)
_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Folder of the IDX files of mnist or fashion_mnist; or TOYMONO_DATA_DIR."
)
_seeds = cli.seeds(5)
_CAPACITY = flags.DEFINE_bool(
    "capacity",
    False,
    "Accuracy against width: sizes 4x4 to 128x4, alpha on both sides of 0 and 60 epochs where "
    "these are not given, without the analysis of structure.",
)
_STRUCTURE = flags.DEFINE_bool(
    "structure", True, "Analyse clusters, their ablation and their coherence with classes."
)
_CLUSTERS = flags.DEFINE_integer("clusters", 12, "Number of clusters.", 2, 1000)
_SHUFFLES = flags.DEFINE_integer(
    "shuffles", 50, "Shuffled networks to compare the n-cut with.", 1, 10**6
)
_ABLATIONS = flags.DEFINE_integer(
    "ablations", 20, "Random ablations per cluster, for comparison.", 1, 10**6
)
_SAVE_EVERY = cli.save_every()
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "Print the plan and its cost; train nothing.")
flags.declare_key_flag("runs_dir")
_FIGURES_DIR = flags.DEFINE_string(
    "figures_dir", "figures", "Folder of the figures.", allow_override=True
)


def main() -> int:
    """Trains, scores, tabulates and draws what the flags request."""
    seeds = _seeds()
    if _DATA_DIR.value is not None:
        os.environ["TOYMONO_DATA_DIR"] = _DATA_DIR.value
    cli.prepare_jax()
    import matplotlib as mpl  # after the flags: what follows imports JAX

    from toymono import store
    from toymono.classifiers import data
    from toymono.frames import classifiers as frames
    from toymono.job import Job
    from toymono.kinds import KINDS
    from toymono.sweep import plan, progress

    mpl.use("Agg")  # headless
    runs_dir = cli.RUNS_DIR.value
    try:
        jobs = []
        for point in _points():
            config, hyperparams = KINDS["classifier"].split(point)
            fingerprint = data.load(config.data).fingerprint
            jobs += [Job(config, hyperparams, seed, fingerprint) for seed in seeds]
            cli.limited(jobs)
        todo = plan.make(jobs, runs_dir)
    except (ValueError, FileNotFoundError) as error:
        raise cli.UsageError(str(error)) from None
    cli.refuse_unused(CLASSIFIER, cli.given(CLASSIFIER), [job.fields for job in jobs])
    print(progress.describe(todo))
    if _DRY_RUN.value:
        return 0
    folder = cli.writable(str(Path(runs_dir) / "classifiers"))
    figures_dir = cli.writable(_FIGURES_DIR.value)
    if not progress.train(todo, runs_dir, _SAVE_EVERY.value):
        return cli.stopped(runs_dir)
    structure = None
    if _STRUCTURE.value and not _CAPACITY.value:
        structure = frames.Structure(_CLUSTERS.value, _SHUFFLES.value, _ABLATIONS.value)
    runs = store.named(runs_dir, todo.jobs)
    try:
        if runs:
            _report(runs, structure, folder, figures_dir)
    except ValueError as error:  # a network that is too small for so many clusters
        raise cli.Failure(str(error)) from None
    progress.refuse_missing(todo, runs, runs_dir)
    print(f"runs are in {runs_dir}/, tables in {folder}/, figures in {figures_dir}/")
    return 0


def _points() -> list[dict[str, Any]]:
    """The settings that the flags name."""
    given = cli.given(CLASSIFIER)
    if _CAPACITY.value:
        given = {**catalog.WIDTHS, **given}
    else:
        given = {"alpha": list(catalog.CLASSIFIER_ALPHAS), **given}
    return list(grid(given))


def _report(runs: Sequence[Any], structure: Any, folder: Path, figures_dir: Path) -> None:
    """Prints the tables of the runs, writes their frames and draws their figures."""
    from toymono.frames import classifiers as frames
    from toymono.plots import gallery, registry
    from toymono.sweep import classifier_tables as tables

    per_run = frames.per_run(runs, structure)
    print(tables.text(per_run, structure is not None))
    written = {
        "runs": per_run,
        "layers": frames.per_layer(runs),
        "neurons": frames.per_neuron(runs),
        "epochs": frames.per_epoch(runs),
    }
    figures = registry.CLASSIFIERS
    if structure is not None:
        written["ablations"] = frames.per_ablation(runs, structure)
        figures += registry.structure_figures(structure)
    for name, frame in written.items():
        tables.write(folder / f"{name}.csv", frame)
    gallery.draw_all(runs, figures, figures_dir)


if __name__ == "__main__":
    cli.run(main)
