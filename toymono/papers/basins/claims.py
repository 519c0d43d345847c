"""Questions of readers about basins of the loss, as statements that runs can agree with."""

from toymono.papers.basins import measures
from toymono.papers.claims import Claim, table

_ASKED = "asked in the discussion of the post; nobody has measured it"

CLAIMS = table(
    Claim(
        "mono_connected",
        "Two monosemantic models of a world are linearly connected modulo permutation.",
        "Question (a)",
        ("BASIN",),
        _ASKED,
        measures.mono_connected,
        headline="monosemantic models of a world lie in one basin",
    ),
    Claim(
        "poly_apart",
        "Two polysemantic models of a world are not.",
        "Question (a)",
        ("BASIN",),
        _ASKED,
        measures.poly_apart,
        headline="polysemantic models do not lie in one basin",
    ),
    Claim(
        "kinds_apart",
        "Monosemantic and polysemantic models lie in different basins, along the straight line.",
        "Question (a); the authors weakly believe it",
        ("BASIN",),
        "weakly believed (no number)",
        measures.kinds_apart,
        headline="a barrier separates the two kinds",
    ),
    Claim(
        "ordering",
        "Barriers are lowest between monosemantic models, then between polysemantic ones, and "
        "highest between the two kinds.",
        "Our first measurement, in one world",
        ("BASIN",),
        "not asked",
        measures.ordering,
    ),
)
"""In the order of the page."""
