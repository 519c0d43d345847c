"""Local specialisation: whether silencing a cluster hurts more than silencing as many at random.

A ablation silences, in one layer, the neurons of one cluster. Its damage is the
loss of accuracy on each class; it is compared with that of random ablations of
the same size in the same layer. A cluster that does a job of its own would
hurt a few classes much: a large range of damage over classes.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from toymono import scores
from toymono.classifiers import network
from toymono.classifiers.config import ClassifierConfig
from toymono.classifiers.data import CLASSES
from toymono.classifiers.network import Params

RANDOM = 20
"""Random ablations for each cluster; 50 were published, 20 are our choice for time."""

# Ablations that run at once: our choice, for memory.
_AT_ONCE = 16


class Ablation(NamedTuple):
    """The part of one cluster that lies in one layer, silenced, beside random ablations."""

    layer: int
    cluster: int
    size: int
    """Neurons silenced."""
    damage_y: Float[np.ndarray, " y"]
    """Loss of accuracy on each class."""
    random_sy: Float[np.ndarray, "s y"]
    """The same of each random ablation."""

    @property
    def right_p_mean(self) -> float:
        """Chance of as much damage, in the mean over classes, by a random ablation."""
        return self._right_p(np.mean)

    @property
    def right_p_range(self) -> float:
        """Chance of as wide a range of damage over classes by a random ablation."""
        return self._right_p(np.ptp)

    def _right_p(self, statistic) -> float:
        worse_s = statistic(self.random_sy, axis=1) >= statistic(self.damage_y) - 1e-6
        return float((worse_s.sum() + 1) / (len(worse_s) + 1))


def ablations(
    config: ClassifierConfig,
    params: Params,
    images_bhw: Float[Array, "b h w"],
    label_b: Int[Array, " b"],
    cluster_l: list[Int[np.ndarray, " _"]],
    random: int = RANDOM,
    seed: int = 0,
) -> list[Ablation]:
    """Ablations of every cluster in every hidden layer in which it has a part, but not all.

    Args:
      config: The network's.
      params: Its parameters.
      images_bhw: Examples to measure accuracy on.
      label_b: Their classes.
      cluster_l: The cluster of each neuron of each hidden layer; -1 for none.
      random: Random ablations for each.
      seed: Of the random ablations.

    Reference:
      Casper et al. (2022) in Wright's version, `run_local_specialization_analysis.py`.
    """
    rng = np.random.default_rng(seed)
    ones_l = [np.ones(size, np.float32) for size in config.sizes]
    whole_y = _class_accuracy(config, params, images_bhw, label_b, 0, ones_l[0][None])[0]
    found = []
    for layer, cluster_k in enumerate(cluster_l):
        of_layer = [
            (cluster, cluster_k == cluster)
            for cluster in np.unique(cluster_k[cluster_k >= 0])
            if not (cluster_k == cluster).all()
        ]
        masks = []
        for _, member_k in of_layer:
            masks.append(~member_k)
            masks += [~rng.permutation(member_k) for _ in range(random)]
        if not masks:
            continue
        keep_sk = np.array(masks, np.float32)
        accuracy_sy = _class_accuracy(config, params, images_bhw, label_b, layer, keep_sk)
        damage_csy = (whole_y - accuracy_sy).reshape(len(of_layer), random + 1, CLASSES)
        for (cluster, member_k), damage_sy in zip(of_layer, damage_csy, strict=True):
            found.append(
                Ablation(layer, int(cluster), int(member_k.sum()), damage_sy[0], damage_sy[1:])
            )
    return found


def _class_accuracy(config, params, images_bhw, label_b, layer, keep_sk):
    """Accuracy on each class with the neurons of `layer` multiplied by each row of `keep_sk`."""
    accuracies = []
    for start in range(0, len(keep_sk), _AT_ONCE):
        part_sk = keep_sk[start : start + _AT_ONCE]
        # Filled up, so that one program serves all parts.
        full_sk = np.pad(part_sk, ((0, _AT_ONCE - len(part_sk)), (0, 0)))
        accuracy_sy = _accuracies(config, layer, params, images_bhw, label_b, full_sk)
        accuracies.append(np.asarray(accuracy_sy)[: len(part_sk)])
    return np.concatenate(accuracies)


@functools.partial(jax.jit, static_argnums=(0, 1))
@functools.partial(jax.vmap, in_axes=(None, None, None, None, None, 0))
@scores.precise
def _accuracies(config, layer, params, images_bhw, label_b, keep_k):
    # Under vmap the layers before the ablation, which do not depend on it, run once.
    keep = [None] * len(config.sizes)
    keep[layer] = keep_k
    logits_by = network.outputs(config, params, images_bhw, keep).logits_by
    right_b = (logits_by.argmax(axis=1) == label_b).astype(jnp.float32)
    member_by = jax.nn.one_hot(label_b, CLASSES)
    return right_b @ member_by / jnp.maximum(member_by.sum(axis=0), 1.0)
