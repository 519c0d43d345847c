"""Locks: which runs a process is training, so that other processes train other runs.

A lock is a hidden file beside the runs, created by the first process and touched
every 30 seconds. It expires when its process is known to have ended, or after five
minutes without a touch by the file system's clock, on which all machines agree.
"""

import contextlib
import os
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from toymono import files
from toymono.job import Job

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
        for path in self._folder.glob(f".*{_SUFFIX}"):
            if self._expired(path):
                self._remove(path)

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
                self._remove(path)
                continue
            self._held.add(path)
            try:
                os.write(descriptor, files.owner().encode())
            finally:
                os.close(descriptor)
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
        if _owner(path) in ("", files.owner()):  # not one that expired and was taken over
            path.unlink(missing_ok=True)

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
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".clock") as probe:
            return os.stat(probe.name).st_mtime

    def _remove(self, path: Path) -> None:
        """Removes an expired lock, unless another process has just acquired it."""
        taken = files.temporary(path)
        with contextlib.suppress(OSError):
            os.rename(path, taken)
            if not self._expired(taken):
                os.link(taken, path)
        taken.unlink(missing_ok=True)


def _owner(path: Path) -> str | None:
    """The process that holds a lock: "" while its file is being written, None if nobody does."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return None
    except OSError:
        return ""
