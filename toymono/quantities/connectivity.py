"""What is measured on the way between two models."""

from toymono.quantities.quantity import Quantity, count_of, fraction, number, signed

QUANTITIES: tuple[Quantity, ...] = (
    fraction("path_position", "position t on the path"),
    number("path_loss", "task loss on the path"),
    count_of("path_mono", "monosemantic neurons on the path"),
    number("other_loss", "task loss of the second model"),
    number("other_mono_per_feature", "monosemantic neurons per feature of the second model"),
    number("barrier", "barrier of the loss after alignment", "barrier"),
    number("excess", "loss above the worse end, after alignment", "excess"),
    fraction("barrier_share", "aligned barrier over the zero-output loss", "barrier share"),
    number("unaligned_barrier", "barrier of the loss without alignment"),
    number("weight_distance", "distance of the weights after alignment"),
    number("unaligned_weight_distance", "distance of the weights without alignment"),
    fraction(
        "kind_barrier",
        "aligned barrier to models of the same kind, over the zero-output loss",
        none="no other run of its kind",
    ),
    signed(
        "kind_reduction",
        "share of that barrier that alignment removes",
        high=1.0,
        none="no other run of its kind",
    ),
    fraction(
        "mixed_barrier",
        "aligned barrier to models of the other kind, over the zero-output loss",
        none="no run of the other kind",
    ),
    fraction(
        "mixed_excess",
        "loss above the worse end to models of the other kind, over the zero-output loss",
        none="no run of the other kind",
    ),
    number(
        "mixed_ratio",
        "barrier to the other kind over that to the same kind",
        none="no run of the other kind",
    ),
    count_of("matched_mono", "matched pairs of monosemantic neurons"),
    count_of("matched_same_feature", "matched pairs of monosemantic neurons of one feature"),
)

INDEX_COLUMNS = {
    "other_run": "name of the second run of a pair",
    "other_seed": "seed of the second run of a pair",
    "aligned": "whether the second model was aligned to the first",
    "pair": "what a pair joins: monosemantic, polysemantic or mixed models",
}
