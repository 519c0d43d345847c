"""Trains classifiers with and against polysemantic neurons, and looks at what comes of it.

    python -m toymono.classifiers --data digits --alpha 0,1,-1 --seeds 5
    python -m toymono.classifiers --alpha -0.001,0,0.1 --penalty soft,hard --epochs 100
    python -m toymono.classifiers --capacity --seeds 5
    python -m toymono.classifiers --data mnist --data_dir ~/mnist --network cnn

alpha, sizes, penalty and learning_rate take comma lists, which multiply into a grid. Runs and
answers are kept in runs_dir/labelled and not computed again; tables and figures
of the command's runs are written anew.
"""

import itertools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
from absl import flags
from tqdm import tqdm

from toymono import cli
from toymono.analysis import ablation, clusters
from toymono.classifiers import data, experiment
from toymono.classifiers import train as training
from toymono.classifiers.config import (
    CAPACITY_EPOCHS,
    CHOICES,
    ClassifierConfig,
    ClassifierHyperparams,
    sizes_from,
)
from toymono.classifiers.experiment import Questions, Result
from toymono.classifiers.store import Job
from toymono.config import meanings
from toymono.frames import classifiers as classifier_frames
from toymono.plots import classifier_gallery
from toymono.plots import gallery as plots_gallery

# Our choice: strong enough to show, weak enough to learn digits in 20 epochs.
_ALPHAS = ["0", "0.1", "-0.001"]

# What --capacity sets if it is not given: our choice, from widths where accuracy suffers
# to those where it no longer does.
_CAPACITY_SIZES = ["4x4", "8x4", "16x4", "32x4", "64x4", "128x4"]
_CAPACITY_ALPHAS = ["-0.01", "-0.001", "0", "0.01", "0.1"]

_PUBLISHED, _MEANS = (
    ClassifierConfig(),
    {**meanings(ClassifierConfig), **meanings(ClassifierHyperparams)},
)

_DATA = flags.DEFINE_enum("data", _PUBLISHED.data, CHOICES["data"], _MEANS["data"])
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of mnist's or fashion_mnist's IDX files.")
_NETWORK = flags.DEFINE_enum("network", _PUBLISHED.network, CHOICES["network"], _MEANS["network"])
_SIZES = flags.DEFINE_list(
    "sizes", None, f"{_MEANS['sizes']} 256x4 stands for four of 256, 64-32 for 64, then 32."
)
_PENALTY = flags.DEFINE_list("penalty", [_PUBLISHED.penalty], _MEANS["penalty"])
_ALPHA = flags.DEFINE_list("alpha", _ALPHAS, _MEANS["alpha"])
_RATE = flags.DEFINE_list("learning_rate", ["0.001"], _MEANS["learning_rate"])
_EPOCHS = flags.DEFINE_integer("epochs", _PUBLISHED.epochs, _MEANS["epochs"], 1)
_BATCH = flags.DEFINE_integer("batch_size", _PUBLISHED.batch_size, _MEANS["batch_size"], 2)
_PRUNE = flags.DEFINE_integer(
    "prune_epochs", _PUBLISHED.prune_epochs, f"{_MEANS['prune_epochs']} Published: 20.", 0
)
_SEEDS = flags.DEFINE_integer("seeds", 5, "Runs of each setting, with seeds that count up.", 1)
_SEED = flags.DEFINE_integer("seed", 0, "The first seed.", 0, 2**31 - 1)
_CAPACITY = flags.DEFINE_bool(
    "capacity",
    False,
    "Accuracy against width: sizes 4x4 to 128x4, alpha on both sides of 0 and 60 epochs where "
    "these are not given, and no questions of structure.",
)
_STRUCTURE = flags.DEFINE_bool(
    "structure", True, "Ask of clusters, ablations and coherence; --nostructure does not."
)
_CLUSTERS = flags.DEFINE_integer("clusters", clusters.CLUSTERS, "Groups of neurons.", 2)
_SHUFFLES = flags.DEFINE_integer(
    "shuffles", clusters.SHUFFLES, "Shuffled networks to compare the n-cut with.", 1
)
_LESIONS = flags.DEFINE_integer(
    "ablations", ablation.RANDOM, "Random ablations for each cluster.", 1
)
_PROCESSES = flags.DEFINE_integer("processes", -1, "For clustering; -1: one for each core.", -1)
flags.register_validator(_PROCESSES.name, lambda count: count != 0, "0 processes do nothing")
flags.declare_key_flag("runs_dir")
_FIGURES_DIR = flags.DEFINE_string(
    "figures_dir", "figures", "Folder of figures; these in its labelled/.", allow_override=True
)


def main() -> int:
    """Trains, asks, tabulates and draws what the flags say."""
    mpl.use("Agg")  # no screen is needed
    jobs_of = _jobs()
    try:
        labelled = data.load(_DATA.value, _DATA_DIR.value)
        jobs = jobs_of(labelled.fingerprint)
        if (fewest := len(labelled.train_label_b)) < _BATCH.value:
            raise ValueError(f"batch_size={_BATCH.value} is more than {fewest} examples")
    except (ValueError, FileNotFoundError) as error:
        raise cli.UsageError(str(error)) from None
    folder = cli.writable(str(Path(cli.RUNS_DIR.value) / "labelled"))
    drawn_in = cli.writable(str(Path(_FIGURES_DIR.value) / "labelled"))
    asked = _STRUCTURE.value and not _CAPACITY.value
    questions = Questions(_CLUSTERS.value, _SHUFFLES.value, _LESIONS.value) if asked else None
    try:
        found = _run(jobs, labelled, folder, questions)
    except KeyboardInterrupt:
        print(f"stopped; what was finished is kept in {folder}/")
        return 130
    except ValueError as error:
        raise cli.Failure(str(error)) from None
    _print(found, labelled)
    frames = {
        "runs": classifier_frames.per_run(found),
        "layers": classifier_frames.per_layer(found),
        "neurons": classifier_frames.per_neuron(found),
        "epochs": classifier_frames.per_epoch(found),
        "ablations": classifier_frames.per_ablation(found),
    }
    for name, frame in frames.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    for name, figure in classifier_gallery.draw(found).items():
        plots_gallery.save(figure, drawn_in, name, ["pdf", "png"])
    print(f"runs and tables in {folder}/, figures in {drawn_in}/")
    return 0


def _jobs() -> Callable[[str], list[Job]]:
    """The grid of the flags, once the data's fingerprint is known."""
    sizes, alphas, epochs = _SIZES.value or [None], _ALPHA.value, _EPOCHS.value
    if _CAPACITY.value:
        sizes = _SIZES.value or _CAPACITY_SIZES
        alphas = alphas if _ALPHA.present else _CAPACITY_ALPHAS
        epochs = epochs if _EPOCHS.present else CAPACITY_EPOCHS
    try:
        setups = [
            ClassifierConfig(
                data=_DATA.value,
                network=_NETWORK.value,
                sizes=word and sizes_from(word),
                penalty=kind,
                batch_size=_BATCH.value,
                epochs=epochs,
                prune_epochs=_PRUNE.value,
            )
            for word, kind in itertools.product(sizes, _PENALTY.value)
        ]
        hyperparams = [
            ClassifierHyperparams(
                alpha=_number("alpha", alpha), learning_rate=_number("learning_rate", rate)
            )
            for rate, alpha in itertools.product(_RATE.value, alphas)
        ]
        for point in hyperparams:
            point.checked()
    except ValueError as error:
        raise cli.UsageError(str(error)) from None
    grid = list(
        itertools.product(setups, hyperparams, range(_SEED.value, _SEED.value + _SEEDS.value))
    )

    def jobs(fingerprint: str) -> list[Job]:
        asked = [Job(*point, fingerprint) for point in grid]
        return list({job.name: job for job in asked}.values())  # each once

    return jobs


def _number(flag: str, word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise ValueError(f"--{flag}: {word!r} is not a number") from None


def _run(jobs, labelled, folder: Path, questions: Questions | None) -> list[Result]:
    todo = experiment.missing(jobs, folder)
    asked = cli.counted(len(jobs), "run")
    print(f"{asked} asked for, {len(jobs) - len(todo)} kept already, {len(todo)} to train")
    with _bar("training", sum(job.config.epochs + job.config.prune_epochs for job in todo)) as bar:
        experiment.train(jobs, labelled, folder, bar.update)
    with _bar("clusters", len(jobs) if questions else 0) as bar:
        return experiment.results(jobs, labelled, folder, questions, _PROCESSES.value, bar.update)


def _bar(name: str, total: int) -> tqdm:
    terminal = sys.stderr.isatty()
    return tqdm(
        desc=name,
        total=total,
        disable=not total,
        mininterval=0.2 if terminal else 15,
        dynamic_ncols=terminal,
    )


def _print(found: Sequence[Result], labelled: data.Dataset) -> None:
    runs, config = classifier_frames.per_run(found), found[0].job.config
    same = [
        f"{name} {runs[name].iloc[0]}"
        for name in classifier_frames.SETTINGS
        if runs[name].nunique() == 1
    ]
    print(", ".join(same))
    print(classifier_frames.summary(runs).to_string(index=False))
    if any(result.answers is not None for result in found):
        print(classifier_frames.structure(runs).to_string(index=False))
    print("mean ± standard deviation of the runs that learned; p values: one for each run")
    for line in classifier_frames.failures(runs):
        print(f"left out: {line}")
    steps = training.steps_per_epoch(config, labelled) * (config.epochs + config.prune_epochs)
    print(f"each run took {steps} steps; those published, on mnist, took 9360")


if __name__ == "__main__":
    cli.run(main)
