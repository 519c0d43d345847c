"""The tables of the classifiers command, from frames made up by hand."""

import pandas as pd
import pytest

from toymono.classifiers.fields import CLASSIFIER
from toymono.sweep import classifier_tables


def frame(**columns):
    """Four runs, two at each weight; those of alpha -10 collapsed."""
    defaults = {name: field.default for name, field in CLASSIFIER.items()} | {"sizes": "16x2"}
    rows = pd.DataFrame(
        {
            **defaults,
            "alpha": [0.0, 0.0, -10.0, -10.0],
            "seed": [0, 1, 0, 1],
            "status": ["learned", "learned", "collapsed", "collapsed"],
            "accuracy": [0.9, 0.8, 0.1, 0.12],
            **dict.fromkeys(("cross_entropy", "penalty_sum", "mean_overlap"), 1.0),
            **dict.fromkeys(("mean_monosemanticity", "n_cut", "shuffled_n_cut_mean"), 0.5),
            **dict.fromkeys(("shuffled_n_cut_std", "coherence", "coherence_p"), 0.25),
            "n_cut_p": [0.02, 0.5, 0.3, 0.4],
            "ablation_p_mean": 0.5,
        }
    )
    return rows.assign(**columns)


def test_runs_that_did_not_learn_are_in_no_mean():
    summary = classifier_tables.summary(frame()).set_index("alpha")
    assert summary.loc["-10", ["learned", "accuracy"]].tolist() == ["0/2", "-"]
    assert summary.loc["0", "learned"] == "2/2"
    assert summary.loc["0", "accuracy"] == "0.8500 ± 0.071"
    one = frame(status=["learned", "collapsed", "dead", "diverged"])
    assert float(classifier_tables.summary(one)["accuracy"][0]) == pytest.approx(0.9)
    structure = classifier_tables.structure_summary(frame()).set_index("alpha")
    left = "p (n-cut lower than shuffled)"
    assert structure.loc["-10", "n-cut"] == structure.loc["-10", left] == "-"
    assert structure.loc["0", left] == ".02 .5"
    [line] = classifier_tables.failures(frame())
    assert line == "alpha=-10: 2 collapsed (accuracy 0.100 to 0.120)"


def test_the_text_of_a_part_of_a_frame():
    """Whatever the labels of its rows are."""
    words = classifier_tables.text(frame()[2:], structure=True)
    assert words.startswith("data=digits, ")
    assert "sizes=16x2" in words


def test_every_setting_has_a_row_of_its_own():
    """A field that determines a run must not be averaged over."""
    others = {"data": "mnist", "network": "cnn", "sizes": "8x2", "penalty": "hard"}
    others |= {"batch_size": 64, "epochs": 99, "prune_epochs": 2, "learning_rate": 0.5}
    others |= {"nonlinearity": "tent", "layer_norm": "on", "dropout": "on", "dropout_rate": 0.25}
    assert set(others) == set(CLASSIFIER) - {"alpha"}
    for field, value in others.items():
        mixed = pd.concat([frame(), frame(**{field: value})], ignore_index=True)
        for table in (classifier_tables.summary, classifier_tables.structure_summary):
            both = table(mixed)
            order = sorted((field, "alpha"), key=list(CLASSIFIER).index)
            assert list(both.columns[:2]) == order
            pd.testing.assert_frame_equal(
                both.drop(columns=field), pd.concat([table(frame())] * 2, ignore_index=True)
            )
        old, new = classifier_tables.failures(mixed)
        assert f"{field}={value}" in new
        assert new != old


def test_weights_that_are_nearly_equal_are_two():
    runs = frame(alpha=[0.12345671, 0.12345672, 0.0, 0.0])[:2]
    assert list(classifier_tables.summary(runs)["alpha"]) == ["0.12345671", "0.12345672"]


def test_a_table_replaces_tables_only(tmp_path):
    path = tmp_path / "runs.csv"
    classifier_tables.write(path, frame())
    classifier_tables.write(path, frame(accuracy=0.5))
    assert (pd.read_csv(path)["accuracy"] == 0.5).all()
    first = ",".join(frame().columns[:3])
    for foreign in ("my,own,notes\n", f"{first},my notes\n", ""):
        path.write_text(foreign)
        with pytest.raises(FileExistsError, match=r"runs.csv is not overwritten: it is not a tab"):
            classifier_tables.write(path, frame())
        assert path.read_text() == foreign


def test_a_table_that_does_not_fit_leaves_the_one_before(tmp_path, file_limit):
    path = tmp_path / "runs.csv"
    classifier_tables.write(path, frame())
    before = path.read_bytes()
    with file_limit(100), pytest.raises(OSError, match="File too large") as caught:
        classifier_tables.write(path, frame())
    assert caught.value.filename == str(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
