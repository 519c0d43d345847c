"""The coding-theory lens on runs: spectra, actions and decoding, by run, layer and rank.

`toy` has toy runs beside their rotated and untrained copies, `networks`
classifiers and `patches` autoencoders by layer, `tied` the dimensions per
feature of tied models, `codes` closed forms that need no run.
"""

from toymono.frames.spectrum.codes import dropout_capacity, survival
from toymono.frames.spectrum.networks import per_network_layer, per_network_rank
from toymono.frames.spectrum.patches import per_patch_layer, per_patch_rank
from toymono.frames.spectrum.tied import feature_dimensions
from toymono.frames.spectrum.toy import explanations, per_layer, per_rank, per_run, sample_sizes

__all__ = [
    "dropout_capacity",
    "explanations",
    "feature_dimensions",
    "per_layer",
    "per_network_layer",
    "per_network_rank",
    "per_patch_layer",
    "per_patch_rank",
    "per_rank",
    "per_run",
    "sample_sizes",
    "survival",
]
