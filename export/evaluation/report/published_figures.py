"""What the papers print, beside ours: SiM3D tables 3 (I-AUROC) and 4 (V-AUPRO@1%).

Their objects are not ours: a row stands there for orientation, not as a contest.
"""

from __future__ import annotations

from dataclasses import dataclass

TYPES = (
    "Pl. Stool",
    "Rub. Bin",
    "W. Vase",
    "B. Furn.",
    "Cont.",
    "Pl. Vase",
    "W. Stool",
    "Sink Cab.",
    "Mean",
)


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One method of the paper; a value per TYPES for each set-up."""

    method: str
    modality: str
    real2real: tuple[float, ...]
    synth2real: tuple[float, ...]

    def of(self, setup: str) -> tuple[float, ...]:
        """The values of one set-up."""
        return self.synth2real if setup == "synth2real" else self.real2real


_RGB, _BOTH = "RGB", "RGB + point cloud"

I_AUROC = (
    PublishedRow(
        "PatchCore, WRN-101",
        _RGB,
        (0.740, 0.987, 0.636, 0.777, 0.774, 0.551, 1.000, 0.566, 0.754),
        (0.462, 0.235, 0.537, 0.353, 0.678, 0.576, 0.517, 0.250, 0.451),
    ),
    PublishedRow(
        "PatchCore, DINO-v2",
        _RGB,
        (0.500, 0.958, 0.636, 0.622, 0.578, 0.563, 1.000, 0.563, 0.678),
        (0.958, 0.897, 0.413, 0.464, 0.207, 0.684, 0.607, 0.087, 0.540),
    ),
    PublishedRow(
        "EfficientAD",
        _RGB,
        (0.280, 0.732, 0.000, 0.878, 0.424, 0.730, 0.928, 0.712, 0.585),
        (0.123, 0.673, 0.000, 0.848, 0.008, 0.487, 0.750, 0.662, 0.443),
    ),
    PublishedRow(
        "BTF",
        _BOTH,
        (0.421, 0.217, 0.504, 0.565, 0.545, 0.471, 0.678, 0.424, 0.478),
        (0.462, 0.294, 0.520, 0.444, 0.464, 0.424, 0.482, 0.287, 0.422),
    ),
    PublishedRow(
        "CFM, DINO-v2 + FPFH",
        _BOTH,
        (0.198, 0.301, 0.074, 0.515, 0.483, 0.456, 0.732, 0.825, 0.448),
        (0.008, 0.000, 0.190, 0.424, 0.313, 0.459, 0.428, 0.362, 0.273),
    ),
    PublishedRow(
        "M3DM, DINO-v2 + FPFH",
        _BOTH,
        (0.702, 0.988, 0.661, 0.545, 0.556, 0.649, 0.392, 0.475, 0.621),
        (0.107, 0.117, 0.735, 0.565, 0.381, 0.586, 0.214, 0.512, 0.402),
    ),
)

V_AUPRO = (
    PublishedRow(
        "PatchCore, WRN-101",
        _RGB,
        (0.710, 0.461, 0.761, 0.675, 0.694, 0.747, 0.380, 0.609, 0.630),
        (0.734, 0.437, 0.751, 0.454, 0.678, 0.741, 0.386, 0.618, 0.600),
    ),
    PublishedRow(
        "PatchCore, DINO-v2",
        _RGB,
        (0.745, 0.469, 0.775, 0.792, 0.709, 0.753, 0.435, 0.690, 0.671),
        (0.701, 0.457, 0.772, 0.563, 0.648, 0.734, 0.321, 0.575, 0.596),
    ),
    PublishedRow(
        "EfficientAD",
        _RGB,
        (0.682, 0.462, 0.763, 0.534, 0.680, 0.743, 0.407, 0.488, 0.594),
        (0.680, 0.449, 0.729, 0.523, 0.669, 0.747, 0.431, 0.361, 0.573),
    ),
    PublishedRow(
        "BTF",
        _BOTH,
        (0.551, 0.402, 0.750, 0.377, 0.614, 0.741, 0.092, 0.030, 0.444),
        (0.547, 0.402, 0.756, 0.369, 0.610, 0.741, 0.103, 0.040, 0.446),
    ),
    PublishedRow(
        "CFM, DINO-v2 + FPFH",
        _BOTH,
        (0.597, 0.415, 0.768, 0.505, 0.640, 0.743, 0.315, 0.321, 0.538),
        (0.523, 0.413, 0.753, 0.542, 0.621, 0.741, 0.222, 0.314, 0.516),
    ),
    PublishedRow(
        "M3DM, DINO-v2 + FPFH",
        _BOTH,
        (0.733, 0.452, 0.767, 0.702, 0.702, 0.752, 0.288, 0.126, 0.565),
        (0.690, 0.454, 0.770, 0.461, 0.645, 0.734, 0.318, 0.132, 0.526),
    ),
)

TABLES = {"I-AUROC": ("table 3", I_AUROC), "V-AUPRO@1%": ("table 4", V_AUPRO)}
