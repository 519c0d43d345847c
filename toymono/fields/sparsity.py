"""Settings of toy runs with sparse weights, part of `fields.toy`."""

from toymono.fields.field import Field

SPARSE_CONFIG = (
    Field(
        "sparsity",
        "none",
        "How input and output weights are made sparse.",
        str,
        choices={
            "none": "all are in use",
            "erdos_renyi": "random ones are in use, drawn before training",
            "set": "such at first, but every 64 steps the smallest are replaced by random others",
            "rigl": "the same, but by others with the largest gradients",
            "pruned": "those that origin=ticket or expand leaves of a stored run are in use",
        },
        label="sparse weights",
        before="none",
    ),
    Field(
        "density_rule",
        "uniform",
        "How the density is divided between the input and the output weights.",
        str,
        choices={
            "uniform": "both tensors have it",
            "erk": "theirs is proportional to (inputs + outputs) / (inputs · outputs), up to 1",
            "input": "the input weights have it, the output weights are dense",
            "output": "the output weights have it, the input weights are dense",
            "global": "weights of both compete by their size, with sparsity=pruned",
        },
        unless=("sparsity", "none"),
        before="uniform",
    ),
)
"""Of `Config`."""

SPARSE_HYPERPARAMS = (
    Field(
        "density",
        0.25,
        "Share of weights that are in use, where they are sparse.",
        low=0.0,
        high=1.0,
        low_open=True,
        label="density of the weights",
        unless=("sparsity", "none"),
        before=0.25,
    ),
    Field(
        "drop_share",
        0.3,
        "Share of the weights in use that each change of the masks replaces.",
        low=0.0,
        high=1.0,
        only=("sparsity", "set", "rigl"),
        before=0.3,
    ),
)
"""Of `Hyperparams`."""
