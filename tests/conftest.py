"""What the tests share: tiny settings, trained runs, the authors' traces, a compile counter."""

# ruff: noqa: E402

import os
import signal
import tempfile
from pathlib import Path

HERE = Path(__file__).parent

# A shell that runs the tests in the background has them ignore Ctrl-C; some tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Before JAX is imported; the commands that the tests start inherit it.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(HERE.parent / ".pytest_cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
os.environ.setdefault("JAX_NUMPY_RANK_PROMOTION", "raise")  # broadcasting is explicit

import jax
import jaxtyping
import numpy as np

# Results of analyses, in a folder of this session's own.
CACHE = tempfile.TemporaryDirectory(prefix="toymono-tests-")
os.environ.setdefault("MPLCONFIGDIR", str(HERE.parent / ".pytest_cache" / "matplotlib"))
os.environ["XDG_CACHE_HOME"] = CACHE.name

# Before the package is imported: shapes and types are checked whenever a test calls a function
# of these modules. The others check what they are given themselves, and tests pass them wrong
# values on purpose. numpy's arrays are welcome wherever JAX's are.
_PACKAGE = HERE.parent / "toymono"
_CHECK_THEMSELVES = {
    *("__init__", "batching", "cli", "config", "fields", "files", "job", "kinds", "store"),
    *("train", "fitting"),
    *("plots", "papers", "quantities"),
}
CHECKED = [
    ".".join(("toymono", *parts))
    for parts in (
        path.relative_to(_PACKAGE).with_suffix("").parts for path in sorted(_PACKAGE.rglob("*.py"))
    )
    if not _CHECK_THEMSELVES & set(parts)
]
jaxtyping.Array = jax.Array | np.ndarray
jaxtyping.install_import_hook(CHECKED, "typecheck.checked")

import contextlib
import json
import resource
import shutil

import hypothesis
import jax.numpy as jnp
import pytest
from settings import POINTS, TINY, TINY_HYPERPARAMS

from toymono import (
    Config,
    Hyperparams,
    Model,
    Run,
    World,
    begin,
    features,
    fit,
    fit_many,
    models,
    stack,
)
from toymono.classifiers import data

hypothesis.settings.register_profile("toymono", deadline=None, max_examples=25, derandomize=True)
hypothesis.settings.load_profile("toymono")


# What is resumed, stored and published is tested as users run it. Elsewhere most of the time of
# the tests would go into optimising programs that run once, on a few numbers.
OPTIMISED = ("attacks", "store", "sweep", "test_precision.py", "test_published.py")


# These compare, bit for bit, runs that differently compiled programs trained. That works with the
# settings of XLA that users have, and not without its fusion emitters.
EXACT = (
    *("test_origins.py", "test_sparse_training.py", "test_masks.py", "test_tickets.py"),
    *("test_expansion.py", "classifiers", "autoencoders"),
)


def is_in(path: Path, places: tuple[str, ...]) -> bool:
    return any(path.is_relative_to(HERE / place) for place in places)


def pytest_collection_modifyitems(items):
    for item in items:
        if is_in(item.path, OPTIMISED + EXACT):
            item.add_marker("exact")


@contextlib.contextmanager
def quickly_compiled(quickly: bool = True):
    """Programs compiled within it are not optimised; fixtures of a session must not depend on
    which module asks for them first, since the last digits differ.
    """
    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", quickly)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture(autouse=True, scope="module")
def compiled(request):
    """Forgets compiled programs and cached analyses after each module.

    The programs are some hundred MB each time, and all together need more memory maps
    than Linux gives a process. The analyses may be of runs that other modules trained on
    other data under the same name.
    """
    with quickly_compiled(not is_in(request.path, OPTIMISED)):
        yield
    jax.clear_caches()
    for folder in Path(CACHE.name).iterdir():
        shutil.rmtree(folder, ignore_errors=True)  # a browser may still write there


@pytest.fixture
def file_limit():
    """A context in which the system lets this process write files of so many bytes only."""

    @contextlib.contextmanager
    def limited(size: int):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited


@pytest.fixture
def key():
    return jax.random.key(0)


@pytest.fixture(scope="session")
def config() -> Config:
    return TINY


@pytest.fixture(scope="session")
def points() -> list[Hyperparams]:
    return POINTS


@pytest.fixture(scope="session")
def run(config, points):
    with quickly_compiled():
        return fit(config, points[0], jax.random.key(0))


@pytest.fixture(scope="session")
def runs(config, points):
    """The points trained together, with seeds 0, 1 and 2."""
    with quickly_compiled():
        return fit_many(config, stack(points), stack([jax.random.key(seed) for seed in range(3)]))


@pytest.fixture(scope="session")
def diverged_run(config):
    """A run whose weights overflow after a few steps."""
    with quickly_compiled():
        return fit(config, Hyperparams(learning_rate=1e30, eps=0.5), jax.random.key(0))


@pytest.fixture(scope="session")
def untrained():
    """Makes a run without training it: its weights are random, its loss falls like 1/t."""

    def make(
        config: Config = TINY, hyperparams: Hyperparams = TINY_HYPERPARAMS, seed: int = 0
    ) -> Run:
        key = jax.random.key(seed)
        world, state = begin(config, hyperparams.checked(), key)
        snapshots = jax.tree.map(
            lambda leaf: jnp.stack([leaf * (1 + c) for c in range(len(config.snapshot_steps))]),
            state.model,
        )
        loss_t = 1 / jnp.arange(1.0, config.steps + 1)
        return Run(config, hyperparams.checked(), key, world, snapshots, loss_t)

    return make


@pytest.fixture(scope="session")
def digits():
    """The first images of scikit-learn's digits."""
    whole = data.load("digits")
    return whole.replace(
        train_bhw=whole.train_bhw[:320],
        train_label_b=whole.train_label_b[:320],
        test_bhw=whole.test_bhw[:100],
        test_label_b=whole.test_label_b[:100],
    )


@pytest.fixture(scope="session")
def toy():
    """Makes an untrained model of 10 neurons and its world of 12 features in 4 dimensions.

    Its weights are larger than at the start of training, so that there are
    kinks to find; its biases have both signs, and one is exactly `bias`.
    """

    def make(task="decoder", nonlinearity="relu", bias=0.0, seed=7) -> tuple[Model, World]:
        config = Config(task=task, n=12, m=4, k=10, nonlinearity=nonlinearity)
        world_key, model_key = jax.random.split(jax.random.key(seed))
        net = models.init(config, bias, model_key)
        net = net.replace(w_mk=3 * net.w_mk, b_k=net.b_k.at[3].set(bias))
        return net, features.build(config, world_key)

    return make


@pytest.fixture(scope="session")
def browser():
    """The machine's Chromium, which `.ci/run` installs unless it is told to do without."""
    sync_api = pytest.importorskip("playwright.sync_api")
    found = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if found is None:
        assert "CI" not in os.environ, ".ci/run installs Chromium"
        pytest.skip("no Chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found)
        yield chromium
        chromium.close()


@pytest.fixture
def compilations():
    """A context that lists the names of the functions compiled within it."""

    @contextlib.contextmanager
    def listening():
        names = []

        def listen(event, duration, fun_name=None, **_):
            if event.endswith("backend_compile_duration"):
                names.append(fun_name)

        jax.monitoring.register_event_duration_secs_listener(listen)
        try:
            yield names
        finally:
            jax.monitoring.unregister_event_duration_listener(listen)

    return listening


TASKS = {"autoencoder": "decoder", "random_proj": "reproject", "abs": "abs"}
"""The authors' names of the tasks, and ours."""


class Trace:
    """A recorded run of the authors' program, in the lab's types."""

    def __init__(self, path: Path):
        with np.load(path) as arrays:
            self.arrays = dict(arrays)
        meta = json.loads(str(self.arrays["meta"]))
        self.config = Config(
            task=TASKS[meta["task"]],
            n=meta["N"],
            m=meta["m"],
            k=meta["k"],
            nonlinearity=meta["nonlinearity"].lower(),
            feature_law=meta["sample_kind"],
            batch_size=meta["batch_size"],
        )
        self.hyperparams = Hyperparams(
            learning_rate=meta["learning_rate"],
            eps=meta["eps"],
            init_bias=meta["init_bias"],
            bias_decay=meta["decay"],
            l1=meta["reg"],
        )
        output = self.arrays.get("output_embedder")
        self.world = World(
            embed_nm=jnp.asarray(self.arrays["embedder"].T),
            reproject_nm=None if output is None else jnp.asarray(output.T),
            task=self.config.task,
        )
        self.features_tbn = jnp.asarray(self.arrays["features"])
        self.loss_t = self.arrays["losses"]

    def model(self, when: str) -> Model:
        """The weights, `init` or `final`."""
        return Model(
            w_mk=jnp.asarray(self.arrays[f"{when}_W_in"].T),
            b_k=jnp.asarray(self.arrays[f"{when}_bias"]),
            w_ko=jnp.asarray(self.arrays[f"{when}_W_out"].T),
            nonlinearity=self.config.nonlinearity,
        )


@pytest.fixture(params=sorted((HERE / "golden").glob("*.npz")), ids=lambda path: path.stem)
def trace(request) -> Trace:
    return Trace(request.param)


@pytest.fixture
def begun(config, points, key):
    """A world and an untrained state."""
    return begin(config, points[0], key)
