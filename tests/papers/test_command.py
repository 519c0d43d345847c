"""The command that extends the evidence and writes the pages, on a tiny catalog."""

import dataclasses
import re
import subprocess
import sys

import pytest
from absl import app
from absl.testing import flagsaver

from toymono import Config, Hyperparams, catalog, cli, store
from toymono.classifiers import data
from toymono.classifiers import train as training
from toymono.classifiers.config import ClassifierConfig, ClassifierHyperparams
from toymono.frames import classifiers as classifier_frames
from toymono.papers import __main__ as program
from toymono.papers import verdict_page
from toymono.papers.jermyn2022 import paper as jermyn
from toymono.papers.jermyn2022.claims import CLAIMS
from toymono.papers.paper import Picture, update
from toymono.papers.wright2022 import paper as wright
from toymono.papers.wright2022.claims import CLAIMS as WRIGHT_CLAIMS

SIZES = {"n": 16, "m": 4, "k": 24, "batch_size": 8, "log2_steps": 4}
LR1, LR3 = ({"learning_rate": 0.01, "eps": 0.25, "init_bias": bias} for bias in (0, -1))
FASTER = {**LR1, "learning_rate": 0.03}
LACKING = {"learning_rate": 0.5, "eps": 0.25}


class TinySweep:
    def __init__(self, *points):
        self._points = [{**SIZES, **point} for point in points]

    def points(self, scale, **changed):
        n = {"small": 16, "half": 18}.get(scale)
        return ({**point, "n": n, **changed} for point in self._points if n)


@pytest.fixture
def tiny_catalog(monkeypatch):
    tiny = dict.fromkeys(catalog.SWEEPS, TinySweep(LACKING))
    tiny |= {"LR1": TinySweep(LR1, FASTER), "LR3": TinySweep(LR3)}
    monkeypatch.setattr(catalog, "SWEEPS", tiny)


def untrained_run(untrained, point, seed=0, **sizes):
    return untrained(Config(**{**SIZES, **sizes}), Hyperparams(**point), seed)


@pytest.fixture
def runs_dir(tmp_path, untrained, diverged_run, tiny_catalog):
    """Two seeds of a setting of the tiny LR1, one of the others, and runs of no sweep."""
    folder = tmp_path / "runs"
    for point, seed in [(LR1, 0), (LR1, 1), (FASTER, 0), (LR3, 0), ({**LR1, "eps": 0.5}, 0)]:
        store.save(folder, untrained_run(untrained, point, seed))
    store.save(folder, diverged_run)
    return folder


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Runs the command in this process and a temporary folder: exit code, output, errors."""
    app.define_help_flags()  # or flagsaver takes them away again

    def run(*flags):
        monkeypatch.setattr(sys, "argv", ["toymono/papers", *flags])
        monkeypatch.chdir(tmp_path)
        # The flag of another command, if one was imported before, has another default.
        with flagsaver.flagsaver(scale=None), pytest.raises(SystemExit) as exit_:
            cli.run(program.main)
        return exit_.value.code, *capsys.readouterr()

    return run


@pytest.fixture
def written(run, runs_dir, tmp_path):
    """The evidence file and the page that a first call wrote, and what it printed."""
    code, printed, _ = run("--papers=jermyn2022")
    assert code == 0
    docs = tmp_path / "docs"
    return docs / "evidence" / "jermyn2022-small.csv", docs / "papers" / "jermyn2022.md", printed


def test_the_command_writes_the_page_and_prints_the_verdicts(written):
    csv, path, printed = written
    page = path.read_text()
    assert "- 4 runs in [jermyn2022-small.csv](../evidence/jermyn2022-small.csv), trained" in page
    assert len(csv.read_text().splitlines()) == 5
    assert "| LR1 | 2 of 2 | 1-2 |" in page
    assert "| K0 | 0 of 1 | 0 |" in page
    for number, claim in enumerate(CLAIMS.values(), 1):
        assert f"### {number}. " in page
        assert f"{claim.name}: " in printed
    assert "basins: not measured" not in printed
    assert "k_small: not measured" in printed
    assert "    python -m toymono.sweep --sweep K0,K1 --scale small --seeds 3" in page
    assert "runs missing: SPARSE" in page
    assert "sparse-small.csv" not in page  # there is no such run
    assert "docs/papers/jermyn2022.md: " in printed
    assert "(4 runs, 4 new)" in printed
    assert sorted(p.name for p in path.parent.iterdir()) == ["jermyn2022.md"]


def test_without_runs_the_page_is_the_same(run, written, runs_dir):
    csv, path, _ = written
    before = csv.read_bytes(), path.read_bytes()
    runs_dir.rename(runs_dir.with_name("elsewhere"))
    path.unlink()
    code, printed, _ = run("--papers=jermyn2022")
    assert code == 0
    assert "(4 runs, 0 new)" in printed
    assert (csv.read_bytes(), path.read_bytes()) == before


def test_a_page_can_open_with_its_own_sentences_and_a_picture(written):
    _, path, _ = written
    update(dataclasses.replace(jermyn.PAPER, opening=None, picture=None), None, path.parents[1])
    before = path.read_text()
    own = dataclasses.replace(
        jermyn.PAPER,
        opening=lambda found, judged: f"{len(found.sweeps)} sweeps, {len(judged)} claims.",
        picture=Picture("../figures/bias.png", "Biases", "Biases of one run."),
    )
    update(own, None, path.parents[1])
    title, opening, picture, caption, *rest = path.read_text().split("\n\n")
    assert opening == f"{len(catalog.SWEEPS) + 1} sweeps, {len(CLAIMS)} claims."  # SPARSE
    assert (picture, caption) == ("![Biases](../figures/bias.png)", "Biases of one run.")
    assert "\n\n".join([title, *rest]) == before


def test_the_evidence_grows_and_never_shrinks(run, written, runs_dir, untrained):
    csv, path, _ = written
    for file in runs_dir.glob("*.safetensors"):
        file.unlink()
    store.save(runs_dir, untrained_run(untrained, LR3, 1))
    assert run("--papers=jermyn2022")[0] == 0
    assert "- 5 runs in" in path.read_text()

    page = path.read_bytes()
    lines = csv.read_text().splitlines(keepends=True)
    csv.write_text("".join(lines[:-1]))
    code, out, err = run("--papers=jermyn2022")
    assert (code, out) == (2, "")
    assert "4 runs, fewer than the 5 that" in err
    csv.unlink()
    code, _, err = run("--papers=jermyn2022")
    assert code == 2
    assert "0 runs, fewer than the 5 that" in err
    assert err.count("\n") == 1
    assert path.read_bytes() == page
    assert not csv.exists()


@pytest.mark.parametrize(
    ("change", "title", "command"),
    [
        ({"log2_steps": 6}, "2^6 steps", "--log2_steps 6"),
        ({"batch_size": 32}, "32 samples per step", "--batch_size 32"),
    ],
)
def test_larger_runs_of_a_whole_sweep_have_a_column(
    run, written, runs_dir, untrained, change, title, command
):
    _, path, _ = written
    store.save(runs_dir, untrained_run(untrained, LR1, **change))
    assert run("--papers=jermyn2022")[0] == 0
    assert title not in path.read_text()  # half of LR1
    store.save(runs_dir, untrained_run(untrained, FASTER, **change))
    assert run("--papers=jermyn2022")[0] == 0
    page = path.read_text()
    trains = f"python -m toymono.sweep --sweep LR1 --scale small {command} --seeds 1"
    assert f"\n- `small, {title}`: trained by `{trains}`.\n" in page
    head, _, *rows = re.findall(r"^\|.*\|$", page[page.index(trains) :], re.M)[:6]
    assert head.endswith(f" | small | small, {title} |")
    of_lr1, of_lr3 = rows[0], rows[3]
    assert re.search(r"\| [a-z ()]+: \d of \d → \d of \d \|$", of_lr1)
    assert of_lr3.endswith(" |  |")
    assert "- 6 runs in" in page


def test_each_claim_is_judged_at_the_largest_scale_that_has_runs(run, written, runs_dir, untrained):
    csv, path, _ = written
    small = csv.read_bytes()
    assert "\n\nJudged at the scale `small`.\n\n" in path.read_text()
    for seed in (0, 1, 2):
        store.save(runs_dir, untrained_run(untrained, LR3, seed, n=18))
    assert run("--papers=jermyn2022")[0] == 0
    page = path.read_text()
    assert "- 3 runs in [jermyn2022-half.csv](../evidence/jermyn2022-half.csv), trained" in page
    assert csv.read_bytes() == small
    judged = dict(re.findall(r"### \d+. ([\w ]+): .*?Judged at the scale `(\w+)`", page, re.S))
    assert judged["negative start"] == "half"
    assert judged["basins"] == "small"  # LR1 has no runs at the other scale
    [line] = re.findall(r"^\| 4 \| \[negative start\]\(#4-negative-start\) .*$", page, re.M)
    small_cell, half_cell = line.strip("| ").split(" | ")[2:]
    assert "(provisional): " in small_cell
    assert re.fullmatch(r"[a-z ]+: 0 of 1 → 0 of 1", half_cell)

    # A page of one scale has only its own runs.
    assert run("--papers=jermyn2022", "--scale=half")[0] == 0
    own = path.with_name("jermyn2022-half.md").read_text()
    assert "with 3 training runs" in own
    assert "jermyn2022-small.csv" not in own
    assert path.read_text() == page


def test_what_is_another_scales_own_is_no_larger_run(runs_dir, untrained, monkeypatch):
    class Longer(TinySweep):
        def points(self, scale, **changed):
            longer = {"log2_steps": 6} if scale == "half" else {}
            return ({**point, **longer, **changed} for point in self._points)

    monkeypatch.setitem(catalog.SWEEPS, "LR3", Longer(LR3))
    store.save(runs_dir, untrained_run(untrained, LR3, log2_steps=6))
    store.save(runs_dir, untrained_run(untrained, LR3, log2_steps=7))
    [small, _], [half, _] = (jermyn.PAPER.sources(scale) for scale in ("small", "half"))
    steps = [
        sorted(run.fields["log2_steps"] for run in source.find(runs_dir))
        for source in (small, half)
    ]
    assert 6 not in steps[0]
    assert {6, 7} <= set(steps[1])


@pytest.fixture
def wright_runs(tmp_path, tiny_catalog, untrained, digits, monkeypatch):
    """Runs of a tiny PEN, and two classifiers of a tiny grid."""
    penalised = {**LR1, "penalty": "soft", "alpha": 1.0}
    free = [{**point, "alpha": 0.0} for point in (LR1, LR3)]
    tiny = {"PEN": TinySweep(*free, penalised), "PEN2": TinySweep(LACKING)}
    monkeypatch.setattr(catalog, "BEYOND", {**catalog.BEYOND, **tiny})
    folder = tmp_path / "runs"
    for point in (*free, penalised):
        point = dict(point)
        sizes = {"penalty": point.pop("penalty", "none")}
        store.save(folder, untrained_run(untrained, point, **sizes))
    grid = {"sizes": ((8,),), "epochs": (2,), "alpha": (0.0, 1.0)}
    of_digits = {**wright.GRIDS["digits"], "digits": grid}
    monkeypatch.setattr(wright, "GRIDS", {**wright.GRIDS, "digits": of_digits})
    monkeypatch.setattr(wright, "_analysed", lambda images: ())
    monkeypatch.setattr(data, "load", lambda name, folder=None: digits)
    monkeypatch.setattr(classifier_frames, "_load_data", lambda name: digits)  # else it is kept
    for alpha in grid["alpha"]:
        config = ClassifierConfig(sizes=(8,), epochs=2)
        hyperparams = ClassifierHyperparams(alpha)
        job = store.runs.Job(config, hyperparams, 0, digits.fingerprint)
        store.save(folder, training.fit(config, hyperparams, digits, job.key), job)
    return folder


def test_the_page_on_the_penalty(run, wright_runs, tmp_path):
    code, printed, err = run("--papers=wright2022")
    assert code == 0, err
    path = tmp_path / "docs" / "papers" / "wright2022.md"
    page = path.read_text()
    assert "- 2 runs in [wright2022-digits.csv]" in page
    assert "- 3 runs in [wright2022-small.csv]" in page
    assert "\n| soft | 0 | 1 | 1 |" in page
    assert page.count("\n| none | ") == 2
    assert "\n| mlp | none | 2 | 0 | " in page
    for claim in WRIGHT_CLAIMS.values():
        assert f"{claim.name}: " in printed
    assert "toy_loss: not measured" not in printed
    assert "digits_plain: not measured" not in printed

    wright_runs.rename(wright_runs.with_name("elsewhere"))
    assert run("--papers=wright2022")[0] == 0
    assert path.read_text() == page


def test_a_page_of_more_runs_is_left_unchanged_and_the_next_is_written(
    run, written, wright_runs, tmp_path
):
    _, path, _ = written
    page = path.read_text().replace("with 4 training runs", "with 567 training runs")
    assert "567" in page
    path.write_text(page)
    code, printed, err = run("--papers=jermyn2022,wright2022")
    assert (code, err) == (0, "")
    assert printed.splitlines()[0] == (
        "docs/papers/jermyn2022.md left unchanged: it shows 567 runs, the evidence so far has 4. "
        "New rows are in docs/evidence"
    )
    assert path.read_text() == page
    assert "docs/papers/wright2022.md: " in printed
    assert (tmp_path / "docs" / "papers" / "wright2022.md").exists()


def test_a_page_without_runs_is_left_unchanged(run, tmp_path):
    path = tmp_path / "docs" / "papers" / "wright2022.md"
    path.parent.mkdir(parents=True)
    path.write_text("# An older page\n")
    code, printed, err = run("--papers=wright2022")
    assert (code, err) == (0, "")
    assert printed.startswith("docs/papers/wright2022.md left unchanged: no runs of ")
    assert printed.count("\n") == 1
    assert path.read_text() == "# An older page\n"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--papers=wright2022", "--scale=paper"], "no paper scale"),
        (["--papers=wright"], "papers='wright' is not one of jermyn2022, "),
        (["--scale=huge"], "huge"),
        (["--sclae=small"], "unknown flag --sclae"),
        (["stray"], "stray"),
        (["--papers=jermyn2022", "--scale=paper"], "--sweep LR1,LR3 --scale paper"),
        (["--runs_dir=nowhere"], "nowhere"),
        (["--docs_dir=other", "--papers=jermyn2022"], "its first line is not"),
    ],
)
def test_a_wrong_command_ends_with_code_2_and_one_line(run, runs_dir, tmp_path, flags, words):
    (tmp_path / "other" / "papers").mkdir(parents=True)
    (tmp_path / "other" / "papers" / "jermyn2022.md").write_text("# Somebody's notes\n")
    code, out, err = run(*flags)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1


def test_a_damaged_evidence_file_ends_with_code_2_and_one_line(run, written):
    csv, _, _ = written
    csv.write_text(csv.read_text().replace("decoder", "decorder", 1))
    code, _, err = run("--papers=jermyn2022")
    assert code == 2
    assert "jermyn2022-small.csv, line 2" in err
    assert err.count("\n") == 1


def test_help_imports_neither_jax_nor_pandas():
    code = (
        "import sys, runpy; sys.argv = ['papers', '--help']\n"
        "try: runpy.run_module('toymono.papers', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print([name for name in ('jax', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "--paper" in done.stdout


def test_number_formats_of_pages():
    assert verdict_page.three_digits(-0.00001) == "0"
    assert verdict_page.mean_and_range((1.0, 2.0)) == "1.5 (1 … 2)"
