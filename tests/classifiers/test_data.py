"""Data sets: digits, and IDX files that the tests write."""

import gzip
import struct

import numpy as np
import pytest

from toymono.classifiers import data

IMAGES = np.arange(5 * 3 * 2, dtype=np.uint8).reshape(5, 3, 2)
LABELS = np.array([0, 1, 9, 3, 1], np.uint8)


def idx(array: np.ndarray) -> bytes:
    """An array of unsigned bytes as an IDX file."""
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.tobytes()


def write(folder, change=lambda name, content: content):
    """The four files of a tiny data set; `change` may damage one."""
    for part in ("train", "t10k"):
        for name, array in (
            (f"{part}-images-idx3-ubyte", IMAGES),
            (f"{part}-labels-idx1-ubyte", LABELS),
        ):
            (folder / name).write_bytes(change(name, idx(array)))
    return folder


def test_digits_are_split_by_class_and_scaled():
    digits = data.load("digits")
    assert digits.train_bhw.shape == (1437, 8, 8)
    assert digits.test_bhw.shape == (360, 8, 8)
    assert (digits.train_bhw.min(), digits.train_bhw.max()) == (0, 1)
    counts_y = np.bincount(digits.test_label_b)
    assert counts_y.min() >= 35
    assert digits.fingerprint == data.load("digits").fingerprint


def test_no_digit_is_in_both_parts():
    digits = data.load("digits")
    train = {image.tobytes() for image in digits.train_bhw}
    assert not any(image.tobytes() in train for image in digits.test_bhw)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
@pytest.mark.parametrize("zipped", [False, True])
def test_idx_files_are_read_plain_or_zipped(tmp_path, name, zipped):
    write(tmp_path)
    if zipped:
        for path in list(tmp_path.iterdir()):
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    dataset = data.load(name, tmp_path)
    np.testing.assert_allclose(dataset.train_bhw, IMAGES / 255)
    np.testing.assert_array_equal(dataset.test_label_b, LABELS)
    assert dataset.test_label_b.dtype == np.int32


def test_idx_file_names_may_contain_a_dot(tmp_path):
    for path in list(write(tmp_path).iterdir()):
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    assert len(data.load("mnist", tmp_path).train_bhw) == 5


def test_different_data_have_different_fingerprints(tmp_path):
    prints = [data.load("mnist", write(tmp_path)).fingerprint]
    write(tmp_path, lambda name, content: content[:-1] + b"\0" if "labels" in name else content)
    prints.append(data.load("mnist", tmp_path).fingerprint)
    assert len(set(prints)) == 2


def damaged(name, change):
    return lambda file, content: change(content) if file == name else content


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[:-3], r"truncated: 43 bytes, its header says 46"),
        (lambda content: content[:9], r"truncated: 9 bytes, its header alone has 16"),
        (lambda content: content + b"x", r"continues past its end: 47 bytes, its header says 46"),
        (lambda content: b"\0\0\x0d" + content[3:], r"is not an IDX file of unsigned bytes"),
        (lambda content: b"", r"is not an IDX file of unsigned bytes"),
        (lambda content: b"<html>", r"is not an IDX file of unsigned bytes"),
        (lambda content: gzip.compress(content)[:-9], r"is truncated or damaged"),
        (lambda content: b"\x1f\x8bgarbage", r"is truncated or damaged"),
        (lambda content: idx(LABELS), r"holds an array of shape \(5,\), not images"),
        (lambda content: idx(IMAGES[:4]), r"labels-idx1-ubyte has shape \(5,\) for 4 images"),
        (lambda content: idx(IMAGES[:, :2]), r"images differ in size: \(2, 2\) and \(3, 2\)"),
    ],
)
def test_damaged_images_are_named_in_one_line(tmp_path, change, message):
    write(tmp_path, damaged("train-images-idx3-ubyte", change))
    with pytest.raises(ValueError, match=message) as caught:
        data.load("mnist", tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_label_beyond_the_classes_is_named(tmp_path):
    change = damaged("t10k-labels-idx1-ubyte", lambda content: content[:-1] + b"\x0a")
    write(tmp_path, change)
    with pytest.raises(ValueError, match=r"a label 10; mnist has 10 classes"):
        data.load("mnist", tmp_path)


def test_a_missing_file_or_folder_is_named(tmp_path, monkeypatch):
    (write(tmp_path) / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match=r"mnist needs .*t10k-images-idx3-ubyte, or .*gz: "):
        data.load("mnist", tmp_path)
    monkeypatch.delenv("TOYMONO_DATA_DIR", raising=False)
    with pytest.raises(FileNotFoundError, match=r"--data_dir, or .* variable TOYMONO_DATA_DIR$"):
        data.load("fashion_mnist")


def test_the_folder_is_read_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("TOYMONO_DATA_DIR", str(write(tmp_path)))
    assert len(data.load("mnist").train_bhw) == 5
    with pytest.raises(FileNotFoundError, match=r"elsewhere"):
        data.load("mnist", tmp_path / "elsewhere")


def test_one_folder_can_hold_several_data_sets(tmp_path, monkeypatch):
    monkeypatch.setenv("TOYMONO_DATA_DIR", str(tmp_path))
    for name in ("mnist", "fashion_mnist"):
        (tmp_path / name).mkdir()
        write(tmp_path / name)
    (tmp_path / "fashion_mnist" / "t10k-labels-idx1-ubyte").unlink()
    assert len(data.load("mnist").train_bhw) == 5
    with pytest.raises(FileNotFoundError, match=r"needs .*fashion_mnist.t10k-labels"):
        data.load("fashion_mnist")
