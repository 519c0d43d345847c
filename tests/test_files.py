"""Files are whole under their name, or not there."""

import pytest

from toymono import store
from toymono.files import atomic_write


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_that_does_not_fit_leaves_the_one_before(tmp_path, file_limit):
    def write(path):
        with atomic_write(path) as temporary:
            temporary.write_text("x" * 200)

    path = tmp_path / "page.md"
    for before in ([], ["page.md"]):
        with file_limit(100), pytest.raises(OSError, match="File too large") as caught:
            write(path)
        assert caught.value.filename == str(path)
        assert names(tmp_path) == before
        path.write_text("whole")
    assert path.read_text() == "whole"


def test_concurrent_writers_last_one_wins(tmp_path):
    path = tmp_path / "page.md"
    with atomic_write(path) as first:
        first.write_text("first")
        with atomic_write(path) as second:
            second.write_text("second, and longer")
        assert path.read_text() == "second, and longer"
    assert path.read_text() == "first"
    assert names(tmp_path) == ["page.md"]


def test_files_have_default_permissions(tmp_path, untrained):
    (plain := tmp_path / "plain").touch()
    with atomic_write(tmp_path / "page.md") as temporary:
        temporary.write_text("whole")
    run = store.save(tmp_path, untrained())
    assert {path.stat().st_mode for path in (tmp_path / "page.md", run)} == {plain.stat().st_mode}


def test_leftover_temporary_files_are_not_runs(tmp_path):
    with atomic_write(tmp_path / "0123456789abcdef.safetensors") as temporary:
        temporary.write_bytes(b"half")
        [left] = tmp_path.iterdir()
        assert left.name.startswith(".")
        assert store.find(tmp_path) == []
