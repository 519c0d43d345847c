"""Figures: frames of `toymono.frames` in, matplotlib figures out; nothing is computed here.

    from toymono import frames, store
    from toymono.plots.training import training_traces
    runs = store.find("runs", task="decoder")
    training_traces(frames.per_bin(runs), frames.per_snapshot(runs))

`python -m toymono.plots` draws every figure of `registry.FIGURES` that the
stored runs allow: general ones, which show runs of any settings, the paper's
fig01 to fig26, and those of classifiers. Drawing functions stand in modules by
subject; `figure` says what a figure is, `selection` which runs it shows,
`gallery` draws and saves them.
"""
