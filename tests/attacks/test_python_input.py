"""Wrong values in Python: errors that say what was expected."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from toymono import Config, Hyperparams, Run, fit, fit_many, store
from toymono.autoencoders import train as autoencoders
from toymono.autoencoders.config import AutoencoderConfig, AutoencoderHyperparams
from toymono.classifiers import train as classifiers
from toymono.classifiers.config import ClassifierConfig, ClassifierHyperparams
from toymono.classifiers.train import ClassifierRun
from toymono.frames.runs import checked

ORDER = r": the order is \(config, hyperparams, …\)"
KEY = jax.random.key(0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit(Hyperparams(), Config(), KEY), "config is a Hyperparams, not a Config"),
        (lambda: fit(Config(), {"eps": 0.1}, KEY), "hyperparams is a dict, not a Hyperparams"),
        (lambda: fit_many(Config(), {}, KEY[None]), "hyperparams is a dict, not a Hyperparams"),
        (
            lambda: classifiers.fit(Config(), ClassifierHyperparams(), None, KEY),
            "config is a Config, not a ClassifierConfig",
        ),
        (
            lambda: classifiers.fit_many(ClassifierConfig(), {}, None, KEY[None]),
            "hyperparams is a dict, not a ClassifierHyperparams",
        ),
        (
            lambda: autoencoders.fit(AutoencoderHyperparams(), AutoencoderConfig(), None, KEY),
            "config is a AutoencoderHyperparams, not a AutoencoderConfig",
        ),
    ],
)
def test_other_things_than_config_and_hyperparams_are_refused(call, message):
    with pytest.raises(TypeError, match=message + ORDER):
        call()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Config(k="512"), "k='512' is not a whole number of at least 1"),
        (lambda: Config(k=2.0), r"k=2.0 is not a whole number of at least 1"),
        (lambda: Config(k=True), "k=True is not a whole number"),
        (lambda: Config(task=3), "task=3 is not one of decoder"),
        (lambda: Hyperparams(eps="0.1").checked(), "eps='0.1' is not a number"),
        (lambda: Hyperparams(eps=None).checked(), "eps=None is not a number"),
        (lambda: Hyperparams(eps={}).checked(), "eps={} is not a number"),
        (lambda: ClassifierConfig(sizes=256), "sizes=256 is not a tuple of widths"),
        (lambda: ClassifierConfig(sizes="256x4"), "sizes='256x4' is not a tuple of widths"),
        (lambda: AutoencoderConfig(sizes=()), r"sizes=\(\) names no hidden layer"),
    ],
)
def test_strings_and_others_for_numbers_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_find_takes_numbers_for_numbers(tmp_path):
    with pytest.raises(ValueError, match=r"eps='0\.5' is not a number"):
        store.find(tmp_path, eps="0.5")
    with pytest.raises(ValueError, match="'epsilon' is not one of task, "):
        store.find(tmp_path, epsilon=0.5)


def test_exchanged_arguments_of_save_are_refused(tmp_path, untrained):
    with pytest.raises(TypeError, match=r"runs_dir is a Run: save\(runs_dir, run\)"):
        store.save(untrained(), tmp_path)


@pytest.mark.parametrize("wrong", ["runs", {"task": "decoder"}, 3, None])
def test_frames_say_what_they_take(wrong):
    with pytest.raises(TypeError, match=r"not runs; store.find\(folder\) lists those of a folder"):
        list(checked(wrong, Run))


def test_frames_take_runs_of_their_kind(tmp_path, untrained):
    store.save(tmp_path, run := untrained())
    stored = store.find(tmp_path)
    assert list(checked(stored, Run)) == stored
    assert next(checked(run, Run)) is run
    with pytest.raises(TypeError, match="runs holds a Run, not a ClassifierRun"):
        list(checked(stored, ClassifierRun))
    with pytest.raises(TypeError, match="runs holds a dict, not a Run"):
        list(checked([{"task": "decoder"}], Run))
    with pytest.raises(ValueError, match="runs is empty"):
        list(checked([], Run))


# In a process without the type checks of the tests, which would answer first.
EVERY_FRAME = """
import importlib, inspect, pkgutil
from toymono import frames

modules = [frames.__name__]
modules += [found.name for found in pkgutil.walk_packages(frames.__path__, f"{frames.__name__}.")]
for module in map(importlib.import_module, modules):
    for name, function in vars(module).items():
        own = inspect.isfunction(function) and function.__module__ == module.__name__
        if not own or name.startswith("_"):
            continue
        first, *others = [*inspect.signature(function).parameters.values()] or [None]
        if first is None or first.name != "runs" or first.default is not first.empty:
            continue
        if any(other.default is other.empty for other in others):
            continue  # these only serve frames
        for wrong in ([], "runs", 3, None, {"task": "decoder"}):
            try:
                found = function(wrong)
                found = list(found) if inspect.isgenerator(found) else found
                said = f"returned a {type(found).__name__}"
            except Exception as error:
                said = f"{type(error).__name__}: {error}"
            print(f"{module.__name__}.{name}({wrong!r})", said, sep="\\t")
"""


def test_every_frame_says_what_it_takes():
    done = subprocess.run(
        [sys.executable, "-c", EVERY_FRAME],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert len(lines) > 5 * 40
    for line in lines:
        call, said = line.split("\t")
        expected = "ValueError: runs is empty: " if "([])" in call else "TypeError: runs is a "
        assert said.startswith(expected), line
