"""Claims: which runs a process is training, so that another one trains others.

A claim is a hidden file beside the runs, created by whichever process comes
first, whose time is renewed every 30 seconds. It lapses when its process is
known to have ended, or after five minutes without renewal by the file system's
clock, on which all machines agree.
"""

import contextlib
import os
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from toymono import files, store
from toymono.job import Job

# Our choices: a machine that is busy or slow to reach misses a few beats.
_BEAT_SECONDS, _LAPSE_SECONDS = 30.0, 300.0


class Claims:
    """The runs that this process has claimed in a folder; within a `with` they are renewed.

    On leaving the block, claims that are left are given up, and lapsed ones of
    processes that ended are removed.
    """

    def __init__(self, runs_dir: str | Path):
        self._folder = Path(runs_dir)
        self._held: set[Path] = set()
        self._over = threading.Event()

    def __enter__(self) -> "Claims":
        self._folder.mkdir(parents=True, exist_ok=True)
        threading.Thread(target=self._renew, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for path in list(self._held):
            self._release(path)
        for path in self._folder.glob(".*.claim"):
            if self._lapsed(path):
                self._remove(path)

    def take(self, job: Job) -> bool:
        """Claims a run; False if another process has.

        Raises:
          OSError: The folder cannot be written.
        """
        path = self._path(job)
        for _ in range(2):
            try:
                descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
            except FileExistsError:
                if not self._lapsed(path):
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

    def release(self, jobs: Sequence[Job]) -> None:
        """Gives claims up, after the runs were stored or left unfinished."""
        for job in jobs:
            self._release(self._path(job))

    def _path(self, job: Job) -> Path:
        return self._folder / f".{store.path(self._folder, job).stem}.claim"

    def _release(self, path: Path) -> None:
        self._held.discard(path)
        if _owner(path) in ("", files.owner()):  # not one that lapsed and was taken over
            path.unlink(missing_ok=True)

    def _renew(self) -> None:
        while not self._over.wait(_BEAT_SECONDS):
            for path in list(self._held):
                with contextlib.suppress(OSError):
                    os.utime(path)

    def _lapsed(self, path: Path) -> bool:
        owner = _owner(path)
        if owner is None or files.ended(owner):
            return True
        if owner == files.owner():
            return path not in self._held
        try:
            return self._now() - path.stat().st_mtime > _LAPSE_SECONDS
        except FileNotFoundError:
            return True

    def _now(self) -> float:
        """The file system's time."""
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".clock") as probe:
            return os.stat(probe.name).st_mtime

    def _remove(self, path: Path) -> None:
        """Removes a lapsed claim, unless another process has just taken it over."""
        taken = files.temporary(path)
        with contextlib.suppress(OSError):
            os.rename(path, taken)
            if not self._lapsed(taken):
                os.link(taken, path)
        taken.unlink(missing_ok=True)


def _owner(path: Path) -> str | None:
    """Whose a claim is; empty while it is being written, None if there is none."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return None
    except OSError:
        return ""
