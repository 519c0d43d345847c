"""Quantities of runs that start from stored runs, and of schemes for biases."""

from toymono.quantities.quantity import Quantity, count_of, fraction, number, signed

QUANTITIES: tuple[Quantity, ...] = (
    number("task_loss", "task loss on common samples"),
    number("start_loss", "task loss of the model that it started from"),
    number("start_mono", "monosemantic neurons per feature of the model that it started from"),
    number("target_loss", "task loss of the second model", none="one parent"),
    number(
        "target_mono", "monosemantic neurons per feature of the second model", none="one parent"
    ),
    fraction("line_barrier", "barrier on the line between the parents", none="one parent"),
    fraction("line_excess", "loss above the worse parent on their line", none="one parent"),
    number("held_loss", "task loss at the end of the pull", none="not a pull"),
    number("held_mono", "monosemantic neurons per feature while pulled", none="not a pull"),
    signed("hop_share", "share of the way to the second model's count", none="not a pull"),
    fraction("hopped", "whether it went over to the second model", none="not a pull"),
    number("pull_ratio", "pull at the start over the barrier", none="not a pull"),
    number("distance_left", "distance to the second model, relative", none="not a pull"),
    fraction("curve_barrier", "barrier on the trained curve", none="not a curve"),
    fraction("curve_excess", "loss above the worse end on the trained curve", none="not a curve"),
    fraction("end_barrier", "barrier to the model it is compared with, aligned anew"),
    count_of("firing_step", "steps until the loss is below 0.9 of the zero-output loss"),
    count_of("low_step", "steps until the loss is below 0.4 of the zero-output loss"),
)

INDEX_COLUMNS = {
    "path_kind": "line or curve",
    "scheme": "of the biases: where they start, which decay, what pulls them down",
}
