"""Whether two models use the same weights."""

from toymono.quantities.quantity import Quantity, fraction

QUANTITIES: tuple[Quantity, ...] = tuple(
    fraction(f"{of}_{kind}overlap", f"overlap of masks, {of} weights{words}")
    for of in ("input", "output")
    for kind, words in (
        ("", ""),
        ("aligned_", ", after alignment"),
        ("chance_", ", of independent masks"),
        ("null_", ", of random models after alignment"),
    )
)
