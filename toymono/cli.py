"""What the command lines share: flags made from fields, errors in one line, exit codes.

Exit codes: 0 done, 1 something failed while running, 2 the command was wrong,
130 stopped by Ctrl-C, SIGTERM or SIGHUP. The module imports no JAX, so that help
and wrong flags are answered at once.
"""

import contextlib
import difflib
import functools
import io
import itertools
import os
import platform
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import app, flags, logging

from toymono import signals, usage
from toymono.fields import SEED, Field
from toymono.files import BrokenRun, cache_folder

RUNS_DIR = flags.DEFINE_string("runs_dir", "runs", "Folder of the runs.")
FIRST_SWEEP = "train some runs with: python -m toymono.sweep --task decoder --k 512 --init_bias -1"
"""What a command without runs says to do next."""
flags.disclaim_key_flags()  # those defined below belong to the command that asks for them


class UsageError(ValueError):
    """The command asks for something impossible; the message is one line."""


class Failure(RuntimeError):
    """Something failed while the command ran; the message is one line."""


def run(main: Callable[..., int | None], operands: bool = False) -> None:
    """Parses the flags and runs `main`.

    Its `UsageError` and every wrong flag end with code 2, its `Failure` with code 1.

    Args:
      main: The command.
      operands: Whether it takes arguments that are not flags; `main` is called with these.
    """
    logging.set_verbosity(logging.WARNING)  # or absl passes on JAX's search for devices
    warnings.showwarning = _show_warning
    _SHOWN.clear()
    for stream in (sys.stdout, sys.stderr):  # a locale may lack the letters of a name
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(OSError):  # a terminal that has closed
                stream.reconfigure(errors="backslashreplace")
    try:
        words = main.__globals__["__doc__"] or ""
        app.run(
            lambda argv: _guarded(functools.partial(main, *argv[1:])),
            flags_parser=functools.partial(_parse, operands=operands, words=words),
        )
    except BrokenPipeError:  # the reader of our output has closed it, as `head` does
        _discard_output()
        sys.exit(1)


class _FieldList(flags.ArgumentParser):
    """Parses a comma list of values of one field."""

    def __init__(self, field: Field):
        super().__init__()
        self.field = field
        noun = {str: "words", int: "whole numbers", float: "numbers", tuple: "widths"}[field.type]
        self.syntactic_help = f"a comma list of {noun}"

    def parse(self, argument: str | list) -> list:
        if isinstance(argument, list):
            return argument
        items = [item.strip() for item in argument.split(",")]
        if not all(items):
            raise ValueError(f"an empty item in {argument!r}")
        return [self.field.parse(item) for item in items]

    def flag_type(self) -> str:
        return self.syntactic_help


def define_fields(table: Mapping[str, Field]) -> None:
    """Defines a flag for each field; every one takes a comma list."""
    for name, field in table.items():
        words = [f"{word}: {meaning}" for word, meaning in field.choices.items()]
        text = f"{field.description} {'; '.join(words) + '.' if words else ''}".strip()
        flags.DEFINE(_FieldList(field), name, None, text)


def given(table: Mapping[str, Field]) -> dict[str, list[Any]]:
    """The values of the fields whose flags were given."""
    present = {name: flags.FLAGS[name] for name in table if flags.FLAGS[name].present}
    return {name: list(flag.value or ()) for name, flag in present.items()}


def refuse_unused(
    table: Mapping[str, Field], given: Mapping[str, Sequence[Any]], runs: Sequence[Mapping]
) -> None:
    """Different values of a field without effect would all mean the same run.

    Args:
      table: The fields that flags were made from.
      given: From `given`.
      runs: The fields of each run requested.

    Raises:
      UsageError: A field was given a value that has no effect in any of the runs.
    """
    for name, field in table.items():
        changed = set(given.get(name, ())) - {field.default}
        if not changed or any(field.matters(values) for values in runs):
            continue
        for condition, effect in ((field.only, "an effect only"), (field.unless, "no effect")):
            if condition:
                other, *words = condition
                having = " or ".join(map(str, words))
                raise UsageError(f"--{name} has {effect} with {other}={having}; use --{other}")


def count_or_auto(name: str, default: str, text: str) -> flags.FlagHolder[int | None]:
    """A flag that takes a positive whole number, or `auto`, which is None."""
    return flags.DEFINE(_Count(), name, default, text)


def seeds(default: int) -> Callable[[], range]:
    """Defines the flags --seeds and --seed; the function that it returns reads them.

    That function raises `UsageError` if there are not so many seeds.
    """
    count = flags.DEFINE_integer(
        "seeds", default, "Runs of each setting, with consecutive seeds.", 1, 2**20
    )
    first = flags.DEFINE_integer("seed", 0, "The first seed.", 0, int(SEED.high))

    def chosen() -> range:
        if first.value + count.value - 1 > SEED.high:
            raise UsageError(f"seed={first.value} leaves no room for {count.value} seeds")
        return range(first.value, first.value + count.value)

    return chosen


def save_every() -> flags.FlagHolder[float | None]:
    """The flag that says how often a command saves unfinished runs; None is `auto`."""
    return flags.DEFINE(
        _Seconds(),
        "save_every",
        "auto",
        "Seconds of training after which unfinished runs are saved, or auto: after a minute, and "
        "later where saving would take more than 1 % of the time.",
    )


class _Seconds(flags.ArgumentParser):
    syntactic_help = "a number of seconds above 0, or auto"

    def parse(self, argument: str) -> float | None:
        if argument == "auto":
            return None
        try:
            seconds = float(argument)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds <= 1e9:
            raise ValueError(f"not {self.syntactic_help}")
        return seconds


class _Count(flags.ArgumentParser):
    syntactic_help = "a whole number of at least 1, or auto"

    def parse(self, argument: str) -> int | None:
        if argument == "auto":
            return None
        if not argument.isdecimal() or not 1 <= int(argument) <= 2**20:
            raise ValueError(f"not {self.syntactic_help}")
        return int(argument)


def prepare_jax() -> None:
    """Sets JAX up for a command: compiled programs are cached, products are float32."""
    import jax  # here, since help needs none of it

    if getattr(jax.config, "jax_compilation_cache_dir", None) is None:
        jax.config.update("jax_compilation_cache_dir", str(_compilation_cache()))
    # Scores tell 0 from nearly 0: no reduced precision, the default on a GPU or TPU.
    jax.config.update("jax_default_matmul_precision", "float32")


def _compilation_cache() -> Path:
    """Where compiled programs stay between runs; one folder per host, whose processor they suit."""
    return cache_folder() / platform.node()


_HELP = {"--help", "-help", "-h", "-?", "--helpshort", "-helpshort"}
_WHOLE_HELP = {"--helpfull", "-helpfull"}

_FOLDERS = {"runs_dir", "figures_dir", "docs_dir", "data_dir"}


def _parse(argv: Sequence[str], operands: bool, words: str) -> list[str]:
    """The arguments that are not flags; `words` are the command's, for its help."""
    if (_HELP | _WHOLE_HELP) & set(argv[1:]):
        print(usage.help_text(words, argv[0], bool(_WHOLE_HELP & set(argv[1:]))))
        sys.exit(0)
    try:
        rest = flags.FLAGS(argv)
    except flags.UnrecognizedFlagError as error:
        known = [flag.name for flag in flags.FLAGS.get_key_flags_for_module(argv[0])]
        near = difflib.get_close_matches(error.flagname, known)
        _fail(2, f"unknown flag --{error.flagname}; one of: --{', --'.join(near or known)}")
    except (flags.Error, ValueError) as error:  # ValueError: --noFLAG=VALUE
        _fail(2, str(error))
    except SystemExit:  # absl has printed the help, and calls that a failure
        sys.exit(0)
    for name in _FOLDERS & set(flags.FLAGS):
        if flags.FLAGS[name].present:
            folder = str(flags.FLAGS[name].value)
            if not folder:
                _fail(2, f"--{name} is empty; it takes a folder")
            if os.path.exists(folder) and not os.path.isdir(folder):
                _fail(2, f"--{name}={folder!r} is not a folder")
    if len(rest) > 1 and not operands:
        _fail(2, f"unexpected arguments: {' '.join(rest[1:])}; every setting is a flag, see --help")
    return rest


def _guarded(main: Callable[[], int | None]) -> None:
    try:
        with signals.interrupting():
            sys.exit(main())
    except KeyboardInterrupt:
        _fail(signals.STOPPED, "stopped")
    except UsageError as error:
        _fail(2, str(error))
    except (Failure, BrokenRun) as error:
        _fail(1, str(error))
    except MemoryError as error:
        _fail(1, _out_of_memory(error))
    except RuntimeError as error:  # JAX's, of a device whose memory is full
        if "out of memory" not in str(error).lower():
            raise
        _fail(1, _out_of_memory(error))
    except BrokenPipeError:
        raise
    except OSError as error:
        _fail(1, f"{error.filename}: {error.strerror}" if error.filename else str(error))


def _out_of_memory(error: Exception) -> str:
    hint = "; --dry_run says what training needs" if "dry_run" in flags.FLAGS else ""
    return f"out of memory: {str(error)[:200] or 'no more is free'}{hint}"


def _program() -> str:
    program = Path(sys.argv[0])
    return program.parent.name if program.stem == "__main__" else program.stem


_SHOWN: set[str] = set()
"""Warnings that the command has printed."""


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    text = " ".join(str(message).split())
    if text not in _SHOWN:
        _SHOWN.add(text)
        print(f"{_program()}: {text}", file=sys.stderr)


def _fail(code: int, message: str) -> None:
    with contextlib.suppress(OSError):  # a terminal that is gone
        print(f"{_program()}: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)


def _discard_output() -> None:
    """Sends what is still to be printed nowhere, so that the exit does not fail on it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def stopped(runs_dir: str) -> int:
    """Says that training was stopped and how it continues; the exit code."""
    try:
        print(f"stopped; the same command continues from here. Runs are in {runs_dir}/", flush=True)
    except OSError:  # a terminal that is gone
        _discard_output()
    return signals.STOPPED


_MOST_RUNS = 2**15  # Our choice: to name and look up so many takes about twenty seconds.


def limited(runs: Iterable[Any]) -> list[Any]:
    """The runs requested, as a list.

    Raises:
      UsageError: They are too many for one command.
    """
    listed = list(itertools.islice(runs, _MOST_RUNS + 1))
    if len(listed) > _MOST_RUNS:
        raise UsageError(f"more than {_MOST_RUNS} runs requested; split the sweep")
    return listed


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
