"""Files on disk: complete under their name, or not there."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


class BrokenRun(ValueError):
    """A file in the place of a run is not one, is damaged, or has an unknown format."""


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """A temporary path that is renamed to `path` when the block ends, so nobody reads half a file.

    It lies in the same folder under a hidden name of its own, so that several
    processes may write one path: the last to end wins. File and folder are
    flushed to disk around the rename. If the block raises, what was at `path`
    stays, and nothing is left beside it.

    Example:
      >>> import tempfile
      >>> path = Path(tempfile.mkdtemp()) / "page.md"
      >>> with atomic_write(path) as temporary:
      ...     _ = temporary.write_text("complete")
      ...     path.exists()
      False
      >>> path.read_text()
      'complete'
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    temporary.touch(exist_ok=False)
    # Some writers, such as safetensors 0.8, leave a file that only its owner may read.
    mode = temporary.stat().st_mode
    try:
        yield temporary
        temporary.chmod(mode)
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Has the system write a file or a folder's entries to disk."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
