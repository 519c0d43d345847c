"""What the tests of masks, of pruning and of training with masks share."""

import dataclasses

import numpy as np
from settings import TINY

from toymono import Hyperparams

HYPERPARAMS = Hyperparams(learning_rate=0.02, eps=0.25, density=0.3)
CHANGING = ("set", "rigl")
SPARSE = ("erdos_renyi", *CHANGING)


def sparse(rule, log2_steps=8, **fields):
    """Long enough for changes at steps 64 and 128, the last before three quarters."""
    return dataclasses.replace(TINY, sparsity=rule, log2_steps=log2_steps, **fields)


def tensors(model_or_masks):
    return {"w_mk": np.asarray(model_or_masks.w_mk), "w_ko": np.asarray(model_or_masks.w_ko)}


def counts_of(found):
    return [int(mask.sum()) for mask in tensors(found).values()]
