"""How a command stops: Ctrl-C, SIGTERM and SIGHUP mean the same wherever they come.

While modules are imported, a signal ends the process with one line (`end_at_once`).
While a command runs, it raises `KeyboardInterrupt` (`interrupting`). While a
command trains, the first signal asks the trainer to save and stop (`deferred`).
The module imports the standard library only, for it is the first to be imported.

A signal that was ignored when the process started, such as SIGHUP under nohup,
stays ignored.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

STOPPED = 130
"""Exit code of a command that was stopped."""

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]

# Our choice: cleaning up after an interrupt takes less.
_REPEAT_SECONDS = 1.0

# Our choice: who presses Ctrl-C again after so long does not want to wait for the save.
_PATIENCE_SECONDS = 2.0

_Handler = Callable[[int, Any], None]


def end_at_once() -> None:
    """Until a command's own handling begins, a signal ends the process with one line."""
    _handle(_end)


def _end(signum: int, frame: Any) -> None:
    with contextlib.suppress(OSError):  # a terminal that is gone
        os.write(2, b"toymono: stopped\n")
    os._exit(STOPPED)


def _importing(frame: Any) -> bool:
    """Whether a module is being imported, which an exception may leave half done and unreported."""
    while frame is not None and frame.f_code.co_filename != "<frozen importlib._bootstrap>":
        frame = frame.f_back
    return frame is not None


@contextlib.contextmanager
def interrupting() -> Iterator[None]:
    """Within the block, a signal raises `KeyboardInterrupt`, and again each second.

    Once is not always enough: Python drops an exception that is raised within a
    callback, such as the one that JAX runs on garbage collection. And whatever
    ends the block after a signal leaves it as a `KeyboardInterrupt`. While a module
    is imported, compiled ones would print the exception or make another of it: then
    the process ends at once.
    """
    timers = hasattr(signal, "setitimer")
    came = False

    def interrupt(signum: int, frame: Any) -> None:
        nonlocal came
        if _importing(frame):
            _end(signum, frame)
        came = True
        if timers:
            signal.setitimer(signal.ITIMER_REAL, _REPEAT_SECONDS)
        raise KeyboardInterrupt

    before = _handle(interrupt, *([signal.SIGALRM] if timers else []))
    unraisable = sys.unraisablehook
    sys.unraisablehook = lambda dropped: (
        None if dropped.exc_type is KeyboardInterrupt else unraisable(dropped)
    )
    try:
        yield
    except Exception:
        if came:
            raise KeyboardInterrupt from None
        raise
    finally:
        if timers:
            signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = unraisable
        _restore(before)


@contextlib.contextmanager
def deferred() -> Iterator[Callable[[], bool]]:
    """Within the block, the first signal makes the yielded function return True.

    Later signals have no effect, since a terminal that closes and a machine that shuts
    down send several at once, each of which would end the block before anything is
    saved. Only Ctrl-C, two seconds or more after the first signal, has the effect that it
    had before the block.
    """
    first: float | None = None

    def note(signum: int, frame: Any) -> None:
        nonlocal first
        now = time.monotonic()
        if first is None:
            first = now
        elif signum == signal.SIGINT and now - first > _PATIENCE_SECONDS:
            _restore(before)
            signal.raise_signal(signum)

    before = _handle(note)
    try:
        yield lambda: first is not None
    finally:
        _restore(before)


def _handle(handler: _Handler, *more: signal.Signals) -> dict[signal.Signals, Any]:
    """Sets the handler and returns those before it; other threads than the main one cannot."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    before = {signum: signal.getsignal(signum) for signum in (*_SIGNALS, *more)}
    before = {signum: old for signum, old in before.items() if old is not signal.SIG_IGN}
    for signum in before:
        signal.signal(signum, handler)
    return before


def _restore(before: dict[signal.Signals, Any]) -> None:
    for signum, handler in before.items():
        if handler is not None:  # None stands for one that Python did not set
            signal.signal(signum, handler)
