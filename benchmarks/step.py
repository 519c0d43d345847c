"""Time of a training step, compared with its matrix products and a plain PyTorch program.

    make bench

Each size is measured in rounds: some steps of ours, of the products alone, of
PyTorch, in turn, so that other load on the machine affects all alike. What
counts is the ratio of medians. With --authors the authors' own program is
measured too, from a copy outside the repository. Several runs are measured as the sweep command
trains them, one after the other in one program, and batched with `vmap`, which
is faster or slower but not exact. Writes `benchmarks/results.md`.
"""

import dataclasses
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
from absl import app, flags

from toymono import Config, Hyperparams, markdown, stack
from toymono.kinds import KINDS
from toymono.sweep import devices
from toymono.tasks import TASKS

try:
    import authors_step
    import torch_step
except ModuleNotFoundError:  # PyTorch is the extra `bench`
    torch_step = None

SIZES = {
    "paper": Config(n=512, m=64, k=1024, batch_size=8192),
    "laptop": Config(),
    "small": Config(n=128, m=32, k=256, batch_size=1024),
    "tiny": Config(n=32, m=8, k=64, batch_size=64),
}
# Each with the runs trained together: as many as take seconds, not minutes, a step.
MEASURED = {
    "paper": (SIZES["paper"], (1, 4)),
    "laptop": (SIZES["laptop"], (1, 4, 16)),
    "small": (SIZES["small"], (1, 4, 16, 64)),
    "tiny": (SIZES["tiny"], (1, 4, 16, 64)),
    "laptop, reproject": (dataclasses.replace(SIZES["laptop"], task="reproject"), (1,)),
    "laptop, abs": (dataclasses.replace(SIZES["laptop"], task="abs"), (1,)),
}
TARGETS = {"paper": (1.3, 2.2), "small": (2, 4)}
"""Of one model alone: at most × its matrix products, at least × faster than PyTorch."""

_ROUNDS = flags.DEFINE_integer("rounds", 7, "Rounds of each measurement.", 1)
_SECONDS = flags.DEFINE_float("seconds", 1.0, "About how long each measurement lasts.")
_SIZES = flags.DEFINE_multi_enum("size", list(MEASURED), list(MEASURED), "Sizes to measure.")
_AUTHORS = flags.DEFINE_string(
    "authors", None, "model3.py of the authors' program, to be measured too; a copy elsewhere."
)
_OUT = flags.DEFINE_string("out", str(Path(__file__).parent / "results.md"), "File to write.")


TOY = KINDS["toy"]


def begun(config: Config, runs: int, lanes: int):
    """Hyperparameters, world and state of so many untrained runs."""
    hyperparams = stack([Hyperparams(init_bias=-1.0).checked()] * runs)
    keys = jax.random.split(jax.random.key(0), runs)
    return hyperparams, *devices.begin(TOY, lanes, config, hyperparams, None, keys)


def ours(config: Config, runs: int, lanes: int = 1) -> Callable[[int], None]:
    """Takes so many steps of `runs` models, `lanes` of them batched."""
    hyperparams, world, state = begun(config, runs, lanes)

    def take(steps: int) -> None:
        nonlocal state
        state = devices.advance(TOY, lanes, config, hyperparams, None, world, state, steps)
        jax.block_until_ready(state)

    return take


def products(config: Config) -> Callable[[int], None]:
    """Takes only the matrix products of so many steps, in one compiled loop.

    The gradient of the outer weights is taken in whichever of its two layouts
    the device does faster.
    """
    b, n, m, k = config.batch_size, config.n, config.m, config.k
    o = TASKS[config.task].outputs(config)
    keys = iter(jax.random.split(jax.random.key(0), 6))

    def normal(*shape):
        return jax.random.normal(next(keys), shape)

    v_bn, x_bm, h_bk, y_bo = normal(b, n), normal(b, m), normal(b, k), normal(b, o)
    embed_nm, w_mk, w_ko = normal(n, m), normal(m, k), jax.random.normal(jax.random.key(1), (k, o))
    pairs = [
        ("bn,nm->bm", v_bn, embed_nm),
        ("bm,mk->bk", x_bm, w_mk),
        ("bk,ko->bo", h_bk, w_ko),
        ("bo,ko->bk", y_bo, w_ko),
        ("bm,bk->mk", x_bm, h_bk),
    ]
    if config.task == "reproject":
        pairs.append(("bn,no->bo", v_bn, jnp.ones((n, o))))
    layouts = [(spec, h_bk, y_bo) for spec in ("bk,bo->ko", "bk,bo->ok")]
    takers = [_loop([*pairs, layout]) for layout in layouts]
    return min(takers, key=lambda take: min(_timed(take, 3) for _ in range(3)))


def _loop(pairs: Sequence[tuple[str, jax.Array, jax.Array]]) -> Callable[[int], None]:
    specs, operands = [spec for spec, *_ in pairs], [(x, y) for _, x, y in pairs]

    @jax.jit
    def loop(operands, steps):
        def step(_, operands):
            # Each product's first number goes into its operand, or the compiler
            # would take the products out of the loop.
            results = [jnp.einsum(s, x, y) for s, (x, y) in zip(specs, operands, strict=True)]
            return [
                (x.at[0, 0].set(r[0, 0] * 1e-9), y)
                for (x, y), r in zip(operands, results, strict=True)
            ]

        return jax.lax.fori_loop(0, steps, step, operands)

    return lambda steps: jax.block_until_ready(loop(operands, steps))


def _timed(take: Callable[[int], None], steps: int) -> float:
    start = time.perf_counter()
    take(steps)
    return (time.perf_counter() - start) / steps


def _device() -> str:
    """The device of PyTorch programs."""
    return "cuda" if jax.default_backend() == "gpu" else "cpu"


def theirs(config: Config) -> Callable[[int], None]:
    """Takes so many steps of the PyTorch program."""
    device = _device()
    step = torch_step.stepper(config, Hyperparams(init_bias=-1.0), device=device)

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


def _memory(config: Config, runs: int) -> float:
    """Bytes that the compiled loop holds on its device for each run, while it trains."""
    hyperparams, world, state = begun(config, runs, lanes=1)
    program = devices.advance.lower(TOY, 1, config, hyperparams, None, world, state, 1)
    compiled = program.compile()
    analysis = compiled.memory_analysis()
    return (analysis.argument_size_in_bytes + analysis.temp_size_in_bytes) / runs


def _cell(seconds: list[float]) -> str:
    low, high = min(seconds) * 1e3, max(seconds) * 1e3
    return f"{statistics.median(seconds) * 1e3:.3g} ({low:.3g}-{high:.3g})"


def ratios(seconds: dict[str, list[float]], runs: int) -> tuple[float, float | None]:
    """Our time per run to that of the products, and PyTorch's to ours if it was measured."""
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ours = medians[f"ours x{runs}"] / runs
    return ours / medians["products"], medians["pytorch"] / ours if "pytorch" in medians else None


def _row(size: str, config: Config, runs: int, seconds: dict[str, list[float]]) -> str:
    per_run = [value / runs for value in seconds[f"ours x{runs}"]]
    above, faster = ratios(seconds, runs)
    batched = [value / runs for value in seconds.get(f"vmap x{runs}", [])]
    exact = statistics.median(per_run) / statistics.median(batched) if batched else None

    def beside(name: str) -> str:
        if name not in seconds:
            return "-"
        ratio = statistics.median(seconds[name]) / statistics.median(per_run)
        return f"{ratio:.2f}"

    cells = (
        size,
        runs,
        "-" if faster is None else f"{faster:.2f}",
        f"{above:.2f}",
        "-" if exact is None else f"{exact:.2f}",
        beside("bfloat16"),
        beside("authors"),
        _cell(per_run),
        _cell(seconds["products"]),
        "-" if faster is None else _cell(seconds["pytorch"]),
        f"{_memory(config, runs) / 2**20:.3g}",
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def targets(alone: dict[str, tuple[float, float | None]]) -> list[str]:
    """The lines on `TARGETS`, for those of the sizes that were measured.

    Args:
      alone: The `ratios` of one model alone, by size.
    """
    rows = []
    for size, (most, least) in TARGETS.items():
        if size not in alone:
            continue
        above, faster = alone[size]
        rows.append((size, "× the matrix products", f"≤ {most}", above, above <= most))
        if faster is not None:
            rows.append((size, "× faster than PyTorch", f"≥ {least}", faster, faster >= least))
    if not rows:
        return []
    return [
        "",
        "## Targets",
        "",
        "| size, one run | ratio | target | reached | |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {size} | {ratio} | {target} | {reached:.2f} | {'met' if met else 'not met'} |"
            for size, ratio, target, reached, met in rows
        ),
    ]


_HEAD = (
    "| size | runs | × faster than PyTorch | × the matrix products | × batched with vmap "
    "| bfloat16, × ours | authors' program, × ours | ours | products | PyTorch | MiB per run |"
)


def main(argv) -> None:
    rows, alone = [], {}
    for size in _SIZES.value:
        config, counts = MEASURED[size]
        takers = {f"ours x{count}": ours(config, count) for count in counts}
        takers |= {f"vmap x{count}": ours(config, count, count) for count in counts if count > 1}
        takers["products"] = products(config)
        takers["bfloat16"] = ours(dataclasses.replace(config, matmul_precision="bfloat16"), 1)
        if _AUTHORS.value is not None:
            hyperparams = Hyperparams(init_bias=-1.0)
            takers["authors"] = authors_step.stepper(_AUTHORS.value, config, hyperparams, _device())
        if torch_step is not None:
            takers["pytorch"] = theirs(config)
        seconds = measure(takers)
        rows += [_row(size, config, count, seconds) for count in counts]
        alone[size] = ratios(seconds, 1)
        print("\n".join(rows[-len(counts) :]), flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    device = jax.local_devices()[0]
    stats = device.memory_stats() or {}
    sizes = [
        f"{name}: n={config.n}, m={config.m}, k={config.k}, batch {config.batch_size}"
        for name, config in SIZES.items()
    ]
    lines = [
        "# Time of a training step",
        "",
        f"`make bench` on {platform.machine()}, {len(jax.devices())} × {device.device_kind}, "
        f"{_cpus()} CPU cores, Python {platform.python_version()}, JAX {jax.__version__}; "
        f"{_ROUNDS.value} rounds, the programs in turn. Times in milliseconds per step and run: "
        "median (lowest-highest). The task is decoder unless named. Runs are trained one after the "
        "other in one program, as the sweep command does; × batched with vmap is their time over "
        "that of the same runs in one batch, which is not exact.",
        "",
        *(f"- {line}" for line in sizes),
        "",
        _HEAD,
        "|" + " --- |" * _HEAD.count("|", 1),
        *rows,
        "",
        f"Peak resident memory of the whole measurement: {peak:.0f} MiB."
        + (f" Peak on the device: {stats['peak_bytes_in_use'] / 2**20:.0f} MiB." if stats else ""),
        *targets(alone),
    ]
    for name in ("notes.md", "lenses.md"):
        more = Path(__file__).parent / name
        if more.exists():
            lines += ["", more.read_text().strip()]
    markdown.write(_OUT.value, "\n".join(lines) + "\n", "`make bench` on ")
    print(f"wrote {_OUT.value}")


def _cpus() -> int:
    return len(os.sched_getaffinity(0))


if __name__ == "__main__":
    app.run(main)
