"""The coding-theory lens on runs: spectra, actions and decoding, by run, layer and rank.

`toy` has toy runs beside their rotated and untrained copies, `networks`
classifiers by layer, `codes` closed forms that need no run.
"""

from toymono.frames.spectrum.codes import dropout_capacity, survival
from toymono.frames.spectrum.networks import per_network_layer, per_network_rank
from toymono.frames.spectrum.toy import explanations, per_layer, per_rank, per_run, sample_sizes

__all__ = [
    "dropout_capacity",
    "explanations",
    "per_layer",
    "per_network_layer",
    "per_network_rank",
    "per_rank",
    "per_run",
    "sample_sizes",
    "survival",
]
