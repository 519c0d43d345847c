"""Local specialisation: whether silencing a cluster hurts more than silencing random neurons.

An ablation silences the neurons of one cluster in one layer. Its damage is the
loss of accuracy on each class, compared with random ablations of the same size
in the same layer. A cluster with a function of its own would damage few classes
strongly: the range of damage over classes would be large.
"""

import functools
from typing import NamedTuple

import chex
import einops
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from toymono import scores
from toymono.classifiers import network
from toymono.classifiers.config import ClassifierConfig
from toymono.classifiers.data import CLASSES
from toymono.classifiers.network import Params

RANDOM_ABLATIONS = 20
"""Random ablations per cluster; 50 in Wright's program, 20 are our choice to save time."""

# Ablations evaluated in parallel: our choice, limited by memory.
_BATCH = 16


class Ablation(NamedTuple):
    """Effect of silencing one cluster's neurons in one layer, and of random ablations."""

    layer: int
    cluster: int
    size: int
    """Neurons silenced."""
    damage_y: Float[np.ndarray, " y"]
    """Loss of accuracy on each class."""
    random_sy: Float[np.ndarray, "s y"]
    """Loss of accuracy on each class in each random ablation."""

    @property
    def right_p_mean(self) -> float:
        """p-value of the mean damage over classes: (random ones as large + 1) / (number + 1)."""
        return self._right_p(np.mean)

    @property
    def right_p_range(self) -> float:
        """p-value of the range of damage over classes, likewise."""
        return self._right_p(np.ptp)

    def _right_p(self, statistic) -> float:
        as_large_s = statistic(self.random_sy, axis=1) >= statistic(self.damage_y) - 1e-6
        return float((as_large_s.sum() + 1) / (len(as_large_s) + 1))


def ablate_clusters(
    config: ClassifierConfig,
    params: Params,
    images_bhw: Float[Array, "b h w"],
    label_b: Int[Array, " b"],
    cluster_l: list[Int[np.ndarray, " _"]],
    random_ablations: int = RANDOM_ABLATIONS,
    seed: int = 0,
) -> list[Ablation]:
    """Silences every cluster in every hidden layer that it shares with other neurons.

    Args:
      config: The network's.
      params: Its parameters.
      images_bhw: Examples to measure accuracy on.
      label_b: Their classes.
      cluster_l: For each hidden layer the cluster of each neuron; -1 for none.
      random_ablations: Number per cluster and layer.
      seed: Seed of the random ablations.

    Returns:
      The ablations by layer, then by cluster.

    Raises:
      AssertionError: Examples of several data sets, or several networks, are stacked.

    Reference:
      Casper et al. (2022) in Wright's version, `run_local_specialization_analysis.py`.
    """
    chex.assert_rank([images_bhw, label_b, params["output"]["bias"]], [3, 1, 1])
    chex.assert_rank(cluster_l, 1)
    rng = np.random.default_rng(seed)
    examples = (config, params, images_bhw, label_b)
    intact_y = _class_accuracy(*examples, 0, np.ones((1, len(cluster_l[0])), np.float32))[0]
    found = []
    for layer, cluster_k in enumerate(cluster_l):
        members = [
            (cluster, cluster_k == cluster)
            for cluster in np.unique(cluster_k[cluster_k >= 0])
            if not (cluster_k == cluster).all()
        ]
        masks = []
        for _, member_k in members:
            masks.append(~member_k)
            masks += [~rng.permutation(member_k) for _ in range(random_ablations)]
        if not masks:
            continue
        accuracy_sy = _class_accuracy(*examples, layer, np.array(masks, np.float32))
        damage_csy = einops.rearrange(
            intact_y[None] - accuracy_sy, "(c s) y -> c s y", c=len(members)
        )
        for (cluster, member_k), damage_sy in zip(members, damage_csy, strict=True):
            found.append(
                Ablation(layer, int(cluster), int(member_k.sum()), damage_sy[0], damage_sy[1:])
            )
    return found


def _class_accuracy(config, params, images_bhw, label_b, layer, keep_sk):
    """Accuracy on each class, with the neurons of `layer` multiplied by each row of `keep_sk`."""
    accuracies = []
    for start in range(0, len(keep_sk), _BATCH):
        part_sk = keep_sk[start : start + _BATCH]
        # Padded, so that one compiled program serves all batches.
        padded_sk = np.pad(part_sk, ((0, _BATCH - len(part_sk)), (0, 0)))
        accuracy_sy = _accuracies(config, layer, params, images_bhw, label_b, padded_sk)
        accuracies.append(np.asarray(accuracy_sy)[: len(part_sk)])
    return np.concatenate(accuracies)


@functools.partial(jax.jit, static_argnums=(0, 1))
@functools.partial(jax.vmap, in_axes=(None, None, None, None, None, 0))
@scores.precise
def _accuracies(config, layer, params, images_bhw, label_b, keep_k):
    # Under vmap the layers before the ablation do not depend on it and run once.
    keep = [None] * len(config.sizes)
    keep[layer] = keep_k
    logits_by = network.outputs(config, params, images_bhw, keep).logits_by
    correct_b = (logits_by.argmax(axis=1) == label_b).astype(jnp.float32)
    member_by = jax.nn.one_hot(label_b, CLASSES)
    return correct_b @ member_by / jnp.maximum(member_by.sum(axis=0), 1.0)
