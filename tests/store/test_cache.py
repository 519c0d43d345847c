"""Cached analyses: computed once, and again when what they depend on changes."""

import pytest
from test_layers import FILES, PACKAGE, imported_modules

from toymono import store
from toymono.files import cache_folder
from toymono.store import cache

CALLS = []


def count_neurons(run, times=1):
    CALLS.append(times)
    return times * run.config.k


def count_features(run):
    CALLS.append("features")
    return run.config.n


def many_numbers(run):
    CALLS.append("many")
    return list(range(5000))


@pytest.fixture
def stored(tmp_path, untrained):
    CALLS.clear()
    store.save(tmp_path, untrained())
    [stored] = store.find(tmp_path)
    return stored


def test_a_result_is_computed_once(stored):
    assert [store.cached(count_neurons, stored) for _ in range(3)] == [24] * 3
    assert CALLS == [1]


def test_other_parameters_and_functions_have_results_of_their_own(stored):
    assert store.cached(count_neurons, stored, times=2) == 48
    assert store.cached(count_neurons, stored, times=3) == 72
    assert store.cached(count_features, stored) == 16
    assert CALLS == [2, 3, "features"]


def test_another_run_has_results_of_its_own(stored, untrained):
    store.cached(count_neurons, stored)
    store.save(stored.path.parent, untrained(seed=1))
    _, other = store.find(stored.path.parent)
    store.cached(count_neurons, other)
    assert CALLS == [1, 1]


def test_changed_code_of_the_package_computes_again(stored, monkeypatch):
    store.cached(count_neurons, stored)
    monkeypatch.setattr(cache, "_science", lambda: "another version")
    store.cached(count_neurons, stored)
    assert CALLS == [1, 1]


def test_the_digest_covers_every_module_that_analyses_and_frames_import():
    """Directly or through other modules; otherwise results of older code would be reused."""
    by_name = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in FILES
    }
    left = [name for name in by_name if name.split(".")[0] in ("analysis", "frames")]
    reached = set()
    while left:
        name = left.pop()
        if name not in reached:
            reached.add(name)
            imported = (
                module.removesuffix(".__init__") for module in imported_modules(by_name[name])
            )
            left += [module.removeprefix("toymono.") for module in imported if module != "toymono"]
    assert reached >= {"alignment", "masks", "origins", "autoencoders.network", "scores"}
    assert {by_name[name] for name in reached} <= set(cache._digested())


def test_a_run_in_memory_is_not_cached(untrained):
    CALLS.clear()
    run = untrained()
    assert [store.cached(count_neurons, run) for _ in range(2)] == [24, 24]
    assert CALLS == [1, 1]


def test_nothing_is_cached_beside_the_runs(stored):
    """A folder of runs may come from somebody else, and the cache is unpickled."""
    store.cached(count_neurons, stored)
    assert list(stored.path.parent.iterdir()) == [stored.path]


def test_without_a_cache_folder_nothing_is_cached(stored, monkeypatch, tmp_path):
    (tmp_path / "a_file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a_file"))
    assert [store.cached(count_neurons, stored) for _ in range(2)] == [24] * 2
    assert CALLS == [1, 1]


@pytest.mark.parametrize("size", [10, 2000])
def test_a_result_that_does_not_fit_is_computed_again(stored, file_limit, size):
    """The first limit is too low for what joblib writes first, the second for the result."""
    cache._memory(stored.path.parent.absolute(), cache_folder() / "analyses")  # makes the folder
    with file_limit(size), pytest.warns(Warning, match="cache"):
        assert len(store.cached(many_numbers, stored)) == 5000
    assert [len(store.cached(many_numbers, stored)) for _ in range(2)] == [5000] * 2
    assert CALLS == ["many"] * 2
