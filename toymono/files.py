"""Files on disk: complete under their name, or not there."""

import contextlib
import errno
import functools
import os
import platform
import re
import secrets
from collections.abc import Iterator
from pathlib import Path


class BrokenRun(ValueError):
    """A file in the place of a run is not one, is damaged, or has an unknown format."""


def cache_folder() -> Path:
    """The user's folder for what can be made again; shared by all projects of the package."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "toymono"


FULL = (errno.ENOSPC, errno.EFBIG, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC))
"""Numbers of the system's errors where a file does not fit."""

# Our choices: no file takes an hour to write; of other machines' processes it is not known
# whether they still run.
_STALE_SECONDS, _STALE_ELSEWHERE_SECONDS = 3600.0, 86400.0


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """A temporary path that is renamed to `path` when the block ends, so nobody reads half a file.

    It lies in the same folder under a hidden name of its own, so that several
    processes may write one path: the last to end wins. File and folder are
    flushed to disk around the rename. If the block raises, what was at `path`
    stays, and nothing is left beside it. What killed processes left in the
    folder is removed after an hour.

    Raises:
      OSError: The file cannot be written; the error names `path`.

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
    working = temporary(path)
    try:
        working.touch(exist_ok=False)
        # Some writers, such as safetensors 0.8, leave a file that only its owner may read.
        status = working.stat()
        _remove_stale(path.parent.absolute(), status.st_mtime)
        yield working
        working.chmod(status.st_mode)
        _flush(working)
        os.replace(working, path)
        _flush(path.parent)
    except Exception as error:
        cause = _of_the_system(error)
        if cause is None or cause.filename not in (None, str(working)):
            raise
        raise OSError(cause.errno, cause.strerror, str(path)) from error
    finally:
        with contextlib.suppress(OSError):
            working.unlink()


def _of_the_system(error: BaseException | None) -> OSError | None:
    """The error of the system behind an error, such as a full disk, if there is one.

    Some writers fail once more while they close the file, with an error of another kind:
    matplotlib's PDF writer with an AttributeError.
    """
    if isinstance(error, OSError):
        return error if error.errno is not None else None
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return error
        error = error.__cause__ or error.__context__
    return None


def temporary(path: Path) -> Path:
    """A hidden name beside `path` that says which process uses it, new with each call."""
    return path.with_name(f".{path.name}.{owner()}.{secrets.token_hex(4)}.tmp")


def owner() -> str:
    """The present process: its machine, number and time of start, in letters, digits and dashes."""
    return f"{_machine()}-{os.getpid()}-{_start(os.getpid()) or 0}"


def ended(owner: str) -> bool:
    """Whether it is certain that a process of `owner` runs no more: one of this machine only."""
    match = re.fullmatch(r"(.+)-(\d+)-(\d+)", owner)
    if match is None or match[1] != _machine():
        return False
    number, started = int(match[2]), int(match[3])
    if not Path("/proc/self/stat").exists():
        return False
    return _start(number) != started


@functools.cache
def _machine() -> str:
    """The present machine since it was started; a container has its own process numbers."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text()[:8])
        parts.append(str(os.stat("/proc/self/ns/pid").st_ino))
    return re.sub(r"[^A-Za-z0-9]+", "-", "-".join(parts))[-60:].strip("-")


def _start(number: int) -> int | None:
    """When a process of this machine started, in clock ticks; None if it has ended."""
    try:
        text = Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    return None if fields[0] in "ZX" else int(fields[19])


_TEMPORARY = re.compile(r"\..+\.([A-Za-z0-9-]+-\d+-\d+)\.[0-9a-f]{8}\.tmp")


_LOOKED_AT: set[Path] = set()
"""Folders from which this process has removed what others left."""


def _remove_stale(folder: Path, now: float) -> None:
    """Removes the temporary files of processes that ended; `now` by the file system's clock."""
    if folder in _LOOKED_AT:
        return
    _LOOKED_AT.add(folder)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _TEMPORARY.fullmatch(entry.name)
            if match is None:
                continue
            here = match[1].startswith(f"{_machine()}-")
            age = now - entry.stat(follow_symlinks=False).st_mtime
            if age > (_STALE_SECONDS if here else _STALE_ELSEWHERE_SECONDS) and (
                ended(match[1]) or not here
            ):
                os.unlink(entry.path)


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
