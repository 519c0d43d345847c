"""Grey patches of images: scikit-learn's two photographs, or a folder of the user's.

Patches lie at random places of all images, every place alike, and are drawn once
for a data set, so that its fingerprint names them. A colour image's grey is the
mean of its channels. Pixels are standardised: one mean and one deviation for the
whole data set, without which networks collapse at moderate dropout (measured:
error over variance 1.0 at rate 0.5 instead of 0.2).
"""

import functools
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flax.struct
import numpy as np
from jaxtyping import Array, Float
from PIL import Image, UnidentifiedImageError
from sklearn.datasets import load_sample_images

from toymono.classifiers.data import FOLDER_VARIABLE, read_idx

PATCHES = 2**16
"""Patches of a data set: our choice, enough for 100 for each of 512 dimensions."""

_MOST_PIXELS = 2**26  # Our choice: patches above 32 × 32 are fewer, so that they take 256 MiB.

_IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
_BRIGHTEST = 255


class Patches(flax.struct.PyTreeNode):
    """Patches of images, in random order."""

    patch_bd: Float[Array, "b d"]
    """Pixels row by row; their mean over the data set is 0 and their variance 1."""
    fingerprint: str = flax.struct.field(pytree_node=False, default="")
    """16 hexadecimal digits, a hash of the patches."""


def load(name: str, side: int, folder: str | Path | None = None) -> Patches:
    """Patches of the data of that name.

    Args:
      name: One of the choices of `fields.AUTOENCODER["data"]`.
      side: Of a patch, in pixels.
      folder: Of the images and IDX files, for `folder`; None for the one that the
        environment variable TOYMONO_DATA_DIR names.

    Raises:
      FileNotFoundError: No folder is given, there is no such folder, or it holds no image.
      ValueError: A file is damaged or no image, an image is smaller than a patch,
        or all pixels are equal.
    """
    if name == "photographs":
        return _photographs(side)
    folder = folder or os.environ.get(FOLDER_VARIABLE)
    if not folder:
        raise FileNotFoundError(
            f"data={name} is read from a folder: name it with --data_dir,"
            f" or in the environment variable {FOLDER_VARIABLE}"
        )
    return _cut(dict(_read(Path(folder))), side)


@functools.cache
def _photographs(side: int) -> Patches:
    photographs = load_sample_images()
    images = zip(photographs.filenames, photographs.images, strict=True)
    return _cut({str(name): _grey(image)[None] for name, image in images}, side)


def _grey(image: np.ndarray) -> np.ndarray:
    return (image.mean(axis=-1) / _BRIGHTEST).astype(np.float32)


def _read(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The images of each file, `[b h w]`, by the file's name."""
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {str(folder)!r}")
    found = False
    for path in sorted(folder.iterdir()):
        stem = path.name.removesuffix(".gz")
        if path.suffix.lower() in _IMAGES:
            yield path.name, _read_image(path)[None]
        elif stem.endswith("ubyte") and "images" in stem:
            images = read_idx(path)
            if images.ndim != 3 or not images.size:
                raise ValueError(f"{path} holds an array of shape {images.shape}, not images")
            yield path.name, (images / np.float32(_BRIGHTEST)).astype(np.float32)
        else:
            continue
        found = True
    if not found:
        raise FileNotFoundError(
            f"{folder} holds no image: neither {', '.join(_IMAGES)} nor an IDX file …images…ubyte"
        )


def _read_image(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return _grey(np.asarray(image.convert("RGB")))
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} cannot be read as an image: {reason}") from None


def _cut(images: dict[str, np.ndarray], side: int) -> Patches:
    """Patches at random places, without repetition if there are enough places."""
    for name, images_bhw in images.items():
        height, width = images_bhw.shape[1:]
        if min(height, width) < side:
            raise ValueError(
                f"{name} has {width} x {height} pixels, less than a patch of {side} x {side}"
            )
    shapes = [images_bhw.shape for images_bhw in images.values()]
    counts = [b * (h - side + 1) * (w - side + 1) for b, h, w in shapes]
    rng = np.random.default_rng(0)
    most = min(PATCHES, max(1, _MOST_PIXELS // side**2))
    chosen = rng.choice(sum(counts), min(most, sum(counts)), replace=False)
    patch_bd = np.empty((len(chosen), side**2), np.float32)
    first = 0
    for images_bhw, count in zip(images.values(), counts, strict=True):
        inside = (first <= chosen) & (chosen < first + count)
        window_bhwij = np.lib.stride_tricks.sliding_window_view(
            images_bhw, (side, side), axis=(1, 2)
        )
        place = np.unravel_index(chosen[inside] - first, window_bhwij.shape[:3])
        patch_bd[inside] = window_bhwij[place].reshape(-1, side**2)
        first += count
    fingerprint = hashlib.sha256(repr(patch_bd.shape).encode() + patch_bd.tobytes()).hexdigest()
    mean, deviation = patch_bd.mean(dtype=np.float64), patch_bd.std(dtype=np.float64)
    if deviation == 0:
        raise ValueError(f"all pixels of {', '.join(images)} are equal: there is nothing to learn")
    standard_bd: Any = ((patch_bd - mean) / deviation).astype(np.float32)
    return Patches(standard_bd, fingerprint[:16])
