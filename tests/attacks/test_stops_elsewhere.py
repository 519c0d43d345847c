"""Real signals to the other commands: classifiers, autoencoders, figures and pages."""

import shutil
import signal
from pathlib import Path

import pytest
from stored_runs import assert_same_runs

from toymono import store

EVIDENCE = Path(__file__).parents[2] / "docs" / "evidence"

TRAINED = {
    "classifiers": ["--sizes=6", "--epochs=60", "--alpha=0", "--nostructure"],
    "autoencoders": ["--sizes=8", "--patch=4", "--steps=10000", "--batch_size=8"],
}


def until_trained(commands, arguments, folder):
    """Trains the runs; what the command draws of them is not waited for."""
    command = commands.start(*arguments, f"--runs_dir={folder}")
    command.until(lambda: len(list(folder.glob("*.safetensors"))) == 2 or command.code is not None)
    command.until(lambda: not list(folder.glob("*.partial")))
    command.send(signal.SIGKILL)
    command.wait()
    assert command.code in (0, -signal.SIGKILL), command.err


@pytest.fixture(scope="module", params=TRAINED)
def trained(request, commands, tmp_path_factory):
    """A command that trains two runs, and the folder of an undisturbed one."""
    arguments = [request.param, *TRAINED[request.param], "--seeds=2", "--save_every=1000"]
    folder = tmp_path_factory.mktemp(request.param)
    until_trained(commands, arguments, folder)
    return arguments, folder


@pytest.mark.parametrize(
    "signum",
    [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)],
    ids=lambda signum: signum.name,
)
def test_other_kinds_save_and_continue(commands, trained, tmp_path, signum):
    arguments, whole = trained
    command = commands.start(*arguments, f"--runs_dir={tmp_path}")
    command.stop(signum)
    steps = [store.partial_step(tmp_path, run) for run in store.every(whole)]
    assert len(steps) == 2
    assert min(steps) > 0
    until_trained(commands, arguments, tmp_path)
    assert_same_runs(tmp_path, whole)


@pytest.mark.parametrize(
    ("name", "first", "signum"),
    [
        ("plots", "figures/*.pdf", signal.SIGINT),
        ("papers", "docs/papers/*.md", signal.SIGTERM),
    ],
    ids=["plots", "papers"],
)
def test_figures_and_pages_end_quietly(commands, tmp_path, untrained, name, first, signum):
    """As soon as the first of them is there."""
    store.save(tmp_path / "runs", untrained())
    shutil.copytree(EVIDENCE, tmp_path / "docs" / "evidence")
    command = commands.start(name, cwd=tmp_path)
    command.until(lambda: any(tmp_path.glob(first)))
    command.send(signum)
    command.wait()
    assert command.code == 130, (command.out, command.err)
    assert command.err.splitlines()[-1] == f"{name}: stopped"
    assert "Traceback" not in command.err
    assert not [path for path in tmp_path.rglob(".*.tmp") if path.is_file()]
