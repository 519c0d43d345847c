"""What a field is, how its values are read from words and checked, and grids of them."""

import builtins
import dataclasses
import itertools
import math
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_LARGEST = (2 - 2**-23) * 2.0**127  # of float32, in which numbers are stored
_MOST_LAYERS = 100  # Our choice: each layer takes time to compile.


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING = _Missing()
"""Stands for no value, where None could be one."""


@dataclasses.dataclass(frozen=True)
class Field:
    """One setting of a run."""

    name: str
    default: Any
    description: str
    """What it means, in a sentence."""
    type: builtins.type = float
    """`str`, `int`, `float`, or `tuple` for the widths of layers."""
    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    """Whether `low` itself is excluded."""
    high_open: bool = False
    """Whether `high` itself is excluded."""
    choices: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Allowed values and their meanings."""
    label: str = ""
    """Its name on axes and in captions, in lower case; the name itself if empty."""
    symbol: str = ""
    """Its sign in formulas, for captions that have little room."""
    unless: tuple[Any, ...] | None = None
    """A field, then its values for which this field has no effect."""
    only: tuple[Any, ...] | None = None
    """The reverse: a field, then its values for which alone this field has an effect."""
    before: Any = MISSING
    """Value that older runs implicitly had; it is left out of the hash."""
    in_caption: bool = False
    """Whether captions give its value even if it is the default."""

    def __post_init__(self):
        if not self.label:
            object.__setattr__(self, "label", self.name.replace("_", " "))

    def matters(self, values: Mapping[str, Any]) -> bool:
        """Whether the field has an effect in a run with these values of the other fields."""
        if self.only is not None:
            return values[self.only[0]] in self.only[1:]
        return self.unless is None or values[self.unless[0]] not in self.unless[1:]

    def parse(self, text: str) -> Any:
        """Parses a command-line value.

        Raises:
          ValueError: It is not a value of this field.

        Example:
          >>> from toymono.fields import TOY
          >>> TOY["k"].parse("512"), TOY["eps"].parse("0.25"), TOY["task"].parse("abs")
          (512, 0.25, 'abs')
        """
        if self.type is str:
            return self.check(text)
        if self.type is tuple:
            return self.check(parse_widths(text))
        try:
            number = self.type(text)
        except (ValueError, OverflowError):
            noun = "a whole number" if self.type is int else "a number"
            raise ValueError(f"{self.name}={text!r} is not {noun}") from None
        return self.check(number)

    def check(self, value: Any) -> Any:
        """The value, as a plain Python value, if the field may hold it.

        Raises:
          ValueError: It is not one of the choices, or outside the range.

        Example:
          >>> from toymono.fields import TOY
          >>> TOY["eps"].check(2)
          Traceback (most recent call last):
          ValueError: eps=2 is not in (0, 1]
        """
        if self.choices:
            if value not in self.choices:
                raise ValueError(f"{self.name}={value!r} is not one of {', '.join(self.choices)}")
            return str(value)
        if self.type is tuple:
            if isinstance(value, str) or not hasattr(value, "__len__"):
                raise ValueError(f"{self.name}={value!r} is not a tuple of widths")
            if len(value) > _MOST_LAYERS:
                raise ValueError(f"{self.name} has {len(value)} layers, more than {_MOST_LAYERS}")
            return tuple(self._whole(width) for width in value)
        if self.type is int:
            return self._whole(value)
        try:
            if isinstance(value, str | bool):
                raise TypeError
            number = float(value)
        except (TypeError, ValueError):
            raise ValueError(f"{self.name}={value!r} is not a number") from None
        above = number > self.low if self.low_open else number >= self.low
        below = number < self.high if self.high_open else number <= self.high
        if not (math.isfinite(number) and above and below):
            raise ValueError(f"{self.name}={number:g} is not in {self._interval()}")
        if abs(number) > _LARGEST:
            raise ValueError(f"{self.name}={number:g} is more than {_LARGEST:.3g}")
        return number

    def _whole(self, value: Any) -> int:
        low = int(self.low)
        try:
            number = None if isinstance(value, bool) else operator.index(value)
        except TypeError:
            number = None
        if number is None or number < low:
            raise ValueError(f"{self.name}={value!r} is not a whole number of at least {low}")
        if number > self.high:
            raise ValueError(f"{self.name}={number} is more than {int(self.high)}")
        return number

    def _interval(self) -> str:
        low_closed = math.isfinite(self.low) and not self.low_open
        high_closed = math.isfinite(self.high) and not self.high_open
        return (
            f"{'[' if low_closed else '('}{self.low:g}, {self.high:g}{']' if high_closed else ')'}"
        )

    def text(self, value: Any) -> str:
        """Formats a value so that `parse` reads it back."""
        if self.type is tuple:
            return widths_text(value)
        return f"{value:.9g}" if isinstance(value, float) else str(value)


def table(*fields: Field) -> dict[str, Field]:
    """Fields by their names."""
    return {field.name: field for field in fields}


def parse_widths(text: str) -> tuple[int, ...]:
    """Widths of layers: `256x4` for four of 256, `64-32` for 64, then 32.

    Example:
      >>> parse_widths("256x4"), parse_widths("64-32")
      ((256, 256, 256, 256), (64, 32))

    Raises:
      ValueError: It has neither form.
    """
    width, cross, depth = text.partition("x")
    short = cross and depth.isdecimal() and len(depth) <= 3
    parts = [width] * int(depth) if short else text.split("-")
    if not parts or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(f"{text!r} is neither WIDTHxDEPTH (256x4) nor widths with dashes (64-32)")
    return tuple(map(int, parts))


def widths_text(widths: Sequence[int]) -> str:
    """The inverse of `parse_widths`.

    Example:
      >>> widths_text((256, 256, 256, 256)), widths_text((64, 32))
      ('256x4', '64-32')
    """
    equal = len(set(widths)) == 1
    return f"{widths[0]}x{len(widths)}" if equal else "-".join(map(str, widths))


def grid(axes: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of the axes' values, the last axis fastest.

    Example:
      >>> list(grid({"k": [8, 16], "eps": [0.5]}))
      [{'k': 8, 'eps': 0.5}, {'k': 16, 'eps': 0.5}]
    """
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))
