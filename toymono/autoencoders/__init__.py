"""Deep autoencoders of image patches, with dropout: the networks of the coding-theory lens.

`python -m toymono.autoencoders` trains a grid of them. In a notebook:

    from toymono import store
    from toymono.autoencoders import data, network
    run = store.load(store.find("runs", kind="autoencoder", dropout_rate=0.5)[0])
    patches = data.load(run.config.data, run.config.patch)
    layers = network.hidden(run.config, run.params, patches.patch_bd[:40_000])

A patch is a vector of d pixels; l counts hidden layers.

Reference:
  Marshall & Kirchner (2024), figures 3 and 5, whose autoencoder is a ResNet on CIFAR-10;
  this one is dense and small, and its data come with scikit-learn.
"""
