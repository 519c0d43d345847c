"""Feature visualisation with diversity: what it shows of neurons whose features are known."""
