"""Every setting of a classifier run, described once; see `toymono.fields`."""

from toymono.fields import TOY, Field, table

_LARGEST = 2**20  # Our choice, well above any layer or batch that fits a machine.

DEFAULT_SIZES = {"mlp": (256,) * 4, "cnn": (16, 32, 64)}
"""Default widths of the hidden layers; those of the mlp are Wright's, the cnn's our choice."""

CLASSIFIER_CONFIG = table(
    Field(
        "data",
        "digits",
        "The data set.",
        str,
        choices={
            "digits": "scikit-learn's 8 × 8 digits",
            "mnist": "MNIST, from IDX files",
            "fashion_mnist": "Fashion-MNIST, from IDX files",
        },
    ),
    Field(
        "network",
        "mlp",
        "The architecture.",
        str,
        choices={"mlp": "dense layers", "cnn": "3 × 3 convolutions, whose channels are neurons"},
    ),
    Field(
        "sizes",
        None,
        "Widths of the hidden layers: 256x4 for four of 256, 64-32 for 64, then 32; "
        "256x4 for the mlp and 16-32-64 for the cnn by default.",
        tuple,
        1,
        _LARGEST,
        label="hidden layers",
    ),
    Field(
        "penalty",
        "soft",
        "Kind of polysemantic penalty, added to the loss with weight alpha.",
        str,
        choices={
            "soft": "shared activations, as published",
            "hard": "shared neurons, counted",
        },
    ),
    Field(
        "batch_size",
        128,
        "Examples per step; the incomplete last batch of an epoch is dropped.",
        int,
        2,
        _LARGEST,
    ),
    Field("epochs", 20, "Passes through the training examples.", int, 1, 10**6),
    Field(
        "prune_epochs",
        0,
        "Further epochs in which the smallest weights are set to 0, from 50 % to 90 %; "
        "published: 20.",
        int,
        0,
        10**6,
    ),
    Field(
        "nonlinearity",
        "relu",
        "Activation function of the hidden layers.",
        str,
        choices={name: TOY["nonlinearity"].choices[name] for name in ("relu", "tent")},
        before="relu",
    ),
    Field(
        "layer_norm",
        "off",
        "Whether each layer's pre-activations are normalised over its neurons.",
        str,
        choices={
            "off": "they are not",
            "on": "mean 0 and variance 1 over the neurons, then a learned scale and offset",
        },
        before="off",
    ),
    TOY["dropout"],
)
"""What changes the shape of an array or the code that runs: the fields of `ClassifierConfig`."""

CLASSIFIER_HYPERPARAMS = table(
    Field(
        "alpha", 0.0, "Weight of the polysemantic penalty.", label="penalty weight α", symbol="α"
    ),
    Field("learning_rate", 1e-3, "Adam's learning rate.", low=0.0),
    TOY["dropout_rate"],
)
"""Numbers, which are traced: the fields of `ClassifierHyperparams`."""

CLASSIFIER = {**CLASSIFIER_CONFIG, **CLASSIFIER_HYPERPARAMS}
"""All that determines a classifier run, apart from its data and its seed."""
