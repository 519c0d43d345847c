"""Locks: which runs a process is training, so that other processes train other runs.

A lock is a hidden file beside the runs, created by the first process and touched
every 30 seconds. It expires when its process is known to have ended, or after five
minutes without a touch by the file system's clock, on which all machines agree.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from toymono import files
from toymono.job import Job

try:
    import fcntl
except ImportError:  # Windows
    fcntl: Any = None

# Our choices: a machine that is busy or slow to reach misses a few beats.
_BEAT_SECONDS, _EXPIRY_SECONDS = 30.0, 300.0

_SUFFIX = ".claim"  # of earlier versions too, which may train in the same folder


class Locks:
    """The locks that this process holds in a folder; within a `with` they are touched.

    On leaving the block, all of them are released, and expired locks of processes
    that ended are removed.
    """

    def __init__(self, runs_dir: str | Path):
        self._folder = Path(runs_dir)
        self._held: set[Path] = set()
        self._over = threading.Event()

    def __enter__(self) -> "Locks":
        self._folder.mkdir(parents=True, exist_ok=True)
        threading.Thread(target=self._touch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for path in list(self._held):
            self._release(path)
        with contextlib.suppress(OSError):  # of a full disk, on which no clock can be read
            for path in self._folder.glob(f".*{_SUFFIX}"):
                if self._expired(path):
                    _remove_if(self._expired, path)

    def acquire(self, job: Job) -> bool:
        """Locks a run; False if another process holds its lock.

        Raises:
          OSError: The folder cannot be written.
        """
        path = self._path(job.name)
        for _ in range(2):
            try:
                descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
            except FileExistsError:
                if not self._expired(path):
                    return False
                _remove_if(self._expired, path)
                continue
            self._held.add(path)
            try:
                with os.fdopen(descriptor, "w") as file:
                    file.write(files.owner())
            except OSError as error:  # such as a full disk
                self._held.discard(path)
                path.unlink(missing_ok=True)
                raise OSError(error.errno, error.strerror, str(path)) from error
            return True
        return False

    def is_held(self, name: str) -> bool:
        """Whether a process, this one included, holds the lock of the run of that name."""
        return not self._expired(self._path(name))

    def release(self, jobs: Sequence[Job]) -> None:
        """Releases locks, after the runs were stored or left unfinished."""
        for job in jobs:
            self._release(self._path(job.name))

    def _path(self, name: str) -> Path:
        return self._folder / f".{name}{_SUFFIX}"

    def _release(self, path: Path) -> None:
        self._held.discard(path)
        # Not one that expired and was taken over.
        _remove_if(lambda path: _owner(path) in ("", files.owner()), path)

    def _touch(self) -> None:
        while not self._over.wait(_BEAT_SECONDS):
            for path in list(self._held):
                with contextlib.suppress(OSError):
                    os.utime(path)

    def _expired(self, path: Path) -> bool:
        owner = _owner(path)
        if owner is None or files.ended(owner):
            return True
        if owner == files.owner():
            return path not in self._held
        try:
            return self._now() - path.stat().st_mtime > _EXPIRY_SECONDS
        except FileNotFoundError:
            return True

    def _now(self) -> float:
        """The file system's time."""
        probe = files.temporary(self._folder / "clock")
        try:
            probe.touch(exist_ok=False)
            return probe.stat().st_mtime
        finally:
            probe.unlink(missing_ok=True)


def _remove_if(condition: Callable[[Path], bool], path: Path) -> None:
    """Removes a lock if the condition holds, one process at a time.

    Otherwise two processes might find the same lock expired, and the slower of them
    remove the one that the faster has acquired since. The system releases `flock` when a
    process is killed. If another process is at it, nothing happens.
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDWR if os.access(path, os.W_OK) else os.O_RDONLY)
        try:
            _flock(descriptor)
            # The file that is open here may have been removed, and another have its name.
            if os.path.samestat(os.fstat(descriptor), path.stat()) and condition(path):
                path.unlink()
        finally:
            os.close(descriptor)


def _flock(descriptor: int) -> None:
    """Raises BlockingIOError if another process has it; file systems without it are accepted."""
    if fcntl is None:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        pass


def _owner(path: Path) -> str | None:
    """The process that holds a lock: "" while its file is being written, None if nobody does."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return None
    except OSError:
        return ""
