"""What a quantity is, and short forms for making one."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from toymono.fields import Field
from toymono.quantities.formats import (
    count,
    general,
    measured,
    plain,
    power_of_ten,
    probability,
    word,
)


@dataclasses.dataclass(frozen=True)
class Quantity:
    """One measured number, or one field of a run."""

    name: str
    """Its column in frames."""
    label: str
    """What it is called on axes and in tables, in lower case; may hold mathematical text."""
    short: str = ""
    """Words for lines of text with little room; the label if empty."""
    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    format: Callable[[float], str] = measured
    """From a number to mathematical text."""
    none: str = ""
    """What NaN means in a run that did not diverge; empty if it cannot occur."""
    choices: tuple[str, ...] = ()
    """The words that it may take, in order."""
    noun: str = ""
    """Follows a word where it stands alone, as in `equal frequencies`."""

    def __post_init__(self):
        if not self.short:
            object.__setattr__(self, "short", plain(self.label))

    @property
    def axis(self) -> str:
        """The label of an axis or a legend, with the unit."""
        unit = f" ({self.unit})" if self.unit else ""
        starts_small = self.label.startswith(("log", "n-cut", "p "))
        first = self.label[0] if starts_small else self.label[0].upper()
        return first + self.label[1:] + unit

    def math(self, value: Any) -> str:
        """A value for figures, in mathematical text.

        Example:
          >>> from toymono.quantities import QUANTITIES
          >>> QUANTITIES["l1"].math(1e-5), QUANTITIES["init_bias"].math(-0.5)
          ('10$^{-5}$', '−0.5')
        """
        return word(value) if isinstance(value, str | tuple) else self.format(float(value))

    def text(self, value: Any) -> str:
        """A value for terminals and Markdown, without mathematical text.

        Example:
          >>> from toymono.quantities import QUANTITIES
          >>> QUANTITIES["l1"].text(1e-6), QUANTITIES["eps"].text(2**-3.5)
          ('10^-6', '2^-3.5')
        """
        return plain(self.math(value))

    def setting(self, value: Any) -> str:
        """The quantity with its value, as short as can be understood, for figures.

        Example:
          >>> from toymono.quantities import QUANTITIES
          >>> QUANTITIES["optimizer"].setting("adam"), QUANTITIES["k"].setting(512).split()
          ('optimizer = adam', ['k', '=', '512'])
        """
        if isinstance(value, str):
            return f"{word(value)} {self.noun}" if self.noun else f"{self.short} = {word(value)}"
        if self.name == "log2_steps":
            words = f"2$^{{{value}}}$ steps"
        else:
            words = f"{self.short} = {self.math(value)}"
        return words.replace(" ", "\N{NO-BREAK SPACE}")


def unbroken(words: str) -> str:
    """Words that stay on one line of an axis."""
    return words.replace(" ", "\N{NO-BREAK SPACE}")


_FORMATS = {"eps": probability, "l1": power_of_ten}
_NOUNS = {"feature_law": "frequencies", "penalty": "penalty", "schedule": "schedule"}


def of_field(field: Field) -> Quantity:
    """The quantity that a field of a run is."""
    return Quantity(
        field.name,
        field.label,
        field.symbol or plain(field.label),
        low=field.low,
        high=field.high,
        format=_FORMATS.get(field.name, general),
        choices=tuple(field.choices),
        noun=_NOUNS.get(field.name, ""),
    )


def number(name: str, label: str, short: str = "", *, low: float = 0.0, **more: Any) -> Quantity:
    """A number that is not negative."""
    return Quantity(name, label, short, low=low, **more)


def signed(name: str, label: str, short: str = "", **more: Any) -> Quantity:
    """A number of either sign."""
    return Quantity(name, label, short, **more)


def fraction(name: str, label: str, short: str = "", **more: Any) -> Quantity:
    """A number in [0, 1]."""
    return Quantity(name, label, short, low=0.0, high=1.0, **more)


def count_of(name: str, label: str, short: str = "", **more: Any) -> Quantity:
    """A whole number of things."""
    return Quantity(name, label, short, low=0.0, format=count, **more)
