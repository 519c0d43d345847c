"""What a sweep of ten thousand runs costs: writes `docs/scale.md`.

    python benchmarks/scale.py

Nothing is trained: costs are those that `--dry_run` prints.
"""

from pathlib import Path

from absl import app

from toymono import catalog, markdown
from toymono.config import split
from toymono.kinds import KINDS, Cost
from toymono.sweep import cost, machines

RUNS = 10_000
PAGE = Path(__file__).parents[1] / "docs" / "scale.md"

POINTS = {"laptop": catalog.PRESETS["laptop"]({})} | {
    scale: next(catalog.points(["LR1"], scale)) for scale in reversed(catalog.SCALES)
}
"""One run of each size: the default preset, and LR1 at each scale."""

_TEXT = """# What a sweep of {runs} runs costs

On two CPU cores {runs} runs of the default size take {laptop_time} and {laptop_disk} of disk, at
a rate that was measured; at the scale `small` they take {small_time}. At the paper's own size
they take {paper_time} and need an accelerator. **No accelerator was measured yet:** the columns
for accelerators are lower bounds, the operations of the matrix products divided by the vendor's
peak rate.

Written by `python benchmarks/scale.py`; do not edit. `python -m toymono.sweep … --dry_run` prints
the same numbers for any sweep.

## Time

Decoder with relu, float32. One run of `laptop` has the default settings, one of another size is of
the sweep LR1 at that scale.

{time}

- **Two CPU cores: measured.** `benchmarks/results.md` has the time of a
  step at four sizes. Between them the rate is interpolated in the logarithm of a step's
  operations: {rates}.
  Runs take their turn, so that {runs} runs take {runs} times as long as one.
- **One H100: a bound.** Peak in float32, {float32:.0f} TFLOP/s. A step of the default size has
  {laptop_step:.2g} operations, {laptop_us:.2g} µs at the peak: starting its kernels alone takes
  longer, so that a single run cannot come near the bound. Several runs that are batched
  share the kernels (`sweep/cost.py` batches up to {lanes} there); how near they come was not
  measured.
- **A node of eight, a pod: extrapolated from the bound**, by the number of devices. Runs do not
  communicate, each process takes its share of them and stores it. What remains is the
  end: a device that has no run left waits for the others. With {runs} runs each of the 256 chips of
  a TPU v5e pod has 39 or 40, and this costs at most 1 in 40.
- `--matmul_precision tensorfloat32` and `bfloat16` divide the bounds of an H100 by {tf32:.1f} and
  {bf16:.1f}. On a CPU without instructions for bfloat16 they gain nothing.

## Memory and disk

{memory}

Memory is that of one run in training; a GPU of 80 GB holds as many runs at a time as its memory
divided by this, although `sweep/cost.py` batches runs of at most 1 GiB in all. Disk is the size
of the files: snapshots at 1, 2, 4, … steps, the embedding, and the loss of every step.

Finding stored runs reads the header of every file. [docs/reliability.md](reliability.md) says what
happens to runs when a machine stops.
"""


def costs() -> dict[str, Cost]:
    """Of one run of each size."""
    return {name: KINDS["toy"].cost(split(point)[0], None) for name, point in POINTS.items()}


def page() -> str:
    """The text of the page."""
    of_size = costs()
    h100 = machines.ACCELERATORS[0].peak
    rows = [
        (
            f"`{name}`",
            f"{one.flops:.2g}",
            _time(machines.cpu_seconds(one)),
            _time(RUNS * machines.cpu_seconds(one)),
            *(
                _time(machine.least_seconds([(one, "float32")] * RUNS))
                for machine in machines.ACCELERATORS
            ),
        )
        for name, one in of_size.items()
    ]
    head = ("size", "operations of a run", "one run, two CPU cores", f"{RUNS} runs, two CPU cores")
    head += tuple(f"{RUNS} runs, {machine.name}: at least" for machine in machines.ACCELERATORS)
    memory = [
        (
            f"`{n}`",
            _size(one.training_bytes),
            _size(one.stored_bytes),
            _size(RUNS * one.stored_bytes),
        )
        for n, one in of_size.items()
    ]
    laptop, small, paper = (of_size[name] for name in ("laptop", "small", "paper"))
    return _TEXT.format(
        runs=RUNS,
        laptop_time=_time(RUNS * machines.cpu_seconds(laptop)),
        laptop_disk=_size(RUNS * laptop.stored_bytes),
        small_time=_time(RUNS * machines.cpu_seconds(small)),
        paper_time=_time(RUNS * machines.cpu_seconds(paper)),
        time=markdown.table(head, rows),
        rates=", ".join(f"{machines.cpu_rate(size) / 1e9:.0f}" for size, _ in machines._MEASURED)
        + " GFLOP/s at tiny, small, laptop and paper size",
        float32=h100["float32"] / 1e12,
        laptop_step=laptop.step_flops,
        laptop_us=1e6 * laptop.step_flops / h100["float32"],
        lanes=cost._MOST_LANES,
        tf32=h100["tensorfloat32"] / h100["float32"],
        bf16=h100["bfloat16"] / h100["float32"],
        memory=markdown.table(
            ("size", "memory of a run", "file of a run", f"files of {RUNS} runs"), memory
        ),
    )


def _time(seconds: float) -> str:
    for unit, length in (("years", 365.25 * 86400), ("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{_number(seconds / length)} {unit}"
    return f"{seconds:.2g} s"


def _number(value: float) -> str:
    return f"{float(f'{value:.2g}'):,.12g}".replace(",", "")


def _size(count: float) -> str:
    for unit, size in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count / 2**10:.0f} KiB"


def main(argv) -> None:
    markdown.write(PAGE, page(), "Written by `python benchmarks/scale.py`")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    app.run(main)
