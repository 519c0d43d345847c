"""What feature visualisation measures."""

from toymono.quantities.quantity import Quantity

QUANTITIES: tuple[Quantity, ...] = ()

INDEX_COLUMNS: dict[str, str] = {}
