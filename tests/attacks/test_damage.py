"""Broken files: each is named with a reason, and no other run is affected."""

import json
import os
import shutil
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from toymono import Config, Hyperparams, store
from toymono.job import job_of


@pytest.fixture(scope="module")
def originals(tmp_path_factory, untrained):
    """A folder with a small run and the unfinished part of another."""
    folder = tmp_path_factory.mktemp("originals")
    config = Config(n=4, m=2, k=3, batch_size=4, log2_steps=2)
    store.save(folder, untrained(config, Hyperparams(eps=0.25)))
    job = job_of(untrained(config, Hyperparams(eps=0.25), seed=1))
    store.save_partial(folder, job, 2, {"w": np.arange(6.0, dtype=np.float32)})
    return folder, job


def _huge(path):
    """A header that claims 10 GB, in a sparse file that has them."""
    head, _ = _parts(path)
    name = "loss_t"
    head = {"__metadata__": head["__metadata__"]}
    head[name] = {"dtype": "F32", "shape": [2_500_000_000], "data_offsets": [0, 10_000_000_000]}
    text = json.dumps(head).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    os.truncate(path, 8 + len(text) + 10_000_000_000)


def _parts(path):
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def _other_shape(path):
    head, _ = _parts(path)
    save_file({"loss_t": np.zeros(3, np.float32)}, path, metadata=head["__metadata__"])


def _in_header(old, new):
    def change(path):
        path.write_bytes(path.read_bytes().replace(old, new, 1))

    return change


def _each(*changes):
    def change(path):
        for one in changes:
            one(path)

    return change


def _without(*entries, **changed):
    """Rewrites the header without some of its entries, and without a seal if it is changed."""

    def change(path):
        head, _ = _parts(path)
        header = json.loads(head["__metadata__"]["toymono"])
        header = {k: v for k, v in {**header, **changed}.items() if k not in entries}
        save_file(load_file(path), path, metadata={"toymono": json.dumps(header)})

    return change


def _misnamed(path):
    path.rename(path.with_name("0123456789abcdef.safetensors"))


def _replaced(make):
    def change(path):
        path.unlink()
        make(path)

    return change


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: os.truncate(path, path.stat().st_size - 1),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "text": lambda path: path.write_text("not a run"),
    "header too long": lambda path: path.write_bytes(struct.pack("<Q", 2**62) + b"{}"),
    "foreign": lambda path: save_file({"x": np.zeros(3)}, path),
    "foreign header": lambda path: save_file({}, path, metadata={"toymono": "[1, 2]"}),
    "nested header": lambda path: save_file({}, path, metadata={"toymono": "[" * 10**5}),
    "misnamed": _misnamed,
    "another seed": _in_header(b'\\"seed\\": 0', b'\\"seed\\": 1'),
    "another date": _in_header(b"+00:00", b"+01:00"),
    "diverged": _in_header(b'\\"diverged\\": null', b'\\"diverged\\": 1234'),
    "diverged, without a seal": _each(
        _in_header(b'\\"seal\\"', b'\\"sael\\"'),
        _in_header(b'\\"diverged\\": null', b'\\"diverged\\": 1234'),
    ),
    "without a checksum": _without("checksum"),
    "other shapes": _other_shape,
    "10 GB claimed": _huge,
    "folder": _replaced(lambda path: path.mkdir()),
    "pipe": _replaced(os.mkfifo),
    "dangling link": _replaced(lambda path: path.symlink_to("nowhere")),
    "link to itself": _replaced(lambda path: path.symlink_to(path.name)),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_named_and_affects_no_other_run(originals, tmp_path, untrained, kind):
    [original] = originals[0].glob("*.safetensors")
    path = tmp_path / original.name
    shutil.copy(original, path)
    whole = store.save(tmp_path, untrained())
    DAMAGE[kind](path)
    [path] = set(tmp_path.iterdir()) - {whole}
    with pytest.raises(store.BrokenRun, match=rf"{path.name} (cannot be read as a run|has format)"):
        store.load(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {run.path for run in store.every(tmp_path)}
    assert whole in found


def test_a_finished_run_from_before_there_were_seals_is_read(originals, tmp_path):
    [path] = originals[0].glob("*.safetensors")
    path = Path(shutil.copy(path, tmp_path))
    _without("seal", date="2026-11-24T20:00:00+00:00")(path)
    assert store.load(path).seed == 0
    _without("seal", date="2026-11-25T00:00:00+00:00")(path)
    with pytest.raises(store.BrokenRun, match="its header has no entry 'seal'"):
        store.load(path)


@pytest.mark.parametrize("entry", ["seal", "checksum"])
@pytest.mark.parametrize("date", [{}, {"date": "2026-11-24T20:00:00+00:00"}])
def test_an_unfinished_run_needs_its_seal_and_checksum(originals, tmp_path, entry, date):
    folder, job = originals
    [path] = folder.glob("*.partial")
    path = Path(shutil.copy(path, tmp_path))
    _without("seal", entry, step=3, **date)(path)
    with pytest.raises(store.BrokenRun, match=f"its header has no entry '{entry}'"):
        store.load_partial(tmp_path, job)


def mutate(content: bytes, edits) -> bytes:
    content = bytearray(content)
    for (place, how), value in edits:
        if how == "flip":
            content[place % len(content)] ^= value
        elif how == "cut":
            start = place % len(content)
            del content[start : min(start + value % 40, len(content) - 1)]
        else:
            start = place % len(content)
            content[start:start] = content[start : start + value]
    return bytes(content)


def assert_noticed(folder, job, edits, whole):
    """The run or the unfinished part is refused, or read as it was."""
    [run] = folder.glob("*.safetensors")
    [partial] = folder.glob("*.partial")
    for path in (run, partial):
        content = path.read_bytes()
        path.write_bytes(mutate(content, edits))
        try:
            if path is run:
                loaded, read = store.load(path), store.read(path)
                assert (loaded.loss_t == whole.loss_t).all()
                assert (loaded.final.w_mk == whole.final.w_mk).all()
                assert (read.seed, read.diverged, read.fields) == (0, None, job_of(whole).fields)
            else:
                assert store.partial_step(folder, job) == 2
                assert (store.load_partial(folder, job)["w"] == np.arange(6)).all()
        except store.BrokenRun as error:
            assert path.name in str(error)  # noqa: PT017
        finally:
            path.write_bytes(content)


SIZE = 2**13  # more bytes than either file has; places beyond the end count on from the start


@pytest.fixture(scope="module")
def mutant_folder(originals, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mutants") / "runs"
    shutil.copytree(originals[0], folder)
    [run] = folder.glob("*.safetensors")
    return folder, originals[1], store.load(run)


EDITS = st.lists(
    st.tuples(
        st.tuples(st.integers(0, SIZE), st.sampled_from(["flip", "cut", "repeat"])),
        st.integers(1, 255),
    ),
    min_size=1,
    max_size=3,
)


@given(EDITS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_mutants_are_refused_or_read_as_they_were(mutant_folder, edits):
    folder, job, whole = mutant_folder
    assert_noticed(folder, job, edits, whole)


@pytest.mark.slow
@given(EDITS)
@settings(max_examples=5000, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_thousands_of_mutants_are_refused_or_read_as_they_were(mutant_folder, edits):
    folder, job, whole = mutant_folder
    assert_noticed(folder, job, edits, whole)
