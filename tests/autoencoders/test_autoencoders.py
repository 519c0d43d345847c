"""Autoencoders: patches, the network by hand, training, storage, the command."""

import gzip
import os
import subprocess
import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from toymono import store
from toymono.autoencoders import data, network
from toymono.autoencoders import train as training
from toymono.autoencoders.config import AutoencoderConfig, AutoencoderHyperparams
from toymono.autoencoders.data import Patches
from toymono.autoencoders.fields import AUTOENCODER
from toymono.frames import autoencoders as frames
from toymono.job import Job
from toymono.kinds import KINDS
from toymono.quantities import INDEX_COLUMNS, QUANTITIES
from toymono.sweep import plan, trainer

TINY = AutoencoderConfig("folder", patch=3, sizes=(6, 5), batch_size=8, steps=12)
HALF = AutoencoderHyperparams(dropout_rate=0.5, learning_rate=0.01)


def idx(images_bhw):
    head = bytes([0, 0, 8, 3]) + np.array(images_bhw.shape, ">u4").tobytes()
    return head + images_bhw.tobytes()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a grey image, a colour image and a gzipped IDX file of two images."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "images"
    folder.mkdir()
    Image.fromarray(rng.integers(0, 255, (5, 4), np.uint8)).save(folder / "a.png")
    Image.fromarray(rng.integers(0, 255, (3, 6, 3), np.uint8)).save(folder / "b.PNG")
    images_bhw = rng.integers(0, 255, (2, 4, 3), np.uint8)
    (folder / "t-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images_bhw)))
    (folder / "notes.txt").write_text("no image")
    monkeypatch.setenv("TOYMONO_DATA_DIR", str(folder))
    return folder


# Data.


def test_patches_are_every_place_of_every_image_once(folder):
    patches = data.load("folder", 3)
    with Image.open(folder / "a.png") as image:
        grey_hw = np.asarray(image).astype(float)
    with Image.open(folder / "b.PNG") as image:
        colour_hw = np.asarray(image).astype(float).mean(axis=2)
    images_bhw = np.frombuffer(
        gzip.decompress((folder / "t-images-idx3-ubyte.gz").read_bytes())[16:], np.uint8
    )
    every = [grey_hw, colour_hw, *images_bhw.reshape(2, 4, 3).astype(float)]
    wanted = [
        image_hw[top : top + 3, left : left + 3].ravel()
        for image_hw in every
        for top in range(image_hw.shape[0] - 2)
        for left in range(image_hw.shape[1] - 2)
    ]
    wanted = (np.array(wanted) - np.mean(wanted)) / np.std(wanted)
    assert patches.patch_bd.shape == (3 * 2 + 4 + 2 * 2, 9) == wanted.shape
    order = [np.lexsort(rows.round(4).T) for rows in (patches.patch_bd, wanted)]
    np.testing.assert_allclose(patches.patch_bd[order[0]], wanted[order[1]], atol=1e-5)
    assert patches.fingerprint == data.load("folder", 3, folder).fingerprint
    assert patches.fingerprint != data.load("folder", 2).fingerprint


def test_the_photographs_come_with_scikit_learn():
    patches = data.load("photographs", 8)
    assert patches.patch_bd.shape == (data.PATCHES, 64)
    assert patches.patch_bd.mean(dtype=float) == pytest.approx(0, abs=1e-6)
    assert patches.patch_bd.std(dtype=float) == pytest.approx(1, abs=1e-6)
    # Neighbouring pixels of photographs are alike.
    assert np.corrcoef(patches.patch_bd[:, 0], patches.patch_bd[:, 1])[0, 1] > 0.9


def emptied(folder):
    for path in folder.iterdir():
        path.unlink()


def unreadable(folder):
    (folder / "c.jpg").write_bytes(b"not a picture")


def cut_short(folder):
    path = folder / "a.png"
    path.write_bytes(path.read_bytes()[:60])


def small(folder):
    Image.fromarray(np.zeros((2, 9), np.uint8)).save(folder / "s.png")


def labels(folder):
    (folder / "u-images-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 1, 2]))


def black(folder):
    emptied(folder)
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(folder / "black.png")


BAD = {
    emptied: "holds no image",
    unreadable: "c.jpg cannot be read as an image: cannot identify",
    cut_short: "a.png cannot be read as an image",
    small: "s.png has 9 x 2 pixels, less than a patch of 3 x 3",
    labels: "holds an array of shape (2,), not images",
    black: "all pixels of black.png are equal",
}


@pytest.mark.parametrize("damage", BAD, ids=lambda damage: damage.__name__)
def test_a_bad_folder_is_named(folder, damage):
    damage(folder)
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        data.load("folder", 3)
    assert BAD[damage] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there_is_named(folder, monkeypatch):
    with pytest.raises(FileNotFoundError, match="there is no folder '/nowhere'"):
        data.load("folder", 3, "/nowhere")
    monkeypatch.delenv("TOYMONO_DATA_DIR")
    with pytest.raises(FileNotFoundError, match="name it with --data_dir"):
        data.load("folder", 3)


# The network.


def relu_layers(params, patch_bd, kept=lambda layer, h_bd: h_bd):
    """Hidden layers and output in float64."""
    h_bd, hidden = np.asarray(patch_bd, float), []
    for layer in range(len(params) - 1):
        weights = params[f"hidden_{layer}"]
        h_bd = np.maximum(h_bd @ np.asarray(weights["kernel"]) + np.asarray(weights["bias"]), 0)
        hidden.append(h_bd)
        h_bd = kept(layer, h_bd)
    output = params["output"]
    return hidden, h_bd @ np.asarray(output["kernel"]) + np.asarray(output["bias"])


def test_the_network_by_hand(folder, key):
    patch_bd = data.load("folder", 3).patch_bd
    params = jax.tree.map(lambda leaf: leaf + 0.1, network.init(TINY, key))
    hidden, output_bd = relu_layers(params, patch_bd)
    found = network.hidden(TINY, params, patch_bd)
    chex.assert_trees_all_close(list(found), hidden, atol=1e-5)
    variance = ((patch_bd - patch_bd.mean(axis=0)) ** 2).sum()
    share = ((output_bd - patch_bd) ** 2).sum() / variance
    assert network.error_share(TINY, params, patch_bd) == pytest.approx(share, rel=1e-4)
    assert share > 0.5
    # The mean patch alone: a network with an output bias and nothing else.
    none = jax.tree.map(jnp.zeros_like, params)
    none["output"]["bias"] = jnp.asarray(patch_bd.mean(axis=0))
    assert network.error_share(TINY, none, patch_bd) == pytest.approx(1)


def test_the_first_loss_is_that_of_its_batch_and_dropout(folder, key):
    patches = data.load("folder", 3)
    state = training.begin(TINY, HALF, key)
    batch_key, dropout_key = jax.random.split(jax.random.fold_in(state.key, 0))
    x_bd = patches.patch_bd[jax.random.randint(batch_key, (8,), 0, len(patches.patch_bd))]

    def kept(layer, h_bd):
        kept_bd = jax.random.bernoulli(jax.random.fold_in(dropout_key, layer), 0.5, h_bd.shape)
        return 2 * h_bd * np.asarray(kept_bd)

    _, output_bd = relu_layers(state.params, x_bd, kept)
    stepped = training.advance(TINY, HALF, patches, state, 1)
    expected = ((output_bd - x_bd) ** 2).sum(axis=1).mean()
    assert stepped.loss_t[0] == pytest.approx(expected, rel=1e-4)
    chex.assert_trees_all_equal_shapes(stepped.params, state.params)


# Runs.


def test_a_run_continues_and_groups_to_the_same_bits(folder, tmp_path):
    fingerprint = data.load("folder", 3).fingerprint
    jobs = [
        Job(TINY, HALF.replace(dropout_rate=rate), seed, fingerprint)
        for rate in (0.0, 0.5)
        for seed in (3, 7)
    ]
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert len(list(trainer.run_plan(plan.make(jobs, whole, 2), whole))) == 4
    assert not list(trainer.run_plan(plan.make(jobs, stopped, 2), stopped, stopped=lambda: True))
    assert [path.suffix for path in stopped.iterdir()] == [".partial"] * 2
    mixed = [jobs[index] for index in (2, 0, 3, 1)]
    list(trainer.run_plan(plan.make(mixed, stopped, 2), stopped))
    for job in jobs:
        one, other = (store.load(store.path(place, job)) for place in (whole, stopped))
        chex.assert_trees_all_equal((one.params, one.loss_t), (other.params, other.loss_t))
    assert plan.make(jobs, whole).to_train == 0

    stored = store.find(whole, kind="autoencoder", dropout_rate=0.5)
    assert [run.seed for run in stored] == [3, 7]
    alone = training.fit(TINY, HALF, data.load("folder", 3), jobs[2].key)
    chex.assert_trees_all_close(store.load(stored[0]).params, alone.params, rtol=1e-4, atol=1e-6)
    frame = frames.per_run(stored)
    assert set(frame) <= {*QUANTITIES, *INDEX_COLUMNS}
    assert (frame["error_share"] > 0).all()
    text = frames.summary(store.find(whole, kind="autoencoder"))
    assert text.split()[:4] == ["dropout_rate", "seed", "loss", "error/variance"]

    (folder / "a.png").unlink()
    with pytest.raises(ValueError, match="was trained on other images"):
        frames.per_run(stored)


def test_a_run_that_diverged_says_when(key):
    patches = Patches(np.ones((4, 9), np.float32) * np.float32(1e20))
    run = training.fit(TINY, AutoencoderHyperparams(learning_rate=1e20), patches, key)
    assert run.diverged == int(np.argmax(~np.isfinite(run.loss_t)))


def test_fields_and_refusals(key):
    kind = KINDS["autoencoder"]
    assert kind.fields is AUTOENCODER
    with pytest.raises(ValueError, match=r"^dropout_rate=1 is not in \[0, 1\)$"):
        kind.split({"dropout_rate": 1.0})
    with pytest.raises(ValueError, match="names no hidden layer"):
        AutoencoderConfig(sizes=())
    stacked = HALF.replace(dropout_rate=jnp.array([0.1, 0.2]))
    with pytest.raises(ValueError, match="dropout_rate has shape"):
        training.begin(TINY, stacked, key)


# The command.


@pytest.mark.parametrize("flags", [["--data", "folder"], ["--patch", "600"]])
def test_a_wrong_command_ends_with_code_2_in_one_line(flags, tmp_path):
    environment = {name: text for name, text in os.environ.items() if name != "TOYMONO_DATA_DIR"}
    done = subprocess.run(
        [sys.executable, "-m", "toymono.autoencoders", *flags, f"--runs_dir={tmp_path / 'r'}"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "r").exists()
