"""Classifiers of labelled images, trained with a polysemantic penalty.

A class plays the part that a feature plays in the toy models: the penalty and
the scores are theirs, and so are the store, the trainer and the figures.
`python -m toymono.classifiers` trains, scores and draws. In a notebook:

    from toymono import store
    from toymono.frames import classifiers
    classifiers.per_run(store.find("runs", kind="classifier", data="digits"))

Beside the axes of the package: `y` classes, `l` hidden layers, `e` epochs, `v`
nodes of a weight graph, `s` shuffles, ablations or permutations.
"""
