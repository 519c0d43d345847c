"""Claims on feature visualisation with diversity and on what polysemantic neurons are."""

from toymono.papers.claims import Claim, table
from toymono.papers.olah2017 import measures

_ARTICLE, _EXPLAINER = "article, Diversity", "explainer of polysemanticity"
_TOY, _DIGITS = ("bias 0", "bias -1"), ("digits",)

CLAIMS = table(
    Claim(
        "more_facets_toy",
        "In toy models, a diverse batch shows more of a neuron's facets than as many restarts.",
        _ARTICLE,
        _TOY,
        "shown by example",
        measures.toy(measures.recall_gain),
        headline="in toy models a diverse batch shows more facets than restarts",
    ),
    Claim(
        "more_facets_classifiers",
        "In classifiers, a diverse batch shows more of a neuron's facets than as many restarts.",
        _ARTICLE,
        _DIGITS,
        "shown by example",
        measures.recall_gain,
        headline="in classifiers a diverse batch shows more facets than restarts",
    ),
    Claim(
        "no_invention_toy",
        "In toy models, what a diverse batch shows are facets of the neuron.",
        _ARTICLE,
        _TOY,
        "unrelated artefacts appear at times",
        measures.toy(measures.precision),
        headline="in toy models it shows facets only",
    ),
    Claim(
        "no_invention_classifiers",
        "In classifiers, what a diverse batch shows are facets of the neuron.",
        _ARTICLE,
        _DIGITS,
        "unrelated artefacts appear at times",
        measures.precision,
        headline="in classifiers it shows facets only",
    ),
    Claim(
        "no_blend",
        "Facets are separate: the blend of two excites a neuron less than either alone.",
        _EXPLAINER,
        _DIGITS,
        "each facet strong by itself, no blend",
        measures.blends,
        headline="a blend of two facets excites a neuron less than either",
    ),
    Claim(
        "no_similarity",
        "Facets of a polysemantic neuron share no feature: their embeddings are no more alike "
        "than those of any two features.",
        _EXPLAINER,
        _TOY,
        "cats and cars share no subtle feature",
        measures.unrelated,
        headline="facets of one neuron are unrelated",
    ),
    Claim(
        "one_facet",
        "Monosemantic neurons show one facet.",
        _EXPLAINER,
        _TOY,
        "by definition",
        measures.one_facet,
    ),
    Claim(
        "more_connections",
        "Without a negative initial bias, more pairs of features share a weight.",
        _EXPLAINER,
        _TOY,
        "5 · 5 = 25 for neurons of five features",
        measures.connections,
        headline="polysemantic neurons put more feature pairs on one weight",
    ),
    Claim(
        "fewer_when_penalised",
        "In classifiers, the polysemantic penalty leaves fewer pairs of classes on a weight.",
        "penalty post",
        _DIGITS,
        "not reported",
        measures.penalised,
    ),
    Claim(
        "clusters_by_input",
        "Neurons of one n-cut cluster have similar visualised inputs.",
        "penalty post, as a question",
        _DIGITS,
        "open",
        measures.similar_inputs,
        headline="clusters of neurons have similar inputs",
    ),
)
