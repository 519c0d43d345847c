"""Every setting of a run, described once: default, meaning, range, choices, label.

Flags, configurations, file headers, table columns and axis labels are made from
these tables. The package imports no JAX, so that commands print their help at
once. `toymono.classifiers.fields` and `toymono.autoencoders.fields` hold the
tables of the other kinds of run.
"""

from toymono.fields.field import (
    MISSING,
    Field,
    grid,
    parse_widths,
    table,
    widths_text,
)
from toymono.fields.toy import SEED, TOY, TOY_CONFIG, TOY_HYPERPARAMS

__all__ = [
    "MISSING",
    "SEED",
    "TOY",
    "TOY_CONFIG",
    "TOY_HYPERPARAMS",
    "Field",
    "grid",
    "parse_widths",
    "table",
    "widths_text",
]
