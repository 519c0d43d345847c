"""From jobs to results: train what is not kept, ask what is not answered, keep both."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from toymono.analysis import ablation, class_responses, coherence
from toymono.analysis.class_responses import Firing
from toymono.analysis.clusters import CLUSTERS, SHUFFLES, clusterabilities
from toymono.classifiers import network
from toymono.classifiers import store as labelled_store
from toymono.classifiers import train as training
from toymono.classifiers.config import ClassifierConfig
from toymono.classifiers.data import Dataset
from toymono.classifiers.store import Job
from toymono.classifiers.train import ClassifierRun
from toymono.config import stack, unstack

# Runs that train together at most, and test examples that a ablation is measured on: our choice.
_GROUP, _LESION_EXAMPLES = 32, 2000


@dataclasses.dataclass(frozen=True)
class Questions:
    """What is asked of a trained network's structure."""

    clusters: int = CLUSTERS
    shuffles: int = SHUFFLES
    ablations: int = ablation.RANDOM
    """Random ablations for each cluster."""
    permutations: int = 999
    """Of the neurons' strongest classes."""


class Result(NamedTuple):
    """A trained network and what was found out about it."""

    job: Job
    run: ClassifierRun
    status: str
    """As `training.status` has it."""
    firing_l: tuple[Firing, ...]
    """Of each hidden layer, on the test examples."""
    answers: dict[str, Any] | None
    """To the questions; None if none were asked, or of a run that diverged."""


def train(
    jobs: Iterable[Job],
    data: Dataset,
    folder: str | Path,
    report: Callable[[int], None] = lambda run_epochs: None,
) -> None:
    """Trains and keeps the runs that are not kept yet, those of one config together.

    Args:
      jobs: What is wanted.
      data: What to train on.
      folder: Where runs are kept.
      report: Called after each epoch with the number of runs that took it.

    Raises:
      ValueError: A job is of other data.
    """
    jobs = _of_data(jobs, data)
    by_config: dict[ClassifierConfig, list[Job]] = {}
    for job in missing(jobs, folder):
        by_config.setdefault(job.config, []).append(job)
    for of_config in by_config.values():
        for group in _batched(of_config):
            for job, run in zip(group, _train(group, data, report), strict=True):
                labelled_store.save(folder, job, run)


def _of_data(jobs: Iterable[Job], data: Dataset) -> list[Job]:
    jobs = list(jobs)
    for job in jobs:
        if job.fingerprint != data.fingerprint:
            raise ValueError(
                f"run {job.name} is of other data: their fingerprint is {job.fingerprint!r},"
                f" that of the data given {data.fingerprint!r}"
            )
    return jobs


def missing(jobs: Iterable[Job], folder: str | Path) -> list[Job]:
    """The jobs that have no kept run, each once."""
    return [
        job for job in {job.name: job for job in jobs}.values() if not job.path(folder).exists()
    ]


def _batched(jobs: Sequence[Job]) -> Iterator[Sequence[Job]]:
    for start in range(0, len(jobs), _GROUP):
        yield jobs[start : start + _GROUP]


def _train(jobs: Sequence[Job], data: Dataset, report) -> list[ClassifierRun]:
    config = jobs[0].config
    hyperparams = stack([job.hyperparams.checked() for job in jobs])
    keys = stack([job.key for job in jobs])
    state, history = training.begin_many(config, hyperparams, data, keys), []
    for epoch in range(config.epochs + config.prune_epochs):
        state, measures = training.advance_many(config, hyperparams, data, state, epoch)
        history.append(jax.device_get(measures))
        report(len(jobs))
    history = jax.tree.map(lambda *leaves: np.stack(leaves, axis=1), *history)
    return unstack(ClassifierRun(config, hyperparams, keys, jax.device_get(state.params), history))


def results(
    jobs: Iterable[Job],
    data: Dataset,
    folder: str | Path,
    questions: Questions | None = Questions(),
    processes: int = -1,
    report: Callable[[int], None] = lambda runs: None,
) -> list[Result]:
    """The kept runs of the jobs with their scores, and the answers to the questions.

    Args:
      jobs: Trained already.
      data: What they were trained on.
      folder: Where they are kept, and the answers will be.
      questions: None asks nothing.
      processes: That cluster graphs in parallel; -1 for as many as there are cores.
      report: Called with the number of networks whose questions are answered, as they are.

    Raises:
      ValueError: A job is of other data, or a network is too small for so many clusters.
    """
    found = []
    for job in _of_data(jobs, data):
        run = labelled_store.load(folder, job)
        firing_l = class_responses.firing(job.config, run.params, data.test_bhw, data.test_label_b)
        status = training.status(run, np.asarray(data.test_label_b))
        found.append(Result(job, run, status, jax.device_get(firing_l), None))
    if questions is None:
        return found
    asked = dataclasses.asdict(questions)
    load = functools.partial(labelled_store.load_answers, folder, questions=asked)
    open_ = [r for r in found if r.status != "diverged" and load(r.job) is None]
    report(len(found) - len(open_))
    for result, answers in zip(open_, _answer(open_, data, questions, processes), strict=True):
        labelled_store.save_answers(folder, result.job, asked, answers)
        report(1)
    return [result._replace(answers=load(result.job)) for result in found]


def _answer(
    results: Sequence[Result], data: Dataset, questions: Questions, processes: int
) -> Iterator[dict[str, Any]]:
    """The answers for each network in turn, as plain values for JSON."""
    cuts = clusterabilities(
        [network.edges(result.run.params) for result in results],
        questions.clusters,
        questions.shuffles,
        [result.job.seed for result in results],
        processes,
    )
    images_bhw, label_b = data.test_bhw[:_LESION_EXAMPLES], data.test_label_b[:_LESION_EXAMPLES]
    for result, cut in zip(results, cuts, strict=True):
        sizes = result.job.config.sizes
        first = len(cut.cluster_v) - sum(sizes) - result.firing_l[0].count_ky.shape[1]
        hidden_k = cut.cluster_v[first : first + sum(sizes)]
        strongest_k = np.concatenate(
            [class_responses.strongest(f.response_ky) for f in result.firing_l]
        )
        layer_k = np.repeat(np.arange(len(sizes)), sizes)
        told = coherence.coherence(
            hidden_k, strongest_k, layer_k, questions.permutations, result.job.seed
        )
        found = []
        if result.status == "learned":  # others have nothing to lose
            found = ablation.ablations(
                result.job.config,
                result.run.params,
                images_bhw,
                label_b,
                np.split(hidden_k, np.cumsum(sizes)[:-1]),
                questions.ablations,
                result.job.seed,
            )
        yield {
            "n_cut": cut.n_cut,
            "shuffled": cut.shuffled_s.tolist(),
            "left_p": cut.left_p,
            "cluster": cut.cluster_v.tolist(),
            "coherence": told.score,
            "information": told.information,
            "permuted": [told.permuted_s.mean().item(), told.permuted_s.std().item()],
            "coherence_p": told.right_p,
            "ablations": [
                {
                    "layer": ablation.layer,
                    "cluster": ablation.cluster,
                    "size": ablation.size,
                    "damage": float(ablation.damage_y.mean()),
                    "range": float(np.ptp(ablation.damage_y)),
                    "random_damage": float(ablation.random_sy.mean()),
                    "random_range": float(np.ptp(ablation.random_sy, axis=1).mean()),
                    "right_p_mean": ablation.right_p_mean,
                    "right_p_range": ablation.right_p_range,
                }
                for ablation in found
            ],
        }
