"""What Odd-One-Out (Bhunia, Li and Bilen 2024, section 4.2) names, and what it leaves open.

Left open there and chosen here: the width of the volume (32, as in Atlas, Murez et al. 2020, whose
network the paper names), widths and blocks of its scales, and the widths of the heads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from voxgate.runtime.errors import EngineError

Voxels = tuple[int, int, int]
Body = Literal["resnet50", "resnet18"]
HALVINGS = 8  # of the coarsest of four scales against the finest


@dataclass(frozen=True, slots=True)
class Constants:
    """Of one network. The defaults are the published ones.

    pictures of side_px x side_px; pyramid: channels of the FPN; voxels: of the volume; width: its
    channels; field: channels of the neural feature field (d_f); hidden: of the heads; scales:
    channels of the four scales and, down and up, their blocks; region: voxels a side of an
    instance; most: instances that are compared, as many as PartsAD-15K has; nearest:
    correspondences in each other instance (k); blocks of attention, each of so many heads.
    """

    body: Body = "resnet50"
    side_px: int = 256
    pyramid: int = 256
    voxels: Voxels = (96, 96, 16)
    width: int = 32
    field: int = 128
    hidden: int = 128
    scales: tuple[int, int, int, int] = (32, 64, 128, 256)
    down: tuple[int, int, int, int] = (1, 2, 3, 4)
    up: tuple[int, int, int] = (3, 2, 1)
    region: int = 8
    most: int = 12
    nearest: int = 20
    blocks: int = 3
    heads: int = 8

    def __post_init__(self) -> None:
        if any(side % HALVINGS for side in (*self.voxels, self.region)):
            raise ValueError(
                f"voxels {self.voxels} and region {self.region} must be multiples of {HALVINGS}"
            )
        if self.width % self.heads or self.scales[0] != self.width:
            raise ValueError(
                f"width {self.width} must be that of the finest scale, {self.scales[0]}, and a "
                f"multiple of the {self.heads} heads"
            )

    def to_json(self) -> dict[str, Any]:
        """As a checkpoint keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Constants:
        """Of a checkpoint. Raises EngineError."""
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in said.items()
        }
        try:
            return cls(**values)
        except (TypeError, ValueError) as error:
            raise EngineError(f"the checkpoint's constants cannot be used: {error}") from error


TOY = Constants(
    body="resnet18",
    side_px=64,
    pyramid=32,
    voxels=(32, 32, 8),
    width=16,
    field=16,
    hidden=32,
    scales=(16, 16, 32, 32),
    down=(1, 1, 1, 1),
    up=(1, 1, 1),
    most=6,
    nearest=8,
)
"""For tests, and for a processor without a GPU."""
