"""Files are whole under their name, or not there."""

import pytest

from toymono import store
from toymono.files import atomic_write


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_block_that_raises_leaves_what_was(tmp_path):
    def fill_the_disk(path):
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise OSError("full")

    path = tmp_path / "page.md"
    for before in ([], ["page.md"]):
        with pytest.raises(OSError, match="full"):
            fill_the_disk(path)
        assert names(tmp_path) == before
        path.write_text("whole")
    assert path.read_text() == "whole"


def test_two_may_write_one_path_and_the_last_to_end_has_it(tmp_path):
    path = tmp_path / "page.md"
    with atomic_write(path) as first:
        first.write_text("first")
        with atomic_write(path) as second:
            second.write_text("second, and longer")
        assert path.read_text() == "second, and longer"
    assert path.read_text() == "first"
    assert names(tmp_path) == ["page.md"]


def test_a_file_may_be_read_by_those_who_may_read_any(tmp_path, untrained):
    (plain := tmp_path / "plain").touch()
    with atomic_write(tmp_path / "page.md") as temporary:
        temporary.write_text("whole")
    run = store.save(tmp_path, untrained())
    assert {path.stat().st_mode for path in (tmp_path / "page.md", run)} == {plain.stat().st_mode}


def test_what_a_killed_process_leaves_is_taken_for_no_run(tmp_path):
    with atomic_write(tmp_path / "0123456789abcdef.safetensors") as temporary:
        temporary.write_bytes(b"half")
        [left] = tmp_path.iterdir()
        assert left.name.startswith(".")
        assert store.find(tmp_path) == []
