"""Every setting of a toy run, described once: default, meaning, range, choices, label.

Flags, configurations, file headers, table columns and axis labels are made from
these tables. The module imports no JAX, so that commands print their help at
once. The defaults are those of the laptop preset.
"""

import builtins
import dataclasses
import itertools
import math
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


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
    choices: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """The words that it may hold, each with what it means."""
    label: str = ""
    """Its name on axes and in captions, in lower case; the name itself if empty."""
    symbol: str = ""
    """Its sign in formulas, for captions that have little room."""
    unless: tuple[str, str] | None = None
    """A field and the word under which this one has no effect."""
    before: Any = MISSING
    """The value that runs had before the field existed: with it they keep their name."""
    in_caption: bool = False
    """Whether captions give its value even if it is the default."""

    def __post_init__(self):
        if not self.label:
            object.__setattr__(self, "label", self.name.replace("_", " "))

    def matters(self, values: Mapping[str, Any]) -> bool:
        """Whether the field has an effect in a run with these values of the other fields."""
        return self.unless is None or values[self.unless[0]] != self.unless[1]

    def parse(self, text: str) -> Any:
        """The value that a word of the command line stands for.

        Raises:
          ValueError: It is not a value of this field.

        Example:
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
          >>> TOY["eps"].check(2)
          Traceback (most recent call last):
          ValueError: eps=2 is not in (0, 1]
        """
        if self.choices:
            if value not in self.choices:
                raise ValueError(f"{self.name}={value!r} is not one of {', '.join(self.choices)}")
            return str(value)
        if self.type is tuple:
            return tuple(self._whole(width) for width in value)
        if self.type is int:
            return self._whole(value)
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ValueError(f"{self.name}={value!r} is not a number") from None
        above = number > self.low if self.low_open else number >= self.low
        if not (math.isfinite(number) and above and number <= self.high):
            raise ValueError(f"{self.name}={number:g} is not in {self._interval()}")
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
        closed = math.isfinite(self.low) and not self.low_open
        return (
            f"{'[' if closed else '('}{self.low:g}, {self.high:g}"
            f"{']' if math.isfinite(self.high) else ')'}"
        )

    def text(self, value: Any) -> str:
        """A value as commands print it and read it back."""
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


_LARGEST = 2**24  # Our choice: beyond it no array of a batch fits a machine.

TOY_CONFIG = table(
    Field(
        "task",
        "decoder",
        "What the network has to output.",
        str,
        choices={
            "decoder": "recover the features",
            "reproject": "embed the features anew",
            "abs": "recover the absolute value of signed features",
        },
        in_caption=True,
    ),
    Field(
        "n", 512, "Features.", int, 1, _LARGEST, label="features $n$", symbol="n", in_caption=True
    ),
    Field(
        "m",
        64,
        "Dimensions of the embedding that the network reads.",
        int,
        1,
        _LARGEST,
        label="embedding dimensions $m$",
        symbol="m",
        in_caption=True,
    ),
    Field("k", 512, "Neurons.", int, 1, _LARGEST, label="neurons $k$", symbol="k", in_caption=True),
    Field(
        "nonlinearity",
        "relu",
        "Activation function of the hidden layer.",
        str,
        choices={
            "relu": "max(x, 0)",
            "gelu": "x Φ(x)",
            "solu": "x exp(x), as in the paper's program",
        },
    ),
    Field(
        "feature_law",
        "equal",
        "How frequent each feature is.",
        str,
        choices={"equal": "all alike", "power_law": "feature i in proportion to i**-exponent"},
        label="feature frequencies",
    ),
    Field(
        "penalty",
        "none",
        "Polysemantic penalty, added to the task loss with weight alpha.",
        str,
        choices={
            "none": "no penalty",
            "soft": "shared activations on single features",
            "hard": "neurons shared by single features, counted",
            "soft_random_amplitude": "soft, at random amplitudes",
            "multi_feature": "soft, plus activations on inputs without the feature",
        },
        before="none",
    ),
    Field(
        "batch_size",
        512,
        "Samples per step, drawn anew each time.",
        int,
        1,
        _LARGEST,
        in_caption=True,
    ),
    Field(
        "log2_steps",
        13,
        "Training takes 2**log2_steps steps.",
        int,
        0,
        24,  # the schedule's float32 counts no further
        label="log$_2$ of training steps",
        in_caption=True,
    ),
    Field(
        "optimizer",
        "lamb",
        "Optimiser.",
        str,
        choices={"lamb": "LAMB as in the paper's program", "adam": "Adam"},
    ),
    Field(
        "schedule",
        "cosine",
        "Learning rate over time.",
        str,
        choices={"cosine": "a periodic cosine, as published", "constant": "constant"},
    ),
    Field(
        "matmul_precision",
        "float32",
        "Lowest precision of matrix products in training; no effect on a CPU.",
        str,
        choices={
            "float32": "float32",
            "tensorfloat32": "TF32 on a GPU, three bfloat16 passes on a TPU",
            "bfloat16": "TF32 on a GPU, one bfloat16 pass on a TPU",
        },
        before="float32",
    ),
)
"""What changes the shape of an array or the code that runs: the fields of `Config`."""

TOY_HYPERPARAMS = table(
    Field("learning_rate", 0.01, "Peak of the schedule.", low=0.0, in_caption=True),
    Field(
        "eps",
        1 / 64,
        "Probability that a feature is present; the mean probability under a power law.",
        low=0.0,
        high=1.0,
        low_open=True,
        label="feature probability ε",
        symbol="ε",
        in_caption=True,
    ),
    Field(
        "init_bias",
        0.0,
        "Added to every neuron's initial bias.",
        label="initial mean bias",
        in_caption=True,
    ),
    Field(
        "bias_decay",
        0.1,
        "Fraction of a bias lost per step and unit of learning rate, in the first half.",
        low=0.0,
        in_caption=True,
    ),
    Field(
        "l1",
        0.0,
        "Weight of the L1 norm of the hidden activations in the loss.",
        low=0.0,
        label="weight of L1",
        symbol="L1",
    ),
    Field(
        "alpha",
        1.0,
        "Weight of the penalty; below 0 it rewards polysemantic neurons.",
        label="weight of the penalty",
        symbol="α",
        unless=("penalty", "none"),
        before=1.0,
    ),
    Field(
        "exponent",
        1.1,
        "Exponent of the power law of feature frequencies.",
        low=0.0,
        label="power-law exponent",
        unless=("feature_law", "equal"),
    ),
    Field(
        "cosine_period",
        1024.0,
        "Steps from one peak of the cosine schedule to the next.",
        low=0.0,
        low_open=True,
        label="period of the schedule (steps)",
        unless=("schedule", "constant"),
    ),
)
"""Numbers, which are traced: the fields of `Hyperparams`."""

SEED = Field("seed", 0, "What all that is random about a run is drawn from.", int, 0, 2**32 - 1)
"""The seed of a run, of any kind."""

TOY = {**TOY_CONFIG, **TOY_HYPERPARAMS}
"""All that determines a toy run, apart from its seed."""
