"""Number formats: from a value to mathematical text, as matplotlib draws it."""

import math
from typing import Any

from toymono import fields


def general(value: float, digits: int = 4) -> str:
    """A number with up to four significant digits, in mathematical text.

    Example:
      >>> general(0.015), general(-1e-5), general(1024)
      ('0.015', '−10$^{-5}$', '1024')
    """
    significand, tens, power = f"{value:.{digits}g}".partition("e")
    significand = significand.replace("-", "−")
    if not tens:
        return significand
    return f"{significand}·10$^{{{int(power)}}}$".replace("−1·", "−").removeprefix("1·")


def probability(value: float) -> str:
    """A probability, as a power of 2 where it is one.

    Example:
      >>> probability(1 / 64), probability(2**-3.5), probability(0.3)
      ('1/64', '2$^{-3.5}$', '0.3')
    """
    if 0 < value < 1:
        log2 = round(math.log2(value), 6)
        if log2.is_integer():
            return f"1/{round(1 / value)}"
        if log2 == round(log2, 1):
            return f"2$^{{{log2}}}$"
    return general(value, 3)


def power_of_ten(value: float) -> str:
    """A weight, as a power of 10 where it is one below 1.

    Example:
      >>> power_of_ten(1e-2), power_of_ten(0.0)
      ('10$^{-2}$', '0')
    """
    if 0 < value < 1:
        log10 = round(math.log10(value), 6)
        if log10.is_integer():
            return f"10$^{{{log10:.0f}}}$"
    return general(value)


def measured(value: float) -> str:
    """A measured number: two decimals, or two significant digits if it is small.

    Example:
      >>> measured(0.6), measured(128), measured(-1.62e-5)
      ('0.60', '128', '−1.6·10$^{-5}$')
    """
    if value == 0 or abs(value) >= 10 or (abs(value) >= 2 and float(value).is_integer()):
        return f"{value:.0f}".replace("-", "−")
    if abs(value) >= 0.1:
        return f"{value:.2f}".replace("-", "−")
    return general(value, 2)


def count(value: float) -> str:
    """A whole number, or the mean of several.

    Example:
      >>> count(1), count(1.5)
      ('1', '1.50')
    """
    return f"{value:.0f}" if float(value).is_integer() else measured(value)


def truth(value: float) -> str:
    """A number that is 1 if something is true."""
    return "yes" if value else "no"


def word(value: Any) -> str:
    """A word of a field, or widths of layers.

    Example:
      >>> word("power_law"), word((256, 256))
      ('power law', '256x2')
    """
    return fields.widths_text(value) if isinstance(value, tuple) else str(value).replace("_", " ")


def plain(text: str) -> str:
    """Text without the signs of mathematical text."""
    text = text.translate(str.maketrans("\N{NO-BREAK SPACE}", " ", "${}"))
    return text.replace("log_2", "log2")
