"""The authors' own program, timed from a copy of it outside the repository.

The program needs a GPU and runs on import: here its definitions are executed without
its command line, on any device.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from toymono.config import Config, Hyperparams

_TASKS = {"decoder": "autoencoder", "reproject": "random_proj", "abs": "abs"}


def stepper(
    path: str, config: Config, hyperparams: Hyperparams, device: str
) -> Callable[[int], None]:
    """Takes so many steps of the authors' `train`.

    Args:
      path: Their `model3.py`; it needs PyTorch and torch_optimizer.
      config: Relu neurons and equal frequencies.
      hyperparams: Scalars.
      device: `cpu` or `cuda`.
    """
    definitions, _, _ = Path(path).read_text(encoding="utf-8").partition("import argparse")
    lines = [line for line in definitions.splitlines() if "get_device_name" not in line]
    text = "\n".join(lines).replace("'cuda'", repr(device))
    # TorchScript reads the source of its functions from a file.
    program: dict[str, Any] = {"__name__": "authors"}
    copy = Path(path).with_name("definitions_without_command_line.py")
    copy.write_text(text, encoding="utf-8")
    exec(compile(text, str(copy), "exec"), program)
    _, model, _, setup = program["run"](
        *(config.n, config.m, config.k, float(hyperparams.eps), config.batch_size),
        *(float(hyperparams.learning_rate), 0, "equal", float(hyperparams.init_bias), "ReLU"),
        *(_TASKS[config.task], float(hyperparams.bias_decay), 0.0),
    )
    # Newer versions of TorchScript take no number for a parameter without a type.
    for name in ("N", "eps", "batch_size"):
        setup[name] = program["torch"].tensor(setup[name])
    return lambda steps: program["train"](setup, model, steps)
