"""Options that several methods have, said once."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class FitName(str, Enum):
    """How a picture becomes the square that a network sees."""

    PAD = "pad"
    STRETCH = "stretch"


class ShapeName(str, Enum):
    """What a method takes the shape from."""

    FPFH = "fpfh"
    DEPTH = "depth"


class CrossmodalShape(str, Enum):
    """What CFM and M3DM take the shape from."""

    FPFH = "fpfh"
    DEPTH = "depth"
    POINT_MAE = "point-mae"


class RepresentationName(str, Enum):
    """What MVTec 3D-AD's methods see."""

    DEPTH = "depth"
    VOXEL = "voxel"


# pictures and the network that sees them
Checkpoint = Annotated[Path, typer.Option(help="anomalib 2.x checkpoint (.ckpt).")]
PreparedPx = Annotated[
    int | None,
    typer.Option(
        min=16,
        max=4096,
        help="Square that pictures were resized to, for a checkpoint that does not say it.",
    ),
]
TransformerWeights = Annotated[Path, typer.Option(help="State dict of the vision transformer.")]
Transformer = Annotated[
    str,
    typer.Option(
        help="Its hub name (dino_vitb8, dinov2_vitb14_reg, dinov3_vitb16, ...), or timm's."
    ),
]
TransformerShape = Annotated[
    CrossmodalShape,
    typer.Option(help="FPFH of the cloud, the transformer on depth, or Point-MAE on points."),
]
PointsWeights = Annotated[
    Path | None, typer.Option(help="Weights of Point-MAE, as published, for --shape point-mae.")
]
PointGroups = Annotated[
    int, typer.Option(min=3, max=4096, help="Groups of points that Point-MAE sees.")
]
PointGroupSize = Annotated[int, typer.Option(min=1, max=1024, help="Points of a group.")]
BackbonePx = Annotated[
    int, typer.Option(min=32, help="Side of the square the backbone sees (SiM3D: 1540).")
]
TransformerPx = Annotated[
    int, typer.Option(min=32, help="Side of the square the network sees (SiM3D: 1540).")
]
Patches = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=512,
        help="Patches a side that a convolutional network's maps are averaged to (SiM3D: 28); "
        "default: layer 2's own.",
    ),
]
Fit = Annotated[FitName, typer.Option(help="Pad the picture to a square, or stretch it.")]
FpfhStepPx = Annotated[
    int, typer.Option(min=1, max=64, help="A descriptor at every so many pixels.")
]

# banks of golden patches
Coreset = Annotated[
    float, typer.Option(min=1e-4, max=1.0, help="Share of the golden patches that is kept.")
]
Reweight = Annotated[
    int, typer.Option(min=0, max=100, help="Neighbours in PatchCore's equation 7; 0: not.")
]
BankMb = Annotated[float, typer.Option(min=1, help="Most the bank may take in the recipe.")]
CoresetSeed = Annotated[int, typer.Option(help="Of the coreset.")]

# MVTec 3D-AD's methods
Representation = Annotated[
    RepresentationName, typer.Option(help="Depth pictures, or the part's 64^3 voxels.")
]
TrainedHere = Annotated[
    Path | None, typer.Option(help="Model of voxgate train: it names all that follows.")
]
Encoder = Annotated[Path | None, typer.Option(help="State dict of the encoder (conv1.weight ...).")]
TrainedWithColour = Annotated[
    bool, typer.Option(help="Trained with colour too; grey counts thrice.")
]
FarMm = Annotated[
    float | None,
    typer.Option(min=1.0, help="Distance that is 1 to the networks; default: the golden scan's."),
]
