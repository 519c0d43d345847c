"""Named settings: the presets of the sweep command."""

import math
from collections.abc import Callable, Mapping
from typing import Any

Preset = Callable[[Mapping[str, Any]], dict[str, Any]]
"""From the fields that the user gave to the preset's values of the others."""


def _smoke(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"n": 32, "m": 8, "k": 64, "eps": 1 / 8, "batch_size": 64, "log2_steps": 6}


def _laptop(given: Mapping[str, Any]) -> dict[str, Any]:
    return {}  # the defaults of Setup and Dials


def _paper(given: Mapping[str, Any]) -> dict[str, Any]:
    # Sizes of section 4 and appendix A; the batch shrinks as k grows, as in the
    # paper's program. Rate and decay are those of its batch K1.
    k = given.get("k", 1024)
    return {
        "k": k,
        "batch_size": 2 ** max(0, 23 - math.ceil(math.log2(k))) if k > 0 else 1,
        "log2_steps": 17,
        "learning_rate": 0.007,
        "bias_decay": 0.03,
    }


PRESETS: dict[str, Preset] = {"smoke": _smoke, "laptop": _laptop, "paper": _paper}
