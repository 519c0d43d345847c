"""From networks to answers: firing by hand, runs kept and found again, tables, the command."""

import itertools
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from toymono.analysis import class_responses
from toymono.classifiers import experiment, network
from toymono.classifiers import store as labelled_store
from toymono.classifiers import train as training
from toymono.classifiers.config import ClassifierConfig, ClassifierHyperparams
from toymono.classifiers.experiment import Questions
from toymono.classifiers.store import Job
from toymono.frames import classifiers as classifier_frames
from toymono.plots import classifier_gallery, classifier_tradeoffs

QUESTIONS = Questions(clusters=3, shuffles=2, ablations=2, permutations=9)


@pytest.fixture(scope="module")
def jobs(digits):
    config = ClassifierConfig(sizes=(16, 12), batch_size=32, epochs=8)
    alphas = (0.0, 0.05, -0.001, -10.0)  # the last collapses
    return [
        Job(config, ClassifierHyperparams(alpha, learning_rate=0.01), seed, digits.fingerprint)
        for alpha, seed in itertools.product(alphas, range(2))
    ]


@pytest.fixture(scope="module")
def folder(jobs, digits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "labelled"
    experiment.train(jobs, digits, folder)
    return folder


@pytest.fixture(scope="module")
def results(jobs, digits, folder):
    return experiment.results(jobs, digits, folder, QUESTIONS, processes=1)


# Firing.


def test_firing_by_hand():
    config = ClassifierConfig(sizes=(3,))
    params = jax.tree.map(jnp.zeros_like, network.init(config, (1, 2), jax.random.key(0)))
    params["hidden_0"]["kernel"] = jnp.array([[2.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    images_bhw = jnp.array([[[1.0, 0.0]], [[0.5, 0.0]], [[0.0, 1.0]]])
    [found] = class_responses.firing(config, params, images_bhw, jnp.array([0, 0, 1]))
    assert found.count_ky[:, :3].tolist() == [[2, 0, 0], [2, 1, 0], [0, 0, 0]]
    assert found.share_ky[:, :2].tolist() == [[1, 0], [1, 1], [0, 0]]
    assert found.response_ky[:, :2].tolist() == [[1.5, 0], [0.75, 1], [0, 0]]
    # Rescaled activations (1, .5), (1, .5), (0, 1): neuron 1 shares 0.5 + 0.5 over 3 pairs.
    assert found.penalty_k.tolist() == pytest.approx([0, 1 / 3, 0])
    mono_k = class_responses.class_monosemanticity(found.response_ky)
    assert mono_k.tolist() == pytest.approx([1, 1 / 1.75, 0])
    assert class_responses.strongest(found.response_ky).tolist() == [0, 1, -1]
    assert class_responses.neuron_order(found.response_ky).tolist() == [0, 1, 2]


def test_overlap_is_the_mean_over_pairs_of_classes():
    count_ky = np.random.default_rng(0).integers(0, 30, size=(7, 10))
    scaled_yk = (count_ky / count_ky.max(axis=0)).T
    pairs = list(itertools.combinations(range(10), 2))
    assert len(pairs) == 45
    expected = np.mean([scaled_yk[one] @ scaled_yk[other] for one, other in pairs])
    assert class_responses.overlap(jnp.asarray(count_ky)) == pytest.approx(expected, rel=1e-5)


def test_neurons_are_ordered_by_class_then_monosemanticity():
    response_ky = jnp.array([[0.0, 0, 0], [1, 1, 5], [4, 1, 1], [9, 0, 0], [1, 1, 0]])
    assert class_responses.neuron_order(response_ky).tolist() == [3, 2, 4, 1, 0]


# Keeping.


def test_a_run_comes_back_as_it_was(jobs, digits, folder, tmp_path):
    job = jobs[2]
    run = labelled_store.load(folder, job)
    assert (run.config, run.seed) == (job.config, job.seed)
    labelled_store.save(tmp_path, job, run)
    for one, other in zip(
        jax.tree.leaves((run.params, run.history)),
        jax.tree.leaves(
            (labelled_store.load(tmp_path, job).params, labelled_store.load(tmp_path, job).history)
        ),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    assert {job.name for job in labelled_store.find(folder)} == {job.name for job in jobs}


def test_a_name_depends_on_all_that_determines_a_run(jobs):
    job = jobs[0]
    others = [
        Job(job.config, job.hyperparams, 5, job.fingerprint),
        Job(job.config, job.hyperparams, job.seed, "0" * 16),
        Job(job.config, ClassifierHyperparams(alpha=1e-5), job.seed, job.fingerprint),
        Job(ClassifierConfig(sizes=(16, 12), epochs=9), job.hyperparams, job.seed, job.fingerprint),
    ]
    assert len({job.name, *(other.name for other in others)}) == 5
    same = ClassifierHyperparams(jnp.float32(0), jnp.float32(0.01))
    assert job.name == Job(job.config, same, 0, job.fingerprint).name


def test_finished_runs_and_answers_are_not_made_again(jobs, digits, folder, results, monkeypatch):
    assert experiment.missing(jobs, folder) == []
    monkeypatch.setattr(experiment, "_train", None)
    monkeypatch.setattr(experiment, "_answer", lambda found, *_: iter([None] * len(found)))
    experiment.train(jobs, digits, folder)
    again = experiment.results(jobs, digits, folder, QUESTIONS)
    assert [one.answers for one in again] == [one.answers for one in results]


def test_a_seed_means_the_same_keys_whatever_the_default_is(
    jobs, digits, folder, tmp_path, monkeypatch
):
    def begun(config, hyperparams, data, keys):
        given.extend(keys)
        raise InterruptedError

    given, expected = [], [jax.random.key(job.seed) for job in jobs]
    monkeypatch.setattr(training, "begin_many", begun)
    with jax.default_prng_impl("rbg"):
        with pytest.raises(InterruptedError):
            experiment.train(jobs, digits, tmp_path)
        given += [labelled_store.load(folder, job).key for job in jobs]
    assert given == 2 * expected


def test_a_run_from_a_key_of_another_implementation_is_not_kept(jobs, folder, tmp_path):
    run = labelled_store.load(folder, jobs[0])
    with pytest.raises(ValueError, match=r"^a run from a key of 'rbg' cannot be kept"):
        labelled_store.save(tmp_path, jobs[0], run.replace(key=jax.random.key(0, impl="rbg")))


def test_jobs_of_other_data_are_refused(jobs, digits, folder, tmp_path):
    other = digits.replace(fingerprint="0" * 16)
    told = rf"^run {jobs[0].name} is of other data: .*'{digits.fingerprint}'.*'{'0' * 16}'$"
    with pytest.raises(ValueError, match=told):
        experiment.results(jobs, other, folder, None)
    with pytest.raises(ValueError, match=told):
        experiment.train(iter(jobs), other, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_named(jobs, folder, tmp_path):
    job = jobs[0]
    content = job.path(folder).read_bytes()
    job.path(tmp_path).write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=rf"{job.name}.safetensors is not the run of its name"):
        labelled_store.load(tmp_path, job)
    with pytest.raises(ValueError, match=r"is not a labelled run, or not whole"):
        labelled_store.find(tmp_path)
    other = jobs[1]
    other.path(tmp_path).write_bytes(content)
    with pytest.raises(ValueError, match=r"is not the run of its name"):
        labelled_store.load(tmp_path, other)


# Answers and tables.


def test_answers_are_in_range(results):
    for result in results:
        answers = result.answers
        assert 0 <= answers["n_cut"] <= 3
        assert round(answers["left_p"] * 3) in (1, 2, 3)
        assert len(answers["cluster"]) == 64 + 16 + 12 + 10
        assert 0.1 <= answers["coherence_p"] <= 1
        assert bool(answers["ablations"]) == (result.status == "learned")


def test_runs_that_did_not_learn_are_in_no_mean(results):
    runs = classifier_frames.per_run(results)
    lost = runs[runs["status"] != "learned"]
    assert set(lost["alpha"]) == {-10.0}
    summary = classifier_frames.summary(runs).set_index("alpha")
    assert summary.loc["-10", "learned"] == "0/2"
    assert summary.loc["-10", "accuracy"] == "-"
    assert summary.loc["0", "learned"] == "2/2"
    spoiled = runs.copy()
    spoiled.loc[spoiled["alpha"] == 0, "status"] = ["learned", "collapsed"]
    expected = runs["accuracy"][0]
    assert float(classifier_frames.summary(spoiled)["accuracy"][0]) == pytest.approx(
        expected, rel=1e-3
    )
    structure = classifier_frames.structure(runs).set_index("alpha")
    assert structure.loc["-10", "n-cut"] == structure.loc["-10", "left p"] == "-"
    assert len(structure.loc["0", "left p"].split()) == 2
    [line] = classifier_frames.failures(runs)
    assert line.startswith("alpha=-10: 2 ")


def test_every_setting_has_a_row_of_its_own(results):
    """What determines a run and is no setting would be averaged over."""
    runs = classifier_frames.per_run(results)
    fields = {*results[0].job.fields} - {"seed", "fingerprint"}
    assert fields == {*classifier_frames.SETTINGS}
    others = {"data": "mnist", "network": "cnn", "sizes": "8x2", "penalty": "hard"}
    others |= {"batch_size": 64, "epochs": 99, "prune_epochs": 2, "learning_rate": 0.5}
    for field in fields - {"alpha"}:
        mixed = pd.concat([runs, runs.assign(**{field: others[field]})], ignore_index=True)
        for table in (classifier_frames.summary, classifier_frames.structure):
            both = table(mixed)
            assert list(both.columns[:2]) == [
                *sorted((field, "alpha"), key=classifier_frames.SETTINGS.index)
            ]
            pd.testing.assert_frame_equal(
                both.drop(columns=field), pd.concat([table(runs)] * 2, ignore_index=True)
            )
        old, new = classifier_frames.failures(mixed)
        assert f"{field}={others[field]}, alpha=-10: 2 " in new
        assert new != old


def test_alphas_that_are_nearly_alike_are_two(results):
    runs = classifier_frames.per_run(results[:2])
    runs["alpha"] = [0.12345671, 0.12345672]
    assert list(classifier_frames.summary(runs)["alpha"]) == ["0.12345671", "0.12345672"]


def test_frames_have_a_row_for_each(results):
    rows = {
        classifier_frames.per_run: 8,
        classifier_frames.per_layer: 8 * 2,
        classifier_frames.per_neuron: 8 * 28,
        classifier_frames.per_epoch: 8 * 8,
    }
    for table, count in rows.items():
        frame = table(results)
        assert len(frame) == count
        assert {"run", "alpha", "seed", "status"} <= set(frame.columns)
    neurons = classifier_frames.per_neuron(results)
    assert neurons["monosemanticity"].between(0, 1).all()
    assert (neurons["classes"].eq(0) == neurons["strongest"].eq(-1)).all()
    assert set(classifier_frames.per_ablation(results)["status"]) == {"learned"}


def test_every_figure_can_be_drawn(results):
    drawn = classifier_gallery.draw(results)
    assert {"firing_by_class", "clusterability", "coherence", "ablations"} <= set(drawn)
    assert "scores_by_alpha" in drawn
    assert "accuracy_by_width" not in drawn
    for name, figure in drawn.items():
        figure.canvas.draw()
        assert figure.axes, name


def test_what_a_figure_does_not_compare_is_alike(results):
    runs = classifier_frames.per_run(results)
    wide = runs.assign(sizes="32x2")
    mixed = pd.concat([runs, wide, *(runs.assign(**{f: 7}) for f in ("learning_rate", "epochs"))])
    pd.testing.assert_frame_equal(classifier_gallery.alike(mixed, runs, "alpha"), runs)
    pd.testing.assert_frame_equal(
        classifier_gallery.alike(mixed, runs, "sizes", "alpha"), pd.concat([runs, wide])
    )


def test_widths_are_compared_where_there_are_several(results):
    runs = classifier_frames.per_run(results)
    wider = runs.assign(sizes="32x2", accuracy=runs["accuracy"] + 0.01)
    figure = classifier_tradeoffs.accuracy_by_width(pd.concat([runs.assign(sizes="16x2"), wider]))
    [error, _] = figure.axes
    assert [label.get_text() for label in error.get_xticklabels()] == ["16", "32"]


def test_a_run_that_diverged_is_marked_and_asked_nothing(jobs, digits, folder, results):
    lost = Job(jobs[0].config, ClassifierHyperparams(learning_rate=1e30), 0, digits.fingerprint)
    run = results[0].run
    spoiled = jax.tree.map(lambda leaf: np.full_like(leaf, np.nan), run.params)
    labelled_store.save(folder, lost, run.replace(params=spoiled))
    [found] = experiment.results([lost], digits, folder, QUESTIONS, processes=1)
    assert (found.status, found.answers) == ("diverged", None)
    runs = classifier_frames.per_run([*results, found])
    kept = classifier_frames.summary(runs[runs["learning_rate"] < 1])
    pd.testing.assert_frame_equal(
        kept, classifier_frames.summary(classifier_frames.per_run(results))
    )
    assert "clusterability" in classifier_gallery.draw([*results, found])
    assert "clusterability" not in classifier_gallery.draw([found])


# The command.


def command(*flags, cwd):
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "toymono.classifiers", *flags],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_trains_asks_tabulates_and_draws(tmp_path):
    done = command(
        *("--sizes=12x1", "--alpha=0,-0.001", "--seeds=1", "--epochs=4", "--learning_rate=0.01"),
        *("--clusters=3", "--shuffles=2", "--ablations=2", "--processes=1"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "2 runs asked for, 0 kept already, 2 to train" in done.stdout
    assert "learned" in done.stdout
    kept = tmp_path / "runs" / "labelled"
    assert len(list(kept.glob("*.safetensors"))) == 2
    assert len(list(kept.glob("*-*.json"))) == 2
    assert len(pd.read_csv(kept / "runs.csv")) == 2
    drawn = {path.name for path in (tmp_path / "figures" / "labelled").iterdir()}
    assert {"learning_curves.png", "firing_by_class.pdf", "clusterability.png"} <= drawn


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--alpha", "0,x"], "--alpha: 'x' is not a number"),
        (["--data", "mnist"], "data mnist comes from IDX files: name their folder, --data_dir"),
    ],
)
def test_a_wrong_command_ends_with_2_and_one_line(tmp_path, flags, message):
    done = command(*flags, cwd=tmp_path)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert message in line
    assert not list(tmp_path.iterdir())
