"""What the command lines share: flags read by absl, errors in one line.

Exit codes: 0 done, 1 something failed while running, 2 the command was wrong,
130 stopped by Ctrl-C.
"""

import difflib
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
from absl import app, flags, logging

from toymono import catalog
from toymono.store import BrokenRun

RUNS_DIR = flags.DEFINE_string("runs_dir", "runs", "Folder that keeps the runs.")


def scale_flag() -> flags.FlagHolder[str]:
    """The flag --scale, for commands that know the paper's sweeps; a process may import several."""
    meaning = "Size of the paper's sweeps: the paper's own, or one for two CPU cores."
    return flags.DEFINE_enum("scale", "small", catalog.SCALES, meaning, allow_override=True)


class UsageError(ValueError):
    """The command asks for something that cannot be; the message is one line."""


class Failure(RuntimeError):
    """Something failed while the command ran; the message is one line."""


def run(main: Callable[[], int | None]) -> None:
    """Reads the flags and runs `main`; its `UsageError` and every wrong flag
    end with code 2, its `Failure` with code 1.
    """
    logging.set_verbosity(logging.WARNING)  # or absl passes on JAX's talk of absent devices
    if jax.config.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", str(_compilation_cache()))
    # Scores tell 0 from nearly 0: no fast products, which are the default on a GPU or TPU.
    jax.config.update("jax_default_matmul_precision", "float32")
    app.run(lambda argv: _guarded(main), flags_parser=_parse)


def _compilation_cache() -> Path:
    """Where compiled programs stay between runs; one folder per host, whose processor they suit."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "toymono" / platform.node()


def _parse(argv: Sequence[str]) -> list[str]:
    try:
        rest = flags.FLAGS(argv)
    except flags.UnrecognizedFlagError as error:
        known = [flag.name for flag in flags.FLAGS.get_key_flags_for_module(argv[0])]
        near = difflib.get_close_matches(error.flagname, known)
        _fail(2, f"unknown flag --{error.flagname}; one of: --{', --'.join(near or known)}")
    except flags.Error as error:
        _fail(2, str(error))
    except SystemExit:  # absl has printed the help, and calls that a failure
        sys.exit(0)
    if len(rest) > 1:
        _fail(2, f"stray words: {' '.join(rest[1:])}; every setting is a flag, see --help")
    return rest


def _guarded(main: Callable[[], int | None]) -> None:
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        _fail(130, "stopped")
    except UsageError as error:
        _fail(2, str(error))
    except (Failure, BrokenRun) as error:
        _fail(1, str(error))
    except OSError as error:
        _fail(1, f"{error.filename}: {error.strerror}" if error.filename else str(error))


def _fail(code: int, message: str) -> None:
    program = Path(sys.argv[0])
    name = program.parent.name if program.stem == "__main__" else program.stem
    print(f"{name}: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)


def counted(number: int, noun: str) -> str:
    """The number with its noun: `1 run`, `2 runs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def writable(folder: str) -> Path:
    """The folder, made if need be.

    Raises:
      UsageError: It cannot be made or written.
    """
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return Path(folder)
    except OSError as error:
        raise UsageError(f"{folder!r} cannot be written: {error.strerror}") from error
