"""The sweep command: what it asks for, prints, keeps and refuses."""

import os
import re
import subprocess
import sys
import warnings

import pytest
from absl import app
from absl.testing import flagsaver

from toymono import Config, Hyperparams, cli, frames, store
from toymono.fields import TOY
from toymono.job import Job
from toymono.kinds import KINDS
from toymono.sweep import __main__ as sweep
from toymono.sweep import devices, plan, progress

app.define_help_flags()  # or those that the command defines are lost with the flags of a test

TINY = ["--n=16", "--m=4", "--k=24", "--batch_size=8", "--log2_steps=4", "--eps=0.25"]


@pytest.fixture
def runs_dir(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def sweep_here(monkeypatch, capsys, runs_dir):
    """Runs the command in this process; its exit code, stdout and stderr."""

    def run(*arguments):
        arguments = ["toymono.sweep.__main__", f"--runs_dir={runs_dir}", *arguments]
        monkeypatch.setattr(sys, "argv", arguments)
        with flagsaver.flagsaver(), warnings.catch_warnings():
            warnings.simplefilter("default")  # printed, as in a process of its own
            with pytest.raises(SystemExit) as exit_:
                cli.run(sweep.main)
        return exit_.value.code, *capsys.readouterr()

    return run


def started(*arguments, **options):
    """The command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "toymono.sweep", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        **options,
    )


# The plan.


def test_lists_multiply_into_a_grid_with_seeds(sweep_here):
    grid = ["--k=8,24", "--init_bias=-1,0", "--learning_rate=0.003,0.01,0.03", "--seeds=8"]
    code, out, err = sweep_here("--preset=smoke", *grid, "--dry_run")
    assert (code, err) == (0, "")
    assert out.startswith("96 runs requested, 0 already on disk, 96 to train\n")
    assert "2 programs to compile" in out


def test_each_process_reports_its_share(sweep_here, monkeypatch):
    monkeypatch.setattr(devices, "shard", lambda items: items[1::2])
    code, out, _ = sweep_here("--preset=smoke", "--seeds=3", "--dry_run")
    assert code == 0
    first = "3 runs requested, 0 already on disk, 3 to train, 1 of them by this process\n"
    assert out.startswith(first)


def test_a_dry_run_does_not_wait_for_other_hosts(sweep_here, monkeypatch):
    monkeypatch.setattr(devices, "join", lambda *_: pytest.fail("joined"))
    hosts = ["--coordinator=127.0.0.1:9", "--hosts=2", "--host=1"]
    code, out, _ = sweep_here("--preset=smoke", "--seeds=3", *hosts, "--dry_run")
    assert code == 0
    assert out.startswith("3 runs requested, 0 already on disk, 3 to train\n")


def test_a_dry_run_says_what_training_would_cost(sweep_here, runs_dir):
    _, out, _ = sweep_here("--preset=paper", "--k=1024", "--seeds=3", "--dry_run")
    # 3 x 2**17 x 28.5 GFLOP
    assert "1.1e+16 floating-point operations: about 22 h at 143 GFLOP/s" in out
    # 1.12e16 operations at 66.9e12 a second; three runs keep three of several devices busy.
    assert "at least 2.8 min on one H100, 56 s on a node of eight H100, " in out
    config = Config(k=1024, batch_size=2**13, log2_steps=17)
    stored = KINDS["toy"].cost(config, None).stored_bytes
    assert f"{3 * stored / 2**20:.3g} MiB on disk" in out
    assert re.search(r"[\d.]+ [MG]iB of memory", out)
    assert not runs_dir.exists()


def test_small_costs_are_given_in_small_units(sweep_here):
    _, out, _ = sweep_here(*TINY, "--seeds=1", "--dry_run")
    assert ": a few seconds at 15 GFLOP/s" in out
    assert re.search(r"[1-9]\d* KiB of memory for the largest group, [1-9]\d* KiB on disk", out)


def test_flags_override_the_preset(sweep_here, monkeypatch):
    asked = []
    monkeypatch.setattr(
        plan, "make", lambda jobs, *rest: asked.extend(jobs) or plan.Plan((), (), {})
    )
    sweep_here("--preset=smoke", "--k=8", "--eps=0.5", "--seed=3", "--dry_run")
    smoke = Config(n=32, m=8, k=8, batch_size=64, log2_steps=6)
    assert asked == [Job(smoke, Hyperparams(eps=0.5), 3), Job(smoke, Hyperparams(eps=0.5), 4)]


def test_the_defaults_are_the_laptop_preset(sweep_here, monkeypatch):
    asked = []
    monkeypatch.setattr(
        plan, "make", lambda jobs, *rest: asked.extend(jobs) or plan.Plan((), (), {})
    )
    sweep_here("--seeds=1", "--dry_run")
    assert asked == [Job(Config(), Hyperparams(), 0)]


def test_a_sweep_of_the_paper_takes_settings_of_its_own(sweep_here):
    _, out, _ = sweep_here("--sweep=LR1,LR3", "--seeds=3", "--dry_run")
    assert out.startswith("36 runs requested")
    _, out, _ = sweep_here("--sweep=LR1", "--learning_rate=0.5", "--seeds=1", "--dry_run")
    assert out.startswith("1 run requested")


def test_every_field_has_a_flag_that_describes_it():
    flags = sweep.flags.FLAGS
    for name, field in TOY.items():
        assert field.description in flags[name].help
        for word, meaning in field.choices.items():
            assert f"{word}: {meaning}" in flags[name].help


# What is refused: one line that names the value and the choices, and nothing written.

REFUSED = {
    "--kk=3": "unknown flag --kk; one of: --k",
    "--taks=abs": "unknown flag --taks; one of: --task",
    "--xyzzy": "unknown flag --xyzzy; one of: ",
    "--task=decode": "task='decode' is not one of decoder, reproject, abs, identity",
    "--nonlinearity=tanh": "nonlinearity='tanh' is not one of relu, gelu, solu",
    "--task=abs,decode": "task='decode' is not one of",
    "--k=0": "k=0 is not a whole number of at least 1",
    "--k=24,-3": "k=-3 is not a whole number of at least 1",
    "--k=0 --preset=paper": "k=0 is not a whole number of at least 1",
    "--k=1.5": "'1.5' is not a whole number",
    "--k=many": "'many' is not a whole number",
    "--k=8,,16": "an empty item in '8,,16'",
    "--k=8,": "an empty item in '8,'",
    "--k=": "an empty item in ''",
    "--k": "--k",
    "--eps=0": "eps=0 is not in (0, 1]",
    "--eps=1.5": "eps=1.5 is not in (0, 1]",
    "--eps=0.1,nan": "eps=nan is not in (0, 1]",
    "--eps=x": "'x' is not a number",
    "--learning_rate=-1": "learning_rate=-1 is not in [0, inf)",
    "--m=600": "m=600 is more than n=512: an embedding has m <= n",
    "--log2_steps=40": "log2_steps=40 is more than 24",
    "--n=3000000000": "n=3000000000 is more than 16777216",
    "--sweep=": "--sweep is empty",
    "--sweep=all,LR9": "sweep='LR9' is not one of LR1, ",
    "--hosts=2": "--hosts and --host require --coordinator",
    "--seeds=999999999999": "not an integer in the range [1, 1048576]",
    "--save_every=0": "a number of seconds above 0, or auto",
    "--save_every=often": "a number of seconds above 0, or auto",
    "--k=99999999999999999999": "is more than 16777216",
    "--batch_size=99999999999": "is more than 16777216",
    "--seeds=0": "--seeds",
    "--seeds=two": "--seeds",
    "--seed=-1": "--seed",
    "--seed=4294967295 --seeds=2": "seed=4294967295 leaves no room for 2 seeds",
    "--group_size=0": "a whole number of at least 1, or auto",
    "--preset=huge": "smoke|laptop|paper",
    "--scale=huge": "value should be one of <paper|",
    "--sweep=LR9": "sweep='LR9' is not one of LR1, ",
    "--preset=paper --sweep=LR1": "--preset does not go with --sweep; use --scale",
    "--scale=paper": "--scale requires --sweep; use --preset",
    "--alpha=0,1": "--alpha has no effect with penalty=none; use --penalty",
    "--sweep=LR1 --alpha=0.5": "--alpha has no effect with penalty=none",
    "--exponent=2": "--exponent has no effect with feature_law=equal; use --feature_law",
    "--schedule=constant --cosine_period=64": "--cosine_period has no effect with schedule=",
    "--dry_run=perhaps": "--dry_run",
    "--coordinator=here:1": "--coordinator address:port requires --hosts and --host",
    "--origin=pull": "--origin=pull requires --parents naming 2 stored runs, not 0",
    "--origin=continued,curve": "--origin=continued requires --parents naming 1 stored run, not 0",
    "train now": "unexpected arguments: train now; every setting is a flag, see --help",
}


@pytest.mark.parametrize("arguments", REFUSED)
def test_invalid_input_gives_a_one_line_error(sweep_here, runs_dir, arguments):
    code, out, err = sweep_here(*arguments.split())
    assert code == 2
    assert REFUSED[arguments] in err
    assert err.count("\n") == 1
    assert out == ""
    assert not runs_dir.exists()


def test_a_folder_that_cannot_be_written_is_refused(sweep_here, runs_dir):
    runs_dir.write_text("a file")
    code, _, err = sweep_here(*TINY)
    assert code == 2
    assert f"--runs_dir='{runs_dir}' is not a folder" in err
    assert err.count("\n") == 1
    assert runs_dir.read_text() == "a file"


@pytest.mark.parametrize(
    "arguments",
    [
        "--penalty=none,soft --alpha=0,0.5",
        "--sweep=PEN --alpha=0.5",
        "--sweep=LR2 --exponent=2",
        "--alpha=1",  # the default
        "--cosine_period=64",
        "--sweep=LR1 --scale=paper",
    ],
)
def test_settings_with_an_effect_are_accepted(sweep_here, arguments):
    code, _, err = sweep_here(*arguments.split(), "--dry_run")
    assert (code, err) == (0, "")


@pytest.mark.parametrize("suffix", [".safetensors", ".partial"])
def test_a_damaged_file_is_reported_and_others_are_trained(sweep_here, runs_dir, config, suffix):
    damaged = store.path(runs_dir, Job(config, Hyperparams(eps=0.25), 0)).with_suffix(suffix)
    other = damaged.with_name(f"other{suffix}")
    runs_dir.mkdir()
    for path in (damaged, other):
        path.write_bytes(b"half a run")
    code, _, err = sweep_here(*TINY, "--seeds=1")
    assert code == (1 if suffix == ".safetensors" else 0)
    assert f"{damaged} cannot be read as a run" in err
    assert "Traceback" not in err
    assert other.read_bytes() == b"half a run"
    assert damaged.exists() == (suffix == ".safetensors")  # not overwritten


def test_runs_that_could_not_start_and_unreadable_files_are_counted_apart(tmp_path, config):
    jobs = [Job(config, Hyperparams(), seed) for seed in range(4)]
    made = plan.Plan(tuple(jobs), (), {}, blocked=(jobs[0],))
    with pytest.raises(cli.Failure) as failure:
        progress.refuse_missing(made, jobs[3:], str(tmp_path))
    assert str(failure.value) == (
        "3 runs not trained: 2 runs could not start, see the warnings of each process; 1 run with "
        "an existing file that cannot be read, run `python -m toymono.store check --runs_dir "
        f"{tmp_path} --quarantine`"
    )
    progress.refuse_missing(made, jobs, str(tmp_path))


def test_help_names_every_setting(sweep_here):
    code, out, err = sweep_here("--helpfull")
    assert (code, err) == (0, "")
    assert all(f"--{name}" in out or f"--[no]{name}" in out for name in TOY)


# What it does.


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """The first journey from end to end: a folder, and what the command printed."""
    folder = tmp_path_factory.mktemp("smoke") / "runs"
    grid = ["--preset=smoke", "--init_bias=-1,0", f"--runs_dir={folder}"]
    process = started(*grid)
    out, err = process.communicate(timeout=300)
    return folder, process.returncode, out, err


def test_a_sweep_stores_and_lists_each_run(smoke):
    folder, code, out, err = smoke
    assert code == 0, err
    assert "Traceback" not in err
    assert "100%" in err
    assert "4 runs requested, 0 already on disk, 4 to train" in out
    kept = store.find(folder)
    assert [(run.hyperparams.init_bias, run.seed) for run in kept] == [
        (-1, 0),
        (-1, 1),
        (0, 0),
        (0, 1),
    ]
    assert sorted(path.suffix for path in folder.iterdir()) == [".safetensors"] * 4

    header = next(line for line in out.splitlines() if "mono/feature" in line)
    for name in ("init_bias", "seed", "loss", "dead", "mean bias"):
        assert name in header
    rows = out.splitlines()[out.splitlines().index(header) + 1 :][:4]
    frame = frames.per_run(kept)
    listed = sorted((float(row.split()[0]), int(row.split()[1])) for row in rows)
    assert listed == sorted(zip(frame["init_bias"], frame["seed"], strict=True))
    assert f"{frame['loss'][0]:.4g}"[:4] in out


def test_extending_a_grid_trains_only_what_is_new(smoke, sweep_here, monkeypatch):
    folder, *_ = smoke
    before = {run.path: run.path.stat().st_mtime_ns for run in store.find(folder)}
    grid = ["--preset=smoke", "--init_bias=-1,0,-0.5", f"--runs_dir={folder}"]
    code, out, _ = sweep_here(*grid)
    assert code == 0
    assert "6 runs requested, 4 already on disk, 2 to train" in out
    assert len(out.splitlines()) > 6  # all six are listed
    assert len(store.find(folder)) == 6
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())

    code, out, err = sweep_here(*grid)
    assert (code, err) == (0, "")
    assert out.startswith("6 runs requested, 6 already on disk, 0 to train\n")


def test_a_diverging_run_is_flagged_and_others_continue(sweep_here, runs_dir):
    code, out, err = sweep_here(*TINY, "--learning_rate=0.01,1e30", "--seeds=1")
    assert code == 0
    diverged = {run.hyperparams.learning_rate: run.diverged for run in store.find(runs_dir)}
    assert diverged[0.01] is None
    assert f"at step {max(diverged.values(), key=lambda step: step or 0)}" in out
    assert "saved and flagged" in err + out
    assert "NaN" not in out.splitlines()[3]


def test_ctrl_c_before_training_ends_quietly(sweep_here, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(plan, "make", interrupted)
    try:
        code, _, err = sweep_here(*TINY)
    except KeyboardInterrupt:  # which would end the tests
        pytest.fail("it came through with a traceback")
    assert code == 130
    assert err.count("\n") <= 1


def test_invalid_commands_exit_with_code_2_and_one_line(tmp_path):
    wrong = [["--taks=abs"], ["--k=0"], ["words"], ["--eps="]]
    processes = [started(*arguments, cwd=tmp_path) for arguments in wrong]
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out) == (2, "")
        assert re.fullmatch(r"sweep: .+\n", err)
    assert list(tmp_path.iterdir()) == []
