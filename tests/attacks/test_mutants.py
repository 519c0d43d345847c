"""Changed files of unfinished runs of every kind: refused by name, or continued to the same run.

What was ever accepted wrongly, and cases made by hand, are files in `inputs`.
"""

import dataclasses
import itertools
import json
import shutil
import struct
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stored_runs import same_arrays, tensors

from toymono import Config, Hyperparams, store
from toymono.autoencoders import data as patch_data
from toymono.autoencoders.config import AutoencoderConfig, AutoencoderHyperparams
from toymono.classifiers.config import ClassifierConfig, ClassifierHyperparams
from toymono.job import Job
from toymono.kinds import KINDS
from toymono.sweep import plan, trainer

INPUTS = Path(__file__).with_name("inputs")

CONFIG = Config(n=4, m=2, k=3, batch_size=4, log2_steps=3)
HYPERPARAMS = Hyperparams(eps=0.25)
REPLAYED = Job(CONFIG, HYPERPARAMS, 1)
"""The run that every file in `inputs` claims to be."""


def classifier_job(digits):
    config = ClassifierConfig(sizes=(4,), batch_size=64, epochs=4)
    return [Job(config, ClassifierHyperparams(), 0, digits.fingerprint)]


def autoencoder_job(_):
    config = AutoencoderConfig(patch=3, sizes=(4,), batch_size=8, steps=8)
    fingerprint = patch_data.load(config.data, config.patch).fingerprint
    return [Job(config, AutoencoderHyperparams(), 0, fingerprint)]


def child_job(_):
    parent = Job(CONFIG, HYPERPARAMS, 0)
    child = dataclasses.replace(CONFIG, origin="continued")
    return [parent, Job(child, HYPERPARAMS, 1, parents=(parent.name,))]


CASES = {
    "toy": lambda _: [REPLAYED],
    "masks": lambda _: [Job(dataclasses.replace(CONFIG, sparsity="rigl"), HYPERPARAMS, 1)],
    "child": child_job,
    "classifier": classifier_job,
    "autoencoder": autoencoder_job,
}
"""By name: the jobs, the last of which is the one whose file is changed."""


def train(jobs, folder, segments=None):
    """Trains jobs, at most for so many segments; the warnings."""
    asked = itertools.count(1)
    stopped = (lambda: False) if segments is None else (lambda: next(asked) >= segments)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        list(trainer.run_plan(plan.make(jobs, folder), folder, stopped=stopped))
    return [str(warning.message) for warning in caught]


@pytest.fixture(scope="module", params=CASES)
def case(request, digits, tmp_path_factory):
    """A job, a folder with its unfinished run, and the arrays of the undisturbed one."""
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        few = dataclasses.replace(KINDS["classifier"], shared=lambda config, data_dir: digits)
        patch.setitem(KINDS, "classifier", few)
        *parents, job = CASES[request.param](digits)
        if parents:
            train(parents, folder)
        train([*parents, job], folder, segments=2)
        assert 0 < store.partial_step(folder, job) < job.config.steps
        shutil.copytree(folder, whole := folder / "whole")
        train([*parents, job], whole)
        yield [*parents, job], folder, tensors(whole)[job.name]


def assert_refused_or_continued(case, tmp_path, content: bytes):
    """Whether the file was refused, in which case the warning names it."""
    jobs, folder, whole = case
    runs_dir = tmp_path / "runs"
    shutil.rmtree(runs_dir, ignore_errors=True)
    shutil.copytree(folder, runs_dir, ignore=shutil.ignore_patterns("whole", "*.partial"))
    partial = store.partial_path(runs_dir, jobs[-1])
    partial.write_bytes(content)
    said = train(jobs, runs_dir)
    assert all(partial.name in text for text in said), said
    assert same_arrays(tensors(runs_dir)[jobs[-1].name], whole)
    assert not partial.exists()
    return bool(said)


def parts(content: bytes):
    """Header, metadata of toymono in it, and data of a safetensors file."""
    (length,) = struct.unpack("<Q", content[:8])
    head = json.loads(content[8 : 8 + length])
    return head, json.loads(head["__metadata__"]["toymono"]), content[8 + length :]


def joined(head, metadata, data) -> bytes:
    head["__metadata__"]["toymono"] = json.dumps(metadata)
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + data


def mutate(content: bytes, edits) -> bytes:
    """Edits of bytes: half of them in the header, which is the smaller part of larger runs."""
    content = bytearray(content)
    for how, place, near, value in edits:
        start = place % (min(len(content), 2500) if near else len(content))
        if how == "flip":
            content[start] ^= value
        elif how == "cut":
            del content[start : min(start + value % 40, len(content) - 1)]
        elif how == "repeat":
            content[start:start] = content[start : start + value]
        else:
            del content[max(start, 1) :]
    return bytes(content)


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "repeat", "truncate"]),
        st.integers(0, 2**16),
        st.booleans(),
        st.integers(1, 255),
    ),
    min_size=1,
    max_size=3,
)
SHARED = [HealthCheck.function_scoped_fixture]


@given(EDITS)
@settings(max_examples=10, suppress_health_check=SHARED)
def test_mutants_are_refused_or_continued_to_the_same_run(case, tmp_path, edits):
    jobs, folder, _ = case
    content = store.partial_path(folder, jobs[-1]).read_bytes()
    assert_refused_or_continued(case, tmp_path, mutate(content, edits))


@pytest.mark.slow
@given(EDITS)
@settings(max_examples=1000, suppress_health_check=SHARED, derandomize=False, print_blob=True)
def test_a_thousand_new_mutants_of_each_kind(case, tmp_path, edits):
    """If one fails, a line to reproduce it is printed; see inputs/README.md."""
    jobs, folder, _ = case
    content = store.partial_path(folder, jobs[-1]).read_bytes()
    assert_refused_or_continued(case, tmp_path, mutate(content, edits))


def test_the_unchanged_file_is_continued(case, tmp_path):
    jobs, folder, _ = case
    content = store.partial_path(folder, jobs[-1]).read_bytes()
    assert not assert_refused_or_continued(case, tmp_path, content)


# Cases made by hand. A seal of its own makes a header look whole.


def resealed(change):
    def changed(content):
        head, metadata, data = parts(content)
        change(metadata)
        metadata["seal"] = store.format._seal(metadata)
        return joined(head, metadata, data)

    return changed


def swapped(content):
    """Two different arrays of one shape have each other's names."""
    head, metadata, data = parts(content)
    names = sorted(name for name in head if name != "__metadata__")
    one, other = next(
        (one, other)
        for one, other in itertools.combinations(names, 2)
        if all(head[one][entry] == head[other][entry] for entry in ("shape", "dtype"))
        and data[slice(*head[one]["data_offsets"])] != data[slice(*head[other]["data_offsets"])]
    )
    head[one], head[other] = head[other], head[one]
    return joined(head, metadata, data)


def seal_renamed(content):
    """And the step changed, which the seal would have shown."""
    head, metadata, data = parts(content)
    metadata["sea1"] = metadata.pop("seal")
    metadata["step"] += 1
    return joined(head, metadata, data)


BY_HAND = {
    "negative_step": resealed(lambda metadata: metadata.update(step=-5)),
    "another_step": resealed(lambda metadata: metadata.update(step=1)),
    "last_step": resealed(lambda metadata: metadata.update(step=8)),
    "step_of_another_type": resealed(lambda metadata: metadata.update(step=3.0)),
    "another_seed": resealed(lambda metadata: metadata.update(seed=2)),
    "no_checksum": resealed(lambda metadata: metadata.pop("checksum")),
    "swapped_tensors": swapped,
    "seal_renamed": seal_renamed,
    "truncated": lambda content: content[:-1],
    "empty": lambda content: b"",
}


@pytest.mark.parametrize("name", BY_HAND)
def test_changes_made_by_hand_are_refused(case, tmp_path, name):
    jobs, folder, _ = case
    content = store.partial_path(folder, jobs[-1]).read_bytes()
    changed = BY_HAND[name](content)
    assert changed != content
    assert assert_refused_or_continued(case, tmp_path, changed)


# Saved inputs.


@pytest.fixture(scope="module")
def replayed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("replayed")
    train([REPLAYED], folder / "whole")
    return [REPLAYED], folder, tensors(folder / "whole")[REPLAYED.name]


@pytest.mark.parametrize("path", sorted(INPUTS.glob("*.partial")), ids=lambda path: path.stem)
def test_saved_inputs_are_refused(replayed, tmp_path, path):
    assert assert_refused_or_continued(replayed, tmp_path, path.read_bytes())


def test_there_are_saved_inputs():
    assert {path.stem for path in INPUTS.glob("*.partial")} >= set(BY_HAND)
