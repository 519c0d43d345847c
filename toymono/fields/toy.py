"""Every setting of a toy run. The defaults are those of the laptop preset."""

from toymono.fields.field import Field, table

_LARGEST = 2**24  # Our choice: larger arrays do not fit in memory.

TOY_CONFIG = table(
    Field(
        "task",
        "decoder",
        "What the network has to output.",
        str,
        choices={
            "decoder": "recover the features",
            "reproject": "output a second, independent embedding of the features",
            "abs": "recover the absolute value of signed features",
            "identity": "recover the features, which are read as they are, not embedded",
        },
        in_caption=True,
    ),
    Field(
        "n",
        512,
        "Number of features.",
        int,
        1,
        _LARGEST,
        label="features $n$",
        symbol="n",
        in_caption=True,
    ),
    Field(
        "m",
        64,
        "Dimensions of the embedding that the network reads; of the tied model, hidden dimensions.",
        int,
        1,
        _LARGEST,
        label="embedding dimensions $m$",
        symbol="m",
        in_caption=True,
    ),
    Field(
        "k",
        512,
        "Number of hidden neurons.",
        int,
        1,
        _LARGEST,
        label="neurons $k$",
        symbol="k",
        unless=("model", "tied"),
        in_caption=True,
    ),
    Field(
        "nonlinearity",
        "relu",
        "Activation function of the hidden layer; of the tied model, of the outputs.",
        str,
        choices={
            "relu": "max(x, 0)",
            "gelu": "x Φ(x)",
            "solu": "x exp(x), as in the paper's program",
            "tent": "max(0, 1 - |x - 1|): relu up to 1, then back to 0 at 2",
        },
    ),
    Field(
        "feature_law",
        "equal",
        "How frequent each feature is.",
        str,
        choices={
            "equal": "all features equally frequent",
            "power_law": "feature i in proportion to i**-exponent",
        },
        label="feature frequencies",
    ),
    Field(
        "penalty",
        "none",
        "Polysemantic penalty, added to the task loss with weight alpha.",
        str,
        choices={
            "none": "no penalty",
            "soft": "shared activations on single features",
            "hard": "neurons shared by single features, counted",
            "soft_random_amplitude": "soft, at random amplitudes",
            "multi_feature": "soft, plus activations on inputs without the feature",
        },
        before="none",
    ),
    Field(
        "batch_size",
        512,
        "Samples per step, drawn anew each time.",
        int,
        1,
        _LARGEST,
        in_caption=True,
    ),
    Field(
        "log2_steps",
        13,
        "Training takes 2**log2_steps steps.",
        int,
        0,
        24,  # float32 represents step counts exactly up to 2**24
        label="log$_2$ of training steps",
        in_caption=True,
    ),
    Field(
        "optimizer",
        "lamb",
        "Optimiser.",
        str,
        choices={
            "lamb": "LAMB as in the paper's program",
            "adam": "Adam",
            "adamw": "Adam with decoupled weight decay",
        },
    ),
    Field(
        "schedule",
        "cosine",
        "Learning-rate schedule.",
        str,
        choices={"cosine": "a periodic cosine, as published", "constant": "constant"},
    ),
    Field(
        "matmul_precision",
        "float32",
        "Lowest precision of matrix products in training; no effect on a CPU.",
        str,
        choices={
            "float32": "float32",
            "tensorfloat32": "TF32 on a GPU, three bfloat16 passes on a TPU",
            "bfloat16": "TF32 on a GPU, one bfloat16 pass on a TPU",
        },
        before="float32",
    ),
    Field(
        "dropout",
        "off",
        "Whether training drops hidden activations at random; models are analysed without.",
        str,
        choices={
            "off": "none is dropped",
            "on": "each is 0 with probability dropout_rate, else divided by 1 - dropout_rate",
        },
        before="off",
    ),
    Field(
        "model",
        "two_layer",
        "The architecture.",
        str,
        choices={
            "two_layer": "a hidden layer of neurons between two linear maps",
            "tied": "phi(Wᵀ W x + b), of Elhage et al. (2022); with the task identity alone",
        },
        before="two_layer",
    ),
    Field(
        "noise",
        "off",
        "Whether training adds noise to the network's inputs; models are analysed without.",
        str,
        choices={
            "off": "none is added",
            "on": "Gaussian, of standard deviation noise_scale, independent in each dimension",
        },
        before="off",
    ),
    Field(
        "world_seed",
        -1,
        "Seed whose embedding the run has, so that models of several seeds share a world; -1: "
        "its own seed's.",
        int,
        -1,
        2**32 - 1,
        before=-1,
    ),
)
"""What changes the shape of an array or the code that runs: the fields of `Config`."""

TOY_HYPERPARAMS = table(
    Field("learning_rate", 0.01, "Peak learning rate.", low=0.0, in_caption=True),
    Field(
        "eps",
        1 / 64,
        "Probability that a feature is present; the mean probability under a power law.",
        low=0.0,
        high=1.0,
        low_open=True,
        label="feature probability ε",
        symbol="ε",
        in_caption=True,
    ),
    Field(
        "init_bias",
        0.0,
        "Mean initial bias; in the two-layer model it is added to PyTorch's uniform "
        "initialisation.",
        label="initial mean bias",
        in_caption=True,
    ),
    Field(
        "bias_decay",
        0.1,
        "In the first half of training each step multiplies biases by "
        "1 − bias_decay · learning_rate.",
        low=0.0,
        in_caption=True,
    ),
    Field(
        "l1",
        0.0,
        "Weight of the L1 norm of the hidden activations in the loss.",
        low=0.0,
        label="weight of L1",
        symbol="L1",
    ),
    Field(
        "alpha",
        1.0,
        "Weight of the penalty; below 0 it rewards polysemantic neurons.",
        label="weight of the penalty",
        symbol="α",
        unless=("penalty", "none"),
        before=1.0,
    ),
    Field(
        "exponent",
        1.1,
        "Exponent of the power law of feature frequencies.",
        low=0.0,
        label="power-law exponent",
        unless=("feature_law", "equal"),
    ),
    Field(
        "cosine_period",
        1024.0,
        "Steps from one peak of the cosine schedule to the next.",
        low=0.0,
        low_open=True,
        label="period of the schedule (steps)",
        unless=("schedule", "constant"),
    ),
    Field(
        "dropout_rate",
        0.5,
        "Probability that a step drops a neuron's activation on a sample.",
        low=0.0,
        high=1.0,
        high_open=True,
        symbol="p",
        unless=("dropout", "off"),
        before=0.5,
    ),
    Field(
        "weight_decay",
        0.01,
        "Fraction of each weight and bias lost per step and unit of learning rate.",
        low=0.0,
        unless=("optimizer", "lamb", "adam"),
        before=0.01,
    ),
    Field(
        "init_scale",
        1.0,
        "Factor of the initial weights, whose standard deviation is sqrt(2 / (n + m)) times it.",
        low=0.0,
        low_open=True,
        unless=("model", "two_layer"),
        before=1.0,
    ),
    Field(
        "noise_scale",
        0.1,
        "Standard deviation of the noise on the inputs.",
        low=0.0,
        label="noise on inputs σ",
        symbol="σ",
        unless=("noise", "off"),
        before=0.1,
    ),
)
"""Numbers, which are traced: the fields of `Hyperparams`."""

SEED = Field("seed", 0, "Seed of all random numbers of the run.", int, 0, 2**32 - 1)
"""The seed of a run, of any kind."""

TOY = {**TOY_CONFIG, **TOY_HYPERPARAMS}
"""All that determines a toy run, apart from its seed."""
