"""What determines an autoencoder run, split as in `toymono.config`."""

import dataclasses
from typing import Any

import flax.struct
import jax

from toymono.autoencoders.fields import (
    AUTOENCODER,
    AUTOENCODER_CONFIG,
    AUTOENCODER_HYPERPARAMS,
)
from toymono.config import Scalar, check, in_range


def _default(name: str) -> Any:
    return dataclasses.field(default=AUTOENCODER[name].default)


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class AutoencoderConfig:
    """What changes the shape of an array or the code that runs; see `AUTOENCODER_CONFIG`.

    Raises:
      ValueError: A word is not one of its choices, or a size is not a positive
        whole number.
    """

    data: str = _default("data")
    patch: int = _default("patch")
    sizes: tuple[int, ...] = _default("sizes")
    batch_size: int = _default("batch_size")
    steps: int = _default("steps")

    def __post_init__(self):
        check(self, AUTOENCODER_CONFIG)
        if not self.sizes:
            raise ValueError("sizes=() names no hidden layer")

    @property
    def snapshot_steps(self) -> tuple[int, ...]:
        """Steps after which the network is saved: the last one."""
        return (self.steps,)


class AutoencoderHyperparams(flax.struct.PyTreeNode):
    """The numbers of a run: scalars, or `[r]` when runs are stacked."""

    dropout_rate: Scalar = _default("dropout_rate")
    learning_rate: Scalar = _default("learning_rate")

    def checked(self) -> "AutoencoderHyperparams":
        """These numbers as float32 arrays; those whose value is known lie in their range.

        Raises:
          ValueError: A number is out of range, or not finite.
        """
        return in_range(self, AUTOENCODER_HYPERPARAMS)
