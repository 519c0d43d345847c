"""Models to compare a trained one with: its weights rotated, and untrained copies.

What a trained model shows is due to training only as far as these do not show
it. Biases decide much of what an untrained model looks like, so there is a copy
for each way of setting them.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from toymono import scores, train
from toymono.config import Config, Hyperparams
from toymono.models import AnyModel, Model, SkipModel
from toymono.origins import as_fresh

COPIES = ("rotated", "untrained", "untrained_spread", "untrained_unbiased")
"""Names of the models of `copies`, as frames have them."""


@scores.precise
def rotated(model: Model, key: PRNGKeyArray) -> Model:
    """The model with all its input weights rotated at random, as one rigid body.

    Lengths of the weights, angles between them and biases stay; only their
    alignment with the features is lost.

    Raises:
      AssertionError: Several models are stacked (use `jax.vmap`).
    """
    scores.assert_one_model(model)
    rotation_mm = jax.random.orthogonal(key, len(model.w_mk), dtype=jnp.float32)
    rotated_ = model.replace(w_mk=rotation_mm @ model.w_mk)
    if isinstance(rotated_, SkipModel):
        return rotated_.replace(skip_ms=rotation_mm @ rotated_.skip_ms)
    return rotated_


def copies(
    config: Config, hyperparams: Hyperparams, key: PRNGKeyArray, model: AnyModel
) -> Mapping[str, Model]:
    """The baselines of a trained model, by the names in `COPIES`.

    `rotated`: see above. The others have the weights from before training:
    `untrained` with the biases from before training, `untrained_spread` with the
    same spread around 0 instead of `init_bias`, `untrained_unbiased` with biases of 0.

    Args:
      config: The run's.
      hyperparams: The run's.
      key: The run's.
      model: Trained.

    Raises:
      ValueError: The model has no hidden biases, such as a tied one.
    """
    _, state = train.begin(as_fresh(config), hyperparams, key)
    first = state.model
    if not isinstance(first, Model) or not isinstance(model, Model):
        raise ValueError(f"a {type(first).__name__} has no hidden biases to compare")
    return {
        "rotated": rotated(model, jax.random.fold_in(key, 0)),
        "untrained": first,
        "untrained_spread": first.replace(b_k=first.b_k - hyperparams.init_bias),
        "untrained_unbiased": first.replace(b_k=jnp.zeros_like(first.b_k)),
    }
