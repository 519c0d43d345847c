"""Feature visualisation: inputs that maximise a neuron, singly and as diverse batches.

`diversity` is the published term that makes the inputs of a batch differ.
`toy` optimises feature vectors of toy models, where the facets of a neuron are
known and `facets` scores what was found against them; `classifier` optimises
images, with the parametrisations and regularisers of `images`. `baselines` has
the rivals that need no optimisation, `connections` counts the pairs of features
that share a weight, and `similarity` compares clusters of neurons with the
similarity of their visualised inputs.

Reference:
  Olah, Mordvintsev & Schubert (2017), Feature Visualization, Distill.
"""

from toymono.analysis.visualise.diversity import diversity, gram_diversity

__all__ = ["diversity", "gram_diversity"]
