"""Classifiers on labelled data, trained for and against polysemantic neurons.

A class plays the part that a feature plays in the toy models: the penalty and
the scores are theirs. `python -m toymono.classifiers` trains, asks, tabulates and
draws; in a notebook:

    from toymono.classifiers import data, experiment, store, tables
    digits = data.load("digits")
    jobs = [job for job in store.find("runs/labelled") if job.fingerprint == digits.fingerprint]
    tables.per_run(experiment.results(jobs, digits, "runs/labelled", questions=None))

Beside the lab's axes: `y` classes, `l` hidden layers, `e` epochs, `v` nodes of a
weight graph, `s` shuffles, ablations or permutations.
"""
