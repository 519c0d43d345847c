"""What decides a run on labelled data: its shape and its code, and its numbers.

The split is that of `toymono.config`: a `ClassifierConfig` is part of what JAX
compiles for, `ClassifierHyperparams` are leaves to stack. The defaults are what was
published, on scikit-learn's digits.
"""

import dataclasses

import flax.struct
import jax

from toymono.config import Scalar, check_choices, field, in_range, whole

CHOICES = {
    "data": ("digits", "mnist", "fashion_mnist"),
    "network": ("mlp", "cnn"),
    "penalty": ("soft", "hard"),
}
"""The words that a field of `ClassifierConfig` may hold."""

SIZES = {"mlp": (256,) * 4, "cnn": (16, 32, 64)}
"""Default neurons of each hidden layer; those of the mlp are Wright's, the cnn's our choice."""

CAPACITY_EPOCHS = 60
"""Passes that narrow networks get, where accuracy is set against width; our choice."""


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class ClassifierConfig:
    """What changes an array's shape or the code that runs.

    Raises:
      ValueError: A word is not one of `CHOICES`, or a size is not a positive
        whole number.
    """

    data: str = field("digits", "The examples and their labels.")
    network: str = field("mlp", "Dense layers, or 3 x 3 convolutions whose channels are neurons.")
    sizes: tuple[int, ...] | None = field(
        None, "Neurons of each hidden layer; 4 x 256 for the mlp, 16, 32, 64 for the cnn."
    )
    penalty: str = field("soft", "The polysemantic penalty's kind: soft or hard.")
    batch_size: int = field(128, "Examples in a step; what is left of an epoch is dropped.")
    epochs: int = field(20, "Passes through the training examples.")
    prune_epochs: int = field(
        0, "Further passes, in which the smallest weights are zeroed: from 50 % to 90 %."
    )

    def __post_init__(self):
        check_choices(self, CHOICES)
        sizes = SIZES[self.network] if self.sizes is None else self.sizes
        object.__setattr__(self, "sizes", tuple(whole("sizes", size, 1) for size in sizes))
        for name, lowest in (("batch_size", 2), ("epochs", 1), ("prune_epochs", 0)):
            object.__setattr__(self, name, whole(name, getattr(self, name), lowest))
        if not self.sizes:
            raise ValueError("sizes=() names no hidden layer")


@flax.struct.dataclass
class ClassifierHyperparams:
    """The numbers of a run: scalars, or `[r]` when runs are stacked."""

    alpha: Scalar = field(0.0, "Weight of the polysemantic penalty; below 0 it encourages.")
    learning_rate: Scalar = field(1e-3, "Adam's rate.")

    def checked(self) -> "ClassifierHyperparams":
        """These hyperparams as float32 arrays; those known by now are finite, the rate not below 0.

        Raises:
          ValueError: A hyperparam is out of range.
        """
        return in_range(self)


def sizes_from(words: str) -> tuple[int, ...]:
    """The hidden layers that a flag's word stands for.

    Example:
      >>> sizes_from("256x4"), sizes_from("64-32")
      ((256, 256, 256, 256), (64, 32))

    Raises:
      ValueError: It is not of either form.
    """
    width, cross, depth = words.partition("x")
    parts = [width] * int(depth) if cross and depth.isdecimal() else words.split("-")
    if not parts or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(f"{words!r} is not WIDTHxDEPTH (256x4), nor widths with dashes (64-32)")
    return tuple(map(int, parts))


def sizes_word(sizes: tuple[int, ...]) -> str:
    """The inverse of `sizes_from`.

    Example:
      >>> sizes_word((256, 256, 256, 256)), sizes_word((64, 32))
      ('256x4', '64-32')
    """
    same = len(set(sizes)) == 1
    return f"{sizes[0]}x{len(sizes)}" if same else "-".join(map(str, sizes))
