"""The arrays that functions of this package take: numpy's and JAX's alike."""

import jax
import numpy as np

AnyArray = np.ndarray | jax.Array
