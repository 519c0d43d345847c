"""Draws frames from `toymono.frames`; computes nothing.

    from toymono import frames, store
    from toymono.plots.training import training_traces
    runs = store.find("runs", task="decoder")
    training_traces(frames.per_bin(runs), frames.per_snapshot(runs))

`python -m toymono.plots` draws every figure of `registry.FIGURES` for which
there are runs: general ones, which show runs of any settings, the paper's fig01
to fig26, and those of classifiers. Drawing functions are grouped by subject;
`figure` says what a figure is, `selection` which runs it shows,
`gallery` draws and saves them.
"""
