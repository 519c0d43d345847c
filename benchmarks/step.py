"""How long a training step takes, beside its matrix products and a plain PyTorch program.

    make bench

Each size is measured in rounds: a stretch of ours, of the products alone, of
PyTorch, in turn, so that what else the machine does falls on all alike. What
counts is the ratio of medians. Writes `benchmarks/results.md`.
"""

import os
import platform
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
from absl import app, flags

from toymono import Dials, Setup, stack
from toymono.train import advance_many, begin_many

try:
    import torch_step
except ModuleNotFoundError:  # PyTorch is the extra `bench`
    torch_step = None

SIZES = {
    "paper": Setup(n=512, m=64, k=1024, batch_size=8192),
    "laptop": Setup(),
    "small": Setup(n=128, m=32, k=256, batch_size=1024),
    "tiny": Setup(n=32, m=8, k=64, batch_size=64),
}
_ROUNDS = flags.DEFINE_integer("rounds", 7, "Rounds of each measurement.", 1)
_SECONDS = flags.DEFINE_float("seconds", 2.0, "About how long a stretch lasts.")
_SIZES = flags.DEFINE_list("sizes", list(SIZES), "Sizes to measure.")
_RUNS = flags.DEFINE_list("runs", ["1", "4", "16"], "Runs trained together.")
_OUT = flags.DEFINE_string("out", str(Path(__file__).parent / "results.md"), "File to write.")


def ours(setup: Setup, runs: int) -> Callable[[int], None]:
    """Takes so many steps of `runs` models."""
    dials = stack([Dials(init_bias=-1.0).checked()] * runs)
    keys = jax.random.split(jax.random.key(0), runs)
    world, state = begin_many(setup, dials, keys)

    def take(steps: int) -> None:
        nonlocal state
        state = jax.block_until_ready(advance_many(setup, dials, world, state, steps))

    return take


def products(setup: Setup) -> Callable[[int], None]:
    """Takes only the matrix products of so many steps, each at its best layout known to us."""
    b, n, m, k, o = setup.batch_size, setup.n, setup.m, setup.k, setup.o
    keys = iter(jax.random.split(jax.random.key(0), 12))

    def normal(*shape):
        return jax.random.normal(next(keys), shape)

    pairs = (
        ("bn,nm->bm", normal(b, n), normal(n, m)),
        ("bm,mk->bk", normal(b, m), normal(m, k)),
        ("bk,ko->bo", normal(b, k), normal(k, o)),
        ("bo,ko->bk", normal(b, o), normal(k, o)),
        ("bk,bo->ko", normal(b, k), normal(b, o)),
        ("bm,bk->mk", normal(b, m), normal(b, k)),
    )
    functions = [(jax.jit(lambda x, y, s=spec: jnp.einsum(s, x, y)), x, y) for spec, x, y in pairs]

    def take(steps: int) -> None:
        for _ in range(steps):
            jax.block_until_ready([function(x, y) for function, x, y in functions])

    return take


def theirs(setup: Setup) -> Callable[[int], None]:
    """Takes so many steps of the PyTorch program."""
    step = torch_step.stepper(setup, Dials(init_bias=-1.0))

    def take(steps: int) -> None:
        for _ in range(steps):
            loss = step()
        loss.item()

    return take


def measure(takers: dict[str, Callable[[int], None]]) -> dict[str, list[float]]:
    """Seconds per step of each, one figure per round, the takers in turn."""
    lengths = {}
    for name, take in takers.items():
        take(1)  # compiles
        start = time.perf_counter()
        take(2)
        lengths[name] = max(2, round(_SECONDS.value * 2 / (time.perf_counter() - start)))
    seconds = {name: [] for name in takers}
    for _ in range(_ROUNDS.value):
        for name, take in takers.items():
            start = time.perf_counter()
            take(lengths[name])
            seconds[name].append((time.perf_counter() - start) / lengths[name])
    return seconds


def _cell(seconds: list[float]) -> str:
    low, high = min(seconds) * 1e3, max(seconds) * 1e3
    return f"{statistics.median(seconds) * 1e3:.3g} ({low:.3g}-{high:.3g})"


def _row(size: str, runs: int, seconds: dict[str, list[float]]) -> str:
    per_run = [value / runs for value in seconds[f"ours x{runs}"]]
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ours = statistics.median(per_run)
    faster = f"{medians['pytorch'] / ours:.2f}" if torch_step else "-"
    pytorch = _cell(seconds["pytorch"]) if torch_step else "-"
    above = f"{ours / medians['products']:.2f}"
    cells = (size, runs, faster, above, _cell(per_run), _cell(seconds["products"]), pytorch)
    return "| " + " | ".join(map(str, cells)) + " |"


_HEAD = (
    "| size | runs together | × faster than PyTorch | × the matrix products "
    "| ours | products | PyTorch |"
)


def main(argv) -> None:
    rows = []
    for size in _SIZES.value:
        setup = SIZES[size]
        counts = [int(count) for count in _RUNS.value if size != "paper" or int(count) <= 4]
        takers = {f"ours x{count}": ours(setup, count) for count in counts}
        takers["products"] = products(setup)
        if torch_step is not None:
            takers["pytorch"] = theirs(setup)
        seconds = measure(takers)
        rows += [_row(size, count, seconds) for count in counts]
        print("\n".join(rows[-len(counts) :]), flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    device = jax.local_devices()[0]
    stats = device.memory_stats() or {}
    lines = [
        "# Time of a training step",
        "",
        f"`make bench` on {platform.machine()}, {len(jax.devices())} × {device.device_kind}, "
        f"{_cpus()} CPU cores, Python {platform.python_version()}, JAX {jax.__version__}; "
        f"{_ROUNDS.value} rounds, the programs in turn. Times in milliseconds per step and run: "
        "median (lowest-highest).",
        "",
        _HEAD,
        "| --- | --- | --- | --- | --- | --- | --- |",
        *rows,
        "",
        f"Peak resident memory of the whole measurement: {peak:.0f} MiB."
        + (f" Peak on the device: {stats['peak_bytes_in_use'] / 2**20:.0f} MiB." if stats else ""),
    ]
    notes = Path(__file__).parent / "notes.md"
    if notes.exists():
        lines += ["", notes.read_text().strip()]
    Path(_OUT.value).write_text("\n".join(lines) + "\n")
    print(f"wrote {_OUT.value}")


def _cpus() -> int:
    return len(os.sched_getaffinity(0))


if __name__ == "__main__":
    app.run(main)
