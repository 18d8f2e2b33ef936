"""A trained network as a file: its constants, its layers, what it was trained on.

The weights that belong to the paper could not be had: this is a form of our own, written by
`voxgate train odd-one-out`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from voxgate.export.features.checkpoint import load_state, sha256_of
from voxgate.export.features.model_file import whole_file
from voxgate.export.features.weights_file import read_content
from voxgate.export.methods.odd_one_out.constants import Constants
from voxgate.export.methods.odd_one_out.network import OddOneOut
from voxgate.runtime.errors import EngineError

FORM = "voxgate odd-one-out 1"
WHAT = "a checkpoint of voxgate train odd-one-out"


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """network: ready to score. record: how it was trained; of a seeded one, its seed."""

    network: OddOneOut
    record: Mapping[str, Any]
    untrained: bool = False


def write_trained(path: Path, network: OddOneOut, record: Mapping[str, Any]) -> None:
    """The whole file or none. Raises EngineError."""
    content = {
        "form": FORM,
        "constants": network.constants.to_json(),
        "record": dict(record),
        "state": network.state_dict(),
    }
    with whole_file(path) as written:
        torch.save(content, written)


def read_trained(path: Path) -> Trained:
    """Raises EngineError, one line."""
    content = read_content(path, WHAT)
    if not isinstance(content, Mapping) or content.get("form") != FORM:
        raise EngineError(f"{path}: is not {WHAT}; the paper's own weights are in no known form")
    network = OddOneOut(Constants.from_json(content["constants"]))
    load_state(network, content["state"], path)
    record = {**content["record"], "checkpoint_sha256": sha256_of(path)}
    return Trained(network.eval().requires_grad_(False), record)


def by_chance(constants: Constants, seed: int) -> Trained:
    """Weights drawn by chance: they tell nothing, and what they say is never PASS."""
    torch.manual_seed(seed)
    network = OddOneOut(constants).eval().requires_grad_(False)
    return Trained(network, {"weights": f"drawn by chance, seed {seed}"}, untrained=True)
