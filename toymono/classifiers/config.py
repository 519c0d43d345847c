"""What determines a classifier run; `ClassifierConfig` is static, `ClassifierHyperparams` traced.

The split is that of `toymono.config`. The defaults are what was published, on
scikit-learn's digits.
"""

import dataclasses
from typing import Any

import flax.struct
import jax

from toymono.classifiers.fields import (
    CLASSIFIER,
    CLASSIFIER_CONFIG,
    CLASSIFIER_HYPERPARAMS,
    DEFAULT_SIZES,
)
from toymono.config import Scalar, check, in_range


def _default(name: str) -> Any:
    return dataclasses.field(default=CLASSIFIER[name].default)


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class ClassifierConfig:
    """What changes the shape of an array or the code that runs; see `fields.CLASSIFIER_CONFIG`.

    Raises:
      ValueError: A word is not one of its choices, or a size is not a positive
        whole number.
    """

    data: str = _default("data")
    network: str = _default("network")
    sizes: tuple[int, ...] = _default("sizes")  # None stands for the default of the network
    penalty: str = _default("penalty")
    batch_size: int = _default("batch_size")
    epochs: int = _default("epochs")
    prune_epochs: int = _default("prune_epochs")
    nonlinearity: str = _default("nonlinearity")
    layer_norm: str = _default("layer_norm")
    dropout: str = _default("dropout")

    def __post_init__(self):
        if self.sizes is None:
            CLASSIFIER_CONFIG["network"].check(self.network)
            object.__setattr__(self, "sizes", DEFAULT_SIZES[self.network])
        check(self, CLASSIFIER_CONFIG)
        if not self.sizes:
            raise ValueError("sizes=() names no hidden layer")

    @property
    def steps(self) -> int:
        """Epochs in all, those of pruning included: what `advance` counts."""
        return self.epochs + self.prune_epochs

    @property
    def snapshot_steps(self) -> tuple[int, ...]:
        """Epochs after which the network is saved: the last one."""
        return (self.steps,)


class ClassifierHyperparams(flax.struct.PyTreeNode):
    """The numbers of a run: scalars, or `[r]` when runs are stacked."""

    alpha: Scalar = _default("alpha")
    learning_rate: Scalar = _default("learning_rate")
    dropout_rate: Scalar = _default("dropout_rate")

    def checked(self) -> "ClassifierHyperparams":
        """These numbers as float32 arrays; those whose value is known lie in their range.

        Raises:
          ValueError: A number is out of range, or not finite.
        """
        return in_range(self, CLASSIFIER_HYPERPARAMS)
