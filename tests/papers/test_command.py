"""The command that writes the pages, on a tiny catalog."""

import functools
import sys

import jax
import pytest
from absl import app
from absl.testing import flagsaver

from toymono import Config, Hyperparams, catalog, cli, store
from toymono.classifiers import store as labelled_store
from toymono.classifiers import train as training
from toymono.classifiers.config import ClassifierConfig, ClassifierHyperparams
from toymono.papers import __main__ as program
from toymono.papers import evidence
from toymono.papers.jermyn2022.claims import CLAIMS
from toymono.papers.wright2022 import claims as wright_claims
from toymono.papers.wright2022 import measures as wright_measures
from toymono.sweep import plan

LR1, LR3 = ({"learning_rate": rate, "init_bias": bias} for rate, bias in ((0.01, 0), (0.01, -1)))
LACKING = {"learning_rate": 0.5}


class TinySweep:
    def __init__(self, *points):
        self._points = [
            {"n": 16, "m": 4, "k": 24, "batch_size": 8, "log2_steps": 4, "eps": 0.25, **point}
            for point in points
        ]

    def points(self, scale, **changed):
        return ({**point, **changed} for point in self._points if scale == "small")


@pytest.fixture
def tiny_catalog(monkeypatch):
    faster = {**LR1, "learning_rate": 0.03}
    tiny = dict.fromkeys(catalog.SWEEPS, TinySweep(LACKING))
    tiny |= {"LR1": TinySweep(LR1, faster), "LR3": TinySweep(LR3)}
    monkeypatch.setattr(catalog, "SWEEPS", tiny)


@pytest.fixture
def runs_dir(tmp_path, untrained, diverged_run, tiny_catalog):
    """Two seeds of each setting of the tiny LR1, one of LR3, and a run of no sweep."""
    folder = tmp_path / "runs"
    config = Config(n=16, m=4, k=24, batch_size=8, log2_steps=4)
    for rate, bias, seed in [(0.01, 0, 0), (0.01, 0, 1), (0.03, 0, 0), (0.01, -1, 0), (0.2, 0, 0)]:
        store.save(folder, untrained(config, Hyperparams(rate, 0.25, bias), seed))
    store.save(folder, diverged_run)
    return folder


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Runs the command in this process: its exit code and what it prints."""
    app.define_help_flags()  # or flagsaver takes them away again

    def run(*flags):
        monkeypatch.setattr(sys, "argv", ["toymono/reproduction", *flags])
        monkeypatch.chdir(tmp_path)
        with flagsaver.flagsaver(), pytest.raises(SystemExit) as exit_:
            cli.run(program.main)
        return exit_.value.code, *capsys.readouterr()

    return run


def test_a_sweep_takes_every_seed_of_its_settings(runs_dir):
    sweeps = evidence.gather(runs_dir, "small", ["LR1", "K0"])
    found = sweeps["LR1"].frame[["learning_rate", "seed"]].to_numpy().tolist()
    assert sorted(found) == [[0.01, 0], [0.01, 1], [0.03, 0]]
    assert sweeps["K0"].frame.empty
    with pytest.raises(ValueError, match="LR9"):
        plan.places("LR9", "small")


def test_the_command_writes_the_page(run, runs_dir, tmp_path):
    out = tmp_path / "new" / "page.md"
    code, printed, _ = run(f"--runs_dir={runs_dir}", f"--out={out}")
    assert code == 0
    page = out.read_text()
    assert f"`python -m toymono.papers --scale small --runs_dir {runs_dir}" in page
    assert f"Runs used: 4. Trained with: cpu, jax {jax.__version__}, toymono " in page
    assert "| LR1 | 2 of 2 | 1-2 |" in page
    assert "| K0 | 0 of 1 | 0 |" in page
    for number, claim in enumerate(CLAIMS, 1):
        assert f"### {number}. " in page
        assert f"{claim.name}: " in printed
    assert "basins: not measured" not in printed
    assert "k_small: not measured" in printed
    assert "`python -m toymono.sweep --sweep K0,K1 --scale small --seeds 3`" in page
    assert "the lab has no sparse layers" in page
    assert "The reason, as far as we found" in page  # of claims that an untrained run fails
    batch = next(claim for claim in CLAIMS if claim.name == "positive_bias").reason
    assert page.count(batch) == 1
    assert "as far as we found: that of claim [27](#27-positive-bias)." in page
    assert [path.name for path in out.parent.iterdir()] == ["page.md"]

    assert run(f"--runs_dir={runs_dir}", f"--out={out}")[0] == 0
    assert out.read_text() == page


@pytest.mark.parametrize(
    ("change", "title", "command"),
    [
        ({"log2_steps": 6}, "2^6 steps", "--log2_steps 6"),
        ({"batch_size": 32}, "32 samples a step", "--batch_size 32"),
    ],
)
def test_larger_runs_of_a_whole_sweep_have_a_section(
    run, runs_dir, untrained, tmp_path, change, title, command
):
    config = Config(**{"n": 16, "m": 4, "k": 24, "batch_size": 8, "log2_steps": 4, **change})
    store.save(runs_dir, untrained(config, Hyperparams(0.01, 0.25, 0)))
    assert evidence.larger(runs_dir, "small") == {}  # half of LR1
    store.save(runs_dir, untrained(config, Hyperparams(0.03, 0.25, 0)))
    [(found, sweeps)] = evidence.larger(runs_dir, "small").items()
    assert ({found[0]: found[1]}, list(sweeps)) == (change, ["LR1"])
    out = tmp_path / "page.md"
    assert run(f"--runs_dir={runs_dir}", f"--out={out}")[0] == 0
    page = out.read_text()
    assert f"## The same settings, {title}" in page
    assert f"--sweep LR1 --scale small {command} --seeds 1" in page
    assert "Runs used: 4." in page


def test_the_page_on_the_penalty_reads_kept_runs(
    run, tiny_catalog, untrained, digits, monkeypatch, tmp_path
):
    runs_dir, out = tmp_path / "runs", tmp_path / "page.md"
    code, _, err = run("--page=penalty", f"--runs_dir={runs_dir}", f"--out={out}")
    assert code == 2
    assert wright_claims.TRAINED_BY in err

    penalised = {"learning_rate": 0.01, "penalty": "soft", "alpha": 1.0}
    free = [{**point, "alpha": 0.0} for point in (LR1, LR3)]
    monkeypatch.setitem(catalog.BEYOND, "PEN", TinySweep(*free, penalised))
    for kind, alpha, bias in [("none", 0, 0), ("none", 0, -1), ("soft", 1, 0)]:
        config = Config(n=16, m=4, k=24, batch_size=8, log2_steps=4, penalty=kind)
        store.save(runs_dir, untrained(config, Hyperparams(0.01, 0.25, bias, alpha=alpha)))
    shape = functools.partial(ClassifierConfig, sizes=(8,))
    monkeypatch.setattr(measures, "ClassifierConfig", shape)
    monkeypatch.setattr(wright_measures.data, "load", lambda name: digits)
    for alpha in (0.0, 1.0):
        config, hyperparams = shape(epochs=2), ClassifierHyperparams(alpha)
        job = labelled_store.Job(config, hyperparams, 0, digits.fingerprint)
        trained = training.fit(config, hyperparams, digits, jax.random.key(0))
        labelled_store.save(runs_dir / "labelled", job, trained)

    code, printed, _ = run("--page=penalty", f"--runs_dir={runs_dir}", f"--out={out}")
    assert code == 0
    page = out.read_text()
    assert f"`python -m toymono.papers --page penalty --runs_dir {runs_dir} --out" in page
    assert "\n| soft | 0 | 1 | 1 |" in page
    assert page.count("\n| none | ") == 2
    assert "\n| 2 | 0 | " in page
    for claim in (*wright_claims.LABELLED, *wright_claims.TOY):
        assert f"{claim.name}: " in printed
    assert "toy_loss: not measured" not in printed
    assert "plain: not measured" not in printed


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--page=penalty", "--scale=paper"], "small scale alone"),
        (["--scale=huge"], "huge"),
        (["--sclae=small"], "unknown flag --sclae"),
        (["stray"], "stray"),
        (["--out=runs"], "is a folder"),
        (["--scale=paper"], "--sweep LR1,LR3 --scale paper"),
        (["--runs_dir=empty"], "no runs"),
    ],
)
def test_a_wrong_command_ends_with_code_2_and_one_line(run, runs_dir, flags, said):
    code, out, err = run(*flags)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_a_file_that_is_no_run_ends_with_code_1(run, runs_dir):
    (runs_dir / "broken.safetensors").write_bytes(b"no run")
    code, _, err = run()
    assert code == 1
    assert "broken" in err
