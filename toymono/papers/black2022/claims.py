"""Claims of Black, Sharkey et al., "Interpreting Neural Networks through the Polytope Lens"."""

from toymono.papers.black2022 import measures
from toymono.papers.black2022.measures import CLASSIFIERS, TOY
from toymono.papers.claims import Claim, table

_BOTH = (*TOY, *CLASSIFIERS)

CLAIMS = table(
    Claim(
        "classes_apart",
        "Boundaries are denser between examples of different classes than within one class.",
        "Prediction 2",
        CLASSIFIERS,
        "small but significant (no number)",
        measures.classes_apart,
        headline="boundaries are denser between classes",
    ),
    Claim(
        "firmer_with_depth",
        "That difference is firmer in higher layers.",
        "Prediction 2",
        CLASSIFIERS,
        "firmer in higher layers (no number)",
        measures.firmer_with_depth,
    ),
    Claim(
        "features_apart",
        "Boundaries are denser between different features than between amplitudes of one.",
        "Prediction 2, in a model whose features are known",
        TOY,
        "not tested",
        measures.features_apart,
        headline="boundaries are denser between known features, and more than with rotated weights",
    ),
    Claim(
        "shell",
        "Along any direction from the origin, boundaries are densest in a shell away from it.",
        "Main text and appendix B",
        _BOTH,
        "a peak in every direction tried",
        measures.shell,
        headline="boundaries form a shell",
    ),
    Claim(
        "shell_inside",
        "The shell lies between the origin and the activations.",
        "Main text",
        _BOTH,
        "between origin and activation",
        measures.shell_inside,
        headline="the shell lies inside the data",
    ),
    Claim(
        "absent_untrained",
        "Untrained networks have no shell.",
        "Appendix B",
        _BOTH,
        "no peak",
        measures.absent_untrained,
        headline="untrained networks have no shell",
    ),
    Claim(
        "changes_are_dense",
        "Along a ray, the predicted class changes where boundaries are dense.",
        "Prediction 3",
        CLASSIFIERS,
        "supported in part: the dense part marks the inner limit",
        measures.changes_are_dense,
    ),
    Claim(
        "codes_cluster",
        "Clusters of spline codes follow meaning.",
        "Clusters of activations and codes, appendix E",
        _BOTH,
        "most clusters monosemantic, by eye",
        measures.codes_cluster,
        headline="clusters of codes follow meaning better than those of rotated weights",
    ),
    Claim(
        "hamming_tracks",
        "The Hamming distance of two codes tracks the distance of their affine maps.",
        "Footnote 8 and the text beside it",
        _BOTH,
        "argued, not measured",
        measures.hamming_tracks,
        headline="Hamming distance tracks the distance of maps",
    ),
)
"""By name, in the order of the page."""
