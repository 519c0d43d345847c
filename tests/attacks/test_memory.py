"""Too little memory: the command ends in one line that says so."""

import math
import os

import pytest

from toymono.papers import evidence
from toymono.papers.olah2017.paper import PAPER
from toymono.sweep import progress

# XLA's threads alone take some GB of addresses, and it aborts where it gets none.
HEADROOM = 2**32


def test_memory_that_the_system_refuses_ends_in_one_line(commands, tmp_path):
    """An evidence file of 32 GB, sparse, which is read whole; the command has no --dry_run."""
    [source, *_] = PAPER.sources(PAPER.scales[0])
    csv = tmp_path / "docs" / "evidence" / f"{source.name}.csv"
    evidence.write(csv, [], source)
    os.truncate(csv, 2**35)
    done = commands.run("papers", f"--papers={PAPER.name}", cwd=tmp_path, memory=HEADROOM)
    assert (done.code, done.err) == (1, "papers: out of memory: no more is free\n")


def test_a_group_that_needs_more_than_the_process_may_take_is_refused(commands, tiny, tmp_path):
    large = ["sweep", *tiny, "--k=16777216", "--seeds=1"]
    done = commands.run(*large, cwd=tmp_path, memory=HEADROOM)
    assert (done.code, done.err.count("\n")) == (1, 1), done.err
    assert done.err.startswith("sweep: out of memory: a group needs ")
    assert done.err.endswith(" are free\n")


def test_an_array_that_jax_cannot_allocate_ends_in_one_line(commands, tiny, tmp_path):
    """The embedding, which the estimate does not count."""
    large = ["sweep", *tiny, "--n=65536", "--m=16384", "--seeds=1"]
    done = commands.run(*large, cwd=tmp_path, memory=HEADROOM)
    line = done.err.splitlines()[-1]
    assert (done.code, line.startswith("sweep: out of memory: ")) == (1, True), done.err
    assert line.endswith("; --dry_run says what training needs")
    assert "Traceback" not in done.err


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
def test_the_limit_of_a_control_group_counts(tmp_path, name):
    (tmp_path / "memory").mkdir()
    free = progress._free_memory(tmp_path)
    assert 0 < free < math.inf
    (tmp_path / name).write_text("max\n")
    assert progress._free_memory(tmp_path) > 4096
    (tmp_path / name).write_text("4096\n")
    assert progress._free_memory(tmp_path) == 4096
