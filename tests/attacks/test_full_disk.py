"""Real limits on the size of a file: every command's files are whole or not there, in one line."""

import os
import shutil
import time
from pathlib import Path

import pytest

from toymono import files, store
from toymono.files import atomic_write

ROOT = Path(__file__).parents[2]


def every_file(folder) -> dict[str, bytes]:
    """Contents by path; caches of programs and analyses, which are no results, apart."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {".cache", "jax"} & set(path.parts)
    }


def limited(commands, folder, fsize, *arguments):
    """Runs a command with a limit; the line with which it ends."""
    done = commands.run(*arguments, fsize=fsize, cwd=folder)
    assert done.code == 1, (done.out, done.err)
    assert "Traceback" not in done.err
    return done.err.splitlines()[-1]


def test_a_run_that_does_not_fit_is_not_there(commands, tiny, tmp_path, untrained):
    whole = store.save(tmp_path / "runs", untrained())
    before = every_file(tmp_path)
    line = limited(commands, tmp_path, 4000, "sweep", *tiny, "--log2_steps=12", "--seeds=2")
    assert line.startswith("sweep: runs/")
    assert line.endswith(".safetensors: File too large")
    assert every_file(tmp_path) == before
    assert store.load(whole).seed == 0


@pytest.mark.parametrize("kind", ["pdf", "png"])
def test_a_figure_that_does_not_fit_leaves_the_one_before(commands, tmp_path, untrained, kind):
    store.save(tmp_path / "runs", untrained())
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / f"sorted_biases.{kind}").write_text("the one before")
    before = every_file(tmp_path)
    draw = ["plots", "--figure=sorted_biases", f"--format={kind}"]
    line = limited(commands, tmp_path, 2000, *draw)
    assert line == f"plots: figures/sorted_biases.{kind}: File too large"
    assert every_file(tmp_path) == before


def test_a_page_that_does_not_fit_leaves_the_one_before(commands, tmp_path):
    shutil.copytree(ROOT / "docs" / "evidence", tmp_path / "docs" / "evidence")
    (page := tmp_path / "docs" / "papers" / "jermyn2022.md").parent.mkdir()
    page.write_text((ROOT / "docs" / "papers" / "jermyn2022.md").read_text().splitlines()[0])
    before = every_file(tmp_path)
    line = limited(commands, tmp_path, 2000, "papers", "--papers=jermyn2022")
    assert line == "papers: docs/papers/jermyn2022.md: File too large"
    assert every_file(tmp_path) == before


def test_a_classifiers_figure_that_does_not_fit_is_not_there(commands, tmp_path):
    flags = ["--sizes=12", "--epochs=1", "--alpha=0", "--seeds=1", "--nostructure"]
    line = limited(commands, tmp_path, 6000, "classifiers", *flags)
    assert line.endswith(": File too large")
    assert {Path(name).suffix for name in every_file(tmp_path)} == {".safetensors", ".csv"}


def test_an_autoencoder_that_does_not_fit_is_not_there(commands, tmp_path):
    flags = ["--sizes=8", "--patch=4", "--steps=20", "--batch_size=8", "--seeds=1"]
    line = limited(commands, tmp_path, 500, "autoencoders", *flags)
    assert line.endswith(".safetensors: File too large")
    assert every_file(tmp_path) == {}


def test_an_export_that_does_not_fit_is_not_there(commands, tmp_path, untrained):
    run = store.save(tmp_path / "runs", untrained())
    before = every_file(tmp_path)
    export = ["torch_io", "export", str(run), "--out=model.safetensors"]
    line = limited(commands, tmp_path, 500, *export)
    assert line == "torch_io: model.safetensors: File too large"
    line = limited(commands, tmp_path, 500, *export[:-1], "--out=features", "--saelens")
    assert line.endswith(".safetensors: File too large")
    assert every_file(tmp_path) == before


# What a kill leaves.


def left_by(folder, owner, age) -> Path:
    path = folder / f".page.md.{owner}.0123abcd.tmp"
    path.touch()
    then = time.time() - age
    os.utime(path, (then, then))
    return path


@pytest.mark.parametrize(
    ("owner", "age", "stays"),
    [
        ("ended", 7200, False),
        ("ended", 1800, True),
        ("ours", 7200, True),
        ("elsewhere", 7200, True),
        ("elsewhere", 172800, False),
    ],
)
def test_temporary_files_of_ended_processes_are_removed_after_an_hour(tmp_path, owner, age, stays):
    machine = files._machine()
    owners = {"ended": f"{machine}-{2**22 + 1}-7", "ours": files.owner(), "elsewhere": "other-1-2"}
    left = left_by(tmp_path, owners[owner], age)
    (mine := tmp_path / ".page.md.0123abcd.tmp").touch()  # not of our making
    os.utime(mine, (0, 0))
    with atomic_write(tmp_path / "page.md") as temporary:
        temporary.write_text("whole")
    assert left.exists() == stays
    assert mine.exists()


def test_a_process_has_ended_when_its_number_is_anothers():
    machine, number, start = files.owner().rsplit("-", 2)
    assert not files.ended(files.owner())
    assert files.ended(f"{machine}-{number}-{int(start) + 1}")
    assert not files.ended(f"elsewhere-{number}-{int(start) + 1}")
    assert not files.ended("")
