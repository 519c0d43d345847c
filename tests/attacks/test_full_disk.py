"""Files that do not fit: every command's are whole or not there, and it ends in one line.

Most tests limit the size of a file, so that writing it fails with EFBIG; one fills a disk.
"""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from toymono import files, store, zoo
from toymono.files import atomic_write

ROOT = Path(__file__).parents[2]


def every_file(folder) -> dict[str, bytes]:
    """Contents by path, without the cache of programs, which are no results."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "jax" not in path.parts
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


@pytest.mark.parametrize("kind", ["pdf", "png", "svg"])
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
    lines = (ROOT / "docs" / "papers" / "jermyn2022.md").read_text().splitlines()
    mark = next(line for line in lines if "Written by `python -m toymono.papers" in line)
    page.write_text(f"{lines[0]}\n\n{mark}\n")
    before = every_file(tmp_path)
    line = limited(commands, tmp_path, 2000, "papers", "--papers=jermyn2022")
    assert line == "papers: docs/papers/jermyn2022.md: File too large"
    assert every_file(tmp_path) == before


def test_an_evidence_file_that_does_not_fit_leaves_the_one_before(commands, tmp_path, untrained):
    """Rows in another order are sorted, so that the file is written though no run is new."""
    store.save(tmp_path / "runs", untrained())
    shutil.copytree(ROOT / "docs" / "evidence", tmp_path / "docs" / "evidence")
    csv = next((tmp_path / "docs" / "evidence").glob("olah2017*.csv"))
    head, *rows = csv.read_text().splitlines()
    csv.write_text("\n".join([head, *reversed(rows)]) + "\n")
    before = every_file(tmp_path)
    line = limited(commands, tmp_path, 500, "papers", "--papers=olah2017")
    assert line == f"papers: docs/evidence/{csv.name}: File too large"
    assert every_file(tmp_path) == before


def test_classifiers_tables_and_figures_that_do_not_fit_are_not_there(commands, tmp_path):
    train = ["classifiers", "--sizes=12", "--epochs=1", "--alpha=0", "--seeds=1", "--nostructure"]
    line = limited(commands, tmp_path, 1000, *train)
    assert line.startswith("classifiers: runs/")
    assert line.endswith(".safetensors: File too large")
    assert every_file(tmp_path) == {}

    line = limited(commands, tmp_path, 6000, *train)
    assert line.startswith("classifiers: figures/")
    assert line.endswith(": File too large")
    before = every_file(tmp_path)
    assert {Path(name).suffix for name in before} == {".safetensors", ".csv"}

    # What is printed is a file here, too, and must be shorter than the limit.
    tables = {name: text for name, text in before.items() if name.endswith(".csv")}
    largest = max(tables, key=lambda name: len(tables[name]))
    line = limited(commands, tmp_path, len(tables[largest]) - 1, *train)
    assert line == f"classifiers: {largest}: File too large"
    assert every_file(tmp_path) == before


def test_a_report_that_does_not_fit_leaves_the_one_before(commands, tmp_path, untrained):
    store.save(tmp_path / "runs", untrained())
    assert commands.run("report", "--detail=0", cwd=tmp_path).code == 0
    before = every_file(tmp_path)
    line = limited(commands, tmp_path, 2000, "report", "--detail=1")
    assert line == "report: report/index.html: File too large"
    assert every_file(tmp_path) == before


def test_a_model_of_the_zoo_that_does_not_fit_leaves_the_one_before(commands, tmp_path, untrained):
    entry = zoo.ZOO["tied"]
    before = entry.path.read_bytes()
    store.save(tmp_path / "runs", untrained(entry.job.config, entry.job.hyperparams))
    line = limited(commands, tmp_path, 4000, "zoo", "--update")
    assert line == f"zoo: {entry.path}: File too large"
    assert entry.path.read_bytes() == before


@pytest.fixture
def small_disk(tmp_path):
    """Mounts a small disk of its own."""
    (folder := tmp_path / "disk").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k,nr_inodes=32", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_what_was_there(commands, tiny, small_disk, untrained):
    """First all but some pages are taken, too few for a run; then all places of files too."""
    whole = store.save(small_disk / "runs", untrained())
    free = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(bytes((free.f_bavail - 5) * free.f_frsize))
    before = every_file(small_disk)
    done = commands.run("sweep", *tiny, "--log2_steps=12", "--seeds=1", cwd=small_disk)
    line = done.err.splitlines()[-1]
    assert (done.code, line.startswith("sweep: runs/")) == (1, True), done.err
    assert line.endswith(".safetensors: No space left on device")
    assert every_file(small_disk) == before

    os.truncate(whole, 100)
    for number in range(os.statvfs(small_disk).f_favail):
        (small_disk / f"empty{number}").touch()
    done = commands.run("store", "check", "--quarantine", cwd=small_disk)
    assert (done.code, done.err) == (1, "store: runs/quarantine: No space left on device\n")
    assert whole.stat().st_size == 100


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
