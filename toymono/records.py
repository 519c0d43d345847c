"""Tables of records: what the package has by name, and how a user adds to it.

    from toymono.models import NONLINEARITIES, Nonlinearity
    NONLINEARITIES.register(Nonlinearity(jax.nn.silu), "silu", "x sigmoid(x)")
    Config(nonlinearity="silu")

A record is registered in the running process only. A file of a run names its
records, so load such a file after registering the same ones.
"""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar, cast

from toymono.fields.field import Field

Record = TypeVar("Record")


class Records(dict[str, Record], Generic[Record]):
    """Records of one kind by their names; built-in ones cannot be replaced.

    Example:
      >>> table = Records("colour", {"red": 1})
      >>> table.register(2, "green")
      >>> sorted(table)
      ['green', 'red']
      >>> table.register(3, "red")
      Traceback (most recent call last):
      ValueError: colour 'red' is built in; choose another name
    """

    def __init__(self, kind: str, records: Mapping[str, Record], field: Field | None = None):
        """Names the kind of record, for messages, and the field whose choices these are."""
        super().__init__(records)
        self.kind = kind
        self._field = field
        self._own: set[str] = set()

    def register(
        self, record: Record, name: str = "", meaning: str = "", replace: bool = False
    ) -> None:
        """Adds a record, so that configurations, frames or figures can name it.

        Args:
          record: As those of the table.
          name: Lower-case letters, digits and underscores; the record's own name if it has one.
          meaning: What it is, in a few words; help and error messages show it.
          replace: Whether to replace a record that was registered before, as when a
            notebook's cell runs again. Compiled programs are discarded.

        Raises:
          ValueError: The name is taken, or is not a name.
        """
        name = name or getattr(record, "name", "")
        if not (name.isidentifier() and name == name.lower()):
            raise ValueError(
                f"{self.kind} name {name!r} is not lower-case letters, digits and underscores"
            )
        if name in self and name not in self._own:
            raise ValueError(f"{self.kind} {name!r} is built in; choose another name")
        if name in self and not replace:
            raise ValueError(
                f"{self.kind} {name!r} is registered already; choose another name, or replace=True"
            )
        if name in self:
            self.remove(name)
        self._check(name, record)
        self[name] = record
        self._own.add(name)
        if self._field is not None:
            cast(dict[str, str], self._field.choices)[name] = meaning or name.replace("_", " ")

    def remove(self, name: str) -> None:
        """Removes a registered record and discards compiled programs, which may hold it.

        Raises:
          ValueError: It is not a record that was registered.
        """
        if name not in self._own:
            raise ValueError(f"{self.kind} {name!r} was not registered")
        del self[name]
        self._own.discard(name)
        if self._field is not None:
            del cast(dict[str, str], self._field.choices)[name]
        import jax  # here: modules that print help use this one too

        jax.clear_caches()

    def _check(self, name: str, record: Any) -> None:
        """Raises ValueError if a record cannot have this name."""
