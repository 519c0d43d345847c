"""The plots command: what it draws, prints and refuses."""

import dataclasses
import re
import shutil
import subprocess
import sys
import time

import jax
import matplotlib as mpl
import pytest
from absl import app
from absl.testing import flagsaver

from toymono import Hyperparams, catalog, cli, fit_many, stack, store, unstack
from toymono import config as settings
from toymono.papers.jermyn2022.claims import CLAIMS
from toymono.plots import __main__ as program
from toymono.plots.registry import FIGURES

LABELS = [name for name, figure in FIGURES.items() if figure.compares]
"""The general figures, which the runs of these tests allow."""


@pytest.fixture(autouse=True, scope="module")
def no_screen():
    mpl.use("Agg")


@pytest.fixture(scope="module")
def grid_runs(config):
    """Three rates by two biases, two seeds of each."""
    points = [
        (Hyperparams(learning_rate=rate, eps=0.25, init_bias=bias), jax.random.key(seed))
        for rate in (0.001, 0.01, 0.03)
        for bias in (-0.5, 0.0)
        for seed in (3, 4)
    ]
    hyperparams, keys = zip(*points, strict=True)
    return unstack(fit_many(config, stack(hyperparams), stack(keys)))


@pytest.fixture(scope="module")
def runs_dir(grid_runs, diverged_run, tmp_path_factory):
    """The runs of the grid, and one that diverged, on disk."""
    folder = tmp_path_factory.mktemp("runs")
    for run in [*grid_runs, diverged_run]:
        store.save(folder, run)
    return folder


@dataclasses.dataclass(frozen=True)
class TinySweep:
    """A sweep of the catalog with tiny networks."""

    sweep: catalog.Sweep

    def __getattr__(self, name):
        return getattr(self.sweep, name)

    def points(self, scale):
        n = {"paper": 20, "paper512": 19, "paper14": 17, "half": 18, "small": 16}[scale]
        for point in self.sweep.points("small"):
            tiny = {"n": n, "m": 4, "k": 4 + point["k"] // 8, "batch_size": 8, "log2_steps": 4}
            yield point | tiny


@pytest.fixture
def tiny_catalog(monkeypatch, untrained):
    """Makes the catalog tiny; returns a function that stores runs of its sweeps."""
    tiny = {name: TinySweep(sweep) for name, sweep in catalog.SWEEPS.items()}
    monkeypatch.setattr(catalog, "SWEEPS", tiny)

    def save(folder, names, only=slice(None)):
        for name in names:
            for point in list(tiny[name].points("small"))[only]:
                store.save(folder, untrained(*settings.split(point)))

    return save


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Runs the command in this process: its exit code and what it prints."""
    app.define_help_flags()  # or flagsaver takes them away again

    def run(*flags):
        argv = ["toymono/plots", *flags, f"--figures_dir={tmp_path / 'figures'}"]
        monkeypatch.setattr(sys, "argv", argv)
        with flagsaver.flagsaver(), pytest.raises(SystemExit) as exit_:
            cli.run(program.main)
        return exit_.value.code, *capsys.readouterr()

    return run


def test_the_command_draws_all_that_the_runs_allow(run, runs_dir, tmp_path):
    code, out, err = run(f"--runs_dir={runs_dir}")
    assert code == 0
    made = {path.name for path in (tmp_path / "figures").iterdir()}
    figures = {f"{name}.{kind}" for name in LABELS for kind in ("pdf", "png")}
    assert made == figures | {"gallery.md", "table1.md"}
    page = (tmp_path / "figures" / "gallery.md").read_text()
    for name in LABELS:
        assert f"({name}.png)" in page
        command_lines = f"{FIGURES[name].trained_by}\npython -m toymono.plots --figure {name}\n"
        assert f"Train matching runs and draw the figure:\n\n```\n{command_lines}" in page
    given = f"--runs_dir={runs_dir} --figures_dir={tmp_path / 'figures'}"
    assert f"Made by `python -m toymono.plots {given}`" in page
    slow = {name for name, figure in FIGURES.items() if figure.slow}  # drawn only if named
    others = set(FIGURES) - set(LABELS) - slow
    [missing] = [line for line in page.splitlines() if line.startswith("Not drawn for lack of")]
    assert all(name in missing for name in others)
    assert all(name in out for name in made)
    diverged, skipped = err.splitlines()
    assert diverged.startswith("skipping diverged runs: ")
    assert skipped.startswith(f"skipped {len(others)} figures for lack of runs: ")
    assert "fig01" in skipped


def test_the_command_draws_what_is_asked_for(run, runs_dir, tmp_path):
    where = "init_bias=0,learning_rate=0.01,learning_rate=0.03"
    code, out, _ = run(
        f"--runs_dir={runs_dir}", "--figure=training_traces", f"--where={where}", "--format=svg"
    )
    assert code == 0
    assert "4 of 4 runs" in out
    [path] = (tmp_path / "figures").iterdir()
    assert path.name == "training_traces.svg"
    assert "Learning rate" in path.read_text()


@pytest.fixture
def few_figures(monkeypatch):
    """A registry of two figures, so that drawing all of them is quick."""
    few = {name: FIGURES[name] for name in ("sorted_biases", "fig01")}
    monkeypatch.setattr("toymono.plots.registry.FIGURES", few)


@pytest.mark.usefixtures("few_figures")
def test_another_file_is_not_overwritten(run, runs_dir, tmp_path):
    page = tmp_path / "figures" / "gallery.md"
    page.parent.mkdir()
    page.write_text("# Our project\n")
    flags = [f"--runs_dir={runs_dir}", "--format=pdf"]
    code, out, err = run(*flags)
    assert (code, page.read_text()) == (0, "# Our project\n")
    assert f"{page} is not overwritten" in err
    assert str(page) not in out

    page.unlink()
    for _ in range(2):  # its own page is replaced
        assert run(*flags)[0] == 0
        assert "\n[sorted_biases.pdf](sorted_biases.pdf)\n" in page.read_text()
        assert "![" not in page.read_text()


@pytest.mark.usefixtures("few_figures")
def test_figures_of_chosen_runs_have_no_page(run, runs_dir, tmp_path):
    code, _, _ = run(f"--runs_dir={runs_dir}", "--where=init_bias=0", "--format=png")
    assert code == 0
    assert {path.suffix for path in (tmp_path / "figures").iterdir()} == {".png"}


def test_the_command_lists_the_figures(run):
    code, out, _ = run("--list", "--runs_dir=/nowhere")
    assert code == 0
    for name, entry in FIGURES.items():
        names = f"{name} or {entry.alias}" if entry.alias else name
        slow = " Slow: drawn only if named." if entry.slow else ""
        assert f"{names}: {entry.summary}{slow}\n    {entry.trained_by}\n" in out


def test_a_figure_that_lacks_runs_names_the_command_that_trains_them(run, runs_dir, tmp_path):
    one = [f"--runs_dir={runs_dir}", "--where=init_bias=0,learning_rate=0.01"]
    code, out, err = run(*one, "--figure=training_traces,monosemantic_by_field")
    assert (code, out) == (2, "")
    assert FIGURES["monosemantic_by_field"].trained_by in err


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--figure=pie", "'pie' is not one of"),
        ("--figure=", "--figure is empty"),
        ("--figure=sorted_biases,,", "'' is not one of"),
        ("--format=gif", "'gif' is not one of pdf, png, svg"),
        ("--by=colour", "'colour' is not one of task, n, m"),
        (
            "--by=k",
            "no figure has enough runs; train some with: python -m toymono.sweep --k",
        ),
        ("--where=k", "field=value"),
        ("--where=colour=3", "'colour' is not one of task"),
        ("--where=data=mnst", "data='mnst' is not one of digits, mnist"),
        ("--where=data=digits,k=8", "no kind of run has all the fields data, k"),
        ("--where=k=many", "'many' is not a whole number"),
        ("--where=task=decode", "'decode' is not one of decoder, reproject, abs, identity"),
        ("--where=k=99", "no matching runs with k=99"),
        ("--runs_dir=/nowhere", "there is no folder '/nowhere'; train some runs with: python -m"),
        ("--figurs=pie", "unknown flag --figurs"),
        ("pie", "unexpected arguments: pie"),
    ],
)
def test_a_wrong_command_ends_with_code_2_and_says_why(flag, message, run, runs_dir, tmp_path):
    code, out, err = run(f"--runs_dir={runs_dir}", flag)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "figures").exists()


@pytest.mark.filterwarnings("default:skipping")
def test_a_file_that_is_not_a_run_is_skipped_with_one_warning(run, runs_dir, tmp_path):
    folder = tmp_path / "runs"
    shutil.copytree(runs_dir, folder)
    (folder / "broken.safetensors").write_bytes(b"nonsense")
    flags = [f"--runs_dir={folder}", "--figure=sorted_biases", "--format=png"]
    code, out, err = run(*flags)
    assert code == 0
    assert "sorted_biases.png" in out
    assert err.count("broken.safetensors") == 1


def test_figures_go_where_they_can_be_written(run, runs_dir, tmp_path):
    (tmp_path / "figures").write_text("in the way")
    code, _, err = run(f"--runs_dir={runs_dir}")
    assert code == 2
    assert "is not a folder" in err


def test_the_command_runs_in_a_subprocess(runs_dir, tmp_path):
    flags = [f"--runs_dir={runs_dir}", f"--figures_dir={tmp_path}", "--format=png"]
    done = subprocess.run(
        [sys.executable, "-m", "toymono.plots", *flags, "--figure=sorted_biases"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{tmp_path / 'sorted_biases.png'}: 6 of 12 runs" in done.stdout
    assert done.stderr.startswith("skipping diverged runs: ")


def test_paper_draws_its_figures_and_prints_claims_beside_facts(run, tiny_catalog, tmp_path):
    tiny_catalog(tmp_path / "runs", ["LR1", "LR3"])
    code, out, err = run(f"--runs_dir={tmp_path / 'runs'}", "--paper", "--format=png")
    assert code == 0
    made = {"fig01", "fig02", "fig03", "fig04", "fig05", "fig07", "fig10", "fig11"}
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == made | {"table1", "gallery"}
    page = (tmp_path / "figures" / "gallery.md").read_text()
    for name in made:
        assert f"({name}.png)" in page
        assert f"--figure {name}" in page
        assert re.search(rf"^{name} +\d+ +small +{FIGURES[name].claims[0]}: ", out, re.M)
    words = CLAIMS["basins"].statement.split()
    assert " ".join(words[:4]) in " ".join(out.split())
    assert "over learning rate 0.003 → 0.03:" in " ".join(out.split())
    [skipped] = err.splitlines()
    assert skipped.startswith(f"skipped {26 - len(made)} figures for lack of runs: ")
    [missing] = [line for line in page.splitlines() if "fig06" in line]
    assert {*re.findall(r"fig\d\d", missing)}.isdisjoint(made)
    assert missing.endswith("`toymono plots --list` shows the commands that train them.")


def test_figures_are_named_by_number_or_alias(run, tiny_catalog, tmp_path):
    tiny_catalog(tmp_path / "runs", ["LR1", "E1"])
    asked = "--figure=activations_by_rate,fig04,fig26"
    code, _, err = run(f"--runs_dir={tmp_path / 'runs'}", asked, "--format=png")
    assert (code, err) == (0, "")
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"fig04.png", "fig26.png"}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--figure=fig09"],
            "fig09: too few runs of B1, B2, B3, B4, B5; train some with `python -m toymono.sweep",
        ),
        (["--figure=fig03", "--by=k"], "fig03 does not accept --by"),
        (["--paper", "--figure=fig03"], "--paper cannot be combined with"),
        (["--figure=fig27"], "'fig27' is not one of"),
        (["--paper", "--where=n=99"], "no matching runs with n=99"),
    ],
)
def test_a_wrong_command_about_the_paper_ends_with_code_2(
    flags, message, run, tiny_catalog, tmp_path
):
    tiny_catalog(tmp_path / "runs", ["LR1"], only=slice(2))
    code, out, err = run(f"--runs_dir={tmp_path / 'runs'}", *flags)
    assert (code, out) == (2, "")
    assert message in err


def test_help_imports_neither_jax_nor_matplotlib():
    code = (
        "import sys; sys.argv = ['plots', '--help']\n"
        "import runpy\n"
        "try:\n    runpy.run_module('toymono.plots', run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "print({'jax', 'matplotlib', 'pandas'} & set(sys.modules))"
    )
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--figures_dir" in done.stdout
    assert done.stdout.splitlines()[-1] == "set()"
    assert time.perf_counter() - start < 15  # 0.6 s on an idle machine
