"""Files on disk: whole under their name, or not there."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """A place to write to, renamed to `path` when the block ends: nobody reads half a file.

    It is in the same folder under a hidden name of its own, so that several
    processes may write one path: the last to end has it. If the block raises,
    what was at `path` stays, and nothing is left beside it.

    Example:
      >>> import tempfile
      >>> path = Path(tempfile.mkdtemp()) / "page.md"
      >>> with atomic_write(path) as temporary:
      ...     _ = temporary.write_text("whole")
      ...     path.exists()
      False
      >>> path.read_text()
      'whole'
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    temporary.touch(exist_ok=False)
    # Some writers, such as safetensors 0.8, put a file in its place that only its owner may read.
    mode = temporary.stat().st_mode
    try:
        yield temporary
        temporary.chmod(mode)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
