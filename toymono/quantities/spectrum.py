"""What the coding-theory lens measures."""

from toymono.quantities.quantity import Quantity

QUANTITIES: tuple[Quantity, ...] = ()

INDEX_COLUMNS: dict[str, str] = {}
