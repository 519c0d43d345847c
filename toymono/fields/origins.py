"""Settings of runs that start from stored runs, or that share their first steps with a run."""

from toymono.fields.field import Field

ORIGIN_CONFIG = (
    Field(
        "origin",
        "fresh",
        "What the run starts from.",
        str,
        choices={
            "fresh": "random weights",
            "continued": "a stored run, trained on",
            "pull": "a stored run, attracted to a second one in the first half of training",
            "decoupled_pull": "the same, but weights are moved after each step",
            "curve": "the middle of two stored runs, as the control point of a curve between them",
            "connect": "a stored run, driven to a given loss on the line to a second one",
            "ticket": "an early step of a stored run, in the masks of a second one that is pruned",
            "expand": "a stored run, each of whose neurons is divided into several",
        },
        before="fresh",
    ),
    Field(
        "match_parents",
        "weights",
        "How the neurons of a second parent are matched with those of the first.",
        str,
        choices={"weights": "by the least distance of all weights", "none": "not at all"},
        label="matching of parents",
        only=("origin", "pull", "decoupled_pull", "curve", "connect"),
        before="weights",
    ),
    Field(
        "ticket_control",
        "none",
        "What replaces a part of a lottery ticket, to see what that part contributes.",
        str,
        choices={
            "none": "nothing",
            "random_masks": "random masks with as many weights in use in each tensor",
            "new_weights": "newly drawn weights",
            "matched": "the neurons of the pruned run are first matched with those of the other",
        },
        only=("origin", "ticket"),
        before="none",
    ),
    Field(
        "rewind_step",
        1,
        "Step of the first parent whose weights a lottery ticket trains from, a power of two; the "
        "rate and the decay of biases go on from there.",
        int,
        1,
        2**30,
        only=("origin", "ticket"),
        before=1,
    ),
    Field(
        "fork_seed",
        -1,
        "Seed of the batches from fork_step on, so that two runs share their first steps; -1: "
        "the batches of the run's own seed.",
        int,
        -1,
        2**31 - 1,
        before=-1,
    ),
)
"""Fields of `Config`."""

ORIGIN_HYPERPARAMS = (
    Field(
        "attraction",
        1e-3,
        "Weight of half the squared distance to the second parent.",
        low=0.0,
        label="attraction λ",
        symbol="λ",
        only=("origin", "pull", "decoupled_pull"),
        before=1e-3,
    ),
    Field(
        "line_loss",
        1.0,
        "Loss that the line to the second parent is driven to.",
        low=0.0,
        only=("origin", "connect"),
        before=1.0,
    ),
    Field(
        "fork_step",
        0.0,
        "First step whose batch is drawn with fork_seed.",
        low=0.0,
        unless=("fork_seed", -1),
        before=0.0,
    ),
)
"""Fields of `Hyperparams`."""
