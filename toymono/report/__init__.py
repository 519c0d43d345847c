"""One self-contained web page of stored runs, opened from disk without a network.

`tables` has every run with its numbers and training traces, `detail` the neurons
of a few runs at every snapshot, `charts` the charts in Altair, and `page` writes
them with their JavaScript into one file. The page's own program is in `js/`.
"""
