"""Files and folders that may not be read: the command runs as a user with fewer rights."""

import os

import pytest

from toymono import store

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

NOBODY = 65534


@pytest.fixture
def folder(tmp_path, untrained):
    """A folder that others may enter, with two runs in `runs`."""
    for seed in (0, 1):
        store.save(tmp_path / "runs", untrained(seed=seed)).chmod(0o644)
    for path in (tmp_path, tmp_path / "runs"):
        path.chmod(0o755)
    return tmp_path


def test_a_file_that_may_not_be_read_is_named_with_the_reason(commands, folder):
    closed, _ = sorted((folder / "runs").iterdir())
    closed.chmod(0)
    done = commands.run("store", "check", cwd=folder, user=NOBODY)
    assert done.code == 1, done.err
    assert done.out == (
        f"runs/{closed.name} cannot be read as a run: Permission denied\n2 files, 1 unreadable\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        ["store", "check"],
        ["plots"],
        ["papers", "--papers=wright2022", "--docs_dir=docs"],
        ["zoo", "--update"],
    ],
)
def test_a_folder_that_may_not_be_read_is_named(commands, folder, line):
    (folder / "runs").chmod(0)
    done = commands.run(*line, cwd=folder, user=NOBODY)
    assert (done.code, done.err) == (1, f"{line[0]}: runs: Permission denied\n")
