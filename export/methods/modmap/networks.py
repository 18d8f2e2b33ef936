"""The trained parts of ModMap, by the names of its published code.

Costanzino, Zama Ramirez, Lisanti, Di Stefano: Modulate-and-Map, CVPR Findings 2026. What a source
view shows is modulated, feature by feature, for its pair of source and target, then mapped as in
CFM to what the other modality of the target shows at the same patch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from voxgate.export.features.checkpoint import State, load_state
from voxgate.export.methods.cfm.network import MappingNetwork
from voxgate.runtime.errors import EngineError

HIDDEN = 128  # of a modulator, as published
PARTS = ("model_image2depth", "model_depth2image", "modulator_image", "modulator_depth")
"""Of the published file, each a state dict."""


class Modulator(nn.Module):
    """Which view it is from and which it is for -> a factor and a summand a feature (FiLM).

    It begins as what changes nothing: factors of 1, summands of 0.
    """

    def __init__(self, views: int, width: int) -> None:
        super().__init__()
        last = nn.Linear(HIDDEN, 2 * width)
        self.mlp = nn.Sequential(nn.Linear(2 * views, HIDDEN), nn.GELU(), last)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        nn.init.ones_(last.bias[:width])

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Numbers (b,) of views -> (b, 2, width)."""
        views = self.mlp[0].in_features // 2
        known = torch.eye(views, device=self.mlp[0].weight.device)
        found: torch.Tensor = self.mlp(torch.cat([known[source], known[target]], dim=1))
        return found.reshape(len(source), 2, -1)

    @property
    def views(self) -> int:
        """That it knows."""
        return int(self.mlp[0].in_features) // 2


class Direction(nn.Module):
    """From one modality of the source to the other of the target: modulated, then mapped."""

    def __init__(self, views: int, given: int, found: int) -> None:
        super().__init__()
        self.modulator = Modulator(views, given)
        self.mapping = MappingNetwork(given, found)

    def forward(
        self, features: torch.Tensor, source: torch.Tensor, target: torch.Tensor
    ) -> torch.Tensor:
        """(b, n, given) -> (b, n, found)."""
        factor, summand = self.modulator(source, target)[:, :, None].unbind(dim=1)
        mapped: torch.Tensor = self.mapping(factor * features + summand)
        return mapped


class ModMapNetworks(nn.Module):
    """Both directions. widths: of picture and shape features."""

    def __init__(self, views: int, widths: tuple[int, int]) -> None:
        super().__init__()
        picture, shape = widths
        self.to_shape = Direction(views, picture, shape)
        self.to_picture = Direction(views, shape, picture)

    @property
    def views(self) -> int:
        """That it knows."""
        return self.to_shape.modulator.views

    def parts(self) -> dict[str, nn.Module]:
        """By their published names."""
        return dict(
            zip(
                PARTS,
                (
                    self.to_shape.mapping,
                    self.to_picture.mapping,
                    self.to_shape.modulator,
                    self.to_picture.modulator,
                ),
                strict=True,
            )
        )


def filled(states: Mapping[str, State], path: Path) -> ModMapNetworks:
    """With the layers of the four parts. Raises EngineError for parts that do not fit together."""
    try:
        views = states["modulator_image"]["mlp.0.weight"].shape[1] // 2
        widths = tuple(
            states[name]["input.weight"].shape[1]
            for name in ("model_image2depth", "model_depth2image")
        )
    except (KeyError, IndexError) as error:
        raise EngineError(f"{path}: lacks {error}: is it a checkpoint of ModMap?") from error
    networks = ModMapNetworks(views, (widths[0], widths[1]))
    for name, part in networks.parts().items():
        load_state(part, states[name], path)
    networks.eval().requires_grad_(False)
    return networks
