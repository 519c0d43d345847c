"""Images with labels: scikit-learn's digits, or MNIST and its variants from IDX files.

Images are `[b h w]` in [0, 1], labels whole numbers from 0. `digits` comes with
scikit-learn; each of the others is four files, as they are published, gzipped or
not, in a folder that the user names.
"""

import gzip
import hashlib
import math
import os
import zlib
from pathlib import Path

import flax.struct
import numpy as np
from jaxtyping import Array, Float, Int
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

CLASSES = 10
"""Number of classes of every data set here."""

FOLDER_VARIABLE = "TOYMONO_DATA_DIR"
"""Environment variable with the folder of the IDX files."""

# Our choice: digits has no published split.
_DIGITS_TEST_SHARE = 0.2

_PARTS = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
_UNSIGNED_BYTE = 0x08  # the only element type of the published files


class Dataset(flax.struct.PyTreeNode):
    """Training and test images with their labels."""

    train_bhw: Float[Array, "train h w"]
    train_label_b: Int[Array, " train"]
    test_bhw: Float[Array, "test h w"]
    test_label_b: Int[Array, " test"]
    fingerprint: str = flax.struct.field(pytree_node=False, default="")
    """16 hexadecimal digits, a hash of images and labels: equal for equal data sets."""


def load(name: str, folder: str | Path | None = None) -> Dataset:
    """The data set of that name.

    Args:
      name: One of the choices of `fields.CLASSIFIER["data"]`.
      folder: Of the IDX files, or with a subfolder of them that has the name of the
        data set; None for the one that the environment variable TOYMONO_DATA_DIR
        names. `digits` needs none.

    Raises:
      FileNotFoundError: No folder is given, or a file is missing.
      ValueError: A file is truncated, or not what its name says.
    """
    if name == "digits":
        images, labels = load_digits(return_X_y=True)
        parts = train_test_split(
            images.reshape(-1, 8, 8).astype(np.uint8),
            labels,
            test_size=_DIGITS_TEST_SHARE,
            random_state=0,
            stratify=labels,
        )
        train, test = (parts[0], parts[2]), (parts[1], parts[3])
        return _dataset(train, test, brightest=16)
    folder = folder or os.environ.get(FOLDER_VARIABLE)
    if not folder:
        raise FileNotFoundError(
            f"data={name} is read from IDX files: name their folder with --data_dir,"
            f" or in the environment variable {FOLDER_VARIABLE}"
        )
    own = Path(folder) / name
    folder = own if own.is_dir() else Path(folder)
    train, test = (_read_part(folder, name, part) for part in ("train", "test"))
    if train[0].shape[1:] != test[0].shape[1:]:
        shapes = " and ".join(str(part[0].shape[1:]) for part in (train, test))
        raise ValueError(f"{folder}: training and test images differ in size: {shapes}")
    return _dataset(train, test, brightest=255)


def read_idx(path: Path) -> np.ndarray:
    """The array in an IDX file of unsigned bytes, gzipped or plain.

    Raises:
      ValueError: The file is not of this format, or truncated.
    """
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{path} is truncated or damaged: {error}") from None
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != _UNSIGNED_BYTE:
        raise ValueError(
            f"{path} is not an IDX file of unsigned bytes: it starts with {content[:4]!r}"
        )
    head = 4 + 4 * content[3]
    if len(content) < head:
        raise ValueError(f"{path} is truncated: {len(content)} bytes, its header alone has {head}")
    shape = tuple(int(length) for length in np.frombuffer(content, ">u4", content[3], 4))
    expected = head + math.prod(shape)
    if len(content) != expected:
        state = "is truncated" if len(content) < expected else "continues past its end"
        raise ValueError(f"{path} {state}: {len(content)} bytes, its header says {expected}")
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)


def _read_part(folder: Path, name: str, part: str) -> tuple[np.ndarray, np.ndarray]:
    images_path, labels_path = (_find(folder, name, file) for file in _PARTS[part])
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.ndim != 3 or not images.size:
        raise ValueError(f"{images_path} holds an array of shape {images.shape}, not images")
    if labels.shape != images.shape[:1]:
        raise ValueError(f"{labels_path} has shape {labels.shape} for {len(images)} images")
    if labels.max() >= CLASSES:
        raise ValueError(f"{labels_path} has a label {labels.max()}; {name} has {CLASSES} classes")
    return images, labels


def _find(folder: Path, name: str, file: str) -> Path:
    # Some copies are unpacked with a dot before idx.
    for spelling in (file, file.replace("-idx", ".idx")):
        for path in (folder / spelling, folder / f"{spelling}.gz"):
            if path.is_file():
                return path
    raise FileNotFoundError(f"{name} needs {folder / file}, or {file}.gz: neither exists")


def _dataset(train, test, brightest: int) -> Dataset:
    digest = hashlib.sha256()
    for array in (*train, *test):
        digest.update(repr(array.shape).encode() + np.ascontiguousarray(array, np.uint8).tobytes())
    (train_bhw, train_label_b), (test_bhw, test_label_b) = train, test
    return Dataset(
        train_bhw=(train_bhw / np.float32(brightest)).astype(np.float32),
        train_label_b=train_label_b.astype(np.int32),
        test_bhw=(test_bhw / np.float32(brightest)).astype(np.float32),
        test_label_b=test_label_b.astype(np.int32),
        fingerprint=digest.hexdigest()[:16],
    )
