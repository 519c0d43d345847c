"""Every setting of an autoencoder run, described once; see `toymono.fields`."""

from toymono.fields import Field, table

_LARGEST = 2**20  # Our choice, well above any layer or batch that fits a machine.

AUTOENCODER_CONFIG = table(
    Field(
        "data",
        "photographs",
        "Where the patches are cut from.",
        str,
        choices={
            "photographs": "scikit-learn's two photographs, in grey",
            "folder": "the images and IDX files in --data_dir, in grey",
        },
    ),
    Field("patch", 8, "Side of a patch in pixels.", int, 2, 256, label="side of a patch"),
    Field(
        "sizes",
        (128,) * 4,
        "Widths of the hidden layers: 128x4 for four of 128, 64-32 for 64, then 32.",
        tuple,
        1,
        _LARGEST,
        label="hidden layers",
    ),
    Field("batch_size", 128, "Patches per step, drawn anew each time.", int, 1, _LARGEST),
    Field("steps", 1500, "Training steps.", int, 1, 2**24, label="training steps"),
)
"""What changes the shape of an array or the code that runs: fields of `AutoencoderConfig`."""

AUTOENCODER_HYPERPARAMS = table(
    Field(
        "dropout_rate",
        0.0,
        "Probability that a step drops a neuron's activation on a patch, in every hidden layer.",
        low=0.0,
        high=1.0,
        high_open=True,
        symbol="p",
    ),
    Field("learning_rate", 1e-3, "Adam's learning rate.", low=0.0),
)
"""Numbers, which are traced: the fields of `AutoencoderHyperparams`."""

AUTOENCODER = {**AUTOENCODER_CONFIG, **AUTOENCODER_HYPERPARAMS}
"""All that determines an autoencoder run, apart from its data and its seed."""
