"""The flags --runs_dir and --where: which stored runs a command shows.

It imports no JAX, so that help is immediate.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from absl import flags

from toymono import cli
from toymono.autoencoders.fields import AUTOENCODER
from toymono.classifiers.fields import CLASSIFIER
from toymono.fields import SEED, TOY, Field

if TYPE_CHECKING:
    from toymono.store import StoredRun

FIRST_SWEEP = "python -m toymono.sweep --task decoder --k 512 --init_bias -1"
"""What messages propose where there are no runs."""

WHERE = flags.DEFINE_list(
    "where",
    [],
    "Use only runs with field=value, a comma-separated list; repeat a field to allow several "
    "values.",
)
flags.disclaim_key_flags()  # they belong to the commands that declare them


def stored_runs() -> "list[StoredRun]":
    """The stored runs that --where selects, in the order of their fields.

    Raises:
      UsageError: --where is not of its form, or there are no such runs.
    """
    from toymono import store

    if WHERE.present and not WHERE.value:
        raise cli.UsageError("--where is empty; it takes field=value, a comma list")
    kinds = {"toy": TOY, "classifier": CLASSIFIER, "autoencoder": AUTOENCODER}
    tables = {kind: {**table, "seed": SEED} for kind, table in kinds.items()}
    every = {name: field for table in tables.values() for name, field in table.items()}
    pairs = [_pair(text, every) for text in WHERE.value]
    wanted, errors = {}, []
    for kind, table in tables.items():
        if all(name in table for name, _ in pairs):
            try:
                wanted[kind] = _values(pairs, table)
            except ValueError as error:  # a word that another kind of run may have
                errors.append(str(error))
    if not wanted:
        fields = ", ".join(name for name, _ in pairs)
        raise cli.UsageError((errors or [f"no kind of run has all the fields {fields}"])[0])
    try:
        stored = [
            run
            for run in store.every(cli.RUNS_DIR.value)
            if run.kind.name in wanted
            and all(run.fields.get(k) in values for k, values in wanted[run.kind.name].items())
        ]
    except FileNotFoundError:
        raise cli.UsageError(
            f"there is no folder {cli.RUNS_DIR.value!r}; train some runs with: {FIRST_SWEEP}"
        ) from None
    if not stored:
        such = f" with {', '.join(WHERE.value)}" if pairs else ""
        training = f"train some with: {FIRST_SWEEP}"
        raise cli.UsageError(
            f"no matching runs{such} in {cli.RUNS_DIR.value!r}; "
            f"{store.instead(cli.RUNS_DIR.value, training)}"
        )
    return sorted(stored, key=lambda run: tuple(map(str, run.fields.values())))


def one_of(flag: str, name: str, choices: Iterable[str]) -> None:
    """Refuses a name that is not among the choices.

    Raises:
      UsageError: It is not.
    """
    if name not in choices:
        raise cli.UsageError(f"{flag}={name!r} is not one of {', '.join(choices)}")


def _values(pairs: list[tuple[str, str]], table: Mapping[str, Field]) -> dict[str, list]:
    """The values of each field that are wanted, as `StoredRun.fields` has them.

    Raises:
      ValueError: A field cannot have the value.
    """
    from toymono.config import decimal

    wanted: dict[str, list] = {}
    for name, text in pairs:
        value = table[name].parse(text)
        wanted.setdefault(name, []).append(decimal(value) if table[name].type is float else value)
    return wanted


def _pair(text: str, table: Mapping[str, Field]) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise cli.UsageError(f"--where={text!r} is not of the form field=value")
    one_of("where", name, table)
    return name, value
